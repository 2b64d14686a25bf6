//! Starting the binary under test, and waiting for it without ever hanging.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::pen::ground::Ground;

/// Longer than any run here takes on a busy machine; a run that is still there then has hung, and the test fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

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
    stdout: thread::JoinHandle<Vec<u8>>,
    stderr: thread::JoinHandle<Vec<u8>>,
}

/// Starts it with three pipes.
pub(crate) fn start(mut command: Command) -> Running {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let stdin = child.stdin.take();
    let stdout = collect(child.stdout.take().expect("piped"));
    let stderr = collect(child.stderr.take().expect("piped"));
    Running { child, stdin, stdout, stderr }
}

fn collect(mut from: impl Read + Send + 'static) -> thread::JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut all = Vec::new();
        let _ = from.read_to_end(&mut all);
        all
    })
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
                let stderr = self.stderr.join().expect("reader");
                panic!("still running after {patience:?}; stderr:\n{}", String::from_utf8_lossy(&stderr));
            }
            // wait(2) has no time-out; this is a poll, not a guess at how long something takes.
            thread::sleep(Duration::from_millis(2));
        };
        drop(self.stdin);
        Finished {
            status,
            stdout: self.stdout.join().expect("reader"),
            stderr: String::from_utf8_lossy(&self.stderr.join().expect("reader")).into_owned(),
        }
    }
}
