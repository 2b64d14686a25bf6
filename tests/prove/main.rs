//! `caponier doctor --prove`: three shipped profiles hold; with one layer taken away it says what is open.
//!
//! A layer is taken away from outside, by a library that is loaded into the supervisor alone (`disabled/`): there is no
//! switch in the product for it. `init` and the server start with an environment that has no such variable.

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

fn program() -> PathBuf {
    let program = std::env::var_os("CAPONIER_BIN");
    program.map_or_else(|| env!("CARGO_BIN_EXE_caponier").into(), PathBuf::from)
}

/// An empty home, and nothing else.
struct Home(tempfile::TempDir);

impl Home {
    fn new() -> Home {
        let home = tempfile::Builder::new().prefix("prove-").tempdir_in("/var/tmp").expect("a home");
        for folder in ["home", "tmp", "run"] {
            fs::create_dir(home.path().join(folder)).expect(folder);
        }
        fs::set_permissions(home.path().join("run"), Permissions::from_mode(0o700)).expect("run");
        Home(home)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn caponier(&self, words: &[&str]) -> Command {
        let mut command = Command::new(program());
        command.args(words);
        self.settle(command)
    }

    /// The same, by somebody who may open few files.
    fn caponier_with_files(&self, most: u32, words: &[&str]) -> Command {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", &format!("ulimit -n {most} && exec \"$0\" \"$@\"")]).arg(program()).args(words);
        self.settle(command)
    }

    fn settle(&self, mut command: Command) -> Command {
        command.env_clear().current_dir(self.path("home"));
        command.env("PATH", "/usr/local/bin:/usr/bin:/bin").env("HOME", self.path("home"));
        command.env("TMPDIR", self.path("tmp")).env("XDG_RUNTIME_DIR", self.path("run"));
        command
    }

    /// `doctor --prove --json` under a profile, with a library in the supervisor.
    fn prove(&self, profile: &str, library: Option<&Path>) -> Proof {
        let mut command = self.caponier(&["doctor", "--prove", "--json", "--profile", profile]);
        if let Some(library) = library {
            command.env("LD_PRELOAD", library);
        }
        let done = command.output().expect("caponier");
        let report = serde_json::from_slice(&done.stdout)
            .unwrap_or_else(|error| panic!("{profile}: {error}: {done:?}"));
        Proof { done, report }
    }

    /// A shared library of `disabled/`.
    fn library(&self, name: &str, defined: &[&str]) -> PathBuf {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/prove/disabled").join(name);
        let library = self.path("disabled.so");
        let defined = defined.iter().map(|name| format!("-D{name}"));
        let words = ["-std=gnu11", "-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o"];
        let compiled = Command::new("cc").args(words).arg(&library).args(defined).arg(&source).output();
        let compiled = compiled.expect("`cc` is missing, and these tests prove nothing without it");
        assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
        library
    }
}

struct Proof {
    done: Output,
    report: Value,
}

impl Proof {
    fn status(&self) -> Option<i32> {
        self.done.status.code()
    }

    fn attacks(&self) -> &[Value] {
        self.report["attacks"].as_array().expect("attacks")
    }

    fn attack(&self, name: &str) -> &Value {
        let found = self.attacks().iter().find(|attack| attack["attack"] == name);
        found.unwrap_or_else(|| panic!("{name} was not tried: {:#}", self.report))
    }

    fn with(&self, outcome: &str) -> BTreeSet<&str> {
        let found = self.attacks().iter().filter(|attack| attack["outcome"] == outcome);
        found.filter_map(|attack| attack["attack"].as_str()).collect()
    }

    fn assert_open(&self, names: &[&str]) {
        assert_eq!(self.status(), Some(1), "{:#}", self.report);
        assert_eq!(self.report["ok"], false);
        let open = self.with("open");
        for name in names {
            assert!(open.contains(name), "{name} is not open: {:#}", self.attack(name));
        }
        assert_eq!(self.report["open"], open.len());
    }
}

/// Runs of a prover whose race may be lost.
const RACES: usize = 8;

/// What every machine can show, whoever asks, and who refuses it.
const SHOWN: &[(&str, &str, &str)] = &[
    ("read-secret", "landlock", "fs.read.not-granted"),
    ("read-by-dots", "landlock", "fs.read.not-granted"),
    ("read-by-link", "landlock", "fs.read.not-granted"),
    ("read-by-root", "broker", "fs.proc.not-served"),
    ("read-while-changing", "landlock", "fs.read.not-granted"),
    ("write-outside", "landlock", "fs.write.not-granted"),
    ("create-outside", "landlock", "fs.write.not-granted"),
    ("delete-outside", "landlock", "fs.write.not-granted"),
    ("second-name", "landlock", "fs.link.across"),
    ("write-log", "landlock", "fs.write.not-granted"),
    ("chmod-outside", "broker", "fs.metadata.not-granted"),
    ("run-shell", "landlock", "exec.shell"),
    ("run-program", "landlock", "exec.not-granted"),
    ("read-environment", "broker", "fs.proc.not-served"),
    ("read-memory", "broker", "syscall.foreign-process"),
    ("own-signals", "broker", "syscall.foreign-process"),
    ("connect", "broker", "net.none"),
    ("send-datagram", "broker", "net.socket.kind"),
    ("agent-socket", "broker", "unix.not-listed"),
    ("docker-socket", "broker", "unix.docker"),
    ("keyring", "broker", "syscall.not-allowed"),
    ("own-filter", "broker", "syscall.seccomp"),
    ("many-processes", "broker", "process.limit"),
];

fn holds(profile: &str, more: &[(&str, &str, &str)]) {
    let home = Home::new();
    let proof = home.prove(profile, None);
    assert_eq!(proof.status(), Some(0), "{:#}", proof.report);
    assert_eq!((&proof.report["ok"], &proof.report["profile"]), (&true.into(), &profile.into()));
    for none in ["open", "unclear", "allowed"] {
        assert_eq!(proof.with(none), BTreeSet::new(), "{profile}: {none}");
    }
    for (name, layer, reason) in SHOWN.iter().chain(more) {
        let attack = proof.attack(name);
        assert_eq!(attack["outcome"], "blocked", "{attack}");
        assert_eq!(attack["unconfined"], "worked", "{attack}");
        assert_eq!((&attack["layer"], &attack["reason"]), (&(*layer).into(), &(*reason).into()), "{attack}");
        assert!(attack["recorded"].is_u64(), "{attack}");
    }
    for silent in ["find-secret", "signal-process", "many-files", "long-file", "much-memory"] {
        assert_eq!(proof.attack(silent)["outcome"], "blocked", "{}", proof.attack(silent));
    }
    is_in_the_log(&home, &proof);
    // What holds beside another profile, for --no-resolve alone, and what production refuses: nothing is attacked.
    let own = home.path("own.toml");
    let text = "version = 1\nextends = [\"base\"]\n[process]\nexecute_writable = \
                [{ path = \"${server.cache}/x\", reason = \"it unpacks itself there\" }]\n";
    fs::write(&own, text).expect("profile");
    for (name, place, way) in [
        ("runtime/npx", "npx.toml:", "prove that one"),
        (own.to_str().expect("UTF-8"), "own.toml:4:", "--env dev"),
    ] {
        let done = home.caponier(&["doctor", "--prove", "--profile", name]).output().expect("caponier");
        let said = String::from_utf8_lossy(&done.stderr);
        assert_eq!(done.status.code(), Some(78), "{said}");
        let lines: Vec<&str> = said.lines().collect();
        assert!(
            matches!(lines[..], [error, help] if error.contains(place) && help.starts_with("help: ") && help.contains(way)),
            "{said}"
        );
        let told = home.caponier(&["doctor", "--json", "--profile", name]).output().expect("caponier");
        let report: Value = serde_json::from_slice(&told.stdout).expect("JSON");
        assert_eq!((told.status.code(), &report["can_run"]), (Some(1), &true.into()), "{report}");
        let why = report["profile"]["why_not"].as_str().unwrap_or_default();
        assert!(why.contains("process.execute_writable"), "{report}");
    }
    let words = ["doctor", "--json", "--env", "dev", "--profile", own.to_str().expect("UTF-8")];
    let told = home.caponier(&words).output().expect("caponier");
    assert_eq!(told.status.code(), Some(0), "{told:?}");
    assert!(left(&home).is_empty(), "{:?}", left(&home));
}

/// The session has the same verdicts, before its end, in a log that verifies.
fn is_in_the_log(home: &Home, proof: &Proof) {
    let session = proof.report["session"].as_str().expect("a session");
    let query = ["audit", "query", "--jsonl", "--session", session];
    let done = home.caponier(&query).output().expect("caponier");
    let lines = String::from_utf8(done.stdout).expect("UTF-8");
    let events: Vec<Value> =
        lines.lines().map(|line| serde_json::from_str(line).expect("a line of the log")).collect();
    let attacks: Vec<&Value> = events.iter().filter(|event| event["event"] == "proof.attack").collect();
    assert_eq!(attacks.len(), proof.attacks().len());
    for (logged, told) in attacks.iter().zip(proof.attacks()) {
        for field in
            ["attack", "outcome", "unconfined", "confined", "layer", "reason", "recorded", "allowed_by"]
        {
            assert_eq!(logged[field], told[field], "{field}");
        }
        if let Some(seq) = told["recorded"].as_u64() {
            let line = events.iter().find(|event| event["seq"] == seq).expect("the line that is named");
            assert_eq!((&line["reason"], &line["layer"]), (&told["reason"], &told["layer"]), "{told}");
        }
    }
    let last: Vec<&Value> = events.iter().rev().take(2).collect();
    assert_eq!((&last[0]["event"], &last[1]["event"]), (&"session.end".into(), &"proof.result".into()));
    assert_eq!((&last[1]["ok"], &last[1]["open"]), (&proof.report["ok"], &proof.report["open"]));
    let verified = home.caponier(&["audit", "verify", "--json"]).output().expect("caponier");
    assert!(verified.status.success(), "{verified:?}");
}

/// What the doctor left in the folder for temporary files.
fn left(home: &Home) -> Vec<PathBuf> {
    fs::read_dir(home.path("tmp")).expect("tmp").map(|entry| entry.expect("an entry").path()).collect()
}

#[test]
fn the_filesystem_profile_holds() {
    let read_only = |name| (name, "landlock", "fs.write.read-only");
    holds(
        "filesystem",
        &[read_only("write-read-only"), read_only("change-read-only"), read_only("delete-read-only")],
    );
}

#[test]
fn the_git_profile_holds() {
    let protected = |name| (name, "broker", "fs.write.protected");
    let names = ["write-hook", "write-git-config", "write-client-settings", "rename-client-settings"];
    holds("git", &names.map(protected));
}

#[test]
fn the_fetch_profile_holds() {
    holds("fetch", &[]);
}

/// With hosts there is a resolver, and a broker that acts for the server.
#[test]
fn a_profile_with_hosts_holds() {
    let home = Home::new();
    let profile = home.path("hosts.toml");
    let text = "version = 1\nextends = [\"base\"]\n[network]\nallow = [\"listed.example:443\"]\n";
    fs::write(&profile, text).expect("profile");
    let proof = home.prove(profile.to_str().expect("UTF-8"), None);
    assert_eq!(proof.status(), Some(0), "{:#}", proof.report);
    for (name, layer, reason) in [
        ("connect", "network", "net.address.private"),
        ("connect-any", "network", "net.address.private"),
        ("connect-mapped", "network", "net.address.private"),
        ("connect-fast-open", "broker", "net.fast-open"),
        ("ask-resolver", "network", "net.host.not-listed"),
        ("ask-for-name", "broker", "net.socket.kind"),
        ("listen", "network", "net.listen.not-listed"),
    ] {
        let attack = proof.attack(name);
        assert_eq!(
            (&attack["outcome"], &attack["unconfined"]),
            (&"blocked".into(), &"worked".into()),
            "{attack}"
        );
        assert_eq!((&attack["layer"], &attack["reason"]), (&layer.into(), &reason.into()), "{attack}");
    }
    assert_eq!(proof.attack("ask-resolver")["confined"], "NXDOMAIN");
    let library = home.library("listener.c", &["SOCKETS_ONLY"]);
    let proof = home.prove(profile.to_str().expect("UTF-8"), Some(&library));
    proof.assert_open(&["send-datagram", "ask-for-name", "agent-socket", "docker-socket"]);
    assert_eq!(proof.attack("ask-resolver")["outcome"], "blocked");
}

#[test]
fn without_landlock_names_that_change_lead_outside() {
    let home = Home::new();
    let library = home.library("landlock.c", &[]);
    for profile in ["filesystem", "git", "fetch"] {
        // Whoever races can lose, on a machine that is busy with other things.
        let raced = ["read-while-changing", "write-while-changing"];
        let has_won = |proof: &Proof| raced.iter().all(|name| proof.attack(name)["outcome"] == "open");
        let mut tries = (0..RACES).map(|_| home.prove(profile, Some(&library)));
        let proof =
            tries.find(has_won).unwrap_or_else(|| panic!("{profile}: no race was won in {RACES} runs"));
        proof.assert_open(&raced);
        // What the broker alone holds is held.
        assert_eq!(proof.attack("chmod-outside")["outcome"], "blocked");
    }
}

#[test]
fn without_the_listener_what_landlock_does_not_know_is_open() {
    let home = Home::new();
    let library = home.library("listener.c", &[]);
    for profile in ["filesystem", "git", "fetch"] {
        let proof = home.prove(profile, Some(&library));
        proof.assert_open(&[
            "chmod-outside",
            "chown-outside",
            "touch-outside",
            "watch-outside",
            "run-from-memory",
            "set-limit",
            "send-datagram",
            "ask-for-name",
            "agent-socket",
            "docker-socket",
            "keyring",
            "own-filter",
            "personality",
            "many-processes",
        ]);
        // What Landlock holds is held.
        assert_eq!(proof.attack("read-secret")["outcome"], "blocked");
    }
}

#[test]
fn without_the_network_broker_sockets_lead_outside() {
    let home = Home::new();
    let library = home.library("listener.c", &["SOCKETS_ONLY"]);
    for profile in ["filesystem", "git", "fetch"] {
        let proof = home.prove(profile, Some(&library));
        proof.assert_open(&[
            "send-datagram",
            "ask-for-name",
            "agent-socket",
            "docker-socket",
            "netlink-socket",
        ]);
        assert_eq!(proof.attack("chmod-outside")["outcome"], "blocked");
        assert_eq!(proof.attack("read-secret")["outcome"], "blocked");
    }
}

#[test]
fn what_a_profile_grants_is_told_with_its_line() {
    let home = Home::new();
    let profile = home.path("wide.toml");
    let tmp = home.path("tmp");
    let text = format!(
        "version = 1\nextends = [\"base\"]\n[filesystem]\nread = [{tmp:?}]\n[process]\n\
         env = {{ pass = [\"DOCTOR_API_TOKEN\"] }}\n[limits]\nprocesses = 8\nopen_files = 256\nmemory = \"none\"\n"
    );
    fs::write(&profile, text).expect("profile");
    let name = profile.to_str().expect("UTF-8");
    let proof = home.prove(name, None);
    assert_eq!(proof.status(), Some(0), "{:#}", proof.report);
    let read = proof.attack("read-secret");
    let line = read["allowed_by"].as_str().unwrap_or_default();
    assert!(read["outcome"] == "allowed" && line.starts_with(&format!("{name}:4")), "{read}");
    assert_eq!(proof.attack("find-secret")["outcome"], "allowed");
    assert_eq!(proof.attack("write-outside")["reason"], "fs.write.read-only");
    assert_eq!(proof.attack("many-processes")["outcome"], "blocked");
    assert!(!proof.attacks().iter().any(|attack| attack["attack"] == "much-memory"), "it has no such limit");
    let done = home
        .caponier(&["doctor", "--prove", "--profile", name])
        .env("TERM", "dumb")
        .output()
        .expect("caponier");
    let text = String::from_utf8(done.stdout).expect("UTF-8");
    assert_eq!(done.status.code(), Some(0), "{text}");
    assert!(text.contains("allowed by the profile") && text.contains(line), "{text}");
    is_in_the_log(&home, &proof);
}

#[test]
fn what_cannot_be_run_is_said_as_run_says_it() {
    let home = Home::new();
    let done = home.caponier(&["doctor", "--prove", "--profile", "nowhere"]).output().expect("caponier");
    assert_eq!(done.status.code(), Some(78), "{done:?}");
    let profile = home.path("short.toml");
    fs::write(&profile, "version = 1\nextends = [\"base\"]\n[require]\nlandlock_abi = 99\n")
        .expect("profile");
    let name = profile.to_str().expect("UTF-8");
    let done = home.caponier(&["doctor", "--prove", "--profile", name]).output().expect("caponier");
    let said = String::from_utf8_lossy(&done.stderr);
    assert_eq!(done.status.code(), Some(125), "{said}");
    assert!(said.contains("Landlock"), "{said}");
    // A server that cannot even be started: whoever starts caponier has a limit of their own.
    fs::write(&profile, "version = 1\nextends = [\"base\"]\n").expect("profile");
    let words = ["doctor", "--prove", "--profile", name];
    let done = home.caponier_with_files(90, &words).output().expect("caponier");
    let said = String::from_utf8_lossy(&done.stderr);
    assert_eq!(done.status.code(), Some(125), "{said}");
    assert!(said.contains("could not "), "{said}");
    fs::write(&profile, "version = 1\nextends = [\"base\"]\n[require]\nlandlock_abi = 99\n")
        .expect("profile");
    let told = home.caponier(&["doctor", "--json", "--profile", name]).output().expect("caponier");
    let report: Value = serde_json::from_slice(&told.stdout).expect("JSON");
    assert_eq!((told.status.code(), &report["profile"]["can_run"]), (Some(1), &false.into()), "{report}");
    let told = home.caponier(&["doctor", "--json", "--profile", "base"]).output().expect("caponier");
    let report: Value = serde_json::from_slice(&told.stdout).expect("JSON");
    assert_eq!((told.status.code(), &report["profile"]["can_run"]), (Some(0), &true.into()), "{report}");
    assert!(left(&home).is_empty(), "{:?}", left(&home));
}
