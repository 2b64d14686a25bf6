//! Starting the binary under test, and waiting for it without ever hanging.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use crate::pen::ground::Ground;

/// Longer than any run here takes on a busy machine; a run that is still there then has hung, and the test fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(300);

/// The binary under test.
pub(crate) fn binary() -> PathBuf {
    std::env::var_os("CAPONIER_BIN").map_or_else(|| env!("CARGO_BIN_EXE_caponier").into(), PathBuf::from)
}

/// `caponier` in an environment that holds nothing of the tester's.
pub(crate) fn caponier(ground: &Ground) -> Command {
    at_home(Command::new(binary()), ground)
}

/// Any program, in that environment, in the workspace.
pub(crate) fn at_home(mut command: Command, ground: &Ground) -> Command {
    command
        .env_clear()
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .env("HOME", ground.path("user/home"))
        .env("XDG_CONFIG_HOME", ground.path("user/config"))
        .env("XDG_STATE_HOME", ground.path("user/state"))
        .env("XDG_DATA_HOME", ground.path("user/data"))
        .env("XDG_RUNTIME_DIR", ground.path("user/runtime"))
        .current_dir(ground.path("workspace"));
    command
}

/// `caponier run --profile … --name … --audit-dir … -- COMMAND`.
pub(crate) fn run(ground: &Ground, profile: &Path, words: &[String]) -> Command {
    let mut command = caponier(ground);
    command.args(run_words(ground, profile, words));
    command
}

/// The words of [`run`], for launchers that start caponier themselves.
pub(crate) fn run_words(ground: &Ground, profile: &Path, words: &[String]) -> Vec<String> {
    let profile = profile.to_str().expect("UTF-8");
    let audit = ground.text("audit");
    let mut all: Vec<String> = ["run", "--profile", profile, "--name", "attack", "--audit-dir", &audit, "--"]
        .map(str::to_owned)
        .into();
    all.extend_from_slice(words);
    all
}

/// What a run left behind.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
}

impl Finished {
    /// The exit code; `None` when a signal ended the process itself.
    pub(crate) fn code(&self) -> Option<i32> {
        self.status.code()
    }
}

/// A started process whose stdin stays open until it is closed on purpose: the end of stdin would end the session.
pub(crate) struct Running {
    pub(crate) child: Child,
    pub(crate) stdin: Option<ChildStdin>,
    stdout: Option<Collected>,
    stderr: Collected,
}

/// Starts it with three pipes, and reads what it says.
pub(crate) fn start(command: Command) -> Running {
    let (mut running, stdout) = start_unread(command);
    running.stdout = Some(Collected::of(stdout));
    running
}

/// A process, and its stdout for a reader with a pace of its own.
pub(crate) type Started = (Running, ChildStdout);

/// Starts it with three pipes; its stdout is read by the caller.
pub(crate) fn start_unread(mut command: Command) -> Started {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = loop {
        match command.spawn() {
            // Another thread forked while this program was being written, and has not executed its own yet.
            Err(error) if error.kind() == std::io::ErrorKind::ExecutableFileBusy => thread::yield_now(),
            spawned => break spawned.unwrap_or_else(|error| panic!("{command:?}: {error}")),
        }
    };
    let stdin = child.stdin.take();
    let stdout = child.stdout.take().expect("piped");
    let stderr = Collected::of(child.stderr.take().expect("piped"));
    (Running { child, stdin, stdout: None, stderr }, stdout)
}

/// What came out of a pipe so far; its first mebibyte is kept, the rest is only read.
struct Collected {
    shared: Arc<Shared>,
    reader: thread::JoinHandle<()>,
}

#[derive(Default)]
struct Shared {
    output: Mutex<Output>,
    changed: Condvar,
}

#[derive(Default)]
struct Output {
    kept: Vec<u8>,
    ended: bool,
}

const KEPT: usize = 1 << 20;

impl Collected {
    fn of(mut from: impl Read + Send + 'static) -> Collected {
        let shared = Arc::new(Shared::default());
        let writer = Arc::clone(&shared);
        let reader = thread::spawn(move || {
            let mut buffer = vec![0; 1 << 16];
            loop {
                let n = from.read(&mut buffer).unwrap_or(0);
                let mut output = writer.output.lock().expect("lock");
                let room = KEPT - output.kept.len();
                output.kept.extend_from_slice(&buffer[..n.min(room)]);
                output.ended = n == 0;
                writer.changed.notify_all();
                if n == 0 {
                    return;
                }
            }
        });
        Collected { shared, reader }
    }

    /// Waits until `text` was said; whether it was, before the end or the deadline.
    fn wait_for(&self, text: &str, patience: Duration) -> bool {
        let said = |bytes: &[u8]| bytes.windows(text.len()).any(|window| window == text.as_bytes());
        let output = self.shared.output.lock().expect("lock");
        let waiting = |output: &mut Output| !said(&output.kept) && !output.ended;
        let (output, _) = self.shared.changed.wait_timeout_while(output, patience, waiting).expect("lock");
        said(&output.kept)
    }

    /// Waits for a whole line that fits.
    fn wait_for_line(&self, fits: &dyn Fn(&[u8]) -> bool, patience: Duration) -> Option<Vec<u8>> {
        let find = |bytes: &[u8]| {
            let whole = bytes.iter().rposition(|byte| *byte == b'\n').unwrap_or(0);
            bytes[..whole].split(|byte| *byte == b'\n').find(|line| fits(line)).map(<[u8]>::to_vec)
        };
        let output = self.shared.output.lock().expect("lock");
        let waiting = |output: &mut Output| find(&output.kept).is_none() && !output.ended;
        let (output, _) = self.shared.changed.wait_timeout_while(output, patience, waiting).expect("lock");
        find(&output.kept)
    }

    fn so_far(&self) -> Vec<u8> {
        self.shared.output.lock().expect("lock").kept.clone()
    }

    fn all(self) -> Vec<u8> {
        self.reader.join().expect("reader");
        std::mem::take(&mut self.shared.output.lock().expect("lock").kept)
    }
}

impl Running {
    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Writes to its stdin; whether it was taken.
    pub(crate) fn send(&mut self, bytes: &[u8]) -> bool {
        self.stdin.as_mut().is_some_and(|stdin| stdin.write_all(bytes).is_ok())
    }

    /// Ends its stdin.
    pub(crate) fn close_stdin(&mut self) {
        self.stdin = None;
    }

    /// Waits until it has said this on stderr.
    pub(crate) fn wait_for(&self, text: &str) {
        let said = self.stderr.wait_for(text, PATIENCE);
        assert!(said, "no {text:?} on stderr:\n{}", String::from_utf8_lossy(&self.stderr.so_far()));
    }

    /// Waits until it has said this on stdout.
    pub(crate) fn wait_for_stdout(&self, text: &str) {
        let stdout = self.stdout.as_ref().expect("a collected stdout");
        let said = stdout.wait_for(text, PATIENCE);
        assert!(said, "no {text:?} on stdout:\n{}", String::from_utf8_lossy(&stdout.so_far()));
    }

    /// Waits until it has said a message like this on stdout.
    pub(crate) fn wait_for_line(&self, like: impl Fn(&serde_json::Value) -> bool) -> serde_json::Value {
        let stdout = self.stdout.as_ref().expect("a collected stdout");
        let parse = |line: &[u8]| serde_json::from_slice::<serde_json::Value>(line).ok();
        let fits = |line: &[u8]| parse(line).is_some_and(|value| like(&value));
        let found = stdout.wait_for_line(&fits, PATIENCE).and_then(|line| parse(&line));
        found.unwrap_or_else(|| {
            panic!(
                "no such message on stdout:\n{}\nstderr:\n{}",
                String::from_utf8_lossy(&stdout.so_far()),
                String::from_utf8_lossy(&self.stderr.so_far())
            )
        })
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: nix::sys::signal::Signal) {
        let pid = i32::try_from(self.pid()).expect("a process id");
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), signal).expect("kill");
    }

    /// Waits for its end, with its stdin as it is.
    pub(crate) fn finish(self) -> Finished {
        self.finish_within(PATIENCE)
    }

    /// Waits at most so long; a process that is still there then is killed, and the test fails.
    pub(crate) fn finish_within(mut self, patience: Duration) -> Finished {
        let begun = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("wait") {
                break status;
            }
            if begun.elapsed() > patience {
                let _ = self.child.kill();
                // What holds the pipes may live on: they are not read to their end.
                let stderr = self.stderr.so_far();
                panic!("still running after {patience:?}; stderr:\n{}", String::from_utf8_lossy(&stderr));
            }
            // wait(2) has no time-out; this is a poll, not a guess at how long something takes.
            thread::sleep(Duration::from_millis(2));
        };
        drop(self.stdin);
        Finished {
            status,
            stdout: self.stdout.map(Collected::all).unwrap_or_default(),
            stderr: String::from_utf8_lossy(&self.stderr.all()).into_owned(),
        }
    }
}
