//! The ways in which people's machines start servers: a virtual environment's python, console scripts, the shims of
//! version managers, and a desktop client that starts everything in `/` with six environment variables.
//!
//! Each works as it does without caponier, or is refused with the line that says what to do.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "../interop/peers.rs"]
mod peers;

use std::ffi::OsStr;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

/// What a client sends first.
const INITIALIZE: &str = concat!(
    r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","#,
    r#""capabilities":{},"clientInfo":{"name":"launch","version":"1"}}}"#,
    "\n"
);

/// A user's account in a folder of its own: HOME, and a workspace in it.
struct Account {
    folder: tempfile::TempDir,
    path: Vec<PathBuf>,
    cwd: PathBuf,
}

impl Account {
    fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("launch-").tempdir().unwrap();
        let cwd = folder.path().join("work");
        fs::create_dir(&cwd).unwrap();
        fs::write(cwd.join("note.txt"), "a note\n").unwrap();
        let node = peers::program("node").parent().unwrap().to_owned();
        Account { folder, path: vec![node, "/usr/bin".into(), "/bin".into()], cwd }
    }

    fn home(&self) -> &Path {
        self.folder.path()
    }

    /// Runs `command` as a client would: with `input`, and nothing but what clients leave in the environment.
    fn run<S: AsRef<OsStr>>(&self, command: &[S], input: &str) -> Output {
        let mut child = Command::new("timeout")
            .args(["--kill-after=10", "60"])
            .args(command)
            .env_clear()
            .env("HOME", self.home())
            .env("LOGNAME", "somebody")
            .env("PATH", std::env::join_paths(&self.path).unwrap())
            .env("SHELL", "/bin/sh")
            .env("TERM", "dumb")
            .env("USER", "somebody")
            .current_dir(&self.cwd)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // Its end is the client's end of file. A refused command has gone before it reads.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        child.wait_with_output().unwrap()
    }

    fn penned<S: AsRef<OsStr>>(&self, profile: &str, command: &[S], input: &str) -> Output {
        let caponier = peers::caponier();
        let mut words: Vec<&OsStr> = vec![caponier.as_os_str()];
        words.extend(["run", "--profile", profile, "--"].map(OsStr::new));
        words.extend(command.iter().map(AsRef::as_ref));
        self.run(&words, input)
    }
}

/// The first line of stdout, or everything that was said instead.
fn first_message(output: &Output) -> Value {
    let stdout = String::from_utf8_lossy(&output.stdout);
    let first = stdout.lines().next().unwrap_or_default();
    serde_json::from_str(first).unwrap_or_else(|error| {
        panic!(
            "{error}: {}\nstdout: {stdout}\nstderr: {}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        )
    })
}

/// Python that says in one message where it believes to live.
const WHERE: &str = r#"
import json, sys, pydantic
print(json.dumps({"jsonrpc": "2.0", "method": "notifications/message", "params": {
    "prefix": sys.prefix, "base": sys.base_prefix, "executable": sys.executable, "pydantic": pydantic.__file__,
    "argv0": sys.orig_argv[0]}}))
"#;

fn server_name(output: &Output) -> Value {
    first_message(output)["result"]["serverInfo"]["name"].clone()
}

#[test]
fn the_python_of_a_virtual_environment_stays_in_it() {
    let account = Account::new();
    let python = peers::python_of_servers();
    let command = [python.as_os_str(), OsStr::new("-c"), OsStr::new(WHERE)];
    let bare = first_message(&account.run(&command, ""));
    assert_eq!(bare["params"]["prefix"], *peers::folder().join("python/servers").to_string_lossy());
    assert_ne!(bare["params"]["prefix"], bare["params"]["base"]);
    assert_eq!(first_message(&account.penned("runtime/python", &command, "")), bare);
}

#[test]
fn a_console_script_of_a_virtual_environment_starts() {
    let account = Account::new();
    let script = peers::folder().join("python/servers/bin/mcp-server-time");
    assert_eq!(server_name(&account.penned("time", &[script], INITIALIZE)), "mcp-time");
}

#[test]
fn a_linked_script_that_asks_env_for_node_starts() {
    let account = Account::new();
    let link = peers::folder().join("npm/servers/node_modules/.bin/mcp-server-filesystem");
    assert!(link.is_symlink());
    let output = account.penned("filesystem", &[link.as_path(), &account.cwd], INITIALIZE);
    assert_eq!(server_name(&output), "secure-filesystem-server");
}

/// pyenv as it lies in a home: `shims/python3` is a shell script, the version file says what it stands for.
fn install_pyenv(account: &mut Account) -> PathBuf {
    let pyenv = account.home().join(".pyenv");
    let version = pyenv.join("versions/3.11.99");
    fs::create_dir_all(pyenv.join("versions")).unwrap();
    fs::create_dir_all(pyenv.join("shims")).unwrap();
    fs::create_dir_all(pyenv.join("bin")).unwrap();
    // A version is a whole python in its folder; a virtual environment is the nearest thing that can be made here.
    let made = Command::new("/usr/bin/python3")
        .args(["-m", "venv", "--without-pip"])
        .arg(&version)
        .status()
        .unwrap();
    assert!(made.success());
    fs::write(pyenv.join("version"), "3.11.99\n").unwrap();
    let executable = |path: PathBuf, text: String| {
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    };
    let root = pyenv.display();
    executable(
        pyenv.join("shims/python3"),
        format!(
            "#!/usr/bin/env bash\nset -e\nexport PYENV_ROOT=\"{root}\"\nexec \"{root}/bin/pyenv\" exec \"${{0##*/}}\" \"$@\"\n"
        ),
    );
    executable(pyenv.join("bin/pyenv"), "#!/bin/sh\ntouch \"$PYENV_ROOT/shim-was-run\"\nexit 9\n".into());
    account.path.insert(0, pyenv.join("shims"));
    version
}

#[test]
fn a_pyenv_shim_is_read_and_never_run() {
    let mut account = Account::new();
    let version = install_pyenv(&mut account);
    let code = WHERE.replace(", pydantic\n", "\n").replace("pydantic.__file__", "0");
    let output = account.penned("runtime/python", &["python3", "-c", &code], "");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(!account.home().join(".pyenv/shim-was-run").exists(), "the shim was run");
    assert_eq!(first_message(&output)["params"]["prefix"], *version.to_string_lossy(), "{stderr}");
}

#[test]
fn a_script_for_a_shell_is_refused_and_the_way_out_is_named() {
    let account = Account::new();
    let script = account.cwd.join("start.sh");
    fs::write(&script, "#!/bin/sh\nexec node index.js\n").unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    let output = account.penned("runtime/node", &[script], "");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(126), "{stderr}");
    assert!(stderr.contains("shell") && stderr.contains("start.sh") && stderr.contains("help:"), "{stderr}");
    assert!(output.stdout.is_empty());
}

#[test]
fn a_desktop_client_starts_servers_in_the_root_folder() {
    let mut account = Account::new();
    let work = account.cwd.clone();
    account.cwd = "/".into();
    let python = peers::python_of_servers();
    let time = [python.as_os_str(), OsStr::new("-m"), OsStr::new("mcp_server_time")];
    assert_eq!(server_name(&account.penned("time", &time, INITIALIZE)), "mcp-time");
    let filesystem = [peers::program("node"), peers::npm_server("filesystem"), work];
    let output = account.penned("filesystem", &filesystem, INITIALIZE);
    assert_eq!(server_name(&output), "secure-filesystem-server");
}

#[test]
fn the_root_folder_and_home_are_no_workspace() {
    let mut account = Account::new();
    let profile = account.home().join("wants-workspace.toml");
    fs::write(
        &profile,
        "version = 1\nextends = [\"runtime/node\"]\n[filesystem]\nread = [{ path = \"${workspace}\", reason = \"it\" }]\n",
    )
    .unwrap();
    let server = [peers::program("node"), peers::npm_server("everything")];
    let work = account.cwd.clone();
    for cwd in ["/".into(), account.home().to_owned()] {
        account.cwd = cwd;
        let output = account.penned(profile.to_str().unwrap(), &server, INITIALIZE);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(78), "{stderr}");
        assert!(stderr.contains("--workspace"), "{stderr}");
        assert!(output.stdout.is_empty(), "something was started");
    }
    account.cwd = work;
    let output = account.penned(profile.to_str().unwrap(), &server, INITIALIZE);
    assert_eq!(server_name(&output), "mcp-servers/everything");
}
