//! The incident of `scripts/incident.sh`: what it does without a pen, what it did not do in one, and what the log says.

use std::fs;
use std::io::Write;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::peers;

/// The incident, recorded anew.
pub(crate) struct Incident {
    _folder: Option<tempfile::TempDir>,
    root: PathBuf,
}

impl Incident {
    /// Runs the script in a folder that goes when this does.
    pub(crate) fn record() -> Self {
        let folder = tempfile::Builder::new().prefix("incident-").tempdir().unwrap();
        let incident = Self::record_at(folder.path().join("of"));
        Incident { _folder: Some(folder), ..incident }
    }

    /// Runs the script in `root`, which must be new.
    pub(crate) fn record_at(root: PathBuf) -> Self {
        let mut run = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/incident.sh"));
        run.arg(&root).env("CAPONIER_BIN", peers::caponier()).env("CAPONIER_PEERS", peers::folder());
        let done = run.output().unwrap();
        let stderr = String::from_utf8_lossy(&done.stderr);
        assert!(
            done.status.success(),
            "{stderr}\n{}",
            fs::read_to_string(root.join("stderr.log")).unwrap_or_default()
        );
        assert!(String::from_utf8_lossy(&done.stdout).contains(root.join("home").to_str().unwrap()));
        Incident { root: root.canonicalize().unwrap(), _folder: None }
    }

    pub(crate) fn home(&self) -> PathBuf {
        self.root.join("home")
    }

    /// Runs the words of a shell, as somebody whose home this is would, in `folder`.
    pub(crate) fn shell(&self, words: &str, folder: &Path) -> (String, i32) {
        let bin = self.root.join("bin");
        if !bin.exists() {
            fs::create_dir(&bin).unwrap();
            std::os::unix::fs::symlink(peers::caponier(), bin.join("caponier")).unwrap();
        }
        let path = format!("{}:/usr/bin:/bin", bin.display());
        // Both streams in one, as on a terminal.
        let mut run = Command::new("/bin/sh");
        run.arg("-c").arg(format!("exec 2>&1\n{words}")).env_clear().current_dir(folder);
        let done = run.env("HOME", self.home()).env("PATH", path).env("LANG", "C.UTF-8").output().unwrap();
        (String::from_utf8(done.stdout).unwrap(), done.status.code().unwrap())
    }

    /// What a query finds.
    pub(crate) fn events(&self, filters: &str) -> Vec<Value> {
        let (told, status) =
            self.shell(&format!("caponier audit query --jsonl {filters} 2>/dev/null"), &self.home());
        assert_eq!(status, 0, "{told}");
        told.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

/// What the package tries, how it is refused, and what the log says of it.
const ATTEMPTS: &[(&str, &str, &str, &str)] = &[
    ("ssh-key", "EACCES", ".ssh/id_ed25519", "fs.read.secret"),
    ("aws-credentials", "EACCES", ".aws/credentials", "fs.read.secret"),
    ("client-configuration", "EACCES", ".config/Claude/claude_desktop_config.json", "fs.read.secret"),
    ("second-host", "EACCES", "127.0.0.1", "net.none"),
    ("shell", "EACCES", "sh", "exec.shell"),
    ("persistence", "EACCES", ".bashrc", "fs.write.not-granted"),
];

/// A home like the incident's.
fn home(folder: &Path) {
    for (file, text) in [
        (".ssh/id_ed25519", "decoy"),
        (".aws/credentials", "decoy"),
        (".config/Claude/claude_desktop_config.json", "{}"),
        (".bashrc", "# a decoy\n"),
    ] {
        let file = folder.join(file);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }
}

#[test]
fn without_a_pen_the_package_does_all_that_it_tries() {
    let folder = tempfile::tempdir().unwrap();
    home(folder.path());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let package = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/incident/weather/index.js");
    let mut run = Command::new("timeout");
    run.args(["60", "node"]).arg(package).arg(folder.path()).arg(listener.local_addr().unwrap().to_string());
    let mut server = run.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdin = server.stdin.take().unwrap();
    for (id, city) in ["Skopje", "Lille", "Namur"].iter().enumerate() {
        let params = json!({"name": "get_forecast", "arguments": {"city": city}});
        let call = json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params});
        writeln!(stdin, "{call}").unwrap();
    }
    drop(stdin);
    let done = server.wait_with_output().unwrap();
    let answers = String::from_utf8(done.stdout).unwrap();
    assert_eq!(answers.matches("21 degrees").count(), 3, "{answers}");
    let tried = String::from_utf8(done.stderr).unwrap();
    for (attempt, ..) in ATTEMPTS {
        assert!(tried.contains(&format!("attempt {attempt}: done")), "{attempt}: {tried}");
    }
    assert!(fs::read_to_string(folder.path().join(".bashrc")).unwrap().contains("was here"));
    listener.set_nonblocking(true).unwrap();
    assert!(listener.accept().is_ok(), "the second host was not reached");
}

#[test]
fn without_a_pen_git_reads_the_key() {
    let folder = tempfile::tempdir().unwrap();
    home(folder.path());
    let project = folder.path().join("project");
    let git = |words: &[&str]| {
        let mut run = Command::new("git");
        run.arg("-C")
            .arg(folder.path())
            .args(words)
            .env("LC_ALL", "C")
            .env("HOME", folder.path())
            .output()
            .unwrap()
    };
    assert!(git(&["init", "--quiet", "project"]).status.success());
    let config = project.join(".git/config");
    let honest = fs::read_to_string(&config).unwrap();
    fs::write(&config, honest + "[include]\n\tpath = ../../.ssh/id_ed25519\n").unwrap();
    let told = String::from_utf8(git(&["-C", "project", "status"]).stderr).unwrap();
    // It read the key, and quotes it.
    assert!(told.contains("decoy"), "{told}");
}

#[test]
fn in_the_pen_all_of_it_is_refused_and_recorded() {
    let incident = Incident::record();
    let stderr = fs::read_to_string(incident.root.join("stderr.log")).unwrap();
    let denied = incident.events("--server weather --denied --call 3");
    for (attempt, errno, target, reason) in ATTEMPTS {
        assert!(stderr.contains(&format!("attempt {attempt}: {errno}")), "{attempt}: {stderr}");
        let is_it = |event: &&Value| {
            let path = event["path"].as_str().or(event["address"].as_str()).unwrap_or_default();
            event["reason"] == *reason && path.ends_with(target.trim_start_matches("sh"))
        };
        let event = denied.iter().find(is_it).unwrap_or_else(|| panic!("{attempt}: {denied:#?}"));
        assert_eq!((&event["calls"], &event["attribution"]), (&json!([3]), &json!("sole")), "{event}");
    }
    assert_eq!(fs::read_to_string(incident.home().join(".bashrc")).unwrap(), "# a decoy\n");
    // The key was refused to git as well, in the second of its sessions and not in the first.
    let key = incident.events("--server git --denied --path '**/id_ed25519'");
    assert!(!key.is_empty() && key.iter().all(|event| event["reason"] == "fs.read.secret"), "{key:?}");
    let sessions: Vec<Value> = incident.events("--server git --event session.start");
    assert_eq!(sessions.len(), 2);
    assert!(key.iter().all(|event| event["session"] == sessions[1]["session"]));
    assert!(key.iter().all(|event| event["result"] == "EACCES"), "{key:?}");
    // What was honest worked.
    let answers = fs::read_to_string(incident.root.join("answers.json")).unwrap();
    let answers: Vec<Value> =
        serde_json::Deserializer::from_str(&answers).into_iter().map(Result::unwrap).collect();
    let ok = |session: usize, call: usize| answers[session]["calls"][call]["answer"]["isError"] != true;
    assert!(
        ok(0, 0)
            && ok(0, 1)
            && ok(1, 0)
            && ok(1, 1)
            && ok(2, 0)
            && ok(2, 1)
            && ok(2, 2)
            && ok(4, 0)
            && ok(4, 1)
    );
    assert!(!ok(3, 0), "git's status: {}", answers[3]["calls"][0]);
    assert!(!ok(4, 2), "the note that may not be written: {}", answers[4]["calls"][2]);
    // No secret stands in the log.
    let (found, _) =
        incident.shell("grep -rc 'decoy of' .local/state/caponier/audit | grep -v ':0$'", &incident.home());
    assert_eq!(found, "");
}
