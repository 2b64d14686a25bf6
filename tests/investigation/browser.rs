//! A page in a real browser, and what there is to see of it.

use std::path::Path;
use std::process::Command;

use serde::Deserialize;
use serde_json::Value;

use crate::peers;

/// Seconds after which a browser counts as hung.
const DEADLINE_S: &str = "180";

/// What was seen.
#[derive(Debug, Deserialize)]
pub(crate) struct Seen {
    pub(crate) console: Vec<String>,
    pub(crate) errors: Vec<String>,
    pub(crate) dialogs: Vec<String>,
    pub(crate) requests: Vec<String>,
    pub(crate) violations: Vec<String>,
    pub(crate) answers: Vec<Value>,
}

impl Seen {
    /// Nothing but the page itself was asked for, and nothing went wrong.
    pub(crate) fn assert_quiet(&self, page: &Path) {
        assert_eq!(self.console, [""; 0]);
        assert_eq!(self.errors, [""; 0]);
        assert_eq!(self.dialogs, [""; 0]);
        assert_eq!(self.violations, [""; 0]);
        assert_eq!(self.requests.len(), 1, "{:?}", self.requests);
        assert!(self.requests[0].ends_with(&*page.file_name().unwrap().to_string_lossy()));
    }
}

/// Opens `page` and does what `plan` says; see `drivers/page.mjs`.
pub(crate) fn open(page: &Path, plan: &Value) -> Seen {
    let steps = page.with_extension("plan.json");
    std::fs::write(&steps, plan.to_string()).unwrap();
    let mut run = Command::new("timeout");
    run.args(["--kill-after=10", DEADLINE_S, "node"]).arg(peers::driver("page.mjs")).arg(page).arg(&steps);
    run.env("CAPONIER_PEERS", peers::folder()).env("TMPDIR", page.parent().unwrap());
    run.env("HOME", page.parent().unwrap());
    let done = run.output().unwrap();
    let stderr = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{}: {stderr}", done.status);
    serde_json::from_slice(&done.stdout).unwrap_or_else(|error| panic!("{error}: {stderr}"))
}
