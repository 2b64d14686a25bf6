//! Real servers as they are: what they offer is pinned, and is no change the next day, nor when they add to it.

use serde_json::{Value, json};

use crate::scene::Scene;
use crate::session::{Server, Session, Stage, reason};

const LISTS: [(&str, &str, &str, &str); 4] = [
    ("tools", "tools/list", "tools", "name"),
    ("prompts", "prompts/list", "prompts", "name"),
    ("resources", "resources/list", "resources", "uri"),
    ("resources", "resources/templates/list", "resourceTemplates", "uriTemplate"),
];

fn greeted(stage: &Stage, server: Server) -> (Session, Value) {
    let mut session = stage.penned_silent(server, "");
    let hello = json!({"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}});
    let offers = session.ask("initialize", &hello)["result"]["capabilities"].clone();
    session.tell_raw(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#);
    (session, offers)
}

/// How much it shows of everything that it offers.
fn shown(session: &mut Session, offers: &Value) -> [usize; 4] {
    LISTS.map(|(capability, method, list, key)| match offers.get(capability) {
        Some(_) => Scene::listed(session, method, list, key).len(),
        None => 0,
    })
}

#[test]
fn no_real_server_turns_from_one_day_to_the_next() {
    for (server, at_least) in [
        (Server::Everything, [12, 4, 7, 2]),
        (Server::Filesystem, [14, 0, 0, 0]),
        (Server::Memory, [9, 0, 0, 0]),
        (Server::SequentialThinking, [1, 0, 0, 0]),
        (Server::Git, [12, 0, 0, 0]),
        (Server::Time, [2, 0, 0, 0]),
    ] {
        let stage = Stage::set();
        if server == Server::Git {
            stage.make_repository();
        }
        let (mut session, offers) = greeted(&stage, server);
        let first = shown(&mut session, &offers);
        assert!(first.iter().zip(at_least).all(|(shown, least)| *shown >= least), "{server:?}: {first:?}");
        session.end();
        let defined = stage.events("tool.defined").len();
        assert!(defined >= first.iter().sum(), "{server:?}: {defined} of {first:?}");
        for _ in 0..2 {
            let (mut session, offers) = greeted(&stage, server);
            for _ in 0..2 {
                assert_eq!(shown(&mut session, &offers), first, "{server:?}");
            }
            session.end();
        }
        let changed = stage.events("tool.changed");
        assert!(changed.is_empty(), "{server:?}: {changed:?}");
        assert_eq!(stage.events("tool.defined").len(), defined, "{server:?}");
    }
}

/// server-everything makes resources while it runs, and the same ones anew.
#[test]
fn resources_that_a_server_makes_are_no_alarm() {
    let stage = Stage::set();
    for day in 0..2 {
        let (mut session, offers) = greeted(&stage, Server::Everything);
        let before = shown(&mut session, &offers);
        for (n, data) in
            ["data:text/plain,first", "data:text/plain,another%20and%20longer"].into_iter().enumerate()
        {
            for name in ["notes.gz", "more.gz"] {
                let made = json!({"name": name, "data": data, "outputType": "resourceLink"});
                let answer = session.call("gzip-file-as-resource", &made);
                let uri =
                    answer["result"]["content"][0]["uri"].as_str().unwrap_or_else(|| panic!("{answer}"));
                let read = session.ask("resources/read", &json!({ "uri": uri }));
                assert!(read["result"]["contents"][0]["blob"].is_string(), "{day} {n}: {read}");
            }
            let now = shown(&mut session, &offers);
            assert_eq!(now, [before[0], before[1], before[2] + 2, before[3]], "{day} {n}");
        }
        let dynamic = session.ask("resources/read", &json!({"uri": "demo://resource/dynamic/text/1"}));
        assert_eq!(reason(&dynamic), None, "{dynamic}");
        session.end();
    }
    let changed = stage.events("tool.changed");
    assert!(changed.is_empty(), "{changed:?}");
}
