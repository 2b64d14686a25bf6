//! G21 and F12: how many connections, how fast, how slow; and who else could use what caponier listens on.

use std::io::{Read, Write};
use std::net::TcpStream;

use crate::pen::ground::Ground;
use crate::pen::log;
use crate::visit::{Visit, script};
use crate::world::{self, World};

/// `many.py` against example.com.
fn many<'w>(world: &'w World, port: &str, steps: &[&str]) -> Visit<'w> {
    let client = script("many.py");
    let words = [&["/usr/bin/python3", &client, "example.com", port], steps].concat();
    Visit::new(world, "runtime/python", &words).allow("example.com:80").allow("example.com:443")
}

#[test]
fn no_more_connections_than_the_profile_says() {
    world::inside(|world| {
        let visit = many(world, "80", &["hold:6", "drop", "again:2"]);
        visit.in_the_open().all_open(9);
        let penned = visit.network("connections = 4").in_the_pen();
        let wanted = [
            ("hold.1", ""),
            ("hold.2", ""),
            ("hold.3", ""),
            ("hold.4", ""),
            ("hold.5", "EAGAIN"),
            ("hold.6", "EAGAIN"),
            ("drop", ""),
        ];
        assert_eq!(penned.steps.len(), 9, "{:?}", penned.steps);
        for (step, (name, how)) in penned.steps.iter().zip(wanted) {
            assert_eq!((step.0.as_str(), step.1.as_deref().unwrap_or_default()), (name, how));
        }
        penned.refused(
            "network.connect",
            "net.limit.connections",
            &[("host", "example.com"), ("result", "EAGAIN")],
        );
    });
}

#[test]
fn no_faster_than_the_profile_says() {
    world::inside(|world| {
        let visit = many(world, "80", &["again:8"]);
        visit.in_the_open().all_open(8);
        let penned = visit.network("rate = \"5/h\"").in_the_pen();
        let hows: Vec<_> = penned.steps.iter().map(|(_, how)| how.as_deref().unwrap_or_default()).collect();
        assert_eq!(hows, ["", "", "", "", "", "EAGAIN", "EAGAIN", "EAGAIN"]);
        penned.refused("network.connect", "net.limit.rate", &[("host", "example.com"), ("result", "EAGAIN")]);
    });
}

/// Who says nothing, or never comes to an end, is cut off; who is merely slow is not.
#[test]
fn g21_a_connection_says_what_it_wants_or_ends() {
    world::inside(|world| {
        many(world, "80", &["late"]).in_the_open().all_open(1);
        let penned = many(world, "80", &["late", "silent", "half", "trickle"]).in_the_pen();
        assert_eq!(penned.steps[0].1, None, "{:?}", penned.steps);
        for (step, how) in &penned.steps[1..] {
            assert!(matches!(how.as_deref(), Some("EOF" | "ECONNRESET")), "{step}: {how:?}");
        }
        penned.refused("network.connect", "net.hello.unreadable", &[("host", "example.com"), ("port", "80")]);
        let penned = many(world, "443", &["silent"]).in_the_pen();
        assert!(matches!(penned.steps[0].1.as_deref(), Some("EOF" | "ECONNRESET")), "{:?}", penned.steps);
        penned.refused(
            "network.connect",
            "net.hello.unreadable",
            &[("host", "example.com"), ("port", "443")],
        );
    });
}

#[test]
fn a_connection_on_which_nothing_moves_is_closed() {
    world::inside(|world| {
        let penned = many(world, "80", &["idle"]).network("idle_timeout = \"1s\"").in_the_pen();
        assert!(matches!(penned.steps[0].1.as_deref(), Some("EOF" | "ECONNRESET")), "{:?}", penned.steps);
        penned.recorded("network.close", &[("host", "example.com"), ("cause", "idle")]);
    });
}

/// Ports on which somebody listens on 127.0.0.1, in this network namespace.
fn listeners() -> Vec<u16> {
    let table = std::fs::read_to_string("/proc/net/tcp").expect("/proc/net/tcp");
    let rows = table.lines().skip(1).filter_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let (address, port) = fields.get(1)?.split_once(':')?;
        let listens = *fields.get(3)? == "0A" && address == "0100007F";
        listens.then(|| u16::from_str_radix(port, 16).ok()).flatten()
    });
    rows.filter(|port| ![80, 443, 8080].contains(port)).collect()
}

/// A process beside the pen, of the same user, finds the ports and speaks to them as a server would.
#[test]
fn f12_nobody_else_uses_our_listener() {
    world::inside(|world| {
        let program = crate::pen::program::network("semantics");
        let words = [program.to_str().expect("UTF-8"), "held", "example.com", "80"];
        let visit = Visit::new(world, "base", &words).allow("example.com:80").allow("example.com:443");
        let ground = Ground::new();
        let mut running = visit.start_in_the_pen(&ground);
        running.wait_for("SAY held");
        // The server's own connection went through one of them.
        world.site.waits_for(|line| line["target"] == "/hang");
        world.site.forget();
        let ports = listeners();
        assert!(!ports.is_empty(), "nothing of caponier's listens: what is tried here?");
        for port in ports {
            for hello in [
                "GET / HTTP/1.1\r\nHost: example.com\r\nConnection: close\r\n\r\n",
                "CONNECT evil.io:443 HTTP/1.1\r\n\r\n",
            ] {
                let mut answer = Vec::new();
                // Refused, reset or closed: but never answered.
                let spoken = TcpStream::connect(("127.0.0.1", port)).and_then(|mut stream| {
                    stream.write_all(hello.as_bytes())?;
                    stream.read_to_end(&mut answer)
                });
                assert!(answer.is_empty(), "{port}: {spoken:?} {}", String::from_utf8_lossy(&answer));
            }
        }
        assert_eq!(world.site.saw(), Vec::<serde_json::Value>::new());
        running.close_stdin();
        running.signal(nix::sys::signal::Signal::SIGTERM);
        running.finish();
        let events = log::events(&ground.path("audit"));
        let connects = log::of(&events, "network.connect").count();
        assert_eq!(connects, 1, "only the server's own connection is on record");
    });
}

/// G17: what the client's environment says of proxies reaches nobody.
#[test]
fn g16_g17_proxy_variables_change_nothing() {
    world::inside(|world| {
        let (client, authority) = (script("client.py"), world.authority());
        let words = [
            "/usr/bin/python3",
            &client,
            "urllib",
            &authority,
            "listed=http://example.com/",
            "other=http://evil.io/",
        ];
        let proxy = "http://93.184.216.66:80";
        let visit = Visit::new(world, "runtime/python", &words)
            .allow("example.com:80")
            .env("http_proxy", proxy)
            .env("HTTPS_PROXY", proxy)
            .env("ALL_PROXY", proxy)
            .env("no_proxy", "nothing")
            .env("NO_PROXY", "*");
        visit.in_the_open().all_open(2);
        let through = |line: &serde_json::Value| line["address"] == world::OTHER;
        assert_eq!(
            world.site.saw().iter().filter(|line| through(line)).count(),
            2,
            "the open run uses the proxy"
        );
        world.site.forget();
        let penned = visit.in_the_pen();
        penned.went(&[("listed", ""), ("other", "EAI_NONAME")]);
        assert!(!world.site.saw().iter().any(through), "{:?}", world.site.saw());
        let removed = penned.events[0]["env_removed"].to_string();
        for name in ["http_proxy", "HTTPS_PROXY", "ALL_PROXY", "no_proxy", "NO_PROXY"] {
            assert!(removed.contains(name), "{name}: {removed}");
        }
    });
}
