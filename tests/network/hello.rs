//! G9, G10, G11, G12, G14, G15, G21: what is said first on a connection decides whether it goes on.
//!
//! The site's address belongs to listed names and to others: whoever reaches it could talk to the others there. In the
//! open every step is taken; in the pen only what names a listed host is.

use crate::own::Own;
use crate::visit::{Visit, Visited, script};
use crate::world::{self, OWN, World};

/// `hello.py` with these steps.
fn visit<'w>(world: &'w World, steps: &[&str]) -> Visit<'w> {
    let (client, authority) = (script("hello.py"), world.authority());
    let words = [&["/usr/bin/python3", &client, &authority], steps].concat();
    Visit::new(world, "runtime/python", &words)
        .allow("example.com:80")
        .allow("example.com:443")
        .allow("www.example.com:443")
        .allow("own.example.com:80")
        .allow("own.example.com:443")
}

/// In the open all of them are taken, in the pen none; each leaves a refusal with this reason.
fn refused(world: &World, steps: &[&str], reason: &str) -> Visited {
    let visit = visit(world, steps);
    visit.in_the_open().all_open(steps.len());
    world.site.forget();
    let penned = visit.in_the_pen();
    let ended = |how: &Option<String>| matches!(how.as_deref(), Some("RESET" | "EOF"));
    assert!(
        penned.steps.len() == steps.len() && penned.steps.iter().all(|(_, how)| ended(how)),
        "{:?}\n{}",
        penned.steps,
        penned.network_events()
    );
    penned.refused("network.connect", reason, &[]);
    let refusals = penned.events.iter().filter(|line| line["reason"] == reason).count();
    assert_eq!(refusals, steps.len(), "one refusal for each step:\n{}", penned.network_events());
    // The far side has seen nothing of any of them.
    assert_eq!(world.site.saw(), Vec::<serde_json::Value>::new());
    penned
}

#[test]
fn what_names_a_listed_host_goes_through() {
    world::inside(|world| {
        let steps = [
            "listed-sni",
            "other-listed-sni",
            "upper-case-sni",
            "split-hello",
            "tls-1.2",
            "listed-host",
            "host-with-port",
            "host-upper-case",
            "absolute-form",
            "keep-alive",
        ];
        let visit = visit(world, &steps);
        visit.in_the_open().all_open(steps.len());
        visit.in_the_pen().all_open(steps.len());
    });
}

#[test]
fn g09_g10_a_hello_names_a_listed_host() {
    world::inside(|world| {
        let steps = ["sni-mismatch", "sni-mismatch-split", "sni-suffix", "sni-mismatch-1.2"];
        let penned = refused(world, &steps, "net.sni.mismatch");
        penned.refused("network.connect", "net.sni.mismatch", &[("sni", "evil.io"), ("port", "443")]);
        penned.refused("network.connect", "net.sni.mismatch", &[("sni", "example.com.evil.io")]);
    });
}

#[test]
fn g10_without_a_name_nothing_goes_through() {
    world::inside(|world| {
        refused(world, &["no-sni"], "net.sni.missing");
    });
}

#[test]
fn g10_what_is_not_tls_does_not_pass_443() {
    world::inside(|world| {
        let own = Own::that_takes(OWN, 443);
        let steps = ["not-tls", "http-on-443", "half-a-record"];
        let visit = visit(world, &steps);
        visit.in_the_open().all_open(steps.len());
        assert!(!own.heard().is_empty());
        own.forget();
        let penned = visit.in_the_pen();
        assert!(penned.steps.iter().all(|(_, how)| how.is_some()), "{:?}", penned.steps);
        penned.refused(
            "network.connect",
            "net.hello.unreadable",
            &[("host", "own.example.com"), ("port", "443")],
        );
        assert_eq!(own.heard(), b"", "bytes went out");
    });
}

#[test]
fn g12_a_request_names_a_listed_host_and_only_that() {
    world::inside(|world| {
        let steps = [
            "host-mismatch",
            "host-suffix",
            "host-user",
            "host-twice",
            "host-twice-other-first",
            "absolute-form-mismatch",
            "host-mismatch-absolute",
        ];
        refused(world, &steps, "net.http.host-mismatch");
    });
}

#[test]
fn g12_a_request_without_a_host_goes_nowhere() {
    world::inside(|world| {
        refused(world, &["host-missing"], "net.http.host-mismatch");
    });
}

/// The proxy is on the listed host itself: what is asked of it is a tunnel to another one, or to another port.
#[test]
fn g11_a_tunnel_is_no_request() {
    world::inside(|world| {
        refused(world, &["connect", "connect-listed-host", "connect-other-port"], "net.hello.unreadable");
    });
}

/// One connection, two requests: the second one is for a host that is not listed.
#[test]
fn g12_a_later_request_is_judged_like_the_first() {
    world::inside(|world| {
        let steps = ["second-request", "pipelined-request"];
        let visit = visit(world, &steps);
        visit.in_the_open().all_open(steps.len());
        assert!(world.site.saw().iter().any(|line| line["host"] == "evil.io"));
        world.site.forget();
        let penned = visit.in_the_pen();
        let reached: Vec<_> = world.site.saw().into_iter().filter(|line| line["host"] == "evil.io").collect();
        assert!(reached.is_empty(), "{reached:?}");
        penned.refused(
            "network.connect",
            "net.http.host-mismatch",
            &[("host", "example.com"), ("port", "80")],
        );
    });
}

#[test]
fn g14_what_is_not_http_does_not_pass_80() {
    world::inside(|world| {
        let own = Own::that_takes(OWN, 80);
        let steps = ["not-http", "http-2", "tls-on-80"];
        let visit = visit(world, &steps);
        visit.in_the_open().all_open(steps.len());
        assert!(!own.heard().is_empty());
        own.forget();
        let penned = visit.in_the_pen();
        assert!(penned.steps.iter().all(|(_, how)| how.is_some()), "{:?}", penned.steps);
        penned.refused(
            "network.connect",
            "net.hello.unreadable",
            &[("host", "own.example.com"), ("port", "80")],
        );
        assert_eq!(own.heard(), b"", "bytes went out");
    });
}

#[test]
fn g21_an_endless_header_is_cut_off() {
    world::inside(|world| {
        let own = Own::that_takes(OWN, 80);
        let visit = visit(world, &["endless-header"]);
        visit.in_the_open().all_open(1);
        own.forget();
        let penned = visit.in_the_pen();
        assert!(penned.steps[0].1.is_some(), "{:?}", penned.steps);
        penned.refused("network.connect", "net.hello.unreadable", &[("host", "own.example.com")]);
        assert_eq!(own.heard(), b"", "bytes went out");
    });
}

/// The client follows; the name that it is sent to is asked for, and refused.
#[test]
fn g15_a_redirect_leads_to_no_other_host() {
    world::inside(|world| {
        let words = [
            "/usr/bin/curl",
            "-sSL",
            "-o",
            "/dev/null",
            "--write-out",
            "%{stderr}BLOCKED %{url} %{exitcode}\n",
            "http://example.com/to?http://evil.io/",
            "http://example.com/to?http://93.184.216.66/",
        ];
        let visit = Visit::new(world, "base", &words).allow("example.com:80");
        let [name, number] = [words[6], words[7]];
        visit.in_the_open().went(&[(name, "0"), (number, "0")]);
        // 6: couldn't resolve host; 7: failed to connect.
        let penned = visit.in_the_pen();
        penned.went(&[(name, "6"), (number, "7")]);
        penned.refused("network.resolve", "net.host.not-listed", &[("host", "evil.io")]);
        penned.refused("network.connect", "net.address.not-resolved", &[("address", world::OTHER)]);
    });
}
