//! What holds for every shipped profile.

use super::User;
use crate::policy::Home;
use crate::profile::problem::Code;
use crate::profile::shipped;

fn user() -> User {
    let mut user = User::new();
    user.program("bin/node", "\x7fELF");
    user.program("bin/python3", "\x7fELF");
    user.program("bin/git", "\x7fELF");
    user.dir("lib");
    user.file("app/node_modules/x/index.js", "");
    user.dir("work/repo");
    user.command(&["$ROOT/bin/node", "$ROOT/app/node_modules/x/index.js", "$ROOT/work/repo"], &[]);
    user
}

#[test]
fn each_resolves_and_has_a_description() {
    let user = user();
    for shipped in shipped::ALL {
        let resolved = match user.resolve(shipped.name) {
            Ok(resolved) => resolved,
            Err(problems) => panic!("{}: {}", shipped.name, user.report(&problems)),
        };
        assert!(resolved.files.last().unwrap().description.is_some(), "{}", shipped.name);
    }
}

#[test]
fn each_grant_has_a_reason_and_no_warning() {
    let user = user();
    for shipped in shipped::ALL {
        let resolved = user.resolve(shipped.name).unwrap();
        // A browser filters its own calls; a launcher is given a shell and its cache; and the workspace of this test lies below /tmp.
        let known = [
            ("playwright", Code::NestedSeccomp),
            ("runtime/npx", Code::ExecuteShell),
            ("runtime/npx", Code::ExecuteWritable),
            ("sqlite", Code::WriteShared),
        ];
        let ours = resolved.warnings.iter().filter(|warning| {
            warning.origin.file.starts_with("<shipped>") && !known.contains(&(shipped.name, warning.code))
        });
        assert_eq!(
            ours.collect::<Vec<_>>(),
            Vec::<&crate::profile::problem::Warning>::new(),
            "{}",
            shipped.name
        );
        assert!(resolved.warnings.iter().all(|warning| warning.code != Code::NoReason));
    }
}

#[test]
fn only_files_are_executed_and_proc_is_not_touched() {
    let user = user();
    for shipped in shipped::ALL {
        let policy = user.resolve(shipped.name).unwrap().policy;
        for grant in &policy.process.execute {
            assert!(!grant.path.is_dir(), "{}: {}", shipped.name, grant.path.display());
        }
        let all = policy.filesystem.read.iter().chain(&policy.filesystem.write);
        for grant in all {
            assert!(!grant.path.starts_with("/proc"), "{}: {}", shipped.name, grant.path.display());
            let narrow =
                grant.path != std::path::Path::new("/etc") && grant.path != std::path::Path::new("/usr");
            assert!(narrow, "{}: {}", shipped.name, grant.path.display());
        }
    }
}

#[test]
fn filesystem_reads_its_arguments_and_git_writes_them() {
    let user = user();
    let has = |grants: &[crate::policy::grant::Grant]| {
        grants.iter().any(|grant| grant.path == user.at("work/repo"))
    };
    let filesystem = user.resolve("filesystem").unwrap().policy.filesystem;
    assert!(has(&filesystem.read) && !has(&filesystem.write));
    let git = user.resolve("git").unwrap().policy;
    assert!(has(&git.filesystem.write));
    assert!(git.process.execute.iter().any(|grant| grant.path == user.at("bin/git")));
}

#[test]
fn memory_keeps_its_graph_in_a_home_that_lasts() {
    let user = user();
    let process = user.resolve("memory").unwrap().policy.process;
    assert_eq!(process.home, Home::Private);
    let expected = user.at("data/homes/x/memory.jsonl");
    assert_eq!(process.env.set["MEMORY_FILE_PATH"], expected.to_str().unwrap());
}

#[test]
fn only_what_needs_a_host_has_one_and_fetch_has_none_of_its_own() {
    let mut user = user();
    let hosts = |user: &User, name: &str| -> Vec<String> {
        let network = user.resolve(name).unwrap().policy.network;
        assert!(network.local.is_empty() && network.listen.is_empty(), "{name}");
        network.allow.iter().map(|grant| format!("{}:{}", grant.host, grant.port)).collect()
    };
    for shipped in shipped::ALL {
        let expected: &[&str] = match shipped.name {
            "context7" => &["context7.com:443"],
            "github" => &["api.github.com:443", "raw.githubusercontent.com:443"],
            _ => &[],
        };
        assert_eq!(hosts(&user, shipped.name), expected, "{}", shipped.name);
    }
    user.flags.host = vec!["example.com:443".into()];
    assert_eq!(hosts(&user, "fetch"), ["example.com:443"]);
    let fetch = user.resolve("fetch").unwrap().policy;
    assert!(fetch.process.execute.iter().any(|grant| grant.path == user.at("bin/node")));
}

#[test]
fn a_profile_of_the_users_own_takes_the_shipped_ones_place() {
    let user = user();
    user.profile("time", "description = \"mine\"");
    let resolved = user.resolve("time").unwrap();
    assert_eq!(resolved.files.len(), 1);
    let listed = crate::profile::list(&user.context.directories, crate::policy::Environment::Prod);
    let time: Vec<_> = listed.iter().filter(|(available, _)| available.name == "time").collect();
    assert_eq!(time.len(), 1);
    assert_eq!(time[0].1.as_deref(), Some("mine"));
    assert_eq!(listed.len(), shipped::ALL.len());
}

#[test]
fn the_documentation_lists_what_there_is() {
    let text = include_str!("../../../docs/PROFILES.md");
    let rows: Vec<&str> =
        text.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect();
    for code in Code::ALL {
        assert!(rows.contains(&code.as_str()), "warning {code}");
    }
    for (name, _) in crate::profile::VARIABLES {
        assert!(rows.contains(&format!("${{{name}}}").as_str()), "variable {name}");
    }
    for shipped in shipped::ALL {
        assert!(rows.contains(&shipped.name), "profile {}", shipped.name);
    }
    for name in crate::policy::protected::PROTECTED {
        assert!(text.contains(&format!("`{name}`")), "protected name {name}");
    }
}
