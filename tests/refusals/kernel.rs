//! H20 and H21: a kernel, or a sandbox around us, that cannot hold what is promised. 125, before anything is started.

use std::process::Command;

use crate::pen::ground::Ground;
use crate::pen::{launch, plain_profile, program};
use crate::{assert_refused, assert_starts, marking};

const NO_PEN: i32 = 125;

/// `caponier run` below `strace`, which changes what one system call answers.
fn injected(ground: &Ground, more: &str, inject: &str, follow: bool) -> Command {
    program::require("strace");
    let profile = plain_profile(ground, more);
    let mut command = launch::at_home(Command::new("strace"), ground);
    if follow {
        command.arg("-f");
    }
    command
        .args(["-o", "/dev/null", "-e", &format!("inject={inject}")])
        .arg(launch::binary())
        .args(launch::run_words(ground, &profile, &marking(ground)));
    command
}

/// `caponier run` as the last words of a launcher of `tests/pen/programs`.
fn launched_by(ground: &Ground, launcher: &str, first: &[&str]) -> Command {
    let profile = plain_profile(ground, "");
    let mut command = launch::at_home(Command::new(program::program(launcher)), ground);
    command.args(first).arg(launch::binary());
    command.args(launch::run_words(ground, &profile, &marking(ground)));
    command
}

#[test]
fn h21_landlock_is_missing() {
    for error in ["ENOSYS", "EOPNOTSUPP"] {
        let ground = Ground::new();
        let inject = format!("landlock_create_ruleset:error={error}");
        assert_refused(&ground, injected(&ground, "", &inject, true), NO_PEN, &["Landlock"]);
    }
    // The means itself harms nothing: a call that nobody makes.
    let ground = Ground::new();
    let control = launch::start(injected(&ground, "", "acct:error=ENOSYS", false)).finish();
    assert_eq!(control.code(), Some(0), "the control must start: {control:?}");
}

#[test]
fn h21_landlock_is_too_old() {
    for abi in [1, 2, 3] {
        let ground = Ground::new();
        let inject = format!("landlock_create_ruleset:retval={abi}:when=1");
        let said = [&format!("ABI {abi}"), "4"];
        assert_refused(
            &ground,
            injected(&ground, "", &inject, false),
            NO_PEN,
            &said.map(|word| word as &str),
        );
    }
}

#[test]
fn h21_a_profile_may_ask_for_more_than_there_is() {
    let ground = Ground::new();
    let profile = plain_profile(&ground, "[require]\nlandlock_abi = 99\n");
    assert_refused(&ground, crate::run(&ground, &profile), NO_PEN, &["Landlock", "99"]);
    let ground = Ground::new();
    let required = "[require]\nkill_scope = \"required\"\n";
    assert_starts(&ground, &plain_profile(&ground, required));
    let inject = "landlock_create_ruleset:retval=5:when=1";
    assert_refused(&ground, injected(&ground, required, inject, false), NO_PEN, &["kill_scope"]);
}

#[test]
fn the_filter_is_refused() {
    let ground = Ground::new();
    assert_refused(&ground, injected(&ground, "", "seccomp:error=EINVAL", true), NO_PEN, &["seccomp"]);
}

#[test]
fn no_new_privileges_is_refused() {
    let ground = Ground::new();
    // PR_SET_NO_NEW_PRIVS is what makes the rest possible without root; strace cannot pick one operation of prctl, so
    // all of them fail.
    assert_refused(&ground, injected(&ground, "", "prctl:error=EPERM", true), NO_PEN, &[]);
}

#[test]
fn the_rules_are_refused() {
    let ground = Ground::new();
    assert_refused(
        &ground,
        injected(&ground, "", "landlock_add_rule:error=ENOMEM", true),
        NO_PEN,
        &["Landlock"],
    );
    let ground = Ground::new();
    assert_refused(&ground, injected(&ground, "", "landlock_restrict_self:error=E2BIG", true), NO_PEN, &[]);
}

#[test]
fn another_listener_is_in_the_way() {
    let ground = Ground::new();
    assert_starts(&ground, &plain_profile(&ground, ""));
    assert_refused(&ground, launched_by(&ground, "listened", &[]), NO_PEN, &["listener"]);
}

#[test]
fn h20_no_landlock_layer_is_left() {
    let ground = Ground::new();
    assert_refused(&ground, launched_by(&ground, "layered", &["16"]), NO_PEN, &["Landlock"]);
    // Some layers of others are no obstacle.
    let finished = launch::start(launched_by(&ground, "layered", &["4"])).finish();
    assert_eq!(finished.code(), Some(0), "{finished:?}");
}

/// The inner one finds that it cannot build a pen inside a pen, says so, and starts nothing.
#[test]
fn h20_a_run_inside_a_run() {
    let ground = Ground::new();
    let inner = ground.path("reading/inner.toml");
    std::fs::copy(plain_profile(&ground, ""), &inner).expect("profile");
    let server = marking(&ground);
    let (reading, workspace) = (ground.text("reading"), ground.text("workspace"));
    let outer = ground.profile(&format!(
        "version = 1\n[filesystem]\n\
         read = [{reading:?}, \"/etc\", \"/usr/lib\", {{ path = \"/lib64\", optional = true }}]\n\
         write = [{workspace:?}, \"/dev/null\"]\n[process]\n\
         execute = [{:?}, {{ path = \"/lib64/ld-linux-x86-64.so.2\", optional = true }}]\n",
        server[0]
    ));
    assert_starts(&ground, &outer);
    let binary = launch::binary().to_str().expect("UTF-8").to_owned();
    let inner = inner.to_str().expect("UTF-8").to_owned();
    let words = [binary, "run".into(), "--profile".into(), inner, "--".into()].into_iter().chain(server);
    let command = launch::run(&ground, &outer, &words.collect::<Vec<_>>());
    assert_refused(&ground, command, NO_PEN, &["error: "]);
}
