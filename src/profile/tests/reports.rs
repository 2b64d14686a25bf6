//! What a wrong file is told: every error at once, each with line, column and help.

use super::User;
use crate::policy::{Arguments, Environment};
use crate::profile::problem::Code;

#[test]
fn unknown_keys_are_errors_with_a_suggestion() {
    let body = "[filesystem]\nraed = []\n[procces]\n[limits]\nmemory = \"1GiB\"\nbanana = 1\n";
    let expected = "\
3:1: unknown key `filesystem.raed` | did you mean `read`?
4:2: unknown key `procces` | did you mean `process`?
7:1: unknown key `limits.banana` | known here: memory, processes, open_files, file_size, cpu_time, wall_time";
    assert_eq!(User::new().wrong(body), expected);
}

#[test]
fn wrong_types_are_named_all_at_once() {
    let body = "description = 1\nextends = \"base\"\nprocess = []\n[filesystem]\nread = [1, { path = 2 }, { reason = \
                \"x\" }]\n[audit]\nfile_reads = \"yes\"\n";
    let expected = "\
2:15: `description` is a whole number; it must be a string
3:11: `extends` is a string; it must be a list
4:11: `process` is a list; it must be a table
6:9: `filesystem.read` is a whole number; it must be a path, or a table like { path = \"…\", reason = \"…\" }
6:21: `filesystem.read.path` is a whole number; it must be a string
6:26: an entry of `filesystem.read` has no `path`
8:14: `audit.file_reads` is a string; it must be true or false";
    assert_eq!(User::new().wrong(body), expected);
}

#[test]
fn bad_amounts_words_and_patterns_are_errors() {
    let body = "[limits]\nmemory = \"1GB\"\nprocesses = -1\nopen_files = \"many\"\ncpu_time = \"500ms\"\nwall_time = \
                \"0s\"\n[tools]\ndeny = [\"[\"]\n[protocol]\nstdout = \"strictly\"\n[require]\nlandlock_abi = 3\n";
    let expected = "\
3:10: `limits.memory`: `GB` is not a unit here; the units are B, KiB, MiB, GiB, TiB
4:13: `limits.processes` is -1; it is a whole number from 1 up
5:14: `limits.open_files` is a string; it must be a whole number or \"none\"
6:12: `limits.cpu_time` is counted in whole seconds
7:13: `limits.wall_time`: `0s` is nothing at all
9:9: `[` is no pattern: unclosed character class; missing ']'
11:10: `protocol.stdout` cannot be \"strictly\" | did you mean \"strict\"?
13:16: `require.landlock_abi` is 3; it is a whole number from 4 up";
    assert_eq!(User::new().wrong(body), expected);
}

/// A program is started over descriptors with numbers up to 100: with fewer it would be refused only then, by a number.
#[test]
fn too_few_open_files_to_start_anything_are_an_error() {
    let user = User::new();
    let wrong = user.wrong("[limits]\nopen_files = 127\n");
    let why = "nothing can be started in the pen with fewer; most servers need 256";
    assert_eq!(wrong, format!("3:14: `limits.open_files` is 127; it is a whole number from 128 up | {why}"));
    let least = user.file("least.toml", "version = 1\n[limits]\nopen_files = 128\n");
    assert_eq!(user.resolve(least.to_str().unwrap()).unwrap().policy.limits.open_files, Some(128));
}

#[test]
fn duplicate_keys_and_broken_toml_are_errors() {
    let user = User::new();
    assert_eq!(user.wrong("[limits]\nprocesses = 1\nprocesses = 2\n"), "4:1: not TOML: duplicate key");
    assert_eq!(user.wrong("[limits\n"), "2:8: not TOML: unclosed table, expected `]`");
}

#[test]
fn a_version_is_required() {
    let user = User::new();
    let file = user.file("none.toml", "description = \"x\"\n");
    let report = user.report(&user.resolve(file.to_str().unwrap()).unwrap_err());
    assert_eq!(report, "$ROOT/none.toml:1:1: `version` is missing | write `version = 1` at the top");
    let file = user.file("two.toml", "\nversion = 2\n");
    let report = user.report(&user.resolve(file.to_str().unwrap()).unwrap_err());
    assert_eq!(
        report,
        "$ROOT/two.toml:2:11: `version` is not 1, the only one there is | write `version = 1` at the top"
    );
}

#[test]
fn what_is_not_enforced_is_refused_with_its_line() {
    let written = [
        ("[protocol]\nserver_requests = { roots = \"ask\" }", "`protocol.server_requests.roots = \"ask\"`"),
        ("[audit]\ntrace_stat = true", "`audit.trace_stat = true`"),
    ];
    for (body, what) in written {
        let report = User::new().wrong(body);
        assert!(report.contains(&format!(": {what} is not enforced by this version | ")), "{body}: {report}");
        assert!(!report.contains('\n'), "{body}: {report}");
    }
}

#[test]
fn the_form_of_every_value_is_checked() {
    let body = "[network]\nallow = [\"api.github.com\"]\n[tools.rule.x]\ncalls = \"often\"\nargument.path = { witin = [] \
                }\n[confirm]\nchannels = [\"pigeon\"]\ntimeout = \"2h\"\n";
    let report = User::new().wrong(body);
    for part in [
        "3:10: `api.github.com` has no port",
        "`tools.rule.x.calls`: `often` is not a rate",
        "unknown key `tools.rule.x.argument.path.witin` | did you mean `within`?",
        "`confirm.channels` cannot be \"pigeon\"",
        "`confirm.timeout` is longer than an hour",
    ] {
        assert!(report.contains(part), "{part}: {report}");
    }
}

#[test]
fn empty_lists_and_the_defaults_themselves_are_fine() {
    let body = "[network]\nallow = []\nunix = []\n[tools]\nask = []\n[audit]\ntrace_stat = false\n[require]\nnotify = true\n";
    assert!(User::new().of(body).is_ok());
}

#[test]
fn the_broker_cannot_be_left_out() {
    let report = User::new().wrong("[require]\nnotify = false\n");
    assert!(report.starts_with("3:10: `require.notify = false` cannot be"), "{report}");
}

#[test]
fn a_log_that_may_fail_is_refused_in_production_only() {
    let mut user = User::new();
    let body = "[audit]\non_failure = \"continue\"\n";
    assert!(user.wrong(body).starts_with("3:14: `audit.on_failure = \"continue\"` is refused in production"));
    user.environment = Environment::Dev;
    assert!(user.of(body).is_ok());
}

#[test]
fn arguments_in_full_are_refused_in_production_only() {
    let mut user = User::new();
    let body = "[audit]\narguments = \"full\"\n";
    assert!(user.wrong(body).starts_with("3:13: `audit.arguments = \"full\"` is refused in production"));
    user.environment = Environment::Dev;
    let resolved = user.of(body).unwrap();
    assert_eq!(resolved.policy.audit.arguments, Arguments::Full);
    assert!(resolved.warnings.iter().any(|warning| warning.code == Code::RecordedSecrets));
    assert_eq!(user.of("").unwrap().policy.audit.arguments, Arguments::Redacted, "the default");
}

#[test]
fn injection_variables_are_not_passed_but_may_be_set() {
    let user = User::new();
    let report =
        user.wrong("[process]\nenv = { pass = [\"LD_PRELOAD\", \"A B\"], secret = [\"NODE_OPTIONS\"] }\n");
    assert!(report.contains("3:17: `LD_PRELOAD` is never passed on: it changes what"), "{report}");
    assert!(report.contains("3:31: `A B` cannot be a variable's name"), "{report}");
    assert!(report.contains("`NODE_OPTIONS` is never passed on: it makes an interpreter"), "{report}");
    let resolved = user.of("[process]\nenv = { set = { NODE_OPTIONS = \"--no-warnings\" } }\n").unwrap();
    assert_eq!(resolved.policy.process.env.set["NODE_OPTIONS"], "--no-warnings");
}

#[test]
fn names_that_are_not_protected_cannot_be_lifted() {
    let report = User::new().wrong("[filesystem]\nunprotected = [\".git/hook\", \".git/config\"]\n");
    assert_eq!(report, "3:16: `.git/hook` is not a protected name | did you mean `.git/hooks`?");
}
