//! A module in the workspace that has the name of one of the server's own: run in the open, not in the pen.
//!
//! `python -m` looks for modules in its working directory first, and a client starts a server in the folder that it works on: a
//! repository could bring code of its own. The pen would hold that code, but as the server, with all that the server was granted.

use std::ffi::OsString;
use std::fs;
use std::process::Command;

use crate::driven::{Plan, python, there};
use crate::peers;
use crate::stage::Stage;

/// What each planted module does: it says so, and ends the server.
const PLANTED: &str = "import os, sys\nos.write(2, b'PLANTED ' + __name__.encode() + b'\\n')\nsys.exit(3)\n";

/// Modules of the standard library, of the SDK, of the server: whichever is looked for first is enough.
const NAMES: &[&str] = &["json.py", "mcp/__init__.py", "asyncio/__init__.py", "typing.py"];

fn nothing_in_the_workspace_is_imported(profile: &str, server: impl Fn(&Stage) -> Vec<OsString>) {
    for name in NAMES {
        let stage = Stage::set();
        let server = server(&stage);
        let file = stage.at("w").join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, PLANTED).unwrap();
        let open = stage.run(&server);
        let said = String::from_utf8_lossy(&open.stderr);
        assert!(said.contains("PLANTED"), "{name} has to be run without the pen: {}\n{said}", open.status);
        let penned = stage.penned(&["--profile", profile, "--env", "prod"], &server);
        let seen = Plan::default().drive(&stage, &penned);
        assert!(!seen.stderr.contains("PLANTED"), "{name}: {seen}");
    }
}

#[test]
fn fetch_imports_nothing_from_the_workspace() {
    nothing_in_the_workspace_is_imported("fetch", |_| python("fetch", "mcp_server_fetch"));
}

/// The repository is the workspace: what lies there can be read, and would be run.
#[test]
fn git_imports_nothing_from_the_workspace() {
    nothing_in_the_workspace_is_imported("git", |stage| {
        let mut init = Command::new("git");
        assert!(stage.at_home(init.args(["init", "--quiet"])).status().unwrap().success());
        let mut server = python("servers", "mcp_server_git");
        server.extend(["--repository".into(), stage.at("w").into()]);
        server
    });
}

/// It has no `__main__`, so that `-m` does not start it. `-c` looks in the working directory as well.
#[test]
fn sqlite_imports_nothing_from_the_workspace() {
    nothing_in_the_workspace_is_imported("sqlite", |stage| {
        let python = there(peers::folder().join("python/sqlite/bin/python"));
        let code = "from mcp_server_sqlite import main; main()";
        vec![python, "-c".into(), code.into(), "--db-path".into(), stage.at("w/walls.db").into()]
    });
}

#[test]
fn time_imports_nothing_from_the_workspace() {
    nothing_in_the_workspace_is_imported("time", |_| python("servers", "mcp_server_time"));
}
