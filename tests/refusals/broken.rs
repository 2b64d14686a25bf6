//! A log that cannot be written: nothing is started, or nothing more is let through.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use crate::pen::ground::Ground;
use crate::pen::launch::{self, Running};
use crate::pen::{log, plain_profile, program, words};
use crate::{assert_refused, marking};

const NO_PEN: i32 = 125;
const CONFIGURATION: i32 = 78;

/// `run` with its log elsewhere.
fn logging_to(ground: &Ground, audit: &Path) -> Command {
    let profile = plain_profile(ground, "");
    let mut command = launch::caponier(ground);
    command
        .args(["run", "--profile"])
        .arg(profile)
        .arg("--audit-dir")
        .arg(audit)
        .arg("--")
        .args(marking(ground));
    command
}

#[test]
fn the_log_folder_is_no_folder() {
    let ground = Ground::new();
    fs::write(ground.path("file"), "").expect("file");
    assert_refused(&ground, logging_to(&ground, &ground.path("file")), NO_PEN, &["file"]);
    // This one is seen earlier, where grants are compared with it.
    assert_refused(&ground, logging_to(&ground, &ground.path("file/audit")), CONFIGURATION, &["file/audit"]);
}

/// For root permissions are none; a file system that takes no files stands in for a read-only one.
#[test]
fn the_log_folder_is_read_only() {
    let ground = Ground::new();
    assert_refused(
        &ground,
        logging_to(&ground, Path::new("/proc/self/audit")),
        NO_PEN,
        &["/proc/self/audit"],
    );
    if !nix::unistd::geteuid().is_root() {
        fs::set_permissions(ground.path("audit"), fs::Permissions::from_mode(0o500)).expect("mode");
        assert_refused(&ground, logging_to(&ground, &ground.path("audit")), NO_PEN, &["audit"]);
    }
}

/// In the middle of a run the disk is full: what was allowed before is EIO, a call is answered with an error and does
/// not reach the server, and no line of the log is torn.
fn assert_blocked(ground: &Ground, mut running: Running) {
    running.wait_for(": EIO");
    assert!(running.send(
        b"{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"tools/call\",\"params\":{\"name\":\"t\",\"arguments\":{}}}\n"
    ));
    running.wait_for_stdout("audit.unwritable");
    running.close_stdin();
    let finished = running.finish();
    assert_ne!(finished.code(), Some(91), "the server never saw the full disk: {finished:?}");
    let answers: Vec<serde_json::Value> = finished
        .stdout
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice(line).expect("a message"))
        .collect();
    assert_eq!(answers.len(), 1, "{answers:?}");
    assert_eq!(
        (&answers[0]["id"], &answers[0]["result"]["isError"]),
        (&7.into(), &true.into()),
        "{answers:?}"
    );
    assert_lines_are_whole(&ground.path("audit"));
}

fn assert_lines_are_whole(audit: &Path) {
    // `events` fails on a line that is not JSON; a torn tail would be cut off there, so it is looked for here.
    assert!(!log::events(audit).is_empty());
    for file in log::sessions(audit) {
        assert_eq!(fs::read(&file).expect("log").last(), Some(&b'\n'), "{} is torn", file.display());
    }
}

fn filling(ground: &Ground) -> Vec<String> {
    words("fill_log", &[&ground.text("workspace/note.txt"), &ground.text("outside")])
}

#[test]
fn no_file_may_grow() {
    let ground = Ground::new();
    let profile = plain_profile(&ground, "");
    let mut command = launch::at_home(Command::new(program::program("limited")), &ground);
    command.arg("65536").arg(launch::binary());
    command.args(launch::run_words(&ground, &profile, &filling(&ground)));
    assert_blocked(&ground, launch::start(command));
}

/// A real full disk: a small tmpfs, in a mount namespace of its own. An ordinary user makes it in a user namespace, and
/// goes back to being himself in another one.
#[test]
fn the_disk_is_full() {
    program::require("unshare");
    let ground = Ground::new();
    let profile = plain_profile(&ground, "");
    fs::create_dir(ground.path("kept")).expect("kept");
    // The log is copied out of the namespace before it goes.
    let script = "mount -t tmpfs -o size=64k,mode=700 none \"$1\" && keep=$2 && audit=$1 && shift 2 && \
                  { \"$@\"; code=$?; cp -r \"$audit/.\" \"$keep\"; exit $code; }";
    let mut command = launch::at_home(Command::new("unshare"), &ground);
    let (uid, gid) = (nix::unistd::geteuid(), nix::unistd::getegid());
    command.arg(if uid.is_root() { "-m" } else { "-Urm" });
    command.args(["sh", "-c", script, "sh"]).arg(ground.path("audit")).arg(ground.path("kept"));
    if !uid.is_root() {
        command.args(["unshare", "-U", &format!("--map-user={uid}"), &format!("--map-group={gid}")]);
    }
    command.arg(launch::binary()).args(launch::run_words(&ground, &profile, &filling(&ground)));
    let mut running = launch::start(command);
    running.wait_for(": EIO");
    running.close_stdin();
    let finished = running.finish();
    assert_ne!(finished.code(), Some(91), "the server never saw the full disk: {finished:?}");
    assert_lines_are_whole(&ground.path("kept"));
}
