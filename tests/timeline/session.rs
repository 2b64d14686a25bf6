//! One client and one server, call after call, with the moments between which each call was in flight.

use std::ffi::OsString;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

/// One call: tool and arguments.
pub(crate) type Call = (&'static str, Value);

/// From the request's first byte to the answer's last, since the epoch.
pub(crate) type Flight = (Duration, Duration);

fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock after 1970")
}

/// Runs a whole session; when each call was in flight. Every call has to go well.
pub(crate) fn run(command: &mut Command, calls: &[Call]) -> Vec<Flight> {
    let mut child: Child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("a server");
    let mut stdin: ChildStdin = child.stdin.take().expect("piped");
    let stderr = child.stderr.take().expect("piped");
    // A full pipe must not stop the server.
    let said = std::thread::spawn(move || std::io::read_to_string(stderr).unwrap_or_default());
    let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    let mut ask = |id: usize, method: &str, params: Value| -> Option<(Value, Flight)> {
        let begun = now();
        let request = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
        writeln!(stdin, "{request}").ok()?;
        loop {
            let answer: Value = serde_json::from_str(&lines.next()?.ok()?).ok()?;
            if answer["id"] == id && answer.get("method").is_none() {
                if method == "initialize" {
                    let ready = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
                    writeln!(stdin, "{ready}").ok()?;
                }
                return Some((answer, (begun, now())));
            }
        }
    };
    let hello = json!({"protocolVersion": "2025-06-18", "capabilities": {},
        "clientInfo": {"name": "test", "version": "1"}});
    let mut flights = Vec::new();
    let mut failed = ask(0, "initialize", hello).is_none().then(|| "initialize".to_owned());
    // What the server does on `initialized` is no call's: an answer to the next request says that it is over.
    failed = failed.or_else(|| ask(1, "tools/list", json!({})).is_none().then(|| "tools/list".to_owned()));
    for (at, (tool, arguments)) in calls.iter().enumerate() {
        if failed.is_some() {
            break;
        }
        match ask(at + 2, "tools/call", json!({"name": tool, "arguments": arguments})) {
            Some((answer, flight)) if answer["result"].is_object() && answer["result"]["isError"] != true => {
                flights.push(flight);
            }
            answered => failed = Some(format!("{tool}: {answered:?}")),
        }
    }
    drop(stdin);
    child.wait().expect("its end");
    let said = said.join().expect("stderr");
    assert_eq!(failed, None, "{said}");
    flights
}

/// A command at a home of its own, in a folder.
pub(crate) fn at_home(words: &[OsString], home: &Path, folder: &Path) -> Command {
    let mut command = Command::new(&words[0]);
    command
        .args(&words[1..])
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", home)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .current_dir(folder);
    command
}
