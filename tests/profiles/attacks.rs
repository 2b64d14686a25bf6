//! The same attacks under each profile. The profile's own program for running code is what a hostile server has; node can
//! be run under any profile, for the command itself may always be executed.

use std::ffi::OsString;
use std::fs;
use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use crate::npx;
use crate::peers;
use crate::stage::{Stage, beside};

/// Each attack, what it gets, and the reason in the log; none where the kernel refuses a signal by itself.
pub(crate) const ATTACKS: &[(&str, &str, Option<&str>)] = &[
    ("read", "EACCES", Some("fs.read.not-granted")),
    ("secret", "EACCES", Some("fs.read.secret")),
    ("write", "EACCES", Some("fs.write.not-granted")),
    ("persist", "EACCES", Some("fs.write.not-granted")),
    ("chmod", "EACCES", Some("fs.metadata.not-granted")),
    ("shell", "EACCES", Some("exec.shell")),
    ("tool", "EACCES", Some("exec.not-granted")),
    ("environ", "EACCES", Some("fs.proc.not-served")),
    ("signal", "EPERM", None),
    ("connect", "EACCES", Some("net.")),
    ("socket", "EACCES", Some("unix.docker")),
];

/// What is attacked: files, a process, a port of this machine, a container engine's socket.
pub(crate) struct Ground {
    pub(crate) stage: Stage,
    victim: Child,
    port: TcpListener,
    _engine: UnixListener,
}

impl Drop for Ground {
    fn drop(&mut self) {
        let _ = self.victim.kill();
        let _ = self.victim.wait();
    }
}

impl Ground {
    pub(crate) fn lay() -> Ground {
        let stage = Stage::set();
        fs::write(stage.at("o/secret.txt"), "secret").unwrap();
        fs::copy("/bin/true", stage.at("o/tool")).unwrap();
        fs::create_dir(stage.at("h/.ssh")).unwrap();
        fs::write(stage.at("h/.ssh/id_ed25519"), "key").unwrap();
        fs::write(stage.at("h/.bashrc"), "").unwrap();
        let victim = Command::new("sleep").arg("900").stdin(Stdio::null()).spawn().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap();
        let engine = UnixListener::bind(stage.at("o/docker.sock")).unwrap();
        Ground { stage, victim, port, _engine: engine }
    }

    /// Where everything is that the attacks are about.
    pub(crate) fn at(&self) -> Value {
        json!({
            "outside": self.stage.at("o"),
            "home": self.stage.at("h"),
            "port": self.port.local_addr().unwrap().port(),
            "victim": self.victim.id(),
        })
    }

    /// node, with the attacks as its code: no argument is a path that a profile could grant.
    fn server(&self) -> Vec<OsString> {
        let at = self.at();
        let code = fs::read_to_string(beside("profiles/attacks.mjs")).unwrap();
        let node = peers::program("node").into_os_string();
        vec![node, "--input-type=module".into(), "-e".into(), format!("const at = {at};\n{code}").into()]
    }

    pub(crate) fn results(&self, words: &[OsString]) -> Value {
        let done = self.stage.run(words);
        let stderr = String::from_utf8_lossy(&done.stderr);
        let line = stderr.lines().find_map(|line| line.strip_prefix("RESULTS "));
        let line = line.unwrap_or_else(|| panic!("no results: {}\n{stderr}", done.status));
        serde_json::from_str(line).unwrap()
    }
}

fn every_attack_is_refused(profile: &str) {
    if profile == "runtime/npx" {
        return npx::every_attack_is_refused();
    }
    let ground = Ground::lay();
    let open = ground.results(&ground.server());
    for (attack, _, _) in ATTACKS {
        assert_eq!(open[attack], "done", "the attack has to work without the pen: {open}");
    }
    fs::write(ground.stage.at("h/.bashrc"), "").unwrap();
    fs::remove_file(ground.stage.at("o/planted.txt")).unwrap();

    let penned = ground.stage.penned(&["--profile", profile], &ground.server());
    let held = ground.results(&penned);
    let denied = ground.stage.denied();
    for (attack, answer, reason) in ATTACKS {
        assert_eq!(held[attack], *answer, "{attack}: {held}");
        let Some(reason) = reason else { continue };
        let is_told = |event: &Value| event["reason"].as_str().is_some_and(|told| told.starts_with(reason));
        assert!(denied.iter().any(is_told), "{attack}: no {reason} in {denied:#?}");
    }
    assert!(fs::read(ground.stage.at("h/.bashrc")).unwrap().is_empty());
    assert!(!ground.stage.at("o/planted.txt").exists());
}

macro_rules! under {
    ($($test:ident: $profile:literal;)*) => {$(
        #[test]
        fn $test() {
            every_attack_is_refused($profile);
        }
    )*

        /// No shipped profile is left out.
        #[test]
        fn every_profile_is_attacked() {
            let tried = [$($profile),*];
            let shipped: Vec<&str> = caponier::profile::shipped::ALL.iter().map(|shipped| shipped.name).collect();
            assert_eq!(tried.to_vec(), shipped);
        }
    };
}

under! {
    base: "base";
    context7: "context7";
    everything: "everything";
    fetch: "fetch";
    filesystem: "filesystem";
    git: "git";
    github: "github";
    kubernetes: "kubernetes";
    memory: "memory";
    playwright: "playwright";
    runtime_node: "runtime/node";
    runtime_npm_install: "runtime/npm-install";
    runtime_npx: "runtime/npx";
    runtime_pip_install: "runtime/pip-install";
    runtime_python: "runtime/python";
    sequential_thinking: "sequential-thinking";
    sqlite: "sqlite";
    time: "time";
}
