//! Real servers and real clients: what a client gets through caponier is what it gets without.
//!
//! Every server is driven by every client in every mode, once bare and once through `caponier run` with the shipped
//! profile of its name; the two transcripts (handshake, tools, calls, resources, prompts, errors) must be equal.
//! Clients of the modern era that are pinned to it fail on npm's legacy servers, and must fail in the same words.
//! Then each server once more with a recorder on both sides of caponier: the bytes must be equal, both ways.
//!
//! And each pair once with a profile that refuses a call in every way there is: the session must survive all of it.
//!
//! The peers come from `scripts/peers.sh`.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod approval;
mod asking;
mod clients;
mod denials;
mod peers;
mod record;
mod recorder;
mod refusals;
mod servers;
mod transcript;

use std::ffi::OsString;

use serde_json::Value;

use crate::clients::Client;
use crate::servers::{Server, Stage};

/// The command of `server` behind caponier.
fn penned(server: Server, stage: &Stage) -> Vec<OsString> {
    let mut command = vec![peers::caponier().into_os_string()];
    command.extend(["run", "--profile", server.profile(), "--"].map(OsString::from));
    command.extend(server.command(stage).into_iter().map(OsString::from));
    command
}

/// What `client` makes of the bare server.
fn bare(client: Client, server: Server) -> Value {
    let stage = Stage::set(server);
    let seen = client.drive(server, &stage, &server.command(&stage));
    transcript::normalised(seen, stage.path())
}

/// The same through caponier; what was asked must stand in a log that verifies.
fn through_caponier(client: Client, server: Server) -> Value {
    let stage = Stage::set(server);
    let seen = client.drive(server, &stage, &penned(server, &stage));
    record::assert_complete(server, &stage, &seen);
    transcript::normalised(seen, stage.path())
}

/// What the pair is expected to make of each other, so that two runs that failed alike are not taken for success.
fn assert_meaningful(client: Client, server: Server, seen: &Value) {
    let legacy_server = !matches!(server, Server::Git | Server::Time);
    match client {
        Client::Node("2026-07-28") if legacy_server => {
            assert_eq!(seen["not connected"]["code"], "ERA_NEGOTIATION_FAILED", "{seen:#}");
        }
        // Adopts the version without asking; what comes back lacks `resultType`.
        Client::Python("2026-07-28") if legacy_server => {
            assert_eq!(seen["calls"][0]["answer"]["error"], "ValidationError", "{seen:#}");
        }
        _ => {
            let first = &seen["calls"][0]["answer"];
            assert!(first["content"].is_array() && first["isError"] != true, "{seen:#}");
            assert!(seen["tools"]["tools"].as_array().is_some_and(|tools| !tools.is_empty()), "{seen:#}");
        }
    }
}

fn same_through_caponier(client: Client, server: Server) {
    let bare = bare(client, server);
    assert_meaningful(client, server, &bare);
    let through = through_caponier(client, server);
    if let Some(difference) = transcript::difference(&through, &bare) {
        panic!("{client:?} on {server:?}: {difference}");
    }
}

macro_rules! interop {
    ($($name:ident: $server:expr;)*) => {$(
        mod $name {
            use super::{Client, Server, recorder, same_through_caponier};

            #[test]
            fn python_legacy() {
                same_through_caponier(Client::Python("legacy"), $server);
            }

            #[test]
            fn python_auto() {
                same_through_caponier(Client::Python("auto"), $server);
            }

            #[test]
            fn python_pinned() {
                same_through_caponier(Client::Python("2026-07-28"), $server);
            }

            #[test]
            fn sdk() {
                same_through_caponier(Client::Sdk, $server);
            }

            #[test]
            fn node_legacy() {
                same_through_caponier(Client::Node("legacy"), $server);
            }

            #[test]
            fn node_auto() {
                same_through_caponier(Client::Node("auto"), $server);
            }

            #[test]
            fn node_pinned() {
                same_through_caponier(Client::Node("2026-07-28"), $server);
            }

            #[test]
            fn same_bytes_on_both_sides() {
                for mode in ["auto", "2026-07-28"] {
                    recorder::assert_same_bytes(Client::Python(mode), $server);
                }
            }
        }
    )*};
}

interop! {
    filesystem: Server::Filesystem;
    memory: Server::Memory;
    everything: Server::Everything;
    sequential_thinking: Server::SequentialThinking;
    git: Server::Git;
    time: Server::Time;
}
