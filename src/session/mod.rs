//! One run, from a policy and a command to its end: wires sandbox, supervisor, relay, broker and log, and owns nothing
//! else.
//!
//! The order is the promise: everything that can be refused is refused before anything of the server exists; the log
//! is open before the server's first program runs; that program runs only once `session.start` is written; the last
//! line is written when nothing of the tree is left.

mod assemble;
mod course;
mod digest;
mod ground;
mod start;

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use crate::audit::redact;
use crate::audit::writer::{Ending, Settings as LogSettings, Writer};
use crate::event::{Cause, Emitter, Status, text};
use crate::policy::Policy;
use crate::profile::repository::Repository;
use crate::sandbox::command::Command;
use crate::sandbox::control::Step;
use crate::sandbox::environment::Environment;
use crate::sandbox::folders::Folders;
use crate::sandbox::{init, rules, support};
use crate::session::course::Course;
use crate::session::digest::Digest;
use crate::store::Held;
use crate::supervisor::{self, Init};
use crate::sys::process;
use crate::{notify, relay};

pub use crate::session::start::client;

/// A run that was decided on.
pub struct Request {
    /// What the server may do.
    pub policy: Policy,
    /// `--observe`: the profile is not enforced, only recorded.
    pub observe: Option<Observe>,
    /// What is run.
    pub command: Command,
    /// What it finds in its environment.
    pub environment: Environment,
    /// Where it starts.
    pub cwd: PathBuf,
    /// What `${workspace}` stood for.
    pub workspace: PathBuf,
    /// The profile is locked.
    pub locked: bool,
    /// The workspace's own file, when it has one.
    pub repository: Option<Repository>,
    /// What the command line added to the profile, word by word, for the record.
    pub flags: Vec<OsString>,
    /// The user's home.
    pub home: PathBuf,
    /// Its own folders.
    pub folders: Folders,
    /// Its own cache, in which it executes what it wrote; only where the profile says so.
    pub cache: Option<PathBuf>,
    /// The server's name in the log.
    pub server: String,
    /// The session's id.
    pub session: String,
    /// Where the log goes.
    pub audit_dir: PathBuf,
    /// Our state folder, for what is remembered between runs.
    pub state_dir: PathBuf,
    /// Our runtime folder, for what can be asked of a session that runs.
    pub runtime_dir: PathBuf,
    /// The program that started us.
    pub client: Option<String>,
    /// What explains denials.
    pub context: notify::Context,
    /// Has the last word in the log before `session.end`, when nothing of the tree is left.
    pub epilogue: Option<Epilogue>,
    /// The package of the store that it runs from; it stays where it is while this lives.
    pub package: Option<Held>,
}

/// See [`Request::epilogue`].
pub type Epilogue = Box<dyn FnOnce(&Emitter)>;

/// What a run under `--observe` is compared with.
#[derive(Debug)]
pub struct Observe {
    /// What the profile alone would allow.
    pub profile: Policy,
    /// Where nothing is granted to anybody, not even now.
    pub never: Vec<PathBuf>,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outcome {
    /// The server's own process; `None` when its program never ran.
    pub status: Option<Status>,
    /// Why.
    pub cause: Cause,
    /// The step of the launch that failed, with its errno.
    pub failed: Option<(Step, i32)>,
}

/// Why there was no run: nothing of the server was started.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The kernel does not offer what the profile requires.
    #[error(transparent)]
    Unmet(#[from] support::Unmet),
    /// The file rules.
    #[error(transparent)]
    Rules(#[from] rules::Error),
    /// The supervisor's own rights.
    #[error("the supervisor could not give up its own capabilities: {0}")]
    Capabilities(io::Error),
    /// The process tree.
    #[error(transparent)]
    Supervisor(#[from] supervisor::Error),
    /// The log.
    #[error("the log cannot be opened: {0}")]
    Log(#[from] crate::audit::folder::Error),
    /// What is pinned of the server.
    #[error(transparent)]
    Pins(#[from] relay::pinned::Error),
    /// The relay.
    #[error(transparent)]
    Relay(#[from] relay::Error),
    /// The runtime, signals, threads.
    #[error("the session could not be set up: {0}")]
    Runtime(#[from] io::Error),
}

/// Gives up the capabilities of this process. Before anything is opened for a server: the supervisor acts on the
/// server's behalf, and must not be able to do more than it. Call while there is one thread.
pub fn give_up_capabilities() -> Result<(), Error> {
    init::give_up_capabilities().map_err(Error::Capabilities)
}

/// Runs a server to its end.
///
/// # Errors
/// Nothing was started. What goes wrong later is part of the [`Outcome`].
pub fn run(mut init: Init, mut request: Request) -> Result<Outcome, Error> {
    let epilogue = request.epilogue.take();
    let assembly = assemble::assemble(&request)?;
    let writer = Arc::new(Writer::open(&LogSettings {
        dir: request.audit_dir.clone(),
        session: request.session.clone(),
        server: request.server.clone(),
        sync: request.policy.audit.sync,
        on_failure: request.policy.audit.on_failure,
        rotate_at: crate::audit::writer::ROTATE_AT,
        secrets: secrets(&request),
        arguments: request.policy.audit.arguments,
    })?);
    let emitter = Emitter::new(Arc::clone(&writer) as Arc<dyn crate::event::Sink>);
    let own = [request.folders.tmp(), request.folders.home()].into_iter().chain(request.cache.as_deref());
    let own = own.map(|folder| text(folder.as_os_str().as_encoded_bytes()).into_owned());
    emitter.calls().own(own.collect());
    let digest = Digest::of(&request.command.target, &request.state_dir);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
    let ended = runtime.block_on(async {
        let course = Course::begin(&mut init, &request, assembly, &emitter, &writer, digest.known())?;
        Ok::<_, Error>(course.run().await)
    });
    let ended = match ended {
        Ok(ended) => ended,
        Err(error) => {
            // The log is open: it says that there was no run.
            let ending = Ending { status: None, cause: Cause::SupervisorError, rusage: None };
            let _ = writer.finish(&ending);
            return Err(error);
        }
    };
    if let Err(error) = init.join() {
        tracing::debug!(%error, "init could not be waited for");
    }
    // A log that fails in the end was told on stderr by the session, and shows as cut off.
    let _ = emitter.flush();
    if let Some(exe) = digest.late(&request.command.target) {
        let _ = emitter.emit(&crate::event::Event::SessionExe(exe));
    }
    if let Some(epilogue) = epilogue {
        epilogue(&emitter);
    }
    let ending = Ending { status: ended.status, cause: ended.cause, rusage: ended.rusage };
    if let Err(unwritable) = writer.finish(&ending) {
        tracing::error!(%unwritable, "the end of the session is not in the log");
    }
    Ok(Outcome { status: ended.status, cause: ended.cause, failed: ended.failed })
}

/// What is known to be secret before anything runs: the variables that the profile calls so, and words of the command
/// that their flags call so.
fn secrets(request: &Request) -> Vec<(String, String)> {
    let variables = request.environment.secrets.iter();
    let variables =
        variables.map(|(name, value)| (format!("env.{name}"), text(value.as_encoded_bytes()).into_owned()));
    let words: Vec<String> =
        request.command.given.iter().map(|word| text(word.as_encoded_bytes()).into_owned()).collect();
    let words = redact::words::named(&words).into_iter().map(|value| ("argv".to_owned(), value));
    variables.chain(words).collect()
}

/// Asks for a signal when the client goes away without closing our stdin, and remembers who it is.
pub(crate) fn watch_parent() -> io::Result<u32> {
    process::signal_on_parent_exit(course::PARENT_EXIT)?;
    Ok(nix::unistd::getppid().as_raw().unsigned_abs())
}
