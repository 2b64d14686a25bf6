//! F10, F13, F14, G5, G6, G7: what a listed name may lead to, and what an address in a program's own hand is worth.

use crate::visit::{Visit, script};
use crate::world::{self, OTHER, PRIVATE, SITE, World};

/// `client.py urllib` with these steps.
fn fetching<'w>(world: &'w World, steps: &[String]) -> Visit<'w> {
    let (client, authority) = (script("client.py"), world.authority());
    let mut words = vec!["/usr/bin/python3", &client, "urllib", &authority];
    words.extend(steps.iter().map(String::as_str));
    Visit::new(world, "runtime/python", &words)
}

/// A listed name for each of them: `p0.example.com`, `p1.example.com` …
fn private_names(world: &World) -> Vec<String> {
    let name = |(number, address): (usize, &&str)| {
        let name = format!("p{number}.example.com");
        world.resolver.answers(&name, &[address]);
        name
    };
    PRIVATE.iter().enumerate().map(name).collect()
}

#[test]
fn g07_f14_a_listed_name_leads_to_no_private_address() {
    world::inside(|world| {
        let names = private_names(world);
        let steps: Vec<String> = names.iter().map(|name| format!("{name}=http://{name}/")).collect();
        let visit = fetching(world, &steps).allow("*.example.com:80");
        visit.in_the_open().all_open(names.len());
        world.site.forget();
        let penned = visit.in_the_pen();
        assert_eq!(penned.steps.len(), names.len(), "{:?}", penned.steps);
        for (step, how) in &penned.steps {
            // A name without an address that may be spoken to has none.
            let refused = matches!(how.as_deref(), Some("EAI_NONAME" | "EAI_NODATA" | "EACCES"));
            assert!(refused, "{step}: {how:?}\n{}", penned.network_events());
        }
        for (name, address) in names.iter().zip(PRIVATE) {
            let line = penned.refused("network.resolve", "net.address.private", &[("host", name)]);
            assert!(line.to_string().contains(address), "{line}");
        }
        assert_eq!(world.site.saw(), Vec::<serde_json::Value>::new());
    });
}

/// Of a name with both kinds of address only the public ones are told; the others are on record.
#[test]
fn g07_private_addresses_among_public_ones_are_left_out() {
    world::inside(|world| {
        world.resolver.answers("both.example.com", &["127.0.0.1", SITE, "10.1.2.3", "fd12:3456::7"]);
        let client = script("again.py");
        let words = ["/usr/bin/python3", &client, "both.example.com", "80", "3"];
        let visit = Visit::new(world, "runtime/python", &words).allow("both.example.com:80");
        visit.in_the_open().all_open(3);
        let penned = visit.in_the_pen();
        for line in penned.finished.stderr.lines().filter(|line| line.starts_with("AT ")) {
            assert!(line.ends_with(SITE), "{line}");
        }
        let line = penned.refused("network.resolve", "net.address.private", &[("host", "both.example.com")]);
        for address in ["127.0.0.1", "10.1.2.3"] {
            assert!(line.to_string().contains(address), "{line}");
            penned.never("network.connect", &[("address", address)]);
        }
    });
}

#[test]
fn g06_a_name_that_is_rebound_leads_nowhere_new() {
    world::inside(|world| {
        let client = script("again.py");
        let words = ["/usr/bin/python3", &client, "turns.example.com", "80", "3"];
        let visit = Visit::new(world, "runtime/python", &words).allow("turns.example.com:80");
        let turns: &[&[&str]] = &[&[SITE], &["127.0.0.1"], &["169.254.169.254"]];
        world.resolver.answers_in_turn("turns.example.com", turns);
        let open = visit.in_the_open();
        open.all_open(3);
        assert!(open.finished.stderr.contains("AT 2 127.0.0.1"), "{}", open.finished.stderr);
        assert!(open.finished.stderr.contains("AT 3 169.254.169.254"), "{}", open.finished.stderr);
        world.resolver.forget();
        let penned = visit.in_the_pen();
        assert_eq!(penned.steps[0], ("1".into(), None), "{}", penned.network_events());
        for line in penned.finished.stderr.lines().filter(|line| line.starts_with("AT ")) {
            assert!(line.ends_with(SITE), "{line}");
        }
        penned.never("network.connect", &[("address", "127.0.0.1"), ("verdict", "allow")]);
        penned.never("network.connect", &[("address", "169.254.169.254"), ("verdict", "allow")]);
        penned.refused("network.resolve", "net.address.private", &[("host", "turns.example.com")]);
    });
}

/// Whatever way an address is written, it is one that no listed name gave.
#[test]
fn g05_f10_f13_an_address_is_nothing_however_it_is_spelt() {
    world::inside(|world| {
        let hosts = [
            "127.0.0.1",
            "2130706433",
            "0x7f.1",
            "0177.0.0.1",
            "127.1",
            "0",
            "0.0.0.0",
            "[::1]",
            "[::]",
            "[::ffff:7f00:1]",
            "[::ffff:127.0.0.1]",
            "[::ffff:169.254.169.254]",
            "169.254.169.254",
            "0xa9fea9fe",
            "[fd00:ec2::254]",
            "[64:ff9b::a9fe:a9fe]",
            "93.184.216.66",
            "1572395074",
        ];
        let steps: Vec<String> = hosts.iter().map(|host| format!("{host}=http://{host}/")).collect();
        let visit = fetching(world, &steps).allow("example.com:80").allow("*.example.com:80");
        visit.in_the_open().all_open(hosts.len());
        world.site.forget();
        let penned = visit.in_the_pen();
        let wanted: Vec<(&str, &str)> = hosts.iter().map(|host| (*host, "EACCES")).collect();
        penned.went(&wanted);
        let refusals = penned
            .events
            .iter()
            .filter(|line| line["event"] == "network.connect" && line["verdict"] == "deny");
        let mut reasons: Vec<&str> = refusals.clone().filter_map(|line| line["reason"].as_str()).collect();
        reasons.sort_unstable();
        reasons.dedup();
        assert_eq!(reasons, ["net.address.not-resolved", "net.address.private"]);
        let told: u64 = refusals.map(|line| line["count"].as_u64().unwrap_or(1)).sum();
        assert_eq!(told, hosts.len() as u64, "{}", penned.network_events());
        penned.refused("network.connect", "net.address.not-resolved", &[("address", OTHER), ("port", "80")]);
        assert_eq!(world.site.saw(), Vec::<serde_json::Value>::new());
    });
}

#[test]
fn an_address_that_is_listed_is_reached_at_its_port() {
    world::inside(|world| {
        let steps = [
            "listed=http://93.184.216.34/",
            "port=http://93.184.216.34:8080/",
            "other=http://93.184.216.66/",
        ];
        let visit = fetching(world, &steps.map(str::to_owned)).allow("93.184.216.34:80");
        visit.in_the_open().all_open(3);
        let penned = visit.in_the_pen();
        penned.went(&[("listed", ""), ("port", "EACCES"), ("other", "EACCES")]);
        penned.recorded("network.connect", &[("address", SITE), ("port", "80"), ("verdict", "allow")]);
    });
}

/// Another port than 80 and 443 is not looked into, and is reached only where it is listed.
#[test]
fn a_port_is_part_of_what_is_listed() {
    world::inside(|world| {
        let steps = [
            "web=http://example.com/",
            "other=http://example.com:8080/",
            "direct=http://www.example.com:8080/",
        ];
        let visit =
            fetching(world, &steps.map(str::to_owned)).allow("example.com:80").allow("www.example.com:8080");
        visit.in_the_open().all_open(3);
        world.site.forget();
        let penned = visit.in_the_pen();
        // The address of www.example.com:8080 is also that of example.com: on that port, it is listed.
        assert_eq!(penned.steps[0], ("web".into(), None), "{}", penned.network_events());
        assert_eq!(penned.steps[2], ("direct".into(), None), "{}", penned.network_events());
        let closed = penned.recorded("network.close", &[("host", "www.example.com"), ("port", "8080")]);
        assert!(closed["bytes_down"].as_u64() > Some(30), "{closed}");
        let visit = fetching(world, &["other=http://example.com:8080/".to_owned()]).allow("example.com:80");
        let penned = visit.in_the_pen();
        penned.went(&[("other", "EACCES")]);
        penned.refused(
            "network.connect",
            "net.host.not-listed",
            &[("host", "example.com"), ("port", "8080")],
        );
    });
}

#[test]
fn what_is_private_is_reached_where_the_profile_says_so() {
    world::inside(|world| {
        world.resolver.answers("registry.corp.example", &["10.1.2.3"]);
        world.resolver.answers("other.corp.example", &["10.1.2.3"]);
        let steps = [
            "mirror=http://registry.corp.example/",
            "unmarked=http://other.corp.example/",
            "local=http://127.0.0.1:8080/",
            "localhost=http://localhost:8080/",
            "local-web=http://127.0.0.1/",
        ];
        let visit = fetching(world, &steps.map(str::to_owned))
            .allow_entry("{ host = \"registry.corp.example:80\", private = true }")
            .allow("other.corp.example:80")
            .network("local = [\"localhost:8080\"]");
        visit.in_the_open().all_open(5);
        let penned = visit.in_the_pen();
        let how = |step: &str| penned.steps.iter().find(|(name, _)| name == step).expect("a step").1.clone();
        for step in ["mirror", "local", "localhost"] {
            assert_eq!(how(step), None, "{step}\n{}", penned.network_events());
        }
        assert!(how("unmarked").is_some() && how("local-web").is_some(), "{:?}", penned.steps);
        penned.recorded(
            "network.connect",
            &[("host", "registry.corp.example"), ("address", "10.1.2.3"), ("verdict", "allow")],
        );
        penned.refused("network.resolve", "net.address.private", &[("host", "other.corp.example")]);
        penned
            .recorded("network.connect", &[("address", "127.0.0.1"), ("port", "8080"), ("verdict", "allow")]);
    });
}

/// No entry makes a metadata service reachable, whatever it says of itself.
#[test]
fn f14_metadata_is_reached_by_no_entry() {
    world::inside(|world| {
        world.resolver.answers("metadata.google.internal", &["169.254.169.254"]);
        world.resolver.answers("meta6.example.com", &["fd00:ec2::254"]);
        let steps = ["google=http://metadata.google.internal/", "amazon=http://meta6.example.com/"];
        let visit = fetching(world, &steps.map(str::to_owned))
            .allow_entry("{ host = \"metadata.google.internal:80\", private = true }")
            .allow_entry("{ host = \"meta6.example.com:80\", private = true }");
        visit.in_the_open().all_open(2);
        world.site.forget();
        let penned = visit.in_the_pen();
        assert!(
            penned.steps.len() == 2 && penned.steps.iter().all(|(_, how)| how.is_some()),
            "{:?}",
            penned.steps
        );
        assert_eq!(world.site.saw(), Vec::<serde_json::Value>::new());
    });
}
