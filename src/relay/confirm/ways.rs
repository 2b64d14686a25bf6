//! The ways to ask that a session has.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::mcp::confirm::prompt::Prompt;
use crate::mcp::confirm::{Held, Way};
use crate::policy::Policy;
use crate::policy::confirm::Channel;
use crate::relay::confirm::desktop::{Dialogs, Program};
use crate::relay::confirm::terminal::Terminal;

/// The name of the channel of the modern era in the log.
pub(in crate::relay) const INPUT_REQUIRED: &str = "input_required";

/// What a session needs to ask.
#[derive(Debug, Clone)]
pub struct Asking {
    pub(in crate::relay) server: String,
    pub(in crate::relay) runtime: PathBuf,
    pub(in crate::relay) channels: BTreeSet<Channel>,
    pub(in crate::relay) timeout: Duration,
}

impl Asking {
    /// What the policy says, where it has calls wait at all. `runtime` is our runtime folder.
    pub fn of(policy: &Policy, server: &str, runtime: PathBuf) -> Option<Self> {
        let confirm = &policy.confirm;
        policy.tools.asks().then(|| Asking {
            server: server.to_owned(),
            runtime,
            channels: confirm.channels.clone(),
            timeout: confirm.timeout,
        })
    }

    /// How long an answer is waited for.
    pub(in crate::relay) fn timeout(&self) -> Duration {
        self.timeout
    }
}

/// A key for one session, from the kernel's generator (`urandom(4)`).
pub(in crate::relay) fn key() -> io::Result<[u8; 32]> {
    let mut key = [0; 32];
    File::open("/dev/urandom")?.read_exact(&mut key)?;
    Ok(key)
}

/// The ways to ask that this session has.
pub(in crate::relay) struct Confirm {
    pub(in crate::relay) asking: Asking,
    pub(in crate::relay) session: String,
    pub(in crate::relay) terminal: Result<Terminal, String>,
    pub(in crate::relay) desktop: Option<Program>,
    pub(in crate::relay) dialogs: Dialogs,
    order: Mutex<()>,
}

impl Confirm {
    /// Looks for ways. That there is none is no error: then calls that need one are refused.
    pub(in crate::relay) fn new(asking: &Asking, session: &str) -> Self {
        let has = |channel| asking.channels.contains(&channel);
        let terminal = match has(Channel::Terminal) {
            true => Terminal::open(&asking.runtime, session)
                .inspect_err(|error| tracing::warn!(%error, "nobody can answer with `caponier approve`"))
                .map_err(|error| error.to_string()),
            false => Err("confirm.channels has no \"terminal\"".to_owned()),
        };
        Confirm {
            asking: asking.clone(),
            session: session.to_owned(),
            terminal,
            desktop: has(Channel::Desktop).then(Program::find).flatten(),
            dialogs: Dialogs::default(),
            order: Mutex::new(()),
        }
    }

    /// Held while a call is held and recorded: nobody answers what is not on record yet.
    pub(in crate::relay) fn in_order(&self) -> MutexGuard<'_, ()> {
        self.order.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Nobody is asked any more.
    pub(in crate::relay) fn close(&self) {
        self.dialogs.close_all();
        if let Ok(terminal) = &self.terminal {
            terminal.close();
        }
    }

    /// How a call is asked about, by a client that has a form or not.
    pub(in crate::relay) fn way(&self, form: bool, modern: bool) -> Result<Way, String> {
        if form && self.asking.channels.contains(&Channel::Elicitation) {
            return Ok(if modern { Way::InputRequired } else { Way::Elicitation });
        }
        match (&self.desktop, &self.terminal) {
            (None, Err(why)) => Err(format!("the client shows no forms, there is no desktop, and {why}")),
            _ => Ok(Way::Outside),
        }
    }

    /// The channels of a way, the first one first.
    pub(in crate::relay) fn channels(&self, way: Way) -> Vec<&'static str> {
        let client = match way {
            Way::Elicitation => Some(Channel::Elicitation.word()),
            Way::InputRequired => Some(INPUT_REQUIRED),
            Way::Outside => self.desktop.as_ref().map(|_| Channel::Desktop.word()),
        };
        client.into_iter().chain(self.terminal.as_ref().ok().map(|_| Channel::Terminal.word())).collect()
    }

    /// What a person is shown of a held call.
    pub(in crate::relay) fn prompt<'a>(&'a self, held: &'a Held) -> Prompt<'a> {
        Prompt {
            server: &self.asking.server,
            tool: &held.call.tool,
            arguments: &held.shown,
            rule: &held.rule,
            id: &held.id,
        }
    }
}
