//! What is passed, what is not, and that no value ever shows.

use proptest::prelude::*;

use super::*;

fn fixed() -> Fixed {
    Fixed {
        home: "/priv/home".into(),
        lasting: false,
        tmpdir: "/priv/tmp".into(),
        path_first: Vec::new(),
        venv: None,
    }
}

fn pairs(vars: &[(&str, &str)]) -> Vec<(OsString, OsString)> {
    vars.iter().map(|(name, value)| (name.into(), value.into())).collect()
}

fn rules(pass: &[&str], set: &[(&str, &str)], secret: &[&str]) -> EnvironmentRules {
    let names = |list: &[&str]| list.iter().map(|name| (*name).to_owned()).collect();
    EnvironmentRules {
        pass: names(pass),
        set: set.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        secret: names(secret),
    }
}

fn value<'a>(environment: &'a Environment, name: &str) -> Option<&'a OsStr> {
    environment.vars.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_os_str())
}

fn os(text: &str) -> Option<&OsStr> {
    Some(OsStr::new(text))
}

#[test]
fn plain_facts_are_passed_and_the_rest_is_removed() {
    let vars = [
        ("LANG", "C"),
        ("LC_ALL", "de_DE"),
        ("TZ", "UTC"),
        ("USER", "me"),
        ("SHELL", "/bin/sh"),
        ("FOO", "x"),
    ];
    let environment = compile(pairs(&vars), &EnvironmentRules::default(), &[], &fixed()).unwrap();
    for (name, expected) in &vars[..4] {
        assert_eq!(value(&environment, name), os(expected));
    }
    assert_eq!(environment.removed, ["FOO", "SHELL"]);
}

#[test]
fn home_and_temporary_folders_are_the_private_ones() {
    let vars = [("HOME", "/home/me"), ("TMPDIR", "/tmp"), ("XDG_CONFIG_HOME", "/home/me/.config")];
    let environment = compile(pairs(&vars), &EnvironmentRules::default(), &[], &fixed()).unwrap();
    assert_eq!(value(&environment, "HOME"), os("/priv/home"));
    for name in ["TMPDIR", "TMP", "TEMP"] {
        assert_eq!(value(&environment, name), os("/priv/tmp"));
    }
    assert_eq!(value(&environment, "XDG_CONFIG_HOME"), os("/priv/home/.config"));
    assert_eq!(value(&environment, "XDG_STATE_HOME"), os("/priv/home/.local/state"));
    assert_eq!(environment.removed, [""; 0], "replaced is not removed");
    assert_eq!(value(&environment, "PYTHONNOUSERSITE"), None);
    let lasting = Fixed { lasting: true, ..fixed() };
    let environment = compile(pairs(&[]), &EnvironmentRules::default(), &[], &lasting).unwrap();
    assert_eq!(value(&environment, "PYTHONNOUSERSITE"), os("1"));
}

#[test]
fn the_path_has_absolute_elements_only_and_its_first_ones_first() {
    let first = Fixed { path_first: vec!["/first".into(), "/a:b".into()], ..fixed() };
    let path = |vars: &[(&str, &str)], rules: &EnvironmentRules| {
        let environment = compile(pairs(vars), rules, &[], &first).unwrap();
        value(&environment, "PATH").unwrap().to_owned()
    };
    let none = EnvironmentRules::default();
    assert_eq!(path(&[("PATH", "/a::.:bin:/b:")], &none), "/first:/a:/b");
    assert_eq!(path(&[], &none), "/first:/usr/local/bin:/usr/bin:/bin");
    assert_eq!(
        path(&[("PATH", "/a")], &rules(&["PATH"], &[], &[])),
        "/first:/a",
        "passing it is nothing new"
    );
    assert_eq!(path(&[("PATH", "/a")], &rules(&[], &[("PATH", "/set:x")], &[])), "/first:/set");
}

#[test]
fn the_profile_passes_and_sets() {
    let rules = rules(&["NODE_ENV", "ABSENT"], &[("NODE_OPTIONS", "--x"), ("A", "set"), ("LANG", "C")], &[]);
    let vars =
        [("NODE_ENV", "dev"), ("NODE_OPTIONS", "--require=/evil.js"), ("A", "outside"), ("LANG", "de_DE")];
    let environment = compile(pairs(&vars), &rules, &[], &fixed()).unwrap();
    assert_eq!(value(&environment, "NODE_ENV"), os("dev"));
    assert_eq!(value(&environment, "NODE_OPTIONS"), os("--x"), "set, not passed");
    assert_eq!(value(&environment, "A"), os("set"));
    assert_eq!(value(&environment, "LANG"), os("C"));
    assert_eq!((environment.missing, environment.secrets), (vec![], vec![]));
}

#[test]
fn secrets_are_passed_and_listed_and_a_missing_one_is_noted() {
    let vars = [("GITHUB_TOKEN", "ghp_1"), ("OTHER", "o")];
    let flags: Vec<OsString> = ["OTHER", "GONE"].map(Into::into).to_vec();
    let environment = compile(pairs(&vars), &rules(&[], &[], &["GITHUB_TOKEN"]), &flags, &fixed()).unwrap();
    assert_eq!(value(&environment, "GITHUB_TOKEN"), os("ghp_1"));
    assert_eq!(environment.secrets, [("GITHUB_TOKEN".into(), "ghp_1".into()), ("OTHER".into(), "o".into())]);
    assert_eq!(environment.missing, ["GONE"]);
}

#[test]
fn no_value_shows() {
    let vars = [("GITHUB_TOKEN", "ghp_1"), ("LANG", "ghp_2"), ("LD_PRELOAD", "ghp_3"), ("FOO", "ghp_4")];
    let environment = compile(pairs(&vars), &rules(&[], &[], &["GITHUB_TOKEN"]), &[], &fixed()).unwrap();
    let shown = format!("{environment:?}");
    assert!(shown.contains("GITHUB_TOKEN") && !shown.contains("ghp_"), "{shown}");
    let error = compile(pairs(&vars), &rules(&["LD_PRELOAD"], &[], &[]), &[], &fixed()).unwrap_err();
    assert!(!format!("{error} {error:?} {}", error.help()).contains("ghp_"));
}

#[test]
fn injection_is_refused_by_name_wherever_it_stands() {
    for (profile, flags, source) in [
        (rules(&["LD_PRELOAD"], &[], &[]), None, Source::Pass),
        (rules(&[], &[], &["LD_PRELOAD"]), None, Source::Secret),
        (EnvironmentRules::default(), Some("LD_PRELOAD"), Source::Flag),
    ] {
        let flags: Vec<OsString> = flags.into_iter().map(Into::into).collect();
        // Whether it is set or not: the rule is about the name.
        let error = compile(pairs(&[]), &profile, &flags, &fixed()).unwrap_err();
        let expected =
            Error::Injection { name: "LD_PRELOAD".into(), source_of: source, kind: injection::Kind::Loader };
        assert_eq!(error, expected);
        assert!(error.help().contains("env.set.LD_PRELOAD"), "{}", error.help());
    }
    let error =
        compile(pairs(&[]), &EnvironmentRules::default(), &["SSH_AUTH_SOCK".into()], &fixed()).unwrap_err();
    assert!(!error.help().contains("env.set"), "a socket has no value worth setting: {}", error.help());
}

#[test]
fn private_folders_and_bad_names_are_refused() {
    for name in ["HOME", "TMPDIR", "XDG_CACHE_HOME"] {
        let error = compile(pairs(&[]), &rules(&[name], &[], &[]), &[], &fixed()).unwrap_err();
        assert!(matches!(error, Error::Private { source_of: Source::Pass, .. }), "{error}");
    }
    let error = compile(pairs(&[]), &rules(&[], &[("HOME", "/home/me")], &[]), &[], &fixed()).unwrap_err();
    assert!(matches!(error, Error::Private { source_of: Source::Set, .. }), "{error}");
    for name in ["", "A=B", "A\0"] {
        let error = compile(pairs(&[]), &EnvironmentRules::default(), &[name.into()], &fixed()).unwrap_err();
        assert!(matches!(error, Error::Name { .. }), "{error}");
    }
    let error = compile(pairs(&[]), &rules(&[], &[("A", "x\0y")], &[]), &[], &fixed()).unwrap_err();
    assert_eq!(error, Error::Value { name: "A".into() });
}

#[test]
fn removed_credentials_are_worth_a_hint() {
    let yes = [
        "GITHUB_TOKEN",
        "OPENAI_API_KEY",
        "AWS_ACCESS_KEY_ID",
        "DB_PASSWORD",
        "my_secret",
        "BASIC_AUTH",
        "GH_PAT",
        "MYSQL_PWD",
    ];
    let no = ["KEYBOARD", "PWD", "AUTHOR", "SSH_AUTH_SOCK", "PATH_X", "NPM_CONFIG__AUTHTOKEN", "EDITOR"];
    let vars: Vec<_> = yes.iter().chain(&no).map(|name| (*name, "x")).collect();
    let environment = compile(pairs(&vars), &EnvironmentRules::default(), &[], &fixed()).unwrap();
    let mut expected = yes.to_vec();
    expected.sort_unstable();
    assert_eq!(environment.credential_like, expected);
    assert_eq!(environment.removed.len(), yes.len() + no.len());
}

#[test]
fn the_first_of_two_variables_of_one_name_counts() {
    let environment =
        compile(pairs(&[("LANG", "one"), ("LANG", "two")]), &EnvironmentRules::default(), &[], &fixed());
    assert_eq!(value(&environment.unwrap(), "LANG"), os("one"));
}

#[test]
fn what_is_always_passed_injects_nothing() {
    for name in PASSED.iter().chain(PRIVATE).chain(XDG.iter().map(|(name, _)| name)) {
        assert_eq!(injection::kind(name), None, "{name}");
    }
}

const INJECTING: &[&str] =
    &["LD_PRELOAD", "NODE_OPTIONS", "https_proxy", "GIT_DIR", "PYTHONPATH", "SSH_AUTH_SOCK", "TMUX"];
const PLAIN: &[&str] = &["LANG", "PATH", "FOO", "A_TOKEN", "SHELL", "NODE_ENV"];
const OURS: &[&str] = &["HOME", "TMPDIR", "XDG_CACHE_HOME"];

/// A name, and how often it is one that a profile may not pass.
fn name(forbidden: u32) -> impl Strategy<Value = String> {
    let select = |names: &'static [&'static str]| prop::sample::select(names).prop_map(str::to_owned);
    prop_oneof![
        forbidden => select(INJECTING),
        forbidden => select(OURS),
        10 => select(PLAIN),
        10 => "[A-Z_]{1,5}",
    ]
}

proptest! {
    /// Whatever is outside, and whatever the profile says: an injecting variable has the profile's value or is absent;
    /// every other variable comes from somewhere that names it; and what is gone is on the list.
    #[test]
    fn nothing_slips_through(
        outside in prop::collection::vec((name(10), "outside[0-9]"), 0..12),
        pass in prop::collection::vec(name(1), 0..4),
        secret in prop::collection::vec(name(1), 0..4),
        set in prop::collection::btree_map(prop_oneof![name(1), prop::sample::select(INJECTING).prop_map(str::to_owned)], "set[0-9]", 0..4),
        flags in prop::collection::vec(name(1), 0..4),
    ) {
        let vars: Vec<(OsString, OsString)> = outside.iter().map(|(name, value)| (name.into(), value.into())).collect();
        let rules = EnvironmentRules { pass, set, secret };
        let flags: Vec<OsString> = flags.into_iter().map(Into::into).collect();
        if let Ok(environment) = compile(vars, &rules, &flags, &fixed()) {
            for (name, value) in &environment.vars {
                let name = name.to_str().unwrap();
                let from_outside = value.to_str().unwrap().starts_with("outside");
                if injection::kind(name).is_some() {
                    prop_assert_eq!(Some(value.to_str().unwrap()), rules.set.get(name).map(String::as_str));
                }
                if PRIVATE.contains(&name) || XDG.iter().any(|(xdg, _)| *xdg == name) {
                    prop_assert!(!from_outside, "{}", name);
                }
                if from_outside {
                    let asked = rules.pass.iter().chain(&rules.secret).any(|other| other == name);
                    prop_assert!(asked || flags.iter().any(|other| other == name) || PASSED.contains(&name), "{}", name);
                }
            }
            for (name, _) in &outside {
                let kept = environment.vars.iter().any(|(other, _)| other == name.as_str());
                prop_assert!(kept != environment.removed.contains(name), "{}", name);
            }
        }
    }
}
