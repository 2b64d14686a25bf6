//! A test in namespaces of its own, where it may mount, or say what the next process number is.

use std::process::Command;

use crate::pen::{launch, program};

/// Set where the test is in them.
const APART: &str = "CAPONIER_TEST_APART";

/// Whether this is the run inside. Otherwise the test program is started once more for the test of this name, in new namespaces
/// (`unshare(1)` options such as `--mount`), and has passed there when this returns. An ordinary user gets a user namespace
/// too, in which it keeps its number.
pub(crate) fn is_inside(test: &str, namespaces: &[&str]) -> bool {
    if std::env::var_os(APART).is_some() {
        return true;
    }
    program::require("unshare");
    let mut command = Command::new("unshare");
    if !nix::unistd::geteuid().is_root() {
        command.args(["--user", "--map-current-user", "--keep-caps"]);
    }
    command
        .args(namespaces)
        .arg("--")
        .arg(std::env::current_exe().expect("this program"))
        .args(["--exact", test, "--nocapture", "--test-threads=1"])
        .env(APART, "1");
    let finished = launch::start(command).finish();
    let stdout = String::from_utf8_lossy(&finished.stdout);
    assert!(finished.code() == Some(0), "{}\n{stdout}\n{}", finished.status, finished.stderr);
    assert!(stdout.contains("1 passed; 0 failed"), "{test} did not run in its namespaces:\n{stdout}");
    false
}
