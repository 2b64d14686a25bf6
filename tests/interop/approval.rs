//! A server that was upgraded by a year, and every client: what changed is held back until it was approved, and then the
//! client gets what it gets without caponier.

use std::ffi::OsString;
use std::process::Command;

use serde_json::{Value, json};

use crate::clients::Client;
use crate::refusals::CLIENTS;
use crate::servers::{Server, Stage};
use crate::{bare, peers, penned, transcript};

/// The command of the year before, and the server's name in the log.
fn earlier(server: Server, stage: &Stage) -> (Vec<OsString>, &'static str) {
    let mut command = penned(server, stage);
    let (of, instead, name) = match server {
        Server::Git => {
            (peers::python_of_servers(), peers::folder().join("python/earlier/bin/python"), "mcp_server_git")
        }
        _ => {
            let file = "npm/earlier/node_modules/@modelcontextprotocol/server-filesystem/dist/index.js";
            (peers::npm_server("filesystem"), peers::folder().join(file), "server-filesystem")
        }
    };
    let at = command.iter().position(|word| *word == *of.as_os_str()).unwrap();
    command[at] = instead.into();
    (command, name)
}

fn names(seen: &Value) -> Option<Vec<&str>> {
    let tools = seen["tools"]["tools"].as_array()?;
    Some(tools.iter().filter_map(|tool| tool["name"].as_str()).collect())
}

/// `held` is a tool that the upgrade changed, `kept` one that it did not.
fn works_before_and_after_approval(server: Server, held: &str, kept: &str) {
    for client in CLIENTS {
        let stage = Stage::set(server);
        let (command, name) = earlier(server, &stage);
        let nothing =
            json!({"env": {}, "roots": [], "calls": [], "together": [], "resources": [], "prompts": []});
        let first = Client::Python("legacy").ask(&nothing, server, &stage, &command);
        assert!(names(&first).unwrap().contains(&held), "{first:#}");

        let seen = client.ask(&nothing, server, &stage, &penned(server, &stage));
        let expected = bare(client, server);
        match names(&expected) {
            Some(_) => {
                let names = names(&seen).unwrap_or_else(|| panic!("{client:?}: {seen:#}"));
                assert!(!names.contains(&held) && names.contains(&kept), "{client:?}: {names:?}");
            }
            // A modern client that takes no legacy server, or not its answers.
            None => assert!(names(&seen).is_none(), "{client:?}: {seen:#}"),
        }
        // Whoever could not list anything has seen nothing that could be approved.
        if names(&expected).is_none() {
            let _ = Client::Python("legacy").ask(&nothing, server, &stage, &penned(server, &stage));
        }
        let mut approve = Command::new(peers::caponier());
        approve.args(["server", "approve", name]).env_clear().env("HOME", stage.home());
        let approved = approve.output().unwrap();
        assert!(approved.status.success(), "{approved:?}");

        let seen = client.drive(server, &stage, &penned(server, &stage));
        let seen = transcript::normalised(seen, stage.path());
        if let Some(difference) = transcript::difference(&seen, &expected) {
            panic!("{client:?} on {server:?}: {difference}");
        }
    }
}

#[test]
fn filesystem_clients_work_before_and_after_approval() {
    works_before_and_after_approval(Server::Filesystem, "read_text_file", "write_file");
}

#[test]
fn git_clients_work_before_and_after_approval() {
    works_before_and_after_approval(Server::Git, "git_show", "git_commit");
}
