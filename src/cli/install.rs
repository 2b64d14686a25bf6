//! The hidden `install-phase`: one session in which a package manager fills a folder of the store.
//!
//! It is a run like any other, on the record, under a shipped profile; what it may reach beyond that was read from the
//! package manager's configuration by whoever started us, and comes on stdin.

use std::ffi::OsString;
use std::io::BufRead as _;
use std::process::ExitCode;

use crate::audit;
use crate::cli::diagnostic;
use crate::cli::exit;
use crate::cli::run::{self, Refused};
use crate::cli::surroundings::Surroundings;
use crate::policy::Environment;
use crate::policy::grant::{Grant, Origin};
use crate::profile::{self, Flags, context};
use crate::sandbox::environment as variables;
use crate::sandbox::folders::Folders;
use crate::session::{self, Request};
use crate::store;
use crate::store::phase::Phase;
use crate::supervisor::Init;

pub(super) use crate::store::phase::SUBCOMMAND;

/// Runs one.
pub(super) fn run() -> ExitCode {
    diagnostic::start_tracing();
    match phase() {
        Ok(outcome) => run::conclude(&outcome),
        Err(refused) => refused.tell(),
    }
}

fn phase() -> Result<session::Outcome, Refused> {
    let not_set_up = |error: &dyn std::error::Error| Refused::new(exit::NOT_SET_UP, error.to_string(), None);
    let init = Init::spawn().map_err(|error| not_set_up(&error))?;
    session::give_up_capabilities().map_err(|error| not_set_up(&error))?;
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).map_err(|error| not_set_up(&error))?;
    let phase: Phase = serde_json::from_str(&line).map_err(|_| {
        let help = "`caponier server add npm:PACKAGE` installs a package";
        Refused::new(exit::USAGE, "an install phase is started by caponier itself", Some(help))
    })?;
    let request = prepare(phase)?;
    session::run(init, request).map_err(|error| run::refused_session(&error))
}

fn prepare(phase: Phase) -> Result<Request, Refused> {
    let around = Surroundings::find()
        .map_err(|error| Refused::new(exit::CONFIGURATION, error.to_string(), Some("set HOME")))?;
    let words: Vec<OsString> = phase.words.iter().map(OsString::from).collect();
    let command = around
        .command(&words, None)
        .map_err(|error| Refused::new(error.exit_code(), error.to_string(), Some(&error.help())))?;
    let id = audit::session_id().map_err(|error| {
        Refused::new(exit::NOT_SET_UP, format!("no random number for the session's id: {error}"), None)
    })?;
    let tmp = around.directories.tmp().join(&id);
    let session = context::Session {
        session_home: phase.home.clone(),
        private_home: phase.home.clone(),
        cache: tmp.join("cache"),
        tmp,
    };
    let context = around.context(Some(&phase.cwd), Some(&command), Some(session), Some(&phase.audit_dir));
    let asked = profile::Request {
        profile: phase.profile.clone(),
        environment: Environment::Prod,
        flags: Flags::default(),
    };
    let mut policy = profile::resolve(&asked, &context).map_err(|problems| run::wrong(&problems))?.policy;
    policy.network = store::network(&phase.hosts).map_err(|host| {
        let message = format!("the package manager's configuration names a host that cannot be one: {host}");
        Refused::new(exit::CONFIGURATION, message, None)
    })?;
    policy.filesystem.read.extend(phase.reads.iter().map(|path| Grant {
        path: path.clone(),
        reason: Some("the package manager's own configuration names it".to_owned()),
        optional: true,
        origin: Origin::caponier(),
    }));
    let folders = Folders::make(&around.directories.tmp(), &id, Some(&phase.home))
        .map_err(|error| Refused::new(exit::NOT_SET_UP, error.to_string(), None))?;
    let environment = environment(&phase, &command.path_first, &policy, &folders)?;
    Ok(Request {
        context: run::explanations(&around, &policy, Vec::new(), Some(&phase.audit_dir)),
        flags: Vec::new(),
        workspace: phase.cwd.clone(),
        audit_dir: phase.audit_dir,
        state_dir: around.directories.state.clone(),
        runtime_dir: around.directories.runtime.clone(),
        cwd: phase.cwd,
        home: around.home.clone(),
        session: id,
        observe: None,
        policy,
        command,
        environment,
        folders,
        cache: None,
        server: phase.server,
        client: session::client(),
        package: None,
        epilogue: None,
        locked: false,
        repository: None,
    })
}

/// What every server gets, and what the package manager was configured with: those variables are no server's business,
/// and so are in no profile.
fn environment(
    phase: &Phase,
    path_first: &[std::path::PathBuf],
    policy: &crate::policy::Policy,
    folders: &Folders,
) -> Result<variables::Environment, Refused> {
    let fixed = variables::Fixed {
        home: folders.home().to_owned(),
        lasting: false,
        tmpdir: folders.tmp().to_owned(),
        path_first: path_first.to_vec(),
        venv: None,
    };
    let mut compiled = variables::compile(std::env::vars_os(), &policy.process.env, &[], &fixed)
        .map_err(|error| Refused::new(exit::CONFIGURATION, error.to_string(), Some(&error.help())))?;
    compiled.add(&phase.variables, &phase.secrets);
    Ok(compiled)
}
