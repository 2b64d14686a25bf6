//! Real servers with a network: what they reach is on the timeline of the call that reached it, in bytes.

use serde_json::{Value, json};

use crate::peers;
use crate::pen::ground::Ground;
use crate::pen::{launch, log};
use crate::talk::Talk;
use crate::visit::{Visit, Visited, script};
use crate::world::{self, World};

/// PyPI mcp-server-fetch as it is: it refuses private addresses by itself, so it has to see real ones.
fn fetch(world: &World) -> Visit<'_> {
    let python = peers::folder().join("python/fetch/bin/python");
    let node = node();
    let bin = peers::program("node").parent().expect("a folder").to_str().expect("UTF-8").to_owned();
    Visit::new(world, "fetch", &[python.to_str().expect("UTF-8"), "-m", "mcp_server_fetch"])
        .execute(&node)
        .set("SSL_CERT_FILE", &world.authority())
        .env("PATH", &format!("{bin}:/usr/bin:/bin"))
}

/// The `call.end` of the call with this running number.
fn ended(events: &[Value], call: u64) -> &Value {
    log::of(events, "call.end").find(|line| line["call"] == call).expect("a call that ended")
}

/// The entry of a host in the summary of a call: `{host, bytes_up, bytes_down, …}`.
fn host<'e>(end: &'e Value, name: &str) -> Option<&'e Value> {
    end["summary"]["hosts"].as_array().expect("hosts").iter().find(|host| host["host"] == name)
}

fn penned(ground: Ground, finished: launch::Finished) -> Visited {
    let events = log::events(&ground.path("audit"));
    log::assert_whole(&ground, &events);
    Visited { finished, steps: Vec::new(), events, ground }
}

const PAGE: &str = "Paragraph 1 of a page";

#[test]
fn mcp_server_fetch_fetches_what_is_listed_and_nothing_else() {
    world::inside(|world| {
        let urls = ["https://example.com/page", "https://evil.io/page", "http://93.184.216.66/page"];
        let ask = |talk: &mut Talk, url: &str| talk.calls("fetch", &json!({"url": url}));
        let ground = Ground::new();
        let visit = fetch(world).allow("example.com:443");
        let mut talk = Talk::begin(visit.start_in_the_open(&ground));
        for url in urls {
            let (text, is_error) = ask(&mut talk, url);
            assert!(!is_error && text.contains(PAGE), "{url}: {text}");
        }
        talk.ends();
        let ground = Ground::new();
        world.site.forget();
        let mut talk = Talk::begin(visit.start_in_the_pen(&ground));
        let answers = urls.map(|url| ask(&mut talk, url));
        let visited = penned(ground, talk.ends());
        let told = visited.network_events();
        assert!(!answers[0].1 && answers[0].0.contains(PAGE), "{:?}\n{told}", answers[0]);
        for (text, is_error) in &answers[1..] {
            assert!(
                *is_error && text.contains("robots.txt") && text.contains("connection issue"),
                "{text}\n{told}"
            );
        }
        // Both requests of the first call are on its account, robots.txt first; node made the page readable.
        let targets: Vec<Value> = world.site.saw().iter().map(|line| line["target"].clone()).collect();
        assert_eq!(targets, ["/robots.txt", "/page"]);
        let connects: Vec<_> = log::of(&visited.events, "network.connect")
            .filter(|line| line["host"] == "example.com" && line["verdict"] == "allow")
            .collect();
        let count: u64 = connects.iter().filter_map(|line| line["count"].as_u64()).sum();
        assert_eq!(count, 2, "{told}");
        assert!(
            connects.iter().all(|line| line["calls"] == json!([1]) && line["attribution"] == "sole"),
            "{told}"
        );
        let node = node();
        let ran = log::of(&visited.events, "process.start").any(|line| line["exe"] == node.as_str())
            || log::of(&visited.events, "file.access").any(|line| {
                line["access"] == "execute" && line["path"] == node.as_str() && line["verdict"] == "allow"
            });
        assert!(ran, "no record of {node}");
        let first = ended(&visited.events, 1);
        let bytes =
            |field: &str| host(first, "example.com").map_or(0, |host| host[field].as_u64().unwrap_or(0));
        assert!(bytes("bytes_up") > 200 && bytes("bytes_down") > 2000, "{first}");
        assert_eq!(
            ended(&visited.events, 2)["summary"]["denied"].as_u64().map(|denied| denied > 0),
            Some(true)
        );
        visited.refused(
            "network.resolve",
            "net.host.not-listed",
            &[("host", "evil.io"), ("attribution", "sole")],
        );
        visited.refused("network.connect", "net.address.not-resolved", &[("address", world::OTHER)]);
        // The timeline of the session shows it to people.
        let mut timeline = launch::caponier(&visited.ground);
        timeline.args(["audit", "timeline", "--session"]);
        timeline.arg(visited.events[0]["session"].as_str().expect("a session"));
        timeline.arg("--audit-dir").arg(visited.ground.path("audit"));
        let shown = launch::start(timeline).finish();
        let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
        assert!(shown.contains("example.com") && shown.contains("evil.io"), "{shown}");
    });
}

/// The program that `node` is: what the log names.
fn node() -> String {
    let mut node = peers::program("node");
    while let Ok(target) = std::fs::read_link(&node) {
        node = node.parent().expect("a folder").join(target);
    }
    node.to_str().expect("UTF-8").to_owned()
}

/// The mail server, with the URLs that it posts to.
fn postmark<'w>(world: &'w World, copies: &str) -> Visit<'w> {
    let (server, authority) = (script("postmark.py"), world.authority());
    let words = ["/usr/bin/python3", &server, &authority, "https://api.example.com/mail", copies];
    Visit::new(world, "runtime/python", &words).allow("api.example.com:443")
}

fn mail(talk: &mut Talk, to: &str) {
    let (text, is_error) = talk.calls("send_email", &json!({"to": to, "text": "the quarter's figures"}));
    assert!(!is_error && text == "sent: 200", "{text}");
}

/// How many mails the site took for a host.
fn taken(world: &World, host: &str) -> usize {
    world.site.saw().iter().filter(|line| line["host"] == host && line["method"] == "POST").count()
}

#[test]
fn a_copy_of_each_mail_to_a_second_host_is_refused_and_seen() {
    world::inside(|world| {
        let visit = postmark(world, "https://evil.io/mail");
        let ground = Ground::new();
        let mut talk = Talk::begin(visit.start_in_the_open(&ground));
        mail(&mut talk, "bob@example.com");
        talk.ends();
        assert_eq!((taken(world, "api.example.com"), taken(world, "evil.io")), (1, 1));
        world.site.forget();
        let ground = Ground::new();
        let mut talk = Talk::begin(visit.start_in_the_pen(&ground));
        mail(&mut talk, "bob@example.com");
        mail(&mut talk, "eve@example.com");
        let visited = penned(ground, talk.ends());
        assert_eq!((taken(world, "api.example.com"), taken(world, "evil.io")), (2, 0));
        for call in [1, 2] {
            let calls = json!([call]).to_string();
            visited.refused(
                "network.resolve",
                "net.host.not-listed",
                &[("host", "evil.io"), ("calls", &calls), ("attribution", "sole")],
            );
            assert!(ended(&visited.events, call)["summary"]["denied"].as_u64() > Some(0));
        }
    });
}

#[test]
fn g19_what_goes_out_to_a_listed_host_is_seen_in_bytes() {
    world::inside(|world| {
        const STOLEN: usize = 300_000;
        let visit = postmark(world, "-");
        let ground = Ground::new();
        std::fs::write(ground.path("workspace/stolen"), vec![b's'; STOLEN]).expect("stolen");
        let mut talk = Talk::begin(visit.start_in_the_pen(&ground));
        mail(&mut talk, "bob@example.com");
        mail(&mut talk, "everything");
        let visited = penned(ground, talk.ends());
        assert_eq!(taken(world, "api.example.com"), 2);
        let up = |call: u64| {
            let end = ended(&visited.events, call);
            let of_host = host(end, "api.example.com").unwrap_or_else(|| panic!("{end}"));
            assert_eq!(of_host["bytes_up"], end["summary"]["bytes_up"], "{end}");
            usize::try_from(of_host["bytes_up"].as_u64().expect("bytes")).expect("few")
        };
        assert!(up(1) < 10_000, "{}", up(1));
        assert!(up(2) > STOLEN, "{}", up(2));
    });
}
