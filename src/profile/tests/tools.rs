//! `[tools]`: caps, the rules of tools and arguments, their lines, and what several files make of them.

use std::time::Duration;

use super::User;
use crate::policy::argument::OutsidePaths;
use crate::policy::confirm::{Channel, Confirm};
use crate::policy::tools::{Period, Rate, ToolDefault, Tools};
use crate::policy::verdict::Ruling;
use crate::profile::why;

const RULES: &str = r#"
[tools]
calls = "60/min"
concurrent = 8
timeout = "60s"
result_size = "1MiB"
outside_paths = "refuse"
[tools.rule.read_file]
calls = "30/min"
timeout = "none"
argument.path = { within = ["$ROOT/work/a", { path = "$ROOT/gone", optional = true }], extensions = [".md"] }
argument.head = { max_length = 3, pattern = "[0-9]+" }
[tools.rule.fetch]
argument.url = { hosts = ["example.com", "*.example.org:443", "network.allow"] }
argument.method = { one_of = ["GET"] }
argument."headers[].name" = { deny_prefix = ["x-"], outside_paths = "allow" }
"#;

fn tools(user: &User, body: &str) -> Tools {
    user.of(body).unwrap().policy.tools
}

#[test]
fn everything_is_read_with_its_line() {
    let user = User::new();
    user.dir("work/a");
    let tools = tools(&user, RULES);
    let calls = tools.all.calls.clone().unwrap();
    assert_eq!(calls.value, Some(Rate { count: 60, per: Period::Minute }));
    assert_eq!(calls.origin.line, 4);
    assert_eq!(tools.all.concurrent.unwrap().value, Some(8));
    assert_eq!(tools.all.result_size.unwrap().value, Some(1 << 20));
    assert_eq!(tools.outside_paths.unwrap().value, OutsidePaths::Refuse);
    let rule = &tools.rule["read_file"];
    assert_eq!(rule.caps.timeout.as_ref().unwrap().value, None);
    assert!(rule.caps.concurrent.is_none());
    let within = rule.argument["path"].within.as_ref().unwrap();
    assert_eq!((&within.value[..], within.origin.line), (&[user.at("work/a")][..], 12));
    assert_eq!(rule.argument["head"].max_length.as_ref().unwrap().value, 3);
    let hosts = tools.rule["fetch"].argument["url"].hosts.as_ref().unwrap();
    let hosts: Vec<String> = hosts.value.iter().map(ToString::to_string).collect();
    assert_eq!(hosts, ["network.allow", "example.com", "*.example.org:443"]);
    assert_eq!(tools.rule["fetch"].argument["headers[].name"].at.to_string(), "headers[].name");
}

#[test]
fn what_is_wrong_is_told_with_its_place() {
    let user = User::new();
    for (rule, part) in [
        ("calls = \"often\"", "3:9: `tools.rule.x.calls`: `often` is not a rate"),
        ("concurrent = 0", "`tools.rule.x.concurrent` is 0; it is a whole number from 1 up"),
        ("argument.\"a[0]\" = {}", "names no argument: `[` is followed by `]`"),
        ("argument.a = { within = [\"$ROOT/nowhere\"] }", "$ROOT/nowhere: it does not exist"),
        ("argument.a = { within = [\"relative\"] }", "`relative` is not an absolute path"),
        ("argument.a = { extensions = [\"md\"] }", "\"md\" is no ending like \".md\""),
        ("argument.a = { deny_prefix = [\"\"] }", "\"\" is how every text begins"),
        ("argument.a = { pattern = \"(\" }", "\"(\" is no pattern: error: unclosed group"),
        ("argument.a = { pattern = \"a)(b\" }", "is no pattern"),
        ("argument.a = { hosts = [\"*.com\"] }", "\"*.com\" covers a whole top-level domain"),
        ("argument.a = { hosts = [\"a.b:0\"] }", "`tools.rule.x.argument.a.hosts`: \"a.b:0\""),
        ("argument.a = { outside_paths = \"deny\" }", "cannot be \"deny\""),
        ("argument.a = { witin = [] }", "did you mean `within`?"),
        ("timout = \"1s\"", "did you mean `timeout`?"),
    ] {
        let report = user.wrong(&format!("[tools.rule.x]\n{rule}"));
        assert!(report.contains(part), "{rule}: {report}");
    }
}

#[test]
fn lists_add_and_the_lower_cap_holds_between_bases() {
    let user = User::new();
    for folder in ["work/a", "work/b"] {
        user.dir(folder);
    }
    user.profile(
        "one",
        "[tools]\ncalls = \"60/min\"\ntimeout = \"none\"\n[tools.rule.x]\nargument.p = { within = [\"$ROOT/work/a\"], max_length \
         = 9, deny_prefix = [\"-\"] }",
    );
    user.profile(
        "two",
        "[tools]\ncalls = \"2/s\"\ntimeout = \"5s\"\n[tools.rule.x]\noutside_paths = \"allow\"\nargument.p = { within = [\"$ROOT/work/b\"], \
         max_length = 4, deny_prefix = [\"+\"] }",
    );
    let both = tools(&user, "extends = [\"one\", \"two\"]");
    assert_eq!(both.all.calls.unwrap().value.unwrap().to_string(), "60/min");
    assert_eq!(both.all.timeout.unwrap().value, Some(Duration::from_secs(5)));
    let rule = &both.rule["x"];
    let argument = &rule.argument["p"];
    assert_eq!(argument.within.as_ref().unwrap().value, [user.at("work/a"), user.at("work/b")]);
    assert_eq!(argument.deny_prefix.as_ref().unwrap().value, ["+", "-"]);
    assert_eq!(argument.max_length.as_ref().unwrap().value, 4);
    let above = tools(
        &user,
        "extends = [\"one\", \"two\"]\n[tools]\ncalls = \"none\"\n[tools.rule.x]\nargument.p.max_length = 99",
    );
    assert_eq!(above.all.calls.unwrap().value, None);
    assert_eq!(above.rule["x"].argument["p"].max_length.as_ref().unwrap().value, 99);
}

#[test]
fn patterns_that_differ_must_be_settled() {
    let user = User::new();
    user.profile("one", "[tools.rule.x]\nargument.p.pattern = \"a\"");
    user.profile("two", "[tools.rule.x]\nargument.p.pattern = \"b\"");
    let report = user.wrong("extends = [\"one\", \"two\"]");
    assert!(report.contains("`tools.rule.x.argument.p.pattern` differs from what"), "{report}");
    let settled = tools(&user, "extends = [\"one\", \"two\"]\n[tools.rule.x]\nargument.p.pattern = \"c\"");
    assert_eq!(settled.rule["x"].argument["p"].pattern.as_ref().unwrap().value, "c");
}

#[test]
fn a_rule_with_no_folder_left_holds_none() {
    let user = User::new();
    let tools =
        tools(&user, "[tools.rule.x]\nargument.p.within = [{ path = \"$ROOT/gone\", optional = true }]");
    assert_eq!(
        tools.rule["x"].argument["p"].within.as_ref().unwrap().value,
        Vec::<std::path::PathBuf>::new()
    );
}

#[test]
fn why_tells_what_holds_for_a_tool() {
    let user = User::new();
    user.dir("work/a");
    let resolved = user.of(RULES).unwrap();
    let note = why::tool(&resolved, "read_file").note.unwrap();
    assert!(note.contains("tools.timeout = \"60s\" ("), "{note}");
    assert!(note.contains("tools.rule.read_file.argument.head.pattern = \"[0-9]+\" ("), "{note}");
    assert!(!note.contains("rule.fetch"), "{note}");
    assert_eq!(why::tool(&user.of("").unwrap(), "x").note, None);
}

#[test]
fn what_asks_is_read_with_its_ways_and_its_time() {
    let user = User::new();
    let resolved = user.of("").unwrap().policy;
    assert!(!resolved.tools.asks());
    assert_eq!(resolved.confirm, Confirm::default());
    user.profile(
        "one",
        "[tools]\nask = [\"write_*\"]\n[confirm]\nchannels = [\"terminal\", \"desktop\"]\ntimeout = \"5m\"",
    );
    user.profile("two", "[tools]\nask = [\"move_*\"]\ndefault = \"ask\"\n[confirm]\nchannels = [\"terminal\"]\ntimeout = \"90s\"");
    let both = user.of("extends = [\"one\", \"two\"]").unwrap().policy;
    let globs: Vec<&str> = both.tools.ask.iter().map(|pattern| pattern.glob.as_str()).collect();
    assert_eq!(globs, ["move_*", "write_*"]);
    assert_eq!((both.tools.default, both.tools.asks()), (ToolDefault::Ask, true));
    assert_eq!(both.confirm.channels, [Channel::Terminal].into());
    assert_eq!(both.confirm.timeout, Duration::from_secs(90));
    let above = "extends = [\"one\", \"two\"]\n[tools]\ndefault = \"allow\"\n[confirm]\nchannels = []\ntimeout = \"1h\"";
    let above = user.of(above).unwrap().policy;
    assert_eq!(above.tools.default, ToolDefault::Allow);
    assert_eq!((above.confirm.channels.len(), above.confirm.timeout), (0, Duration::from_secs(3600)));
}

#[test]
fn why_tells_that_a_tool_asks() {
    let user = User::new();
    let resolved = user
        .of("[tools]\ndefault = \"deny\"\nask = [\"w*\"]\nallow = [\"w*\", \"r\"]\ndeny = [\"wx\"]")
        .unwrap();
    let answer = why::tool(&resolved, "write");
    assert_eq!((answer.verdict, answer.line.unwrap().line), (Ruling::Allow, 4));
    assert!(answer.because.contains("waits for a person's yes"), "{}", answer.because);
    assert_eq!(why::tool(&resolved, "wx").verdict, Ruling::Deny);
    assert!(!why::tool(&resolved, "r").because.contains("waits"));
    let resolved = user.of("[tools]\ndefault = \"ask\"\nallow = [\"r\"]").unwrap();
    assert!(why::tool(&resolved, "x").because.contains("waits for a person's yes"));
    assert!(!why::tool(&resolved, "r").because.contains("waits"));
}
