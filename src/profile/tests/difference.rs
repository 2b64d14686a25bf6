//! Policies compared: each kind of value, in both directions, and what another line gives already.

use super::User;
use crate::policy::Environment;
use crate::profile::difference::{Difference, Direction, Side, between};

/// `KEY FROM -> TO DIRECTION` for each difference of two profiles with these bodies.
fn compared(user: &User, one: &str, other: &str) -> Vec<String> {
    let (one, other) = (user.of(one).unwrap(), user.of(other).unwrap());
    let shown = |found: Vec<Difference>, from: bool| -> Vec<String> {
        let root = user.at("").display().to_string();
        let line = |difference: Difference| {
            let (left, right) =
                if from { (difference.from, difference.to) } else { (difference.to, difference.from) };
            let text = |side: Option<Side>| side.map_or("-".to_owned(), |side| side.value);
            let word = match (difference.direction, from) {
                (Direction::Changed, _) => "changed",
                (Direction::Wider, true) | (Direction::Narrower, false) => "wider",
                _ => "narrower",
            };
            format!("{} {} -> {} {word}", difference.key, text(left), text(right)).replace(&root, "$ROOT/")
        };
        found.into_iter().map(line).collect()
    };
    let forth = shown(between(&one, &other), true);
    // Whatever is wider one way is narrower the other way round.
    let mut back = shown(between(&other, &one), false);
    let mut sorted = forth.clone();
    sorted.sort();
    back.sort();
    assert_eq!(sorted, back);
    forth
}

#[test]
fn a_profile_is_no_different_from_itself() {
    let user = User::new();
    let body = "[filesystem]\nread = [\"/usr/share\"]\n[network]\nallow = [\"a.example:443\"]\n\
                [tools]\ndeny = [\"x\"]\n[tools.rule.y]\ntimeout = \"1s\"\n";
    assert_eq!(compared(&user, body, body), Vec::<String>::new());
}

#[test]
fn paths_are_compared_by_what_they_reach() {
    let user = User::new();
    user.dir("work/a/b");
    user.dir("work/c");
    user.link(user.at("work/a"), "work/alias");
    let read = |list: &str| format!("[filesystem]\nread = [{list}]\n");
    let (a, b, c) = ("\"$ROOT/work/a\"", "\"$ROOT/work/a/b\"", "\"$ROOT/work/c\"");
    let of = |one: &str, other: &str| compared(&user, one, other);
    assert_eq!(of(&read(a), &read(b)), ["filesystem.read \"$ROOT/work/a\" -> - narrower"]);
    assert_eq!(
        of(&read(b), &read(c)),
        ["filesystem.read - -> \"$ROOT/work/c\" wider", "filesystem.read \"$ROOT/work/a/b\" -> - narrower"]
    );
    assert_eq!(of(&read(a), &read(&format!("{a}, {b}"))), Vec::<String>::new(), "given already");
    assert_eq!(of(&read(a), &read("\"$ROOT/work/alias\"")), Vec::<String>::new(), "the same folder");
    let write = format!("[filesystem]\nwrite = [{a}]\n");
    assert_eq!(
        of(&read(a), &write),
        ["filesystem.write - -> \"$ROOT/work/a\" wider"],
        "writable is readable"
    );
}

#[test]
fn hosts_are_compared_by_what_they_cover() {
    let user = User::new();
    let allow = |list: &str| format!("[network]\nallow = [{list}]\n");
    let of = |one: &str, other: &str| compared(&user, &allow(one), &allow(other));
    assert_eq!(
        of("\"*.a.example:443\"", "\"b.a.example:443\""),
        ["network.allow \"*.a.example:443\" -> - narrower"]
    );
    assert_eq!(of("\"*.a.example:443\"", "\"*.a.example:443\", \"x.y.a.example:443\""), Vec::<String>::new());
    for other in ["\"a.example:443\"", "\"b.a.example:80\"", "{ host = \"b.a.example:443\", private = true }"]
    {
        let found = of("\"*.a.example:443\"", &format!("\"*.a.example:443\", {other}"));
        assert_eq!(found.len(), 1, "{other}: {found:?}");
        assert!(found[0].ends_with("wider"), "{found:?}");
    }
}

#[test]
fn every_limit_knows_its_stricter_side() {
    let user = User::new();
    for (key, strict, loose) in [
        ("limits.memory", "\"1MiB\"", "\"2MiB\""),
        ("limits.memory", "\"1TiB\"", "\"none\""),
        ("limits.processes", "1", "2"),
        ("limits.wall_time", "\"1s\"", "\"none\""),
        ("network.connections", "1", "2"),
        ("network.rate", "\"1/min\"", "\"2/min\""),
        ("network.idle_timeout", "\"1s\"", "\"2s\""),
        ("protocol.max_message", "\"1MiB\"", "\"2MiB\""),
        ("protocol.stdout", "\"strict\"", "\"relaxed\""),
        ("protocol.unknown_fields", "\"reject\"", "\"allow\""),
        ("protocol.pins", "\"enforce\"", "\"warn\""),
        ("protocol.pins", "\"warn\"", "\"off\""),
        ("protocol.server_requests.sampling", "\"deny\"", "\"allow\""),
        ("process.nested_seccomp", "false", "true"),
        ("process.home", "\"session\"", "\"private\""),
        ("process.arguments_as_paths", "\"filesystem.read\"", "\"filesystem.write\""),
        ("audit.arguments", "\"redacted\"", "\"none\""),
        ("audit.stderr", "true", "false"),
        ("audit.sync", "\"event\"", "\"session\""),
        ("audit.file_reads", "true", "false"),
        ("require.landlock_abi", "6", "4"),
        ("require.kill_scope", "\"required\"", "\"best-effort\""),
        ("tools.default", "\"deny\"", "\"allow\""),
        ("tools.calls", "\"1/min\"", "\"none\""),
        ("tools.timeout", "\"1s\"", "\"2s\""),
        ("tools.outside_paths", "\"refuse\"", "\"allow\""),
        ("tools.mismatch", "\"deny-next\"", "\"log\""),
        ("tools.rule.x.timeout", "\"1s\"", "\"none\""),
        ("tools.rule.x.unknown_fields", "\"reject\"", "\"allow\""),
        ("tools.rule.x.argument.y.max_length", "1", "2"),
        ("tools.rule.x.argument.y.one_of", "[\"a\"]", "[\"a\", \"b\"]"),
        ("tools.rule.x.argument.y.deny_prefix", "[\"a\", \"b\"]", "[\"a\"]"),
        ("tools.rule.x.argument.y.within", "[\"$ROOT/work\"]", "[\"$ROOT/work\", \"/usr\"]"),
    ] {
        let body = |value: &str| format!("{key} = {value}\n");
        let found = compared(&user, &body(strict), &body(loose));
        assert_eq!(found.len(), 1, "{key}: {found:?}");
        assert!(found[0].starts_with(key) && found[0].ends_with(" wider"), "{found:?}");
    }
}

#[test]
fn what_holds_for_one_tool_is_compared_with_what_held_for_it() {
    let user = User::new();
    let all = "[tools]\ntimeout = \"10s\"\n";
    let found = compared(&user, all, &format!("{all}[tools.rule.x]\ntimeout = \"none\"\n"));
    assert_eq!(found, ["tools.rule.x.timeout \"10000ms\" -> \"none\" wider"]);
    let found = compared(&user, all, &format!("{all}[tools.rule.x]\ntimeout = \"1s\"\n"));
    assert_eq!(found, ["tools.rule.x.timeout \"10000ms\" -> \"1000ms\" narrower"]);
    let found = compared(&user, "", "[tools.rule.x]\nargument.y = { outside_paths = \"allow\" }\n");
    assert_eq!(found, ["tools.rule.x.argument.y.outside_paths \"refuse\" -> \"allow\" wider"]);
    let found = compared(&user, "", "[tools.rule.x]\nargument.y = { pattern = \"a\" }\n");
    assert_eq!(found, ["tools.rule.x.argument.y.pattern - -> \"a\" narrower"]);
    let pattern = |text: &str| format!("[tools.rule.x]\nargument.y = {{ pattern = \"{text}\" }}\n");
    let found = compared(&user, &pattern("a"), &pattern("b"));
    assert_eq!(found, ["tools.rule.x.argument.y.pattern \"a\" -> \"b\" changed"]);
}

#[test]
fn a_list_of_tools_matters_where_it_is_asked() {
    let user = User::new();
    let found = compared(&user, "", "[tools]\ndefault = \"deny\"\nallow = [\"read_*\"]\n");
    assert_eq!(found, ["tools.default \"allow\" -> \"deny\" narrower"]);
    let list = |names: &str| format!("[tools]\ndefault = \"deny\"\nallow = [{names}]\n");
    let found = compared(&user, &list("\"read_*\""), &list("\"read_*\", \"read_file\""));
    assert_eq!(found, Vec::<String>::new());
    let found = compared(&user, &list("\"read_*\""), &list("\"re*\""));
    assert_eq!(found, ["tools.allow - -> \"re*\" wider", "tools.allow \"read_*\" -> - narrower"]);
    let found = compared(&user, "[tools]\ndeny = [\"a\"]\n", "[tools]\ndeny = [\"b\"]\n");
    assert_eq!(found, ["tools.deny \"a\" -> - wider", "tools.deny - -> \"b\" narrower"]);
}

#[test]
fn the_environment_has_no_stricter_side_but_to_pass_less() {
    let user = User::new();
    let found = compared(&user, "", "[process]\nenv = { pass = [\"LANG\"], set = { A = \"1\" } }\n");
    assert_eq!(found, ["process.env.pass - -> \"LANG\" wider", "process.env.set.A - -> \"1\" changed"]);
}

#[test]
fn production_refuses_what_development_does_not_look_at() {
    let mut user = User::new();
    user.environment = Environment::Dev;
    let dev = user.of("").unwrap();
    user.environment = Environment::Prod;
    let prod = user.of("").unwrap();
    let found = between(&dev, &prod);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!((found[0].key.as_str(), found[0].direction), ("tools.outside_paths", Direction::Narrower));
}
