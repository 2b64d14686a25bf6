//! The site of a world: `programs/site.py`, and what it saw.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

use serde_json::Value;

use crate::pen::launch::PATIENCE;

/// The running site; it ends with the test, at the latest when its stdin is closed.
pub(crate) struct Site {
    child: Child,
    _stdin: ChildStdin,
    seen: Arc<Seen>,
}

#[derive(Default)]
struct Seen {
    lines: Mutex<Vec<Value>>,
    more: Condvar,
}

impl Site {
    /// Listens on port 80 and 443 of these addresses, and on the port `service` of all.
    pub(crate) fn start(folder: &Path, service: u16, addresses: &[&str]) -> Site {
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/network/programs/site.py");
        let mut child = Command::new("/usr/bin/python3")
            .arg(program)
            .arg(folder)
            .arg(service.to_string())
            .args(addresses)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("/usr/bin/python3 runs the site");
        let stdin = child.stdin.take().expect("piped");
        let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let ready = lines.next().expect("a line").expect("text");
        assert_eq!(ready, "ready", "the site does not start");
        let seen = Arc::<Seen>::default();
        let writer = Arc::clone(&seen);
        thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let value = serde_json::from_str(&line).expect("a line of JSON");
                writer.lines.lock().expect("lock").push(value);
                writer.more.notify_all();
            }
        });
        Site { child, _stdin: stdin, seen }
    }

    /// Every request and every greeting so far.
    pub(crate) fn saw(&self) -> Vec<Value> {
        self.seen.lines.lock().expect("lock").clone()
    }

    /// Waits until it has seen something like this, and tells it.
    pub(crate) fn waits_for(&self, like: impl Fn(&Value) -> bool) -> Value {
        let lines = self.seen.lines.lock().expect("lock");
        let missing = |lines: &mut Vec<Value>| !lines.iter().any(&like);
        let (lines, _) = self.seen.more.wait_timeout_while(lines, PATIENCE, missing).expect("lock");
        lines.iter().find(|line| like(line)).unwrap_or_else(|| panic!("the site saw only {lines:?}")).clone()
    }

    /// Ends it on the spot.
    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("kill");
        self.child.wait().expect("wait");
    }

    /// Forgets what it saw.
    pub(crate) fn forget(&self) {
        self.seen.lines.lock().expect("lock").clear();
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
