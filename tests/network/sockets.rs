//! F: what the kernel would do with a socket besides connect(2), by a server that has a network.
//!
//! The kinds of socket, and everything about a server without a network, are in `tests/escape/sockets.rs`; here the same
//! programs run while something is listed.

use crate::pen::ground::Ground;
use crate::pen::{log, program};
use crate::visit::Visit;
use crate::world::{self, OTHER, SITE};

fn path(program: &std::path::Path) -> &str {
    program.to_str().expect("UTF-8")
}

#[test]
fn f02_f05_f07_d11_f17_a_network_brings_no_other_kind_of_socket() {
    world::inside(|world| {
        let attack = program::attack("d06_socket_kinds");
        let visit = Visit::new(world, "base", &[path(&attack)])
            .allow("example.com:443")
            .network("local = [\"localhost:8080\"]");
        let penned = visit.in_the_pen();
        let steps = &penned.steps;
        assert!(steps.len() > 15, "{steps:?}");
        for (step, how) in steps {
            let wanted =
                if ["tcp", "tcp6", "route"].contains(&step.as_str()) { None } else { Some("EACCES") };
            assert_eq!(how.as_deref(), wanted, "{step}");
        }
        penned.refused("syscall.denied", "net.socket.kind", &[("syscall", "socket"), ("errno", "EACCES")]);
    });
}

#[test]
fn f03_f04_f08_f09_f10_f18_h09_a_listed_host_opens_no_other_way() {
    world::inside(|world| {
        let attack = program::network("sockets");
        let visit = Visit::new(world, "base", &[path(&attack), OTHER]).allow("example.com:80");
        visit.in_the_open().all_open(20);
        world.site.forget();
        let penned = visit.in_the_pen();
        let refused = [
            "other",
            "mapped",
            "fast-connect",
            "high-bits",
            "fast-sendto",
            "fast-sendmsg",
            "fast-sendmmsg",
            "fast-send-high-bits",
            "fast-sendto-listed",
            "elsewhere",
            "race",
            "bind",
            "bind6",
            "reuse-port",
            "autobind",
            "autobind6",
        ];
        let mut wanted: Vec<(&str, &str)> =
            ["listed", "listed-mapped", "listed-fast-connect", "listed-high-bits"]
                .map(|step| (step, ""))
                .to_vec();
        wanted.extend(refused.map(|step| (step, "EACCES")));
        penned.went(&wanted);
        let reached: Vec<_> = world.site.saw().into_iter().filter(|line| line["address"] != SITE).collect();
        assert!(reached.is_empty(), "{reached:?}");
        penned.refused(
            "network.connect",
            "net.address.not-resolved",
            &[("address", OTHER), ("result", "EACCES")],
        );
        for call in ["sendto", "sendmsg", "sendmmsg"] {
            penned.refused("syscall.denied", "net.fast-open", &[("syscall", call), ("errno", "EACCES")]);
        }
        penned.refused("syscall.denied", "net.listen.not-listed", &[("syscall", "listen")]);
        penned.refused("network.connect", "net.listen.not-listed", &[("port", "18080")]);
    });
}

/// A line of the profile would change nothing: the refusal names the one that took the port away.
#[test]
fn a_port_that_the_workspace_takes_away_is_told_with_its_line() {
    world::inside(|world| {
        let bind = "import socket; socket.socket().bind((\"127.0.0.1\", 18081))";
        let visit = Visit::new(world, "runtime/python", &["/usr/bin/python3", "-c", bind])
            .allow("example.com:443")
            .network("listen = [\"localhost:18081\"]");
        let ground = Ground::new();
        let refused = || {
            visit.start_in_the_pen(&ground).finish();
            let events = log::events(&ground.path("audit"));
            let refused = events.into_iter().filter(|line| line["reason"] == "net.listen.not-listed");
            refused.collect::<Vec<_>>()
        };
        assert_eq!(refused(), Vec::<serde_json::Value>::new(), "the profile lists it");
        let file = ground.path("workspace/.caponier.toml");
        std::fs::write(file, "version = 1\n[network]\nlisten = []\n").expect("a file");
        let [told] = &refused()[..] else { panic!("one refusal") };
        let why = told["why_not"].as_str().expect("a reason");
        assert!(why.contains("/workspace/.caponier.toml:3:10") && why.contains("/profile.toml:"), "{why}");
        assert!(told["remedy"].is_null(), "{told}");
    });
}

/// An io_uring connects without any call that is looked at.
#[test]
fn f_no_ring_connects() {
    world::inside(|world| {
        let attack = program::network("uring");
        let visit = Visit::new(world, "base", &[path(&attack), OTHER]).allow("example.com:80");
        visit.in_the_open().all_open(1);
        let penned = visit.in_the_pen();
        penned.went(&[("io_uring", "ENOSYS")]);
        let of_setup = [("syscall", "io_uring_setup"), ("errno", "ENOSYS")];
        penned.refused("syscall.denied", "syscall.unsupported", &of_setup);
    });
}

#[cfg(target_arch = "x86_64")]
#[test]
fn h01_no_other_architecture_connects() {
    world::inside(|world| {
        let attack = program::network("int80");
        let visit = Visit::new(world, "base", &[path(&attack), OTHER]).allow("example.com:80");
        visit.in_the_open().all_open(2);
        let penned = visit.in_the_pen();
        penned.went(&[]);
        assert_eq!(penned.finished.code(), Some(128 + 31), "{}", penned.finished.stderr);
        assert_eq!(penned.events.last().expect("end")["status"]["signal"], 31);
    });
}
