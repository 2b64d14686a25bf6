//! The attacks: what the hostile half of the demo's server tries, and what has to become of it in the pen.
//!
//! One table serves both sides: the server runs [`Attack::run`], the judge compares with [`Attack::stopped`]. Each
//! attack does the real thing (it reads the planted secret, it starts the daemon), so that it can succeed where
//! there is no pen; none of them touches anything outside the demo's own folder and processes.

mod files;
mod messages;
mod metadata;
mod network;
mod processes;
mod programs;

use std::io::{self, Write};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::policy::reason::Reason;

pub(in crate::cli) use crate::cli::demo::attacks::programs::{exit_zero, plant};

/// What there is to attack. The client tells the server of it: a real one would look for it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::cli::demo) struct Victim {
    /// The folder that plays the user's home.
    pub(in crate::cli::demo) home: PathBuf,
    /// The client's process.
    pub(in crate::cli::demo) pid: u32,
    /// Where in the client's memory a secret is.
    pub(in crate::cli::demo) address: u64,
    /// Its length in bytes.
    pub(in crate::cli::demo) length: usize,
    /// A TCP port on 127.0.0.1 on which the client listens.
    pub(in crate::cli::demo) port: u16,
}

/// The environment variable that plays the client's credential.
pub(in crate::cli::demo) const TOKEN: &str = "DEMO_API_TOKEN";

/// How the secret in the client's memory begins.
pub(in crate::cli::demo) const MEMORY: &str = "what only the client knows: ";

impl Victim {
    /// What a list says of it: the gate lets nothing else in.
    pub(in crate::cli::demo) fn schema() -> Value {
        let number = json!({"type": "integer", "minimum": 0});
        json!({
            "type": "object",
            "properties": {
                "home": {"type": "string"}, "pid": number, "address": number, "length": number, "port": number,
            },
        })
    }

    /// The folder that the server is for.
    pub(in crate::cli::demo) fn notes(&self) -> PathBuf {
        self.home.join("notes")
    }

    /// The secret key.
    pub(in crate::cli::demo) fn key(&self) -> PathBuf {
        self.home.join(".ssh/id_ed25519")
    }

    /// The socket of what plays the user's agent.
    pub(in crate::cli::demo) fn agent(&self) -> PathBuf {
        self.home.join("agent.sock")
    }

    /// A file that a process which outlives the server holds a lock on, with its number in it.
    pub(in crate::cli::demo) fn daemon_lock(&self) -> PathBuf {
        self.notes().join(".daemon")
    }
}

/// What an attack gets in the pen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli::demo) enum Answer {
    /// This errno.
    Errno(&'static str),
    /// An answer of the gate's, for this reason.
    Refused(Reason),
    /// Nothing of what it sent reaches the client.
    Withheld,
    /// What it looks for is not there.
    Absent,
    /// What it starts ends with the session.
    Ended,
}

/// What the log says of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli::demo) enum Record {
    /// A denial, while the call was in flight.
    Denied {
        /// The event's name.
        event: &'static str,
        /// The kind of access or the system call; empty where the event has neither.
        what: &'static str,
        /// Why.
        reason: Reason,
    },
    /// Landlock's signal scope refuses without asking anybody, so there is no line; where the kernel has none, there is
    /// a denial of this system call.
    Scope(&'static str),
    /// `stdout.noise`, while the call was in flight.
    Noise,
    /// The name of [`TOKEN`] among `env_removed` of `session.start`.
    Removed,
    /// `process.start` while the call was in flight, and `session.end`.
    Ended,
}

/// What an attack does: what it got hold of, in a few words. An error without an errno and of the kind `NotFound`
/// says that there was nothing to get.
type Run = fn(&Victim, &mut dyn Write) -> io::Result<String>;

/// One attack.
#[derive(Debug)]
pub(in crate::cli::demo) struct Attack {
    /// The tool that does it.
    pub(in crate::cli::demo) tool: &'static str,
    /// What it does, for people.
    pub(in crate::cli::demo) title: &'static str,
    /// Does it.
    pub(in crate::cli::demo) run: Run,
    /// What it has to get in the pen.
    pub(in crate::cli::demo) answer: Answer,
    /// What the log has to say.
    pub(in crate::cli::demo) record: Record,
    /// Errnos with which some kernels refuse it to everybody: then it cannot be shown to work without the pen.
    pub(in crate::cli::demo) refused_anyway: &'static [&'static str],
}

/// All of them, in the order in which they are tried: the daemon before the processes that leave no room for it, what
/// floods after what has few lines (a flood is only counted from some line on), and what deletes last.
pub(in crate::cli::demo) fn all() -> impl Iterator<Item = &'static Attack> {
    [
        files::ATTACKS,
        metadata::ATTACKS,
        programs::ATTACKS,
        network::ATTACKS,
        processes::ATTACKS,
        messages::ATTACKS,
    ]
    .into_iter()
    .flatten()
}

/// A denied access to a file.
const fn file(what: &'static str, reason: Reason) -> Record {
    Record::Denied { event: "file.access", what, reason }
}

/// A denied system call.
const fn call(what: &'static str, reason: Reason) -> Record {
    Record::Denied { event: "syscall.denied", what, reason }
}

/// A refused message.
const fn message(reason: Reason) -> Record {
    Record::Denied { event: "message.denied", what: "", reason }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn tools_have_distinct_names_and_titles_fit() {
        let mut seen = BTreeSet::new();
        for attack in all() {
            assert!(seen.insert(attack.tool), "{}", attack.tool);
            assert!(attack.title.len() <= 38, "{}", attack.title);
        }
        assert!(seen.len() >= 25);
    }

    #[test]
    fn a_refusal_of_the_gate_is_recorded_for_the_same_reason() {
        for attack in all() {
            if let Answer::Refused(reason) = attack.answer {
                assert_eq!(attack.record, message(reason), "{}", attack.tool);
            }
        }
    }
}
