//! A21, H14, H15, H19: what the world around a pen does to it, and how runtimes start things. A granted file that is
//! replaced under its name, a container that refuses the calls by which the broker would act on a server's descriptors,
//! threads and spawned programs.

use std::fs;
use std::process::Command;

use crate::pen::ground::Ground;
use crate::pen::{launch, log, plain_profile, program, words};

/// A rule holds for the file that was opened for it, not for its name: after tmp + rename the grant is gone. That is
/// the safe direction, and `profile check` warns of it.
#[test]
fn a21_a_replaced_file_is_another_file() {
    for penned in [false, true] {
        let ground = Ground::new();
        let (folder, file) = (ground.text("workspace"), ground.text("reading/page.txt"));
        let server = words("reader", &[&folder, &file]);
        let profile = ground.profile(&format!(
            "version = 1\n[filesystem]\nread = [{file:?}, {folder:?}]\n[process]\nexecute = []\n"
        ));
        let command = if penned {
            launch::run(&ground, &profile, &server)
        } else {
            let mut bare = launch::at_home(Command::new(&server[0]), &ground);
            bare.args(&server[1..]);
            bare
        };
        let running = launch::start(command);
        running.wait_for("OPEN read");
        fs::write(ground.path("reading/page.tmp"), "another page").expect("a file beside it");
        fs::rename(ground.path("reading/page.tmp"), &file).expect("rename");
        let finished = running.finish();
        if !penned {
            assert!(finished.stderr.contains("OPEN again"), "{finished:?}");
            continue;
        }
        assert!(finished.stderr.contains("OPEN watch"), "{finished:?}");
        assert!(finished.stderr.contains("BLOCKED again EACCES"), "{finished:?}");
        let events = log::events(&ground.path("audit"));
        let refused = log::of(&events, "file.access").find(|event| event["verdict"] == "deny");
        let refused = refused.unwrap_or_else(|| panic!("no refusal in {events:#?}"));
        assert_eq!(refused["reason"], "fs.read.not-granted");
        assert!(refused["path"].as_str().is_some_and(|path| path.ends_with("reading/page.txt")), "{refused}");
        let mut check = launch::caponier(&ground);
        let warned = check.args(["profile", "check"]).arg(&profile).output().expect("profile check");
        let warned = String::from_utf8_lossy(&[warned.stdout, warned.stderr].concat()).into_owned();
        assert!(warned.contains("stale-file-grant"), "{warned}");
    }
}

/// The listener comes by SCM_RIGHTS, so a server runs; what would need a copy of its descriptor is refused to it.
#[test]
fn h15_a_container_without_pidfds_takes_nothing_but_what_needs_them() {
    let ground = Ground::new();
    let (folder, file) = (ground.text("workspace"), ground.text("reading/page.txt"));
    let profile = plain_profile(&ground, "");
    let server = words("reader", &[&folder, &file]);
    let mut command = launch::at_home(Command::new(program::program("without_pidfd")), &ground);
    command.arg(launch::binary()).args(launch::run_words(&ground, &profile, &server));
    let running = launch::start(command);
    running.wait_for("OPEN read");
    fs::write(ground.path("reading/page.tmp"), "another page").expect("a file beside it");
    fs::rename(ground.path("reading/page.tmp"), &file).expect("rename");
    let finished = running.finish();
    assert!(finished.stderr.contains("BLOCKED watch EPERM"), "{finished:?}");
    // The folder is granted here, so the new file is too.
    assert!(finished.stderr.contains("OPEN again"), "{finished:?}");
    log::assert_whole(&ground, &log::events(&ground.path("audit")));
}

/// H14 and H19: threads and `posix_spawn`, which shares its parent's memory while its `execve` is judged, are confined
/// like everything else, and hang nobody.
#[test]
fn h14_h19_threads_and_spawned_programs_are_confined() {
    for penned in [false, true] {
        let ground = Ground::new();
        let server = words("spawner", &[&ground.text("outside/secret.txt"), &ground.text("outside/tool")]);
        let profile = plain_profile(&ground, "");
        let mut bare = launch::at_home(Command::new(&server[0]), &ground);
        bare.args(&server[1..]);
        let command = if penned { launch::run(&ground, &profile, &server) } else { bare };
        let finished = launch::start(command).finish();
        for works in ["OPEN vfork", "OPEN spawn\n"] {
            assert!(finished.stderr.contains(works), "{works}: {finished:?}");
        }
        let refused = if penned {
            ["BLOCKED thread EACCES", "BLOCKED spawn-other EACCES"]
        } else {
            ["OPEN thread", "OPEN spawn-other"]
        };
        for said in refused {
            assert!(finished.stderr.contains(said), "{said}: {finished:?}");
        }
        if penned {
            let events = log::events(&ground.path("audit"));
            for reason in ["fs.read.not-granted", "exec.not-granted"] {
                let told = log::of(&events, "file.access").any(|event| event["reason"] == reason);
                assert!(told, "{reason} is not in {events:#?}");
            }
            log::assert_whole(&ground, &events);
        }
    }
}
