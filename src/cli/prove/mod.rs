//! `caponier doctor --prove`: the attacks that belong to a profile, here and now, in a real `run` under that profile as
//! it is; before that without a pen, for what does not work there proves nothing.
//!
//! The server of the run is this very program in a hidden role ([`attacker`]). The profile gets nothing that a user
//! would not give it: a folder as workspace and on the command line. The judgement goes into the log of that very
//! session, before its end. Exit status: 0; 1 where something that the profile promises is open, or unclear; as `run`
//! where the pen could not be set up; 128 + n when signal n ended it.

pub(in crate::cli) mod attacker;
mod attacks;
mod judge;
mod mission;
mod promise;
mod report;
mod stage;
pub(in crate::cli) mod verdict;

use std::ffi::OsString;
use std::fs::DirBuilder;
use std::io::{self, BufWriter, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::process::{ExitCode, ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;
use tokio::process::{Child, ChildStdin, Command};
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinHandle;

use crate::audit::query::filter::Filter;
use crate::audit::query::record::Record;
use crate::audit::query::{self, Answer, Match, Note};
use crate::cli::prove::attacker::{ATTACKER, DONE, MARK};
use crate::cli::prove::judge::Findings;
use crate::cli::prove::mission::{Got, Mission, SECRET, Told, Victim};
use crate::cli::prove::promise::Promises;
use crate::cli::prove::report::Report;
use crate::cli::prove::stage::{Noticed, Side, Stage};
use crate::cli::run::unresolved::{Unasked, unasked};
use crate::cli::surroundings::{OWN_FOLDERS, Surroundings};
use crate::cli::term::Terminal;
use crate::cli::{diagnostic, exit};
use crate::event::Proof;
use crate::policy::Environment;
use crate::profile::problem::Problems;
use crate::profile::{self, Flags, Request, why};
use crate::sandbox::command;
use crate::sys::{descriptor, hostile};

/// The profile when none is named: what every other one rests on.
pub(in crate::cli) const DEFAULT: &str = "base";
/// The server's name in the log.
const SERVER: &str = "doctor";
/// Longest that the run may take.
const PATIENCE: Duration = Duration::from_secs(600);
/// Longest that what an attacker said may be on its way when it is gone.
const ON_ITS_WAY: Duration = Duration::from_secs(10);
/// Where caponier serves names to a server.
const RESOLVER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(127, 0, 0, 53)), 53);
/// How often it is looked whether the run has come to its end.
const LOOK: Duration = Duration::from_millis(5);
/// Descriptors that attackers inherit have numbers from here on.
const INHERITED: i32 = 200;
/// Longest output of an attacker's that is kept.
const LONGEST: u64 = 1 << 20;

/// What is to be proven.
#[derive(Debug)]
pub(in crate::cli) struct Proving<'p> {
    /// A name, or a file.
    pub(in crate::cli) profile: &'p str,
    pub(in crate::cli) environment: Environment,
    pub(in crate::cli) json: bool,
}

/// Why nothing was proven.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error(transparent)]
    Around(#[from] crate::cli::surroundings::Error),
    #[error("{} could not be made: {source}", path.display())]
    Folder { path: PathBuf, source: io::Error },
    #[error("what is attacked could not be set up: {0}")]
    Stage(io::Error),
    #[error("caponier cannot start itself: {0}")]
    Program(io::Error),
    #[error(transparent)]
    Command(#[from] command::Error),
    #[error("the profile is wrong")]
    Profile(Problems),
    #[error("{}", .0.message)]
    Unasked(Unasked),
    #[error(transparent)]
    Promise(#[from] why::Error),
    #[error("the attacks without a pen ended early ({0})")]
    Bare(ExitStatus),
    #[error("the run ended before anything was tried ({status})")]
    Run { status: ExitStatus, stderr: String },
    #[error("the run did not come to an end within {} s", PATIENCE.as_secs())]
    Silent,
    #[error("the log cannot be read: {0}")]
    Log(#[from] query::Error),
    #[error("the log could not be told: {0}")]
    Tell(io::Error),
    #[error("interrupted")]
    Interrupted(i32),
}

/// Proves it.
pub(in crate::cli) fn run(proving: &Proving<'_>) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let proven = match runtime {
        Ok(runtime) => runtime.block_on(interruptible(proving)),
        Err(error) => Err(Error::Program(error)),
    };
    match proven {
        Ok(report) => {
            // Whoever stopped reading knows the exit status all the same.
            diagnostic::written(write(&report, proving.json), u8::from(!report.result.ok))
        }
        Err(error) => fail(&error),
    }
}

async fn interruptible(proving: &Proving<'_>) -> Result<Report, Error> {
    let mut interrupt = signal(SignalKind::interrupt()).map_err(Error::Program)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(Error::Program)?;
    let mut hangup = signal(SignalKind::hangup()).map_err(Error::Program)?;
    // What is dropped here ends its processes and removes its folder.
    tokio::select! {
        _ = interrupt.recv() => Err(Error::Interrupted(libc::SIGINT)),
        _ = terminate.recv() => Err(Error::Interrupted(libc::SIGTERM)),
        _ = hangup.recv() => Err(Error::Interrupted(libc::SIGHUP)),
        report = prove(proving) => report,
    }
}

async fn prove(proving: &Proving<'_>) -> Result<Report, Error> {
    let around = Surroundings::find()?;
    let program = std::env::current_exe().map_err(Error::Program)?;
    let audit = around.directories.audit();
    // As the log's own writer makes it; attacks on it need it there.
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&audit)
        .map_err(|source| Error::Folder { path: audit.clone(), source })?;
    let stage = Stage::set().map_err(Error::Stage)?;
    verdict::prepare(stage.root()).map_err(Error::Stage)?;
    let open = left_open(stage.root()).map_err(Error::Stage)?;
    let (victim, _alive) = victim(&program).await.map_err(Error::Stage)?;

    let words = [program.clone().into_os_string(), ATTACKER.into(), "attack".into(), "{}".into()];
    let words = [&words[..], &[stage.pen.work().into_os_string()]].concat();
    let command = around.command(&words, None)?;
    let context = around.context(Some(&stage.pen.work()), Some(&command), None, None);
    let request = Request {
        profile: proving.profile.to_owned(),
        environment: proving.environment,
        flags: Flags::default(),
    };
    let resolved = profile::resolve(&request, &context).map_err(Error::Profile)?;
    if let Some(unasked) = unasked(&resolved.policy, false) {
        return Err(Error::Unasked(unasked));
    }
    let promises = Promises::new(&resolved, &context)?;

    let mission = |side: &Side, confined| {
        let mission = Mission {
            home: side.home(),
            work: side.work(),
            read_only: None,
            stores: promise::stores(&around),
            own: promise::own(&around),
            victim: victim.clone(),
            tcp: side.tcp()?,
            udp: side.udp()?,
            resolver: if confined { RESOLVER } else { side.dns()?.0 },
            name: side.name.clone(),
            inherited: open.as_raw_fd(),
            limits: promises.bounds(),
            confined,
            attacks: Vec::new(),
        };
        Ok::<_, io::Error>(mission)
    };
    let mut pen = mission(&stage.pen, true).map_err(Error::Stage)?;
    let mut bare = mission(&stage.bare, false).map_err(Error::Stage)?;
    pen.read_only = promises.read_only(&pen.work)?;
    bare.read_only =
        pen.read_only.clone().map(|folder| if folder == pen.work { bare.work.clone() } else { folder });
    for attack in attacks::all() {
        if promises.applies(attack, &pen)? {
            pen.attacks.push(attack.name.to_owned());
        }
    }
    bare.attacks = pen.attacks.clone();

    let unconfined = without_pen(&program, &stage, &bare).await?;
    let mut running = in_pen(&program, &stage, &pen, proving).map_err(Error::Program)?;
    let (session, pipe) = running.come_to_its_end(stage.root()).await?;
    let stderr = running.stderr().await;
    let confined = told(&stderr);
    if confined.is_empty() {
        // The server itself did not run: that is for `run` to say.
        drop(pipe);
        let status = running.over().await?;
        return Err(Error::Run { status, stderr: running.whole_stderr().await });
    }
    let log = Log::read(&audit, &session)?;
    let records: Vec<Record<'_>> = log.records();
    let noticed = stage.pen.noticed();
    let of = |told: &'_ [Told], name: &str| told.iter().position(|told| told.attack == name);
    let mut judged = Vec::new();
    for attack in attacks::all().filter(|attack| pen.attacks.iter().any(|name| name == attack.name)) {
        let findings = Findings {
            promise: promises.of(attack, &pen)?,
            bare: of(&unconfined, attack.name).and_then(|at| unconfined.get(at)),
            pen: of(&confined, attack.name).and_then(|at| confined.get(at)),
            noticed: noticed
                .iter()
                .find(|noticed| noticed.by.first() == Some(&attack.name) && !is_owned_to(noticed, &confined))
                .map(|noticed| noticed.what.as_str()),
            log: &records,
            reads_are_recorded: promises.reads_are_recorded(),
        };
        judged.push(judge::judge(attack, &findings));
    }
    let result = judge::sum(&judged);
    let attacks = judged.iter().map(|attack| Proof::Attack(Box::new(attack.clone())));
    let found: Vec<Proof> = attacks.chain([Proof::Result(result.clone())]).collect();
    verdict::tell(pipe, &found).map_err(Error::Tell)?;
    running.over().await?;
    Ok(Report::new(log.start(), session, judged, result))
}

/// The descriptor that a careless client would leave open: a file that nobody grants.
fn left_open(root: &Path) -> io::Result<OwnedFd> {
    let path = root.join("left-open");
    std::fs::write(&path, "a secret\n")?;
    let file = std::fs::File::open(path)?;
    let open = descriptor::duplicate_above(file.as_fd(), INHERITED)?;
    descriptor::set_close_on_exec(open.as_fd(), false)?;
    Ok(open)
}

/// The process that is attacked; it ends when the second of the two is dropped.
async fn victim(program: &Path) -> io::Result<(Victim, (Child, ChildStdin))> {
    let mut child = Command::new(program)
        .args([ATTACKER, "victim"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()?;
    let broken = || io::Error::from(io::ErrorKind::BrokenPipe);
    let stdin = child.stdin.take().ok_or_else(broken)?;
    let mut line = String::new();
    BufReader::new(child.stdout.take().ok_or_else(broken)?).read_line(&mut line).await?;
    Ok((serde_json::from_str(&line)?, (child, stdin)))
}

/// The attacks without a pen: the positive control.
async fn without_pen(program: &Path, stage: &Stage, mission: &Mission) -> Result<Vec<Told>, Error> {
    // Attacks are made on what started the attacker, too; without Yama there is nothing to allow.
    let _ = hostile::allow_tracers();
    let mut command = Command::new(program);
    command
        .args(words(mission).map_err(Error::Stage)?)
        .env("TMPDIR", stage.bare.tmp())
        .env(SECRET, "planted");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
    let resolver = stage.bare.dns().and_then(|(_, listener)| TcpListener::from_std(listener));
    let knows_all = tokio::spawn(know_every_name(resolver.map_err(Error::Stage)?));
    let done = command.spawn().map_err(Error::Program)?.wait_with_output().await.map_err(Error::Program)?;
    knows_all.abort();
    if !done.status.success() {
        return Err(Error::Bare(done.status));
    }
    Ok(told(&String::from_utf8_lossy(&done.stderr)))
}

/// A resolver that tells an address (of those for documentation, RFC 5737) for whatever it is asked.
async fn know_every_name(listener: TcpListener) -> io::Result<()> {
    loop {
        let (mut asker, _) = listener.accept().await?;
        let mut query = vec![0; usize::from(asker.read_u16().await?)];
        asker.read_exact(&mut query).await?;
        let question = query.get(12..).unwrap_or_default();
        let id = query.get(..2).unwrap_or_default();
        // An answer, no error; one question, one answer: the name of the question, A, IN, a minute, four bytes.
        let head = [id, &[0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0]].concat();
        let answer = [&head[..], question, &[0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 1]].concat();
        asker.write_u16(u16::try_from(answer.len()).map_err(io::Error::other)?).await?;
        asker.write_all(&answer).await?;
    }
}

fn words(mission: &Mission) -> io::Result<[OsString; 4]> {
    let text = serde_json::to_string(mission)?;
    Ok([ATTACKER.into(), "attack".into(), text.into(), mission.work.clone().into_os_string()])
}

/// The attacks in a real `run`, the way a client would start it.
fn in_pen(program: &Path, stage: &Stage, mission: &Mission, proving: &Proving<'_>) -> io::Result<Running> {
    let mut command = Command::new(program);
    command.args([
        "run",
        "--name",
        SERVER,
        "--env",
        proving.environment.as_str(),
        "--profile",
        proving.profile,
    ]);
    command.arg("--workspace").arg(stage.pen.work()).arg("--proof").arg(stage.root());
    command.arg("--").arg(program).args(words(mission)?).env(SECRET, "planted");
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn()?;
    let broken = || io::Error::from(io::ErrorKind::BrokenPipe);
    let stdin = child.stdin.take().ok_or_else(broken)?;
    let stderr = child.stderr.take().ok_or_else(broken)?;
    let (said, heard) = tokio::sync::watch::channel(String::new());
    let reader = tokio::spawn(async move {
        let mut lines = BufReader::new(stderr.take(LONGEST));
        let mut bytes = Vec::new();
        while let Ok(1..) = lines.read_until(b'\n', &mut bytes).await {
            said.send_modify(|text| text.push_str(&String::from_utf8_lossy(&bytes)));
            bytes.clear();
        }
    });
    Ok(Running { child, _stdin: stdin, heard, _reader: reader })
}

/// A `run` under way. Its stdin stays open: the end of it would be the end of the session.
struct Running {
    child: Child,
    _stdin: ChildStdin,
    heard: tokio::sync::watch::Receiver<String>,
    _reader: JoinHandle<()>,
}

impl Running {
    /// Until nothing is left of the tree, and all denials are in the log: the session, and where it waits to be told.
    async fn come_to_its_end(&mut self, root: &Path) -> Result<(String, std::fs::File), Error> {
        let begun = tokio::time::Instant::now();
        loop {
            if let Some(opened) = verdict::open(root).map_err(Error::Tell)? {
                return Ok(opened);
            }
            if let Some(status) = self.child.try_wait().map_err(Error::Program)? {
                return Err(Error::Run { status, stderr: self.whole_stderr().await });
            }
            if begun.elapsed() > PATIENCE {
                return Err(Error::Silent);
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// What was said on its stderr. When the tree is gone all of it was passed on, and may still be on its way to us.
    async fn stderr(&mut self) -> String {
        let whole = self.heard.wait_for(|text| text.contains(DONE));
        let _ = tokio::time::timeout(ON_ITS_WAY, whole).await;
        self.heard.borrow().clone()
    }

    /// The same to its end, when `run` is over.
    async fn whole_stderr(&mut self) -> String {
        let end = async { while self.heard.changed().await.is_ok() {} };
        let _ = tokio::time::timeout(ON_ITS_WAY, end).await;
        self.heard.borrow().clone()
    }

    async fn over(&mut self) -> Result<ExitStatus, Error> {
        let ended = tokio::time::timeout(PATIENCE, self.child.wait()).await.map_err(|_| Error::Silent)?;
        ended.map_err(Error::Program)
    }
}

/// Whether one of the attacks that can have done it says that it did.
fn is_owned_to(noticed: &Noticed, told: &[Told]) -> bool {
    told.iter().any(|told| noticed.by.contains(&told.attack.as_str()) && matches!(told.got, Got::Did(_)))
}

fn told(stderr: &str) -> Vec<Told> {
    let lines = stderr.lines().filter_map(|line| line.split_once(MARK));
    lines.filter_map(|(_, told)| serde_json::from_str(told).ok()).collect()
}

/// The lines of one session.
#[derive(Debug, Default)]
struct Log(Vec<String>);

impl Log {
    fn read(dir: &Path, session: &str) -> Result<Log, query::Error> {
        let mut log = Log::default();
        query::scan(dir, &Filter { session: Some(session.to_owned()), ..Filter::default() }, &mut log)?;
        Ok(log)
    }

    fn records(&self) -> Vec<Record<'_>> {
        // The scan has parsed each of them once.
        self.0.iter().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    fn start(&self) -> serde_json::Value {
        self.0.first().and_then(|line| serde_json::from_str(line).ok()).unwrap_or_default()
    }
}

impl Answer for Log {
    fn take(&mut self, found: &Match<'_>) -> io::Result<std::ops::ControlFlow<()>> {
        self.0.push(found.line.to_owned());
        Ok(std::ops::ControlFlow::Continue(()))
    }

    fn note(&mut self, _: Note) -> io::Result<()> {
        Ok(())
    }
}

fn write(report: &Report, as_json: bool) -> io::Result<()> {
    let stdout = io::stdout();
    let terminal = Terminal::of(&stdout);
    let mut out = BufWriter::new(stdout.lock());
    match as_json {
        true => report.write_json(&mut out)?,
        false => report.write_text(terminal, &mut out)?,
    }
    out.flush()
}

fn fail(error: &Error) -> ExitCode {
    let status = match error {
        Error::Interrupted(signal) => {
            return ExitCode::from(exit::of_status(crate::event::Status::Signal(*signal)));
        }
        Error::Profile(problems) => {
            diagnostic::tell(&diagnostic::problems(problems, diagnostic::Style::stderr()));
            return ExitCode::from(exit::CONFIGURATION);
        }
        Error::Run { status, stderr } => {
            // What `run` says of a pen that cannot be set up, as it says it.
            let lines = stderr.lines().filter(|line| !line.contains(MARK));
            diagnostic::tell(
                &lines.map(|line| format!("{}\n", diagnostic::escape(line))).collect::<String>(),
            );
            status.code().and_then(|code| u8::try_from(code).ok()).filter(|code| *code != 0)
        }
        Error::Around(_) | Error::Unasked(_) => Some(exit::CONFIGURATION),
        Error::Command(error) => Some(error.exit_code()),
        _ => None,
    };
    diagnostic::tell(&format!("error: {}\n", diagnostic::escape(&error.to_string())));
    let help = match error {
        Error::Folder { .. } => Some(OWN_FOLDERS),
        Error::Unasked(Unasked { is_shipped: true, .. }) => Some(
            "it only holds beside the profile of a server that is run so: prove that one; or write the key in a profile \
             of your own, and prove it with --env dev",
        ),
        Error::Unasked(_) => Some("take the key out; or prove it with --env dev, where alone it holds"),
        _ => None,
    };
    if let Some(help) = help {
        diagnostic::tell(&format!("help: {help}\n"));
    }
    ExitCode::from(status.unwrap_or(exit::NOT_SET_UP))
}
