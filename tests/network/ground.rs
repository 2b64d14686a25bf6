//! The world itself: what an attack in the open rests on is there, and nothing of it is outside.

use crate::visit::{Visit, script};
use crate::world::{self, PRIVATE, SITE, SITE6};

/// Every address of the world answers, over HTTP and over HTTPS, by name and by number.
#[test]
fn everything_that_the_tests_refuse_is_there_to_be_reached() {
    world::inside(|world| {
        let mut words =
            vec!["/usr/bin/python3".to_owned(), script("client.py"), "urllib".into(), world.authority()];
        words.extend(
            [
                "http://example.com/",
                "https://www.example.com/",
                "https://evil.io/",
                "http://93.184.216.34:8080/",
            ]
            .map(|url| format!("{url}={url}")),
        );
        for address in PRIVATE {
            let host = if address.contains(':') { format!("[{address}]") } else { (*address).to_owned() };
            words.push(format!("{address}=http://{host}/"));
        }
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let visit = Visit::new(world, "base", &words);
        visit.in_the_open().all_open(4 + PRIVATE.len());
        assert!(world.resolver.asked().contains(&"www.example.com".to_owned()));
        let seen = world.site.waits_for(|line| line["sni"] == "www.example.com");
        // Which of the two is the client's choice.
        assert!(seen["address"] == SITE || seen["address"] == SITE6, "{seen}");
    });
}

/// There is no way out of a world, and the ordinary user in it has no more rights than anywhere.
#[test]
fn a_world_has_no_way_out_and_gives_no_rights() {
    world::inside(|_| {
        let routes = std::fs::read_to_string("/proc/net/route").expect("routes");
        assert_eq!(routes.lines().count(), 1, "a route leads out:\n{routes}");
        let status = std::fs::read_to_string("/proc/self/status").expect("status");
        let effective = status.lines().find(|line| line.starts_with("CapEff:")).expect("CapEff");
        let none = effective.ends_with("\t0000000000000000");
        assert_eq!(none, !nix::unistd::geteuid().is_root(), "{effective}");
    });
}

/// A test that fails in its world fails outside of it, too.
#[test]
#[should_panic(expected = "exit status: 3")]
fn what_fails_inside_fails() {
    world::inside(|_| std::process::exit(3));
}
