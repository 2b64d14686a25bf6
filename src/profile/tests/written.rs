//! `process.execute_writable`, and what `--no-resolve` adds to a profile.

use super::User;
use crate::profile::packages::Registry;
use crate::profile::problem::Code;

const ENTRY: &str = r#"[process]
execute_writable = [{ path = "${server.cache}/bin", reason = "plug-ins" }]
"#;

#[test]
fn a_folder_of_the_servers_own_cache_may_be_written_and_executed() {
    let resolved = User::new().of(ENTRY).unwrap();
    let written = &resolved.policy.process.execute_writable;
    assert_eq!(written.len(), 1);
    assert!(written[0].path.ends_with("data/caches/x/bin"), "{}", written[0].path.display());
    assert!(resolved.warnings.iter().any(|warning| warning.code == Code::ExecuteWritable));
    // It is in no list of what others may.
    assert!(resolved.policy.process.execute.iter().all(|grant| grant.path != written[0].path));
    assert!(resolved.policy.filesystem.write.is_empty());
}

#[test]
fn nothing_else_is_both_and_a_reason_is_wanted() {
    for path in [
        "${workspace}/x",
        "${home}/x",
        "~/x",
        "/tmp/x",
        "${session.tmp}/x",
        "${server.home}/x",
        "${server.cache}",
        "${server.cache}/",
        "${server.cache}x/y",
        "${server.cache}/../y",
        "x${server.cache}/y",
    ] {
        let wrong = User::new()
            .wrong(&format!("[process]\nexecute_writable = [{{ path = \"{path}\", reason = \"x\" }}]"));
        assert!(wrong.contains("nowhere but below ${server.cache}"), "{path}: {wrong}");
    }
    for entry in ["\"${server.cache}/x\"", "{ path = \"${server.cache}/x\", reason = \" \" }"] {
        let wrong = User::new().wrong(&format!("[process]\nexecute_writable = [{entry}]"));
        assert!(wrong.contains("has no reason"), "{entry}: {wrong}");
    }
}

#[test]
fn the_cache_itself_can_be_granted_in_no_list() {
    for list in ["[filesystem]\nread", "[filesystem]\nwrite", "[process]\nexecute"] {
        let user = User::new();
        user.dir("data/caches/x/bin");
        let wrong = user.wrong(&format!("{list} = [\"${{server.cache}}/bin\"]"));
        assert!(wrong.contains("caponier's own folders"), "{list}: {wrong}");
    }
}

#[test]
fn a_repository_cannot_ask_for_it() {
    let user = User::new();
    user.profile("p", "");
    user.file("work/.caponier.toml", &format!("version = 1\n{ENTRY}"));
    let wrong = user.report(&user.resolve("p").unwrap_err());
    assert!(
        wrong.contains("`process.execute_writable`") && wrong.contains("more than the profile allows"),
        "{wrong}"
    );
}

#[test]
fn a_launcher_brings_its_profile_beside_that_of_the_server() {
    let mut user = User::new();
    user.program("bin/node", "\x7fELF");
    user.program("bin/python3", "\x7fELF");
    user.dir("lib");
    let shells = |user: &User, name: &str| {
        let policy = user.resolve(name).unwrap().policy;
        assert_eq!(policy.profile.name, name, "the profile that was asked for is the one that is recorded");
        policy.process.execute.iter().any(|grant| grant.path.ends_with("bin/sh"))
    };
    assert!(!shells(&user, "filesystem"));
    user.flags.launcher = Some(Registry::Npm);
    for name in ["filesystem", "base", "runtime/node", "runtime/npx"] {
        assert!(shells(&user, name), "{name}");
    }
    user.flags.launcher = Some(Registry::PyPi);
    assert!(shells(&user, "time"));
    // Neither stands above the other: the stricter limit holds, whoever has it.
    user.profile("tight", "[limits]\nmemory = \"1GiB\"\nopen_files = 8192");
    let limits = user.resolve("tight").unwrap().policy.limits;
    assert_eq!((limits.memory, limits.open_files), (Some(1 << 30), Some(4096)));
}

#[test]
fn the_words_of_a_launcher_are_not_the_servers() {
    let mut user = User::new();
    let folder = user.dir("served");
    user.program("bin/npx", "#!/usr/bin/env node\n");
    user.program("bin/node", "\x7fELF");
    let served = folder.to_str().unwrap().to_owned();
    user.command(&["$ROOT/bin/npx", "-y", "/no/such", &served], &["bin/node"]);
    user.context.command.as_mut().unwrap().launched = 2;
    let resolved = user.of("[process]\narguments_as_paths = \"filesystem.read\"").unwrap();
    assert!(resolved.policy.filesystem.read.iter().any(|grant| grant.path == folder));
    assert_eq!(crate::profile::server_arguments(&user.context), [served.as_str()]);
}
