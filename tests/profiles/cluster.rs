//! A cluster's API on loopback, as far as the server asks it: discovery, a list of pods, a node and its log.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::thread;

use serde_json::{Value, json};

/// The running API. It ends with the test's process.
pub(crate) struct Cluster {
    port: u16,
}

impl Cluster {
    pub(crate) fn start() -> Cluster {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        thread::spawn(move || {
            listener.incoming().flatten().for_each(|caller| {
                thread::spawn(|| answer(caller));
            })
        });
        Cluster { port }
    }

    /// As `--host` takes it.
    pub(crate) fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// A kubeconfig that names it.
    pub(crate) fn config(&self) -> Value {
        json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "x",
            "clusters": [{"name": "c", "cluster": {"server": format!("http://{}", self.host())}}],
            "users": [{"name": "u", "user": {}}],
            "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        })
    }
}

fn answer(caller: TcpStream) -> Option<()> {
    let mut reader = BufReader::new(caller.try_clone().ok()?);
    let mut writer = caller;
    loop {
        let mut request = String::new();
        reader.read_line(&mut request).ok().filter(|read| *read > 0)?;
        let mut header = String::new();
        while reader.read_line(&mut header).ok()? > 2 {
            header.clear();
        }
        let path = request.split(' ').nth(1)?.split('?').next()?.to_owned();
        let verbs = json!(["get", "list"]);
        let body = match path.as_str() {
            "/api" => json!({"kind": "APIVersions", "versions": ["v1"]}),
            "/apis" => json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": []}),
            "/version" => json!({"major": "1", "minor": "34", "gitVersion": "v1.34.0"}),
            "/api/v1" => json!({"kind": "APIResourceList", "groupVersion": "v1", "resources": [
                {"name": "nodes", "singularName": "node", "namespaced": false, "kind": "Node", "verbs": verbs},
                {"name": "pods", "singularName": "pod", "namespaced": true, "kind": "Pod", "verbs": verbs}]}),
            "/api/v1/namespaces/default/pods" => json!({
                "kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": {},
                "columnDefinitions": [{"name": "Name", "type": "string", "format": "name", "description": "", "priority": 0}],
                "rows": [{"cells": ["sentry"], "object": {
                    "kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1",
                    "metadata": {"name": "sentry", "namespace": "default"}}}],
            }),
            "/api/v1/nodes/keep" => json!({"kind": "Node", "apiVersion": "v1", "metadata": {"name": "keep"}}),
            "/api/v1/nodes/keep/proxy/logs" => json!({"kind": "a line of the log"}),
            _ => json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 404}),
        };
        let status = if body["kind"] == "Status" { "404 Not Found" } else { "200 OK" };
        let body = body.to_string();
        let head = format!(
            "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        writer.write_all((head + &body).as_bytes()).ok()?;
    }
}
