//! A workspace's own `.caponier.toml`: what it leaves, what it cannot widen, and who may let it.

use std::path::Path;

use proptest::prelude::*;

use super::User;
use crate::policy::Environment;
use crate::policy::grant::Access;
use crate::policy::verdict::Ruling;
use crate::profile::problem::Problems;
use crate::profile::{Request, Resolved, repository, trust, why};

/// The profile `p` with this body, in a workspace with this file.
fn with(user: &User, profile: &str, file: &str) -> Result<Resolved, Problems> {
    let text = format!("version = 1\n{}", file.replace("$ROOT", user.root.to_str().unwrap()));
    user.file("work/.caponier.toml", &text);
    user.of(profile)
}

/// What is wrong with it, the workspace's file as `REPO`.
fn refused(user: &User, profile: &str, file: &str) -> String {
    let report = user.report(&with(user, profile, file).unwrap_err());
    report.replace("$ROOT/work/.caponier.toml", "REPO")
}

fn may(user: &User, resolved: &Resolved, access: Access, path: &str) -> bool {
    let answer = why::path(resolved, &user.context, access, &user.at(path)).unwrap();
    answer.verdict == Ruling::Allow
}

fn project() -> User {
    let user = User::new();
    for folder in ["work/src", "work/docs/deep", "lib"] {
        user.dir(folder);
    }
    user
}

const WHOLE: &str = "[filesystem]\nread = [\"$ROOT/lib\"]\nwrite = [\"${workspace}\"]\n";

#[test]
fn a_list_of_paths_says_what_is_left_in_the_workspace() {
    let user = project();
    let write_docs = with(&user, WHOLE, "[filesystem]\nwrite = [\"${workspace}/docs\"]\n").unwrap();
    for (access, path, expected) in [
        (Access::Write, "work/docs/deep/x", true),
        (Access::Write, "work/src/x", false),
        (Access::Read, "work/src/x", true),
        (Access::Read, "lib/x", true),
    ] {
        assert_eq!(may(&user, &write_docs, access, path), expected, "{access:?} {path}");
    }
    let read_docs = with(&user, WHOLE, "[filesystem]\nread = [\"${workspace}/docs\"]\n").unwrap();
    for (access, path, expected) in [
        (Access::Write, "work/docs/x", true),
        (Access::Read, "work/docs/x", true),
        (Access::Write, "work/src/x", false),
        (Access::Read, "work/src/x", false),
        (Access::Read, "lib/x", true),
    ] {
        assert_eq!(may(&user, &read_docs, access, path), expected, "{access:?} {path}");
    }
    let nothing = with(&user, WHOLE, "[filesystem]\nread = []\nwrite = []\n").unwrap();
    assert_eq!(user.paths(&nothing.policy.filesystem.read), ["$ROOT/lib"]);
    assert_eq!(user.paths(&nothing.policy.filesystem.write), Vec::<String>::new());
    assert_eq!(nothing.policy.profile.name, "p", "it is still the user's profile");
    assert_eq!(nothing.repository.unwrap().file, user.at("work/.caponier.toml"));
}

/// A line of the profile would change nothing: the one that took it away is named, and the one that gave it.
#[test]
fn what_is_taken_away_is_explained_by_the_line_that_took_it() {
    let user = project();
    let profile = format!("{WHOLE}[network]\nallow = [\"a.example:443\", \"b.example:8443\"]\n");
    let file = "[filesystem]\nwrite = [\"${workspace}/docs\"]\n[network]\nallow = [\"a.example:443\"]\n";
    let left = with(&user, &profile, file).unwrap();
    let asked = |access, path: &str| why::path(&left, &user.context, access, &user.at(path)).unwrap();
    let why_not = |answer: &why::Answer| {
        let remedy = &answer.denial.as_ref().unwrap().remedy;
        assert_eq!(remedy.line(), None, "{answer:?}");
        remedy.why_not().unwrap().to_owned()
    };
    let source = asked(Access::Write, "work/src/x");
    let why = why_not(&source);
    assert!(why.contains("work/.caponier.toml:3:9") && why.contains("p.toml:4:"), "{why}");
    assert_eq!(source.line.unwrap().line, 3, "the deciding line is the workspace's");
    // What nobody gave is as before.
    assert!(asked(Access::Read, "elsewhere").denial.unwrap().remedy.line().is_some());
    assert!(asked(Access::Write, "lib/x").denial.unwrap().remedy.line().is_some());
    let host = why::host(&left, "b.example:8443").unwrap();
    assert!(why_not(&host).contains("work/.caponier.toml:5:9"), "{host:?}");
    assert!(why::host(&left, "b.example:443").unwrap().denial.unwrap().remedy.line().is_some());
    let none = with(&user, &profile, "[network]\nallow = []\n").unwrap();
    assert!(none.policy.network.why_none().unwrap().contains("work/.caponier.toml:3:9"));
}

/// As with paths and hosts, so with every other list that the file can narrow.
#[test]
fn tools_and_own_ports_that_are_taken_away_are_explained_too() {
    let user = project();
    let profile = "[network]\nallow = [\"1.2.3.4:80\"]\nlocal = [\"localhost:8080\", \"127.0.0.1:8081\"]\nlisten = [\"localhost:9\"]\n\
                   [tools]\ndefault = \"deny\"\nallow = [\"read_*\"]\n";
    let file = "[network]\nallow = []\nlocal = [\"127.0.0.1:8081\"]\nlisten = []\n[tools]\nallow = [\"read_file\"]\n";
    let left = with(&user, profile, file).unwrap();
    let why = |answer: &why::Answer| answer.denial.as_ref().unwrap().remedy.why_not().map(str::to_owned);
    for (answer, by, given) in [
        (why::host(&left, "1.2.3.4:80").unwrap(), 3, 3),
        (why::host(&left, "localhost:8080").unwrap(), 4, 4),
        (why::host(&left, "127.0.0.1:8080").unwrap(), 4, 4),
        (why::tool(&left, "read_dir"), 7, 8),
    ] {
        let why = why(&answer).unwrap_or_else(|| panic!("{answer:?}"));
        let (by, given) = (format!("work/.caponier.toml:{by}:"), format!("p.toml:{given}:"));
        assert!(why.contains(&by) && why.contains(&given), "{why}");
    }
    let listen = left.policy.network.why_listen_taken("127.0.0.1".parse().unwrap(), 9).unwrap();
    assert!(listen.contains("work/.caponier.toml:5:"), "{listen}");
    // What nobody gave is as before.
    for answer in [why::host(&left, "localhost:8082").unwrap(), why::tool(&left, "write_file")] {
        assert_eq!(why(&answer), None, "{answer:?}");
    }
    // A profile that lets every tool be called has no line for one.
    let open = with(&user, "", "[tools]\ndefault = \"deny\"\nallow = [\"read_file\"]\n").unwrap();
    let why = why(&why::tool(&open, "read_dir")).unwrap();
    assert!(why.contains("p.toml)") && why.contains("work/.caponier.toml:4:"), "{why}");
    let none = with(&user, "[network]\nlocal = [\"localhost:8080\"]\n", "[network]\nlocal = []\n").unwrap();
    assert!(none.policy.network.why_none().unwrap().contains("work/.caponier.toml:3:"));
}

#[test]
fn flags_and_arguments_are_narrowed_as_well() {
    let mut user = project();
    user.flags.write = vec![user.at("work/src")];
    user.flags.host = vec!["a.example:443".into()];
    let file = "[filesystem]\nwrite = []\n[network]\nallow = []\n";
    let left = with(&user, WHOLE, file).unwrap();
    assert!(!may(&user, &left, Access::Write, "work/src/x"));
    assert!(left.policy.network.is_empty());
}

#[test]
fn what_would_widen_is_refused_with_its_line() {
    let user = project();
    user.dir("elsewhere");
    let profile = "[filesystem]\nread = [\"${workspace}/docs\"]\n[limits]\nmemory = \"1MiB\"\n\
                   [network]\nallow = [\"a.example:443\"]\n[tools]\ndefault = \"deny\"\nallow = [\"read_*\"]\n";
    for (file, said) in [
        (
            "[filesystem]\nread = [\"${workspace}/src\"]\n",
            "REPO:3:9: `filesystem.read`: \"$ROOT/work/src\" is more",
        ),
        ("[filesystem]\nread = [\"$ROOT/elsewhere\"]\n", "REPO:3:9: `filesystem.read`"),
        ("[filesystem]\nwrite = [\"${workspace}/docs\"]\n", "REPO:3:10: `filesystem.write`"),
        ("[filesystem]\nunprotected = [\".git/hooks\"]\n", "it would widen `filesystem.unprotected`"),
        ("[process]\nexecute = [\"/usr/bin/env\"]\n", "REPO:3:12: `process.execute`"),
        ("[process]\nenv = { set = { NODE_OPTIONS = \"--require=/x\" } }\n", "REPO:3:"),
        ("[process]\nenv = { pass = [\"SECRET\"] }\n", "it would widen `process.env.pass`: \"SECRET\""),
        ("[process]\nnested_seccomp = true\n", "REPO:3:18: `process.nested_seccomp`"),
        ("[limits]\nmemory = \"2MiB\"\n", "REPO:3:10: `limits.memory`: 2097152 is more"),
        ("[limits]\nprocesses = \"none\"\n", "REPO:3:13: `limits.processes`"),
        ("[network]\nallow = [\"a.example:443\", \"*.example.com:443\"]\n", "REPO:3:27: `network.allow`"),
        ("[network]\nlocal = [\"localhost:1\"]\n", "REPO:3:10: `network.local`"),
        ("[network]\nunix = [\"/run/docker.sock\"]\n", "REPO:3:9: `network.unix`"),
        ("[tools]\ndefault = \"allow\"\n", "REPO:3:11: `tools.default`"),
        ("[tools]\nallow = [\"*\"]\n", "REPO:3:10: `tools.allow`"),
        ("[tools]\noutside_paths = \"allow\"\n", "REPO:3:17: `tools.outside_paths`"),
        ("[tools.rule.read_file]\nargument.path = { outside_paths = \"allow\" }\n", "REPO:3:"),
        ("[protocol]\npins = \"off\"\n", "REPO:3:8: `protocol.pins`"),
        ("[protocol]\nserver_requests = { sampling = \"allow\" }\n", "REPO:3:"),
        ("[audit]\narguments = \"none\"\n", "REPO:3:13: `audit.arguments`"),
        ("[audit]\nfile_reads = false\n", "REPO:3:14: `audit.file_reads`"),
    ] {
        let report = refused(&user, profile, file);
        assert!(report.contains(said), "{file}\n{report}");
        assert!(report.contains("profile trust $ROOT/work"), "{report}");
    }
    for (file, said) in [
        ("extends = [\"runtime/node\"]\n", "REPO:2:12: a repository's file extends nothing"),
        ("[filesystem]\nraed = []\n", "unknown key `filesystem.raed`"),
        ("[[\n", "not TOML"),
    ] {
        let report = refused(&user, profile, file);
        assert!(report.contains(said), "{file}\n{report}");
    }
}

#[test]
fn what_narrows_holds() {
    let user = project();
    let profile = "[limits]\nprocesses = 9\n[network]\nallow = [\"*.a.example:443\", \"b.example:443\"]\n\
                   [tools]\ndefault = \"deny\"\nallow = [\"read_*\", \"write_x\"]\n[tools.rule.read_file]\n\
                   argument.path = { extensions = [\".md\", \".txt\"], within = [\"$ROOT/work\"] }\n";
    let file = "[limits]\nprocesses = 3\n[network]\nallow = [\"x.a.example:443\"]\n[tools]\nallow = [\"read_file\"]\n\
                deny = [\"read_file_raw\"]\n[tools.rule.read_file]\ntimeout = \"1s\"\n\
                argument.path = { extensions = [\".md\"], within = [\"${workspace}/docs\"] }\n\
                [audit]\nsync = \"event\"\n[require]\nlandlock_abi = 5\n";
    let left = with(&user, profile, file).unwrap();
    let policy = &left.policy;
    assert_eq!((policy.limits.processes, policy.require.landlock_abi), (Some(3), 5));
    let hosts: Vec<String> = policy.network.allow.iter().map(|grant| grant.host.to_string()).collect();
    assert_eq!(hosts, ["x.a.example"]);
    for (tool, expected) in
        [("read_file", true), ("read_dir", false), ("write_x", false), ("read_file_raw", false)]
    {
        assert_eq!(why::tool(&left, tool).verdict == Ruling::Allow, expected, "{tool}");
    }
    let rule = &policy.tools.rule["read_file"].argument["path"];
    assert_eq!(rule.extensions.as_ref().unwrap().value, [".md"]);
    assert_eq!(rule.within.as_ref().unwrap().value, [user.at("work/docs")]);
    let line = left.lines["limits.processes"].clone();
    assert!(line.file.ends_with("/work/.caponier.toml") && line.line == 3, "{line}");
}

#[test]
fn a_grant_above_the_workspace_cannot_be_cut_in_it() {
    let user = project();
    let report = refused(&user, "[filesystem]\nread = [\"$ROOT/work/..\"]\n", "[filesystem]\nread = []\n");
    assert!(report.contains("has `..` in it"), "{report}");
    user.dir("above/project");
    let mut user = user;
    user.context.workspace = Some(user.at("above/project"));
    user.file("above/project/.caponier.toml", "version = 1\n[filesystem]\nread = []\n");
    let report = user.wrong("[filesystem]\nread = [\"$ROOT/above\"]\n");
    assert!(report.contains("lies above this workspace, so this list cannot narrow it"), "{report}");
}

#[test]
fn an_optional_path_is_left_out_where_the_profile_does_not_grant_it() {
    let user = project();
    let file =
        "[filesystem]\nread = [{ path = \"${workspace}/src\", optional = true }, \"${workspace}/docs\"]\n";
    let left = with(&user, "[filesystem]\nread = [\"${workspace}/docs\"]\n", file).unwrap();
    assert_eq!(user.paths(&left.policy.filesystem.read), ["$ROOT/work/docs"]);
}

#[test]
fn an_approved_file_widens_by_what_it_says_until_a_byte_changes() {
    let user = project();
    let (profile, file) =
        ("[filesystem]\nread = [\"${workspace}/docs\"]\n", "[filesystem]\nread = [\"${workspace}/src\"]\n");
    assert!(with(&user, profile, file).is_err());
    let text = repository::text(&user.at("work")).unwrap();
    let dirs = &user.context.directories;
    trust::approve(dirs, &user.at("work"), &text).unwrap();
    let approved = with(&user, profile, file).unwrap();
    assert!(approved.repository.as_ref().unwrap().approved);
    assert!(may(&user, &approved, Access::Read, "work/src/x"));
    assert!(!may(&user, &approved, Access::Read, "work/docs/x"), "what it lists is what is left");
    assert!(with(&user, profile, &format!("{file}\n")).is_err(), "another byte");
    assert!(with(&user, profile, file).is_ok());
    // Nothing that is never granted is granted now.
    user.dir("home/.ssh");
    let secret = "[filesystem]\nread = [\"~/.ssh\"]\n";
    user.file("work/.caponier.toml", &format!("version = 1\n{secret}"));
    trust::approve(dirs, &user.at("work"), &repository::text(&user.at("work")).unwrap()).unwrap();
    assert!(refused(&user, profile, secret).contains("a secret store"));
    assert!(
        trust::revoke(dirs, &user.at("work")).unwrap() && !trust::revoke(dirs, &user.at("work")).unwrap()
    );
}

#[test]
fn an_approval_is_for_one_folder() {
    let mut user = project();
    let (profile, file) = ("", "[network]\nallow = [\"a.example:443\"]\n");
    assert!(with(&user, profile, file).is_err());
    let text = repository::text(&user.at("work")).unwrap();
    trust::approve(&user.context.directories, &user.at("work"), &text).unwrap();
    assert!(with(&user, profile, file).is_ok());
    user.file("copy/.caponier.toml", &text);
    user.context.workspace = Some(user.at("copy"));
    assert!(user.of(profile).is_err());
    user.link(user.at("work"), "alias");
    user.context.workspace = Some(user.at("alias"));
    assert!(user.of(profile).is_ok(), "the same folder by another name");
}

#[test]
fn a_file_that_is_no_plain_file_ends_the_run() {
    let user = project();
    user.file("elsewhere.toml", "version = 1\nsecret words\n");
    user.link(user.at("elsewhere.toml"), "work/.caponier.toml");
    let report = user.wrong("");
    assert!(report.contains("it is a symbolic link") && !report.contains("secret words"), "{report}");
    std::fs::remove_file(user.at("work/.caponier.toml")).unwrap();
    user.link(user.at("nowhere"), "work/.caponier.toml");
    assert!(user.wrong("").contains("it is a symbolic link"));
    std::fs::remove_file(user.at("work/.caponier.toml")).unwrap();
    user.dir("work/.caponier.toml");
    assert!(user.wrong("").contains("it is not a regular file"));
    std::fs::remove_dir(user.at("work/.caponier.toml")).unwrap();
    nix::unistd::mkfifo(&user.at("work/.caponier.toml"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    assert!(user.wrong("").contains("it is not a regular file"));
}

#[test]
fn only_the_workspace_itself_is_looked_at() {
    let mut user = project();
    let file = "version = 1\n[network]\nallow = [\"a.example:443\"]\n";
    user.file("work/.caponier.toml", file);
    user.context.workspace = Some(user.at("work/src"));
    assert!(user.of("").unwrap().repository.is_none());
    // A client that starts servers in a home says nothing about what is in it.
    user.file("home/.caponier.toml", file);
    user.context.workspace = None;
    user.context.cwd = user.at("home");
    assert!(user.of("").unwrap().repository.is_none());
}

#[test]
fn a_damaged_approval_is_none() {
    let user = project();
    user.file("work/.caponier.toml", "version = 1\n");
    let text = repository::text(&user.at("work")).unwrap();
    trust::approve(&user.context.directories, &user.at("work"), &text).unwrap();
    let folder = user.at("state/trust");
    let kept = std::fs::read_dir(folder).unwrap().next().unwrap().unwrap().path();
    for damage in ["", "{", "{\"v\":1}", "[]"] {
        std::fs::write(&kept, damage).unwrap();
        assert!(user.wrong("").contains("whether this file was approved cannot be told"), "{damage}");
    }
}

#[test]
fn a_lock_holds_what_was_approved() {
    let mut user = project();
    user.profile("base2", "[limits]\nprocesses = 2\n");
    let body = "extends = [\"base2\"]\n[filesystem]\nread = [\"${workspace}/docs\"]\n";
    user.profile("q", body);
    let request = |user: &User| Request {
        profile: "q".into(),
        environment: user.environment,
        flags: user.flags.clone(),
    };
    let said = |user: &User| -> Vec<String> {
        let resolved = user.resolve("q").unwrap();
        let found = crate::profile::lock::refuse(&request(user), &resolved).err().unwrap_or_default();
        found
            .into_iter()
            .map(|problem| problem.message.replace(user.root.to_str().unwrap(), "$ROOT"))
            .collect()
    };
    user.flags.read = vec![user.at("work/src")];
    assert!(said(&user).is_empty(), "flags add while nothing is locked");
    crate::profile::lock(&request(&user), &user.context).unwrap();
    assert_eq!(said(&user), ["`q` is locked: --read cannot add to it"]);
    user.environment = Environment::Dev;
    assert!(said(&user).is_empty(), "development is never locked");
    user.environment = Environment::Prod;
    user.flags = crate::profile::Flags { pass_env: vec!["TOKEN".into()], ..Default::default() };
    assert!(said(&user).is_empty());
    let since = |user: &User, what: &str| {
        let said = said(user);
        assert!(said.iter().any(|line| line.contains(what)), "{what}: {said:?}");
    };
    user.profile("base2", "[limits]\nprocesses = 3\n");
    since(&user, "config/profiles/base2.toml was changed since");
    user.profile("base2", "[limits]\nprocesses = 2\n");
    assert!(said(&user).is_empty(), "as it was");
    user.profile("q.prod", body);
    since(&user, "config/profiles/q.toml does not take part any more since");
    since(&user, "config/profiles/q.prod.toml takes part now since");
    crate::profile::lock(&request(&user), &user.context).unwrap();
    assert!(said(&user).is_empty(), "approved again");
    assert!(crate::profile::lock::unlock("q", &user.context.directories).unwrap());
    assert!(user.resolve("q").unwrap().lock.is_none());
}

#[test]
fn under_a_lock_nobody_widens() {
    let user = project();
    let (profile, file) = ("", "[network]\nallow = [\"a.example:443\"]\n");
    let _ = with(&user, profile, file);
    let text = repository::text(&user.at("work")).unwrap();
    trust::approve(&user.context.directories, &user.at("work"), &text).unwrap();
    assert!(user.of(profile).is_ok());
    let request = Request { profile: "p".into(), environment: Environment::Prod, flags: user.flags.clone() };
    crate::profile::lock(&request, &user.context).unwrap();
    let report = user.wrong(profile);
    assert!(report.contains("`network.allow`") && report.contains("the profile is locked"), "{report}");
    for damage in ["", "{}", "{\"v\":2}"] {
        std::fs::write(user.at("state/locks/p.json"), damage).unwrap();
        assert!(user.wrong(profile).contains("the lock of `p` cannot be read"), "{damage}");
    }
}

const FOLDERS: [&str; 6] = ["work/a", "work/a/x", "work/a/y", "work/b", "work/b/x", "work/c"];
const HOSTS: [&str; 4] = ["a.example:443", "*.b.example:443", "x.b.example:443", "c.example:80"];
const TOOLS: [&str; 4] = ["read_*", "read_file", "write_file", "*"];

fn some(of: &'static [&'static str]) -> impl Strategy<Value = Vec<&'static str>> {
    prop::collection::vec(prop::sample::select(of), 0..4)
}

/// What a profile, or a workspace's file, lists; `None` for a list that is not there.
#[derive(Debug, Clone)]
struct Says {
    read: Option<Vec<&'static str>>,
    write: Option<Vec<&'static str>>,
    hosts: Option<Vec<&'static str>>,
    deny: Vec<&'static str>,
    tools: Option<(bool, Vec<&'static str>)>,
    processes: Option<u32>,
}

fn says() -> impl Strategy<Value = Says> {
    (
        prop::option::of(some(&FOLDERS)),
        prop::option::of(some(&FOLDERS)),
        prop::option::of(some(&HOSTS)),
        some(&["write_file", "x*"]),
        prop::option::of((any::<bool>(), some(&TOOLS))),
        prop::option::of(1..9u32),
    )
        .prop_map(|(read, write, hosts, deny, tools, processes)| Says {
            read,
            write,
            hosts,
            deny,
            tools,
            processes,
        })
}

impl Says {
    fn text(&self) -> String {
        let paths =
            |list: &[&str]| -> String { list.iter().map(|path| format!("\"$ROOT/{path}\",")).collect() };
        let mut text = "[filesystem]\n".to_owned();
        text += &self.read.as_ref().map_or(String::new(), |list| format!("read = [{}]\n", paths(list)));
        text += &self.write.as_ref().map_or(String::new(), |list| format!("write = [{}]\n", paths(list)));
        text += "[network]\n";
        text += &self.hosts.as_ref().map_or(String::new(), |list| format!("allow = {list:?}\n"));
        text += &format!("[tools]\ndeny = {:?}\n", self.deny);
        if let Some((allow, list)) = &self.tools {
            text += &format!("default = \"{}\"\nallow = {list:?}\n", if *allow { "allow" } else { "deny" });
        }
        text + &self.processes.map_or(String::new(), |number| format!("[limits]\nprocesses = {number}\n"))
    }

    /// Whether what is listed reaches a path in the workspace.
    fn reaches(list: &[&str], path: &str) -> bool {
        list.iter().any(|folder| Path::new(path).starts_with(folder))
    }

    /// Whether the file forbids it, by what its author means.
    fn forbids(&self, access: Access, path: &str) -> bool {
        let listed = |list: &Option<Vec<&str>>| list.as_ref().is_some_and(|list| Self::reaches(list, path));
        let unread = self.read.is_some() && !listed(&self.read) && !listed(&self.write);
        let unwritten = self.write.is_some() && !listed(&self.write);
        unread || (access == Access::Write && unwritten)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// Nothing is allowed that the profile or the workspace's file forbids; and what only narrows is accepted.
    #[test]
    fn what_is_left_is_what_both_allow(profile in says(), file in says()) {
        let user = User::new();
        for folder in FOLDERS {
            user.dir(folder);
        }
        let alone = user.of(&profile.text()).unwrap();
        let allowed = |resolved: &Resolved, access, path: &str| may(&user, resolved, access, path);
        let listed = |access, list: &Option<Vec<&str>>| {
            list.iter().flatten().all(|path| allowed(&alone, access, path))
        };
        let is_part = listed(Access::Read, &file.read) && listed(Access::Write, &file.write)
            && file.hosts.iter().flatten().all(|host| !host.starts_with('*')
                && why::host(&alone, host).unwrap().verdict == Ruling::Allow)
            && file.tools.is_none()
            && file.processes.unwrap_or(0) <= profile.processes.unwrap_or(64);
        let narrowed = match with(&user, &profile.text(), &file.text()) {
            Ok(narrowed) => narrowed,
            Err(problems) => {
                prop_assert!(!is_part, "{}", user.report(&problems));
                return Ok(());
            }
        };
        for access in [Access::Read, Access::Write] {
            for path in FOLDERS.iter().chain(&["work", "lib"]) {
                let left = allowed(&narrowed, access, path);
                let both = allowed(&alone, access, path) && !file.forbids(access, path);
                prop_assert_eq!(left, both, "{:?} {}", access, path);
            }
        }
        for host in ["a.example:443", "x.b.example:443", "y.b.example:443", "b.example:443", "c.example:80", "c.example:443"] {
            let may = |resolved: &Resolved| why::host(resolved, host).unwrap().verdict == Ruling::Allow;
            prop_assert!(!may(&narrowed) || may(&alone), "{}", host);
        }
        for tool in ["read_file", "read_dir", "write_file", "x1", "other"] {
            let may = |resolved: &Resolved| why::tool(resolved, tool).verdict == Ruling::Allow;
            prop_assert!(!may(&narrowed) || may(&alone), "{}", tool);
            prop_assert!(!may(&narrowed) || !file.deny.iter().any(|glob| crate::profile::lint::matches(glob, tool)), "{}", tool);
        }
        prop_assert!(narrowed.policy.limits.processes.unwrap() <= alone.policy.limits.processes.unwrap());
    }
}
