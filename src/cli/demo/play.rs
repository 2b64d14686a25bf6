//! One run of the server, bare or in the pen: the same errands, the same attacks, in the same order.

use std::cell::Cell;

use serde_json::Value;
use tokio::process::Command;

use crate::cli::demo::attacks::{self, Answer};
use crate::cli::demo::client::{Client, Error};
use crate::cli::demo::home::Home;
use crate::cli::demo::observed::Observed;
use crate::cli::demo::stage::Stage;
use crate::cli::demo::{SERVER, TOKEN_VALUE, daemon, notes};

/// What came of one run.
#[derive(Debug)]
pub(super) struct Play {
    /// The answers to the honest calls, in the order of [`notes::errands`].
    pub(super) honest: Vec<Observed>,
    /// In the order of [`attacks::all`].
    pub(super) attacks: Vec<Observed>,
}

/// How far the demo is, for whoever waits.
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// Where.
    pub(super) place: Cell<&'static str>,
    /// Calls answered there.
    pub(super) calls: Cell<usize>,
}

/// The server without a pen.
pub(super) fn bare(program: &std::path::Path, stage: &Stage) -> Command {
    let mut command = Command::new(program);
    command.args([SERVER, "serve"]).arg(stage.bare.victim.notes());
    around(&mut command, stage, &stage.bare);
    command
}

/// The server in its pen, the way a client would start it.
pub(super) fn penned(program: &std::path::Path, stage: &Stage) -> Command {
    let mut command = Command::new(program);
    command.args(["run", "--name", "demo", "--profile"]).arg(stage.profile());
    command.arg("--audit-dir").arg(stage.log());
    command.arg("--").arg(program).args([SERVER, "serve"]).arg(stage.pen.victim.notes());
    around(&mut command, stage, &stage.pen);
    command
}

/// The environment of a client's: nothing of the user's own folders, and a credential.
fn around(command: &mut Command, stage: &Stage, home: &Home) {
    command.env_clear().current_dir(home.victim.notes()).env("HOME", &home.victim.home);
    for name in ["PATH", "LANG", "TZ", "USER", "LOGNAME"] {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    for (name, folder) in [
        ("XDG_CONFIG_HOME", "config"),
        ("XDG_STATE_HOME", "state"),
        ("XDG_DATA_HOME", "data"),
        ("XDG_CACHE_HOME", "cache"),
        ("XDG_RUNTIME_DIR", "run"),
    ] {
        command.env(name, stage.xdg(folder));
    }
    command.env(attacks::TOKEN, TOKEN_VALUE);
}

/// Plays it through to its end.
///
/// # Errors
/// The session broke: nothing can be said of what was to come.
pub(super) async fn play(command: Command, home: &Home, progress: &Progress) -> Result<Play, Error> {
    let mut client = Client::start(command).await?;
    client.request("tools/list", Value::Object(Default::default())).await?;
    progress.calls.set(0);
    let mut told = Play { honest: Vec::new(), attacks: Vec::new() };
    for (tool, arguments) in notes::errands() {
        let heard = client.call(tool, arguments).await?;
        told.honest.push(Observed::of(&heard.answer, heard.strays, Answer::Absent));
        progress.calls.set(progress.calls.get() + 1);
    }
    let victim = serde_json::to_value(&home.victim).map_err(std::io::Error::from)?;
    for attack in attacks::all() {
        let heard = client.call(attack.tool, victim.clone()).await?;
        told.attacks.push(Observed::of(&heard.answer, heard.strays, attack.answer));
        progress.calls.set(progress.calls.get() + 1);
    }
    client.close().await?;
    for (attack, observed) in attacks::all().zip(&mut told.attacks) {
        if attack.answer == Answer::Ended && matches!(observed, Observed::Did(_)) {
            *observed = after(home)?;
        }
    }
    // Its time is over where it was not ended.
    daemon::end(&home.victim.daemon_lock())?;
    Ok(told)
}

/// What is left of the daemon when the session has ended.
fn after(home: &Home) -> Result<Observed, Error> {
    Ok(match daemon::alive(&home.victim.daemon_lock())? {
        Some(pid) => Observed::Did(format!("process {pid} lived on")),
        None => Observed::Ended,
    })
}
