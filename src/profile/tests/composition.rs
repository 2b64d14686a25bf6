//! `extends`: files, circles, and the laws of composition.

use proptest::prelude::*;

use super::User;
use crate::policy::{Environment, Home, Policy, Requirement};

#[test]
fn a_circle_is_reported_as_its_chain() {
    let user = User::new();
    user.profile("a", "extends = [\"b\"]");
    user.profile("b", "extends = [\"c\"]");
    user.profile("c", "extends = [\"a\"]");
    let report = user.report(&user.resolve("a").unwrap_err());
    let chain = ["a", "b", "c", "a"].map(|name| format!("$ROOT/config/profiles/{name}.toml")).join(" → ");
    let expected = format!(
        "$ROOT/config/profiles/c.toml:2:12: `extends` goes in a circle: {chain} | take one of the links out"
    );
    assert_eq!(report, expected);
}

#[test]
fn a_profile_that_extends_itself_is_a_circle() {
    let report = User::new().wrong("extends = [\"p\"]");
    assert!(report.starts_with("2:12: `extends` goes in a circle: "), "{report}");
}

#[test]
fn a_file_that_extends_its_own_name_means_what_it_takes_the_place_of() {
    let mut user = User::new();
    user.program("bin/git", "\x7fELF");
    user.program("bin/python3", "\x7fELF");
    user.dir("lib");
    user.profile("git.prod", "extends = [\"git\"]\n[limits]\nprocesses = 5");
    let files = |user: &User| -> Vec<String> {
        let resolved = user.resolve("git").unwrap();
        resolved.files.iter().map(|part| part.file.replace(user.root.to_str().unwrap(), "$ROOT")).collect()
    };
    let shipped = ["<shipped>/base.toml", "<shipped>/runtime/python.toml", "<shipped>/git.toml"];
    let mine = "$ROOT/config/profiles/git.prod.toml";
    assert_eq!(files(&user), [&shipped[..], &["<shipped>/git.prod.toml", mine]].concat());
    user.profile("git", "extends = [\"git\"]\n[limits]\nopen_files = 900");
    let plain = "$ROOT/config/profiles/git.toml";
    assert_eq!(files(&user), [&shipped[..], &["<shipped>/git.prod.toml", plain, mine]].concat());
    user.environment = Environment::Dev;
    assert_eq!(files(&user), [&shipped[..], &["<shipped>/git.dev.toml", plain]].concat());
}

#[test]
fn names_and_files_never_lead_out_of_their_folder() {
    let user = User::new();
    user.file("outside.toml", "version = 1\n");
    user.link(user.at("outside.toml"), "config/profiles/planted.toml");
    user.link(user.at("outside.toml"), "config/profiles/linked.toml");
    for (entry, why) in [
        ("../../outside", "is not a profile's name"),
        ("/etc/passwd", "is not a profile's name"),
        ("a/../b", "is not a profile's name"),
        (".hidden", "is not a profile's name"),
        ("../outside.toml", "leads out of the folder"),
        ("/etc/x.toml", "leads out of the folder"),
        ("planted.toml", "is a link that leads out of its folder"),
        ("linked", "is a link that leads out of its folder"),
    ] {
        let report = user.wrong(&format!("extends = [\"{entry}\"]"));
        assert!(report.starts_with("2:12: ") && report.contains(why), "{entry}: {report}");
    }
}

#[test]
fn a_relative_file_is_found_beside_the_one_that_names_it() {
    let user = User::new();
    user.file("project/base.toml", "version = 1\n[limits]\nprocesses = 7\n");
    let file = user.file("project/p.toml", "version = 1\nextends = [\"./base.toml\"]\n");
    let resolved = user.resolve(file.to_str().unwrap()).unwrap();
    assert_eq!(resolved.policy.limits.processes, Some(7));
    assert_eq!(resolved.policy.profile.name, "p");
    assert_eq!(resolved.files.len(), 2);
}

#[test]
fn each_environment_has_its_own_file() {
    let mut user = User::new();
    user.profile("p", "[limits]\nprocesses = 1");
    user.profile("p.dev", "[limits]\nprocesses = 2");
    assert_eq!(user.resolve("p").unwrap().policy.limits.processes, Some(1));
    user.environment = Environment::Dev;
    let resolved = user.resolve("p").unwrap();
    assert_eq!(resolved.policy.limits.processes, Some(2));
    assert_eq!((resolved.policy.profile.name.as_str(), resolved.policy.profile.env), ("p", Environment::Dev));
}

#[test]
fn a_missing_profile_gets_a_suggestion() {
    let user = User::new();
    let report = user.report(&user.resolve("filesytem").unwrap_err());
    assert_eq!(report, "command line: there is no profile `filesytem` | did you mean `filesystem`?");
    let report = user.report(&user.resolve("p.toml").unwrap_err());
    assert!(report.contains("--profile ./p.toml"), "{report}");
    let report = user.report(&user.resolve("./nowhere.toml").unwrap_err());
    assert_eq!(report, "command line: cannot read ./nowhere.toml: there is no such file");
}

#[test]
fn what_is_no_regular_file_or_too_long_is_not_read() {
    let user = User::new();
    nix::unistd::mkfifo(&user.at("fifo.toml"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    let long = user.file("long.toml", &"#".repeat(300 * 1024));
    for (path, why) in [
        (user.at("fifo.toml"), "it is not a regular file"),
        (user.at("work"), "it is not a regular file"),
        (long, "it is longer than 262144 bytes"),
    ] {
        let report = user.report(&user.resolve(path.to_str().unwrap()).unwrap_err());
        assert!(report.ends_with(why), "{report}");
    }
}

#[test]
fn the_file_overrides_its_bases_and_require_only_rises() {
    let user = User::new();
    user.profile("base1", "[limits]\nprocesses = 5\n[require]\nlandlock_abi = 6\nkill_scope = \"required\"");
    let resolved = user
        .of("extends = [\"base1\"]\n[limits]\nprocesses = \"none\"\n[require]\nlandlock_abi = 4\nkill_scope = \
             \"best-effort\"")
        .unwrap();
    assert_eq!(resolved.policy.limits.processes, None);
    assert_eq!(resolved.policy.require.landlock_abi, 6);
    assert_eq!(resolved.policy.require.kill_scope, Requirement::Required);
    assert!(resolved.lines["require.landlock_abi"].file.ends_with("base1.toml"));
    assert!(resolved.lines["limits.processes"].file.ends_with("/p.toml"));
}

#[test]
fn between_bases_the_stricter_holds_unless_one_extends_the_other() {
    let user = User::new();
    user.profile("low", "[limits]\nprocesses = 5\n[process]\nhome = \"session\"");
    user.profile("beside", "[limits]\nprocesses = 9\n[process]\nhome = \"private\"");
    user.profile("above", "extends = [\"low\"]\n[limits]\nprocesses = 9\n[process]\nhome = \"private\"");
    let beside = user.of("extends = [\"low\", \"beside\"]").unwrap().policy;
    assert_eq!((beside.limits.processes, beside.process.home), (Some(5), Home::Session));
    let above = user.of("extends = [\"low\", \"above\"]").unwrap().policy;
    assert_eq!((above.limits.processes, above.process.home), (Some(9), Home::Private));
}

#[test]
fn values_without_a_stricter_side_must_be_settled() {
    let user = User::new();
    user.profile("one", "[process]\nenv = { set = { MODE = \"a\" } }");
    user.profile("two", "[process]\nenv = { set = { MODE = \"b\" } }");
    let report = user.wrong("extends = [\"one\", \"two\"]");
    assert!(report.contains("`process.env.set.MODE` differs from what"), "{report}");
    let settled =
        user.of("extends = [\"one\", \"two\"]\n[process]\nenv = { set = { MODE = \"c\" } }").unwrap();
    assert_eq!(settled.policy.process.env.set["MODE"], "c");
}

#[test]
fn a_secret_is_never_passed_as_plain_text() {
    let user = User::new();
    user.profile("plain", "[process]\nenv = { pass = [\"GITHUB_TOKEN\", \"LANG\"] }");
    let env =
        user.of("extends = [\"plain\"]\n[process]\nenv = { secret = [\"GITHUB_TOKEN\"] }").unwrap().policy;
    assert_eq!(env.process.env.pass, ["LANG"]);
    assert_eq!(env.process.env.secret, ["GITHUB_TOKEN"]);
}

#[test]
fn pass_env_overrides_what_the_profile_sets() {
    let mut user = User::new();
    user.flags.pass_env = vec!["MODE".into()];
    let env = user.of("[process]\nenv = { set = { MODE = \"a\" } }").unwrap().policy.process.env;
    assert!(env.set.is_empty());
}

/// The body of a base: some lists, some scalars.
fn base() -> impl Strategy<Value = String> {
    let folders = prop::collection::vec(prop::sample::select(vec!["a", "b", "c"]), 0..3);
    (
        folders,
        prop::option::of(1..9u32),
        prop::option::of(prop::sample::select(vec!["session", "private"])),
        prop::option::of(prop::sample::select(vec!["allow", "ask", "deny"])),
        prop::option::of(4..8u32),
        prop::collection::vec(prop::sample::select(vec!["x*", "y", "z"]), 0..3),
        (
            prop::collection::vec(prop::sample::select(vec!["x", "w*"]), 0..3),
            prop::collection::vec(prop::sample::select(vec!["a.com:443", "*.b.com:80", "A.com.:443"]), 0..3),
            prop::option::of(prop::sample::select(vec!["1/s", "9/min", "none"])),
            prop::collection::vec(prop::sample::select(vec!["y*", "z"]), 0..3),
            prop::option::of(prop::collection::vec(
                prop::sample::select(vec!["elicitation", "desktop", "terminal"]),
                0..3,
            )),
            prop::option::of(prop::sample::select(vec!["1s", "2m"])),
        ),
    )
        .prop_map(
            |(folders, processes, home, default, abi, deny, (allow, hosts, rate, ask, channels, wait))| {
                let read: Vec<String> =
                    folders.iter().map(|folder| format!("\"$ROOT/work/{folder}\"")).collect();
                let mut body = format!(
                    "[filesystem]\nread = [{}]\n[tools]\ndeny = {deny:?}\nask = {ask:?}\nallow = {allow:?}\n",
                    read.join(", ")
                );
                body += &default.map_or(String::new(), |default| format!("default = \"{default}\"\n"));
                body +=
                    &processes.map_or(String::new(), |number| format!("[limits]\nprocesses = {number}\n"));
                body += &home.map_or(String::new(), |home| format!("[process]\nhome = \"{home}\"\n"));
                body += &format!("[network]\nallow = {hosts:?}\n");
                body += &rate.map_or(String::new(), |rate| format!("rate = \"{rate}\"\n"));
                body += "[confirm]\n";
                body += &channels.map_or(String::new(), |channels| format!("channels = {channels:?}\n"));
                body += &wait.map_or(String::new(), |wait| format!("timeout = \"{wait}\"\n"));
                body += &abi.map_or(String::new(), |abi| format!("[require]\nlandlock_abi = {abi}\n"));
                body
            },
        )
}

/// The policy of a profile that only extends, without what tells the profiles themselves apart.
fn composed(user: &User, bases: &[&str]) -> Policy {
    let mut policy = user.of(&format!("extends = {bases:?}")).unwrap().policy;
    policy.profile.sha256 = String::new();
    policy
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn the_order_of_bases_does_not_matter_and_a_base_twice_is_once(a in base(), b in base(), c in base()) {
        let user = User::new();
        for folder in ["a", "b", "c"] {
            user.dir(&format!("work/{folder}"));
        }
        user.profile("a", &a);
        user.profile("b", &b);
        // c may stand above a, which must change nothing about these laws.
        user.profile("c", &format!("extends = [\"a\"]\n{c}"));
        let policy = composed(&user, &["a", "b", "c"]);
        prop_assert_eq!(&policy, &composed(&user, &["c", "b", "a"]));
        prop_assert_eq!(&policy, &composed(&user, &["b", "a", "c", "b", "a"]));
        prop_assert_eq!(&policy, &composed(&user, &["b", "c"]));
    }

    #[test]
    fn another_base_never_lowers_require_nor_takes_a_denial_away(a in base(), b in base()) {
        let user = User::new();
        for folder in ["a", "b", "c"] {
            user.dir(&format!("work/{folder}"));
        }
        user.profile("a", &a);
        user.profile("b", &b);
        let one = composed(&user, &["a"]);
        let two = composed(&user, &["a", "b"]);
        prop_assert!(two.require.landlock_abi >= one.require.landlock_abi);
        for pattern in &one.tools.deny {
            prop_assert!(two.tools.deny.iter().any(|other| other.glob == pattern.glob));
        }
        prop_assert!(two.network.rate.map_or(u64::MAX, |rate| rate.hourly()) <= one.network.rate.map_or(u64::MAX, |rate| rate.hourly()) || one.network.rate == Some(crate::policy::network::RATE));
        for grant in &one.network.allow {
            prop_assert!(two.network.allow.iter().any(|other| (&other.host, other.port) == (&grant.host, grant.port)));
        }
        for grant in &one.filesystem.read {
            prop_assert!(two.filesystem.read.iter().any(|other| other.path == grant.path));
        }
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in "(\\[[a-z.]{0,9}\\]\n|[a-z]{1,9} = (\\[|\\{|\"|[0-9]{1,3}|\n){0,4}\n){0,6}") {
        let user = User::new();
        let file = user.file("any.toml", &text);
        let _ = user.resolve(file.to_str().unwrap());
    }
}

#[test]
fn sockets_add_up_and_are_written_as_they_are() {
    let user = User::new();
    user.profile("base", "[network]\nunix = [\"/run/b.sock\", \"/run/a.sock\"]");
    user.profile(
        "p",
        "extends = [\"base\"]\n[network]\nunix = [{ path = \"/run/a.sock\", reason = \"why\" }, \"/run/docker.sock\"]",
    );
    let resolved = user.resolve("p").unwrap();
    let unix = &resolved.policy.network.unix;
    let paths: Vec<_> =
        unix.iter().map(|grant| (grant.path.to_str().unwrap(), grant.reason.as_deref())).collect();
    assert_eq!(paths, [("/run/a.sock", Some("why")), ("/run/b.sock", None), ("/run/docker.sock", None)]);
    let warned =
        |code: &str| resolved.warnings.iter().filter(|warning| warning.code.as_str() == code).count();
    assert_eq!((warned("service-socket"), warned("no-reason")), (1, 2));
    for wrong in ["run/x.sock", "/run/../x", "/run//x", "/run/./x", "/run/x/"] {
        let report = user.wrong(&format!("[network]\nunix = [\"{wrong}\"]"));
        assert!(report.contains("is not the path of a socket"), "{wrong}: {report}");
    }
}
