//! The clients, and how one is made to drive a command.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::peers;
use crate::servers::{Server, Stage};

/// How long one run may take before it counts as hung.
const DEADLINE_S: &str = "120";

/// A client library in one of its modes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Client {
    /// PyPI `mcp`, with the mode it takes.
    Python(&'static str),
    /// npm `@modelcontextprotocol/sdk`, which knows the legacy era only.
    Sdk,
    /// npm `@modelcontextprotocol/client`, with its mode; a version is a pin.
    Node(&'static str),
}

impl Client {
    /// Lets the client start `command` on `stage` and ask it the plan of `server`; returns its transcript.
    ///
    /// The environment is what desktop clients leave: nothing but HOME, PATH and the like, so nothing of the
    /// developer's own configuration takes part. Panics with the whole stderr when there is no transcript.
    pub(crate) fn drive<S: AsRef<OsStr>>(self, server: Server, stage: &Stage, command: &[S]) -> Value {
        self.ask(&server.plan(stage, self), server, stage, command)
    }

    /// The same with another plan.
    pub(crate) fn ask<S: AsRef<OsStr>>(
        self,
        plan: &Value,
        server: Server,
        stage: &Stage,
        command: &[S],
    ) -> Value {
        let asked = plan;
        let plan = stage.path().join("plan.json");
        fs::write(&plan, asked.to_string()).unwrap();

        let drivers = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop/drivers");
        let python = peers::folder().join("python/client/bin/python");
        let mut run = Command::new("timeout");
        run.args(["--kill-after=10", DEADLINE_S]);
        match self {
            Client::Python(mode) => run.arg(python).arg(drivers.join("drive.py")).arg(mode),
            Client::Sdk => run.arg("node").arg(drivers.join("drive.mjs")).arg("sdk"),
            Client::Node(mode) => {
                run.arg("node").arg(drivers.join("drive.mjs")).arg(format!("client-{mode}"))
            }
        };
        run.arg(&plan).arg("--").args(command);
        run.env_clear().current_dir(stage.workspace());
        for name in ["PATH", "LOGNAME", "USER", "SHELL", "TERM"] {
            run.envs(std::env::var_os(name).map(|value| (name, value)));
        }
        run.env("HOME", stage.home()).env("CAPONIER_PEERS", peers::folder());

        let done = run.output().unwrap();
        let stderr = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), "{self:?} on {server:?}: {}\n{stderr}", done.status);
        serde_json::from_slice(&done.stdout)
            .unwrap_or_else(|error| panic!("{self:?} on {server:?}: no transcript ({error})\n{stderr}"))
    }
}
