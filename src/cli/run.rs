//! `caponier run`: from the command line to a session, and from its end to an exit status.

mod managed;
mod name;
mod observed;
pub(in crate::cli) mod unresolved;
mod uv;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;

use crate::audit;
use crate::cli::diagnostic::{self, Style, escape};
use crate::cli::exit;
use crate::cli::profile::environment;
use crate::cli::prove::verdict;
use crate::cli::run::managed::Managed;
use crate::cli::run::name::server_name;
use crate::cli::surroundings::{self, OWN_FOLDERS, Surroundings};
use crate::event::Cause;
use crate::notify;
use crate::policy::grant::{Origin, Taken};
use crate::policy::{Environment, Home, Policy};
use crate::profile::packages::Registry;
use crate::profile::problem::Problems;
use crate::profile::repository::Repository;
use crate::profile::secrets::{CLIENT_FILES, SECRET_STORES};
use crate::profile::{self, Flags, Resolved, context, lock, packages};
use crate::sandbox::cache::{self, lasting_cache};
use crate::sandbox::command::Command;
use crate::sandbox::environment as variables;
use crate::sandbox::folders::{Folders, lasting_home};
use crate::session::{self, Request};
use crate::store::unresolved::{Filling, Line};
use crate::supervisor::Init;

pub(in crate::cli) use crate::cli::run::managed::refused;

/// `caponier run [OPTIONS] -- CMD [ARG…]`.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// A profile's name, or a file [default: chosen by the command's runtime, and said]
    #[arg(long, value_name = "NAME|FILE")]
    profile: Option<String>,
    /// The server's name in the log [default: derived from the command]
    #[arg(long, value_name = "NAME", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    name: Option<String>,
    /// Which environment's files are meant: dev or prod [default: prod]
    #[arg(long, value_name = "ENV", value_parser = environment)]
    env: Option<Environment>,
    /// What ${workspace} stands for [default: the current folder]
    #[arg(long, value_name = "DIR")]
    workspace: Option<PathBuf>,
    /// Grant reading this path too (repeatable)
    #[arg(long, value_name = "PATH")]
    read: Vec<PathBuf>,
    /// Grant writing this path too (repeatable)
    #[arg(long, value_name = "PATH")]
    write: Vec<PathBuf>,
    /// Grant executing this program too (repeatable)
    #[arg(long, value_name = "PATH")]
    exec: Vec<PathBuf>,
    /// Grant connecting to this host too (repeatable)
    #[arg(long, value_name = "HOST:PORT")]
    host: Vec<String>,
    /// Refuse only what is never granted, record what the profile would have said; needs --env dev
    #[arg(long)]
    observe: bool,
    /// Pass this environment variable on; its value is a secret (repeatable)
    #[arg(long, value_name = "NAME")]
    pass_env: Vec<OsString>,
    /// Start npx or uvx itself, with a shell and a cache that it executes from; not with --env prod
    #[arg(long)]
    no_resolve: bool,
    /// Where the log goes [default: the audit folder of the state folder]
    #[arg(long, value_name = "DIR")]
    audit_dir: Option<PathBuf>,
    /// A folder through which `doctor --prove` has the last word in the log
    #[arg(long, value_name = "DIR", hide = true)]
    proof: Option<PathBuf>,
    /// The server's command; everything after -- is passed on byte for byte
    #[arg(last = true, required = true, value_name = "CMD")]
    command: Vec<OsString>,
}

impl RunArgs {
    /// Which files are meant: those of production, unless somebody says otherwise.
    fn environment(&self) -> Environment {
        self.env.unwrap_or(Environment::Prod)
    }
}

/// A run that cannot be: what to say, and the exit status.
pub struct Refused {
    status: u8,
    message: String,
}

impl Refused {
    pub(in crate::cli) fn new(status: u8, message: impl Into<String>, help: Option<&str>) -> Self {
        let style = Style::stderr();
        let mut text = format!("{}: {}\n", style.paint("error", 31), message.into());
        if let Some(help) = help {
            text.push_str(&format!("{}: {help}\n", style.paint("help", 36)));
        }
        Refused { status, message: text }
    }

    /// Says it.
    pub(in crate::cli) fn tell(&self) -> ExitCode {
        diagnostic::tell(&self.message);
        ExitCode::from(self.status)
    }
}

/// Runs `caponier run …`.
pub fn run(args: RunArgs) -> ExitCode {
    diagnostic::start_tracing();
    match start(args) {
        Ok(outcome) => conclude(&outcome),
        Err(refused) => refused.tell(),
    }
}

fn start(args: RunArgs) -> Result<session::Outcome, Refused> {
    let not_set_up = |error: &dyn std::error::Error| Refused::new(exit::NOT_SET_UP, error.to_string(), None);
    // It comes up while we read profiles; if anything is refused below, dropping it ends it. Before we give up our
    // capabilities: user 0 regains them by executing something, and a process that gains any cannot be looked into.
    let init = Init::spawn().map_err(|error| not_set_up(&error))?;
    let client = session::client();
    session::give_up_capabilities().map_err(|error| not_set_up(&error))?;
    let around = Surroundings::find().map_err(|error| not_there(&error))?;
    let mut filling = None;
    let request = prepare(args, &around, client, &mut filling)?;
    let outcome = session::run(init, request).map_err(|error| refused_session(&error));
    drop(filling);
    outcome
}

fn not_there(error: &surroundings::Error) -> Refused {
    Refused::new(exit::CONFIGURATION, escape(&error.to_string()), Some(error.help()))
}

/// `filling` is to be held as long as the session runs.
fn prepare(
    args: RunArgs,
    around: &Surroundings,
    client: Option<String>,
    filling: &mut Option<Filling>,
) -> Result<Request, Refused> {
    let managed = if args.no_resolve { None } else { uv::managed(&args, around)? };
    let (args, around) = managed::elsewhere(managed.as_ref(), args, around);
    let around = &*around;
    let workspace = around.workspace(args.workspace.as_deref()).map_err(|error| not_there(&error))?;
    let words = managed.as_ref().map_or(&args.command, |managed| &managed.words);
    let mut command = resolve(&args, around, words, managed.as_ref(), None)?;
    let line = unresolved::line(&args, &mut command)?;
    let by_itself = || match (&managed, line.as_ref().and_then(Line::server)) {
        (Some(managed), _) => managed.name.clone(),
        (None, Some(package)) => package.to_owned(),
        (None, None) => server_name(words),
    };
    let server = args.name.clone().unwrap_or_else(by_itself);
    let id = audit::session_id().map_err(|error| {
        Refused::new(exit::NOT_SET_UP, format!("no random number for the session's id: {error}"), None)
    })?;
    let tmp = around.directories.tmp().join(&id);
    let entry = command.script.as_ref().map_or(&command.target, |script| &script.target);
    let entry = line.as_ref().map_or_else(|| entry.clone(), Line::package);
    let lasting = lasting_home(&around.directories.homes(), &server, &entry);
    let asked = line.as_ref().map_or_else(|| command.identity(&around.cwd), Line::asked);
    let cache = lasting_cache(&around.directories.caches(), &server, &asked);
    let session = context::Session {
        session_home: tmp.join("home"),
        private_home: lasting.clone(),
        cache: cache.clone(),
        tmp,
    };
    let context =
        around.context(args.workspace.as_deref(), Some(&command), Some(session), args.audit_dir.as_deref());
    let profile = profile_name(&args, &server, &command, &context, line.as_ref());
    let launcher = line.as_ref().map(|line| line.registry);
    let Resolved { policy, warnings, repository, lock, taken, .. } =
        policy(&args, launcher, &profile, &context, &[])?;
    unresolved::refuse_unasked(&policy, line.as_ref())?;
    // Before the warnings, of which one says the same. Below it is asked again, of the command as it is then.
    refuse_shell(&command, &policy)?;
    for warning in warnings.iter().filter(|warning| !unresolved::is_told(warning, line.as_ref())) {
        diagnostic::tell(&diagnostic::warning(warning, Style::stderr()));
    }
    if let Some(Repository { file, approved, .. }) = &repository {
        let how = if *approved { "was approved, and decides" } else { "narrows it" };
        diagnostic::note(&format!("{} {how}", escape(&file.to_string_lossy())));
    }
    let (mut policy, observe) = match args.observe {
        true => observed::plan(&args, launcher, &profile, &context, policy)?,
        false => (policy, None),
    };
    if let Some(path) = policy.process.env.set.get("PATH") {
        // The profile gives the server another PATH: what `env` finds on it has to be granted, not what we find.
        let launched = command.launched;
        let found = resolve(&args, around, words, managed.as_ref(), Some(path.into()))?;
        command = Command { launched, ..found };
    }
    refuse_shell(&command, &policy)?;
    let home = (policy.process.home == Home::Private).then_some(lasting);
    let mut folders = Folders::make(&around.directories.tmp(), &id, home.as_deref())
        .map_err(|error| Refused::new(exit::NOT_SET_UP, error.to_string(), Some(OWN_FOLDERS)))?;
    if policy.process.nested_seccomp
        && let Err(error) = folders.shorten(&around.directories.runtime)
    {
        diagnostic::note(&format!("TMPDIR keeps its long name: {error}"));
    }
    let mut environment = server_environment(&args, &command, &policy, &folders)?;
    let written = policy.process.execute_writable.iter().map(|grant| grant.path.as_path());
    let cache = (!policy.process.execute_writable.is_empty()).then_some(cache);
    if let Some(cache) = &cache {
        cache::make(cache, written)
            .map_err(|error| Refused::new(exit::NOT_SET_UP, error.to_string(), None))?;
    }
    if let (Some(line), Some(cache)) = (&line, &cache) {
        let told;
        (told, *filling) = unresolved::provide(&args, around, line, cache, folders.tmp())?;
        unresolved::widen(&mut policy, &told)?;
        environment.add(&told.variables, &[]);
    }
    Ok(Request {
        context: explanations(around, &policy, taken, args.audit_dir.as_deref()),
        epilogue: args.proof.clone().map(|dir| verdict::epilogue(dir, id.clone())),
        flags: added(&args),
        locked: lock.is_some(),
        repository,
        workspace,
        audit_dir: args.audit_dir.map_or_else(|| around.directories.audit(), |dir| around.cwd.join(dir)),
        state_dir: around.directories.state.clone(),
        runtime_dir: around.directories.runtime.clone(),
        cwd: around.cwd.clone(),
        home: around.home.clone(),
        session: id,
        observe,
        policy,
        command,
        environment,
        folders,
        cache,
        server,
        client,
        package: managed.and_then(|managed| managed.held),
    })
}

fn resolve(
    args: &RunArgs,
    around: &Surroundings,
    words: &[OsString],
    managed: Option<&Managed>,
    path: Option<OsString>,
) -> Result<Command, Refused> {
    let mut command = around
        .command(words, path)
        .map_err(|error| Refused::new(error.exit_code(), error.to_string(), Some(&error.help())))?;
    if let Some(launcher) = &command.launcher
        && !args.no_resolve
    {
        let message = format!("{} cannot be run in a pen: {}", launcher.name(), launcher.why_not());
        return Err(Refused::new(exit::NOT_EXECUTABLE, message, Some(launcher.help())));
    }
    if let Some(managed) = managed {
        (command.venv, command.project) = (managed.venv.clone(), managed.project.clone());
    }
    Ok(command)
}

/// The profile that was asked for; else the shipped one that was made for the package; else the one of the command's
/// runtime. What was chosen is said, and how to come to a better one.
fn profile_name(
    args: &RunArgs,
    server: &str,
    command: &Command,
    context: &context::Context,
    line: Option<&Line>,
) -> String {
    if let Some(name) = &args.profile {
        return name.clone();
    }
    let (name, why) = match (line, packages::of_command(context)) {
        (Some(line), _) => unresolved::profile(line),
        (None, Some(known)) => (known.profile, format!("the one that was made for {}", known.package)),
        (None, None) => (
            profile_by_runtime(command),
            "it grants what such a program needs to start, and none of your folders".to_owned(),
        ),
    };
    // What a launcher does is not what a profile is learned from.
    let better = match line {
        Some(_) => String::new(),
        None => format!(
            "; for one made to measure, run it once with --env dev --observe, then: caponier learn --server {}",
            escape(server)
        ),
    };
    diagnostic::note(&format!("no --profile was given: the profile \"{name}\" is used, {why}{better}"));
    name.to_owned()
}

/// The profile with what the flags add, and with `written` as if by `--write`.
fn policy(
    args: &RunArgs,
    launcher: Option<Registry>,
    name: &str,
    context: &context::Context,
    written: &[PathBuf],
) -> Result<Resolved, Refused> {
    let pass_env = args.pass_env.iter().map(|name| name.to_string_lossy().into_owned()).collect();
    let write = args.write.iter().chain(written).cloned().collect();
    let flags = Flags {
        read: args.read.clone(),
        write,
        execute: args.exec.clone(),
        host: args.host.clone(),
        launcher,
        pass_env,
    };
    let request = profile::Request { profile: name.to_owned(), environment: args.environment(), flags };
    let resolved = profile::resolve(&request, context).map_err(|problems| wrong(&problems))?;
    lock::refuse(&request, &resolved).map_err(|problems| wrong(&Problems(problems)))?;
    Ok(resolved)
}

pub(in crate::cli) fn wrong(problems: &Problems) -> Refused {
    Refused { status: exit::CONFIGURATION, message: diagnostic::problems(problems, Style::stderr()) }
}

/// What the command line adds to the profile: the log has to tell, or nobody could judge again what was judged.
fn added(args: &RunArgs) -> Vec<OsString> {
    let paths = [("--read", &args.read), ("--write", &args.write), ("--exec", &args.exec)];
    let paths = paths.into_iter().flat_map(|(flag, paths)| {
        paths.iter().flat_map(move |path| [OsString::from(flag), path.clone().into_os_string()])
    });
    let hosts = args.host.iter().flat_map(|host| [OsString::from("--host"), host.into()]);
    let names = args.pass_env.iter().flat_map(|name| [OsString::from("--pass-env"), name.clone()]);
    // Last, for it alone has no value.
    let alone = args.no_resolve.then(|| OsString::from("--no-resolve"));
    paths.chain(hosts).chain(names).chain(alone).collect()
}

/// The profile of a command for which none was named: what its runtime needs to start.
pub(in crate::cli) fn profile_by_runtime(command: &Command) -> &'static str {
    let runs = |start: &str| {
        std::iter::once(&command.target)
            .chain(command.interpreters.iter().map(|interpreter| &interpreter.target))
            .filter_map(|path| path.file_name()?.to_str())
            .any(|name| name == start || name.strip_prefix(start).is_some_and(is_version))
    };
    if runs("node") {
        "runtime/node"
    } else if runs("python") {
        "runtime/python"
    } else {
        "base"
    }
}

fn is_version(rest: &str) -> bool {
    rest.starts_with(|c: char| c.is_ascii_digit())
}

/// `exec.shell`: a shell is a program only where the profile, or a flag, names it.
fn refuse_shell(command: &Command, policy: &Policy) -> Result<(), Refused> {
    if !command.shell {
        return Ok(());
    }
    let inode = |path: &Path| {
        use std::os::unix::fs::MetadataExt;
        path.metadata().ok().map(|metadata| (metadata.dev(), metadata.ino()))
    };
    let named = policy
        .process
        .execute
        .iter()
        .any(|grant| grant.origin != Origin::caponier() && inode(&grant.path) == inode(&command.target));
    if named {
        return Ok(());
    }
    let shown = escape(&command.path.to_string_lossy()).into_owned();
    let message = format!("{shown} is a shell: it would run anything that its arguments say");
    let help =
        "name the server's own program after --; a profile that needs a shell names it in process.execute";
    Err(Refused::new(exit::NOT_EXECUTABLE, message, Some(help)))
}

fn server_environment(
    args: &RunArgs,
    command: &Command,
    policy: &Policy,
    folders: &Folders,
) -> Result<variables::Environment, Refused> {
    let fixed = variables::Fixed {
        home: folders.home().to_owned(),
        lasting: policy.process.home == Home::Private,
        tmpdir: folders.tmpdir().to_owned(),
        path_first: command.path_first.clone(),
        venv: command.venv.clone(),
    };
    let compiled = variables::compile(std::env::vars_os(), &policy.process.env, &args.pass_env, &fixed)
        .map_err(|error| Refused::new(exit::CONFIGURATION, error.to_string(), Some(&error.help())))?;
    if !compiled.credential_like.is_empty() {
        let names: Vec<String> =
            compiled.credential_like.iter().map(|name| escape(name).into_owned()).collect();
        diagnostic::note(&format!(
            "not passed on to the server: {} (--pass-env NAME passes one on)",
            names.join(", ")
        ));
    }
    if !compiled.missing.is_empty() {
        let names: Vec<String> = compiled.missing.iter().map(|name| escape(name).into_owned()).collect();
        diagnostic::note(&format!("to be passed on, but not set: {}", names.join(", ")));
    }
    Ok(compiled)
}

/// What denials are explained with.
pub(in crate::cli) fn explanations(
    around: &Surroundings,
    policy: &Policy,
    mut taken: Vec<Taken>,
    audit_dir: Option<&Path>,
) -> notify::Context {
    let own = "it is one of caponier's own folders";
    let directories = &around.directories;
    let mut never: Vec<(PathBuf, String)> =
        [&directories.config, &directories.state, &directories.data, &directories.runtime]
            .into_iter()
            .map(|folder| (folder.clone(), own.to_owned()))
            .collect();
    if let Some(dir) = audit_dir {
        never.push((around.cwd.join(dir), "the log is there".to_owned()));
    }
    for home in around.homes() {
        let secret = |name: &&str| (home.join(name), "it holds secrets that open other doors".to_owned());
        never.extend(SECRET_STORES.iter().map(secret));
        let client = |name: &&str| (home.join(name), "it decides which servers a client starts".to_owned());
        never.extend(CLIENT_FILES.iter().map(client));
    }
    // What is refused has its real path.
    for taken in &mut taken {
        taken.grant.path = profile::real(&taken.grant.path).unwrap_or_else(|_| taken.grant.path.clone());
    }
    let unprotected = policy.filesystem.unprotected.clone();
    notify::Context { never, unprotected, taken, no_network: policy.network.why_none() }
}

pub(in crate::cli) fn refused_session(error: &session::Error) -> Refused {
    let help = match error {
        session::Error::Unmet(_) => Some(
            "a newer kernel, or Landlock switched on at boot (lsm=landlock,…), is needed; nothing was started",
        ),
        session::Error::Pins(_) => {
            let help = "look into it; `caponier server approve --forget NAME` has the server seen as for the first time";
            return Refused::new(exit::CONFIGURATION, error.to_string(), Some(help));
        }
        session::Error::Log(_) => Some("nothing runs without a log; --audit-dir puts it elsewhere"),
        _ => None,
    };
    Refused::new(exit::NOT_SET_UP, error.to_string(), help)
}

pub(in crate::cli) fn conclude(outcome: &session::Outcome) -> ExitCode {
    if let Some((step, errno)) = outcome.failed {
        let name = crate::sys::errno::name(errno);
        let message = format!("could not {}: {name}; the server did not run", step.doing());
        let refused = Refused::new(exit::of_launch(step, errno), message, exit::help(step, errno));
        return refused.tell();
    }
    match (outcome.cause, outcome.status) {
        (Cause::Timeout, _) => ExitCode::from(exit::TIMED_OUT),
        (_, Some(status)) => ExitCode::from(exit::of_status(status)),
        (_, None) => ExitCode::from(exit::NOT_SET_UP),
    }
}
