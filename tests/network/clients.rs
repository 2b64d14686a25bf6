//! Unmodified clients: the listed names are reached over HTTP and HTTPS, by exact name and by wildcard; every other
//! name is refused at once, with the error that the client has for it.
//!
//! None of them is told of a proxy, and none has a time-out of its own: a name that hangs fails the test.

use crate::peers;
use crate::pen::program;
use crate::visit::{Visit, Visited, script};
use crate::world::{self, OTHER, World};

/// What every client is given: two exact names, and one level of wildcard.
fn listed(visit: Visit<'_>) -> Visit<'_> {
    visit
        .allow("example.com:80")
        .allow("example.com:443")
        .allow("*.example.com:80")
        .allow("*.example.com:443")
        .allow("github.com:443")
}

/// URLs that each client tries, and whether they are listed.
const URLS: &[(&str, bool)] = &[
    ("http://example.com/", true),
    ("https://example.com/", true),
    ("http://www.example.com/", true),
    ("https://deep.api.example.com/", true),
    ("https://github.com/", true),
    ("http://evil.io/", false),
    ("https://www.evil.io/", false),
    ("https://notgithub.com/", false),
];

/// In the open all of them work; in the pen the listed ones do, and the others are blocked with `how`.
fn tried(visit: &Visit<'_>, how: &str) -> Visited {
    visit.in_the_open().all_open(URLS.len());
    let penned = visit.in_the_pen();
    let wanted: Vec<(&str, &str)> =
        URLS.iter().map(|(url, listed)| (*url, if *listed { "" } else { how })).collect();
    penned.went(&wanted);
    for host in ["evil.io", "www.evil.io", "notgithub.com"] {
        penned.refused("network.resolve", "net.host.not-listed", &[("host", host)]);
        penned.never("network.connect", &[("host", host)]);
    }
    penned.never("network.connect", &[("address", OTHER)]);
    for (host, port) in [
        ("example.com", "80"),
        ("example.com", "443"),
        ("www.example.com", "80"),
        ("deep.api.example.com", "443"),
    ] {
        penned.recorded("network.resolve", &[("host", host), ("verdict", "allow")]);
        penned.recorded("network.connect", &[("host", host), ("port", port), ("verdict", "allow")]);
        let closed = penned.recorded("network.close", &[("host", host), ("port", port)]);
        let bytes = |name: &str| closed[name].as_u64().unwrap_or_default();
        assert!(bytes("bytes_up") > 30 && bytes("bytes_down") > 30, "{closed}");
    }
    penned
}

/// What a listed name costs outside: it is asked for there; what is not listed is not.
fn only_listed_names_are_asked_for(world: &World, visit: &Visit<'_>) {
    world.resolver.forget();
    visit.in_the_pen();
    let asked = world.resolver.asked();
    assert!(asked.iter().any(|name| name == "example.com"), "{asked:?}");
    let others: Vec<_> = asked.iter().filter(|name| name.contains("evil") || name.contains("not")).collect();
    assert!(others.is_empty(), "the resolver was asked for {others:?}");
}

#[test]
fn curl() {
    world::inside(|world| {
        let authority = world.authority();
        let mut words = vec!["/usr/bin/curl", "-sS", "--cacert", &authority, "--write-out"];
        words.push("%{stderr}BLOCKED %{url} %{exitcode}\n");
        for (url, _) in URLS {
            words.extend(["-o", "/dev/null", *url]);
        }
        let visit = listed(Visit::new(world, "base", &words));
        let said = |listed_only: bool| -> Vec<(&str, &str)> {
            // 6: couldn't resolve host.
            URLS.iter().map(|(url, listed)| (*url, if *listed || !listed_only { "0" } else { "6" })).collect()
        };
        visit.in_the_open().went(&said(false));
        let penned = visit.in_the_pen();
        penned.went(&said(true));
        penned.refused("network.resolve", "net.host.not-listed", &[("host", "notgithub.com")]);
        penned.recorded("network.connect", &[("host", "github.com"), ("port", "443"), ("verdict", "allow")]);
        only_listed_names_are_asked_for(world, &visit);
    });
}

fn python(library: &str, world: &World) {
    let python = peers::folder().join("python/network/bin/python");
    let (client, authority) = (script("client.py"), world.authority());
    let mut words = vec![python.to_str().expect("UTF-8"), &client, library, &authority];
    let steps: Vec<String> = URLS.iter().map(|(url, _)| format!("{url}={url}")).collect();
    words.extend(steps.iter().map(String::as_str));
    tried(&listed(Visit::new(world, "runtime/python", &words)), "EAI_NONAME");
}

#[test]
fn python_urllib() {
    world::inside(|world| python("urllib", world));
}

#[test]
fn python_requests() {
    world::inside(|world| python("requests", world));
}

#[test]
fn python_httpx() {
    world::inside(|world| python("httpx", world));
}

#[test]
fn python_asyncio() {
    world::inside(|world| python("asyncio", world));
}

fn node<'w>(world: &'w World, how: &str, steps: &[String]) -> Visit<'w> {
    let (node, client) = (peers::program("node"), script("client.mjs"));
    let mut words = vec![node.to_str().expect("UTF-8"), &client, how];
    words.extend(steps.iter().map(String::as_str));
    listed(Visit::new(world, "runtime/node", &words)).set("NODE_EXTRA_CA_CERTS", &world.authority())
}

#[test]
fn node_fetch() {
    world::inside(|world| {
        let steps: Vec<String> = URLS.iter().map(|(url, _)| format!("{url}={url}")).collect();
        tried(&node(world, "fetch", &steps), "ENOTFOUND");
    });
}

#[test]
fn node_net() {
    world::inside(|world| {
        let steps =
            ["good=example.com:80", "wild=www.example.com:80", "bad=evil.io:80", "number=93.184.216.66:80"];
        let visit = node(world, "net", &steps.map(str::to_owned));
        visit.in_the_open().all_open(4);
        let penned = visit.in_the_pen();
        penned.went(&[("good", ""), ("wild", ""), ("bad", "ENOTFOUND"), ("number", "EACCES")]);
        penned.refused("network.resolve", "net.host.not-listed", &[("host", "evil.io")]);
        penned.refused(
            "network.connect",
            "net.address.not-resolved",
            &[("address", OTHER), ("port", "80"), ("result", "EACCES")],
        );
    });
}

/// c-ares has a resolver of its own; it obeys the same file.
#[test]
fn node_resolve4() {
    world::inside(|world| {
        let steps = ["good=example.com", "wild=www.example.com", "bad=evil.io"];
        let visit = node(world, "resolve4", &steps.map(str::to_owned));
        visit.in_the_open().all_open(3);
        let penned = visit.in_the_pen();
        penned.went(&[("good", ""), ("wild", ""), ("bad", "ENOTFOUND")]);
        penned.refused("network.resolve", "net.host.not-listed", &[("host", "evil.io")]);
        only_listed_names_are_asked_for(world, &visit);
    });
}

/// glibc, linked statically: busybox has no script around it that could report, so its own words are read.
#[test]
fn busybox_wget() {
    world::inside(|world| {
        // Under its own name it is a shell, too, and refused; a copy with the name of one program is that program.
        std::fs::copy("/usr/bin/busybox", world.path("wget")).expect("busybox");
        let wget = world.path("wget").to_str().expect("UTF-8").to_owned();
        let got = |url: &str, penned: bool| {
            let words = [wget.as_str(), "-q", "-O", "{workspace}/out", url];
            let visit = listed(Visit::new(world, "base", &words));
            let visited = if penned { visit.in_the_pen() } else { visit.in_the_open() };
            let text = std::fs::read_to_string(visited.ground.path("workspace/out")).unwrap_or_default();
            (visited.finished.code(), text, visited)
        };
        for url in ["http://example.com/", "http://www.example.com/", "http://evil.io/"] {
            let (code, text, visited) = got(url, false);
            assert!(
                code == Some(0) && text.starts_with("hello"),
                "{url}: {code:?} {text} {}",
                visited.finished.stderr
            );
        }
        for url in ["http://example.com/", "http://www.example.com/"] {
            let (code, text, visited) = got(url, true);
            assert!(
                code == Some(0) && text.starts_with("hello"),
                "{url}: {code:?} {text} {}\n{}",
                visited.finished.stderr,
                visited.network_events()
            );
        }
        let (code, text, visited) = got("http://evil.io/", true);
        assert!(code == Some(1) && text.is_empty(), "{code:?} {text}");
        assert!(visited.finished.stderr.contains("bad address 'evil.io'"), "{}", visited.finished.stderr);
        visited.refused("network.resolve", "net.host.not-listed", &[("host", "evil.io")]);
    });
}

/// A static program of musl's asks over UDP, whatever `resolv.conf` says: exact names come from the hosts file, wildcards
/// and everything else do not exist.
#[test]
fn static_musl() {
    world::inside(|world| {
        let program = program::musl("fetch");
        let steps =
            ["good=example.com:80", "wild=www.example.com:80", "bad=evil.io:80", "number=93.184.216.66:80"];
        let words = [&[program.to_str().expect("UTF-8")], &steps[..]].concat();
        let visit = listed(Visit::new(world, "base", &words));
        visit.in_the_open().all_open(4);
        let penned = visit.in_the_pen();
        penned.went(&[("good", ""), ("wild", "EACCES"), ("bad", "EACCES"), ("number", "EACCES")]);
        penned.recorded("network.connect", &[("host", "example.com"), ("port", "80"), ("verdict", "allow")]);
        penned.refused("syscall.denied", "net.socket.kind", &[("syscall", "socket"), ("errno", "EACCES")]);
        penned.refused("network.connect", "net.address.not-resolved", &[("address", OTHER)]);
    });
}

#[test]
fn static_glibc() {
    world::inside(|world| {
        let program = program::network("fetch");
        let steps =
            ["good=example.com:80", "wild=www.example.com:80", "bad=evil.io:80", "number=93.184.216.66:80"];
        let words = [&[program.to_str().expect("UTF-8")], &steps[..]].concat();
        let visit = listed(Visit::new(world, "base", &words));
        visit.in_the_open().all_open(4);
        let penned = visit.in_the_pen();
        penned.went(&[("good", ""), ("wild", ""), ("bad", "EAI_NONAME"), ("number", "EACCES")]);
    });
}
