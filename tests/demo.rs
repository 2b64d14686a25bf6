//! `caponier demo`, the way a newcomer runs it: an empty HOME, nothing installed, no network.
//!
//! That its exit status is 1 when an attack works, or is not in the log, is shown where the judgement is
//! (`src/cli/demo/report/tests.rs`): the product has no switch that would let an attack through.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

/// The program under test: `CAPONIER_BIN`, or the one that cargo built with these tests.
fn caponier() -> PathBuf {
    std::env::var_os("CAPONIER_BIN")
        .map_or_else(|| PathBuf::from(env!("CARGO_BIN_EXE_caponier")), PathBuf::from)
}

/// An empty HOME and an empty folder for temporary files.
struct Newcomer {
    folder: tempfile::TempDir,
}

impl Newcomer {
    fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("dm-").tempdir().unwrap();
        for name in ["home", "tmp"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        Newcomer { folder }
    }

    fn home(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    fn tmp(&self) -> PathBuf {
        self.folder.path().join("tmp")
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(caponier());
        command.args(words).env_clear().env("HOME", self.home()).env("TMPDIR", self.tmp());
        command.env("PATH", "/usr/bin:/bin").stdin(Stdio::null()).current_dir(self.home());
        command
    }

    fn run(&self, words: &[&str]) -> Output {
        self.command(words).output().unwrap()
    }

    /// Nothing is left: no folder, no process, and HOME is as it was.
    fn assert_nothing_left(&self) {
        assert_eq!(entries(&self.tmp()), Vec::<PathBuf>::new());
        assert_eq!(entries(&self.home()), Vec::<PathBuf>::new());
        let tmp = self.tmp();
        let ours = tmp.as_os_str().as_encoded_bytes();
        let left: Vec<String> = entries(Path::new("/proc"))
            .iter()
            .filter_map(|process| fs::read(process.join("cmdline")).ok())
            .filter(|cmdline| cmdline.windows(ours.len()).any(|part| part == ours))
            .map(|cmdline| String::from_utf8_lossy(&cmdline).replace('\0', " "))
            .collect();
        assert_eq!(left, Vec::<String>::new());
    }
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
}

fn stdout(output: &Output) -> String {
    let stderr = String::from_utf8_lossy(&output.stderr);
    let stdout = String::from_utf8(output.stdout.clone()).unwrap();
    assert_eq!(output.status.code(), Some(0), "{stdout}\n{stderr}");
    stdout
}

/// What some kernels and containers refuse to everybody; everything else has to be shown to work without the pen.
const REFUSED_ANYWAY: &[&str] = &[
    "read_client_memory",
    "new_user_namespace",
    "io_uring",
    "run_program",
    "run_own_program",
    "second_name",
];

#[test]
fn every_attack_is_stopped_and_recorded_and_nothing_is_left() {
    let newcomer = Newcomer::new();
    let output = newcomer.run(&["demo", "--json"]);
    let told: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!((&told["v"], &told["ok"]), (&Value::from(1), &Value::from(true)));
    let attacks = told["attacks"].as_array().unwrap();
    assert!(attacks.len() >= 25);
    let events = told["events"].as_array().unwrap();
    for attack in attacks {
        assert_eq!(attack["verdict"], "stopped", "{attack}");
        assert_ne!(attack["pen"]["outcome"], "did", "{attack}");
        let may_fail = REFUSED_ANYWAY.iter().any(|tool| attack["tool"] == *tool);
        assert!(may_fail || attack["bare"]["outcome"] == "did", "the control did not work: {attack}");
        // The event that is named is there, and says the same.
        let Some(seq) = attack["seq"].as_u64() else {
            assert_eq!(attack["tool"], "signal_client", "no event: {attack}");
            continue;
        };
        let event = events.iter().find(|event| event["seq"] == seq).unwrap();
        if let Some(reason) = event.get("reason") {
            assert_eq!((reason, &event["layer"]), (&attack["reason"], &attack["layer"]));
        }
    }
    assert!(told["honest"].as_array().unwrap().iter().all(|call| call["ok"] == true));
    assert_eq!(told["verify"]["ok"], true);
    assert_eq!(events.last().unwrap()["event"], "session.end");
    newcomer.assert_nothing_left();
}

#[test]
fn the_report_for_people_fits_and_is_escaped() {
    let newcomer = Newcomer::new();
    let text = stdout(&newcomer.run(&["demo"]));
    for line in text.lines() {
        assert!(line.chars().count() <= 100, "{line}");
        assert!(!line.contains(char::is_control), "{line:?}");
    }
    for word in
        ["caponier demo: ", "fs.read.secret", "call 4  read_ssh_key", "DENIED", "audit verify: in order"]
    {
        assert!(text.contains(word), "{word}: {text}");
    }
    newcomer.assert_nothing_left();
}

#[test]
fn a_log_that_is_kept_can_be_searched() {
    let newcomer = Newcomer::new();
    let text = stdout(&newcomer.run(&["demo", "--keep"]));
    let [root] = &entries(&newcomer.tmp())[..] else { panic!("one folder is kept: {text}") };
    assert!(text.contains(&*root.to_string_lossy()), "{text}");
    let log = root.join("log");
    let log = log.to_str().unwrap();
    let query = ["audit", "query", "--denied", "--tool", "read_ssh_key", "--json", "--audit-dir", log];
    let found: Value = serde_json::from_str(&stdout(&newcomer.run(&query))).unwrap();
    assert_eq!(found["events"].as_array().unwrap().len(), 1, "{found}");
    assert_eq!(found["events"][0]["reason"], "fs.read.secret");
    stdout(&newcomer.run(&["audit", "verify", "--audit-dir", log]));
}

#[test]
fn an_interrupted_demo_cleans_up() {
    // The bare run has begun when the home of its server is there, the run in the pen when its log is.
    for begun in ["bare", "log"] {
        let newcomer = Newcomer::new();
        let mut demo = newcomer.command(&["demo"]);
        let mut child = demo.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        while !entries(&newcomer.tmp()).iter().any(|root| root.join(begun).is_dir()) {
            assert_eq!(child.try_wait().unwrap(), None, "it ended before it began");
            std::thread::yield_now();
        }
        kill(Pid::from_raw(child.id().try_into().unwrap()), Signal::SIGTERM).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(128 + Signal::SIGTERM as i32), "{begun}");
        newcomer.assert_nothing_left();
    }
}

#[test]
fn a_pen_that_cannot_be_set_up_is_no_success() {
    let newcomer = Newcomer::new();
    let output = newcomer.command(&["demo"]).env("TMPDIR", "/proc").output().unwrap();
    assert_eq!(output.status.code(), Some(125));
    assert!(output.stdout.is_empty());
    assert!(String::from_utf8_lossy(&output.stderr).starts_with("error: the demo's folder"));
}
