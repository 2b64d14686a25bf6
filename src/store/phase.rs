//! The install phase: a package manager in a pen of its own, started as a process of ours that runs one session.
//!
//! The process gets what it is to do on its stdin, as one line, so that no token stands on a command line or in a file;
//! stdin then stays open, for its end would end the session. What the package manager says on stderr is kept to explain
//! a failure. When we end, however, the session ends with us (`supervisor`).

use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::store::settings::Settings;

/// The hidden subcommand that runs one.
pub(crate) const SUBCOMMAND: &str = "install-phase";
/// How long it may be silent towards the user, and between two words.
const FIRST_WORD: Duration = Duration::from_secs(1);
const BETWEEN_WORDS: Duration = Duration::from_secs(10);
/// Bytes of its stderr that are kept: the end tells why.
const KEPT: usize = 16 << 10;
/// Lines of it that are shown.
const SHOWN: usize = 12;

/// What one install phase does.
#[derive(Serialize, Deserialize)]
pub(crate) struct Phase {
    /// The session's name in the log.
    pub(crate) server: String,
    /// The shipped profile that it runs under.
    pub(crate) profile: String,
    /// Its HOME, which it may write.
    pub(crate) home: PathBuf,
    /// Where it starts.
    pub(crate) cwd: PathBuf,
    /// The package manager's command line.
    pub(crate) words: Vec<String>,
    /// Hosts that it may reach.
    pub(crate) hosts: Vec<(String, u16)>,
    /// Variables.
    pub(crate) variables: Vec<(String, String)>,
    /// Variables whose values are secrets.
    pub(crate) secrets: Vec<(String, String)>,
    /// Folders that it may read.
    pub(crate) reads: Vec<PathBuf>,
    /// Where the log goes.
    pub(crate) audit_dir: PathBuf,
}

/// Why nothing was installed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The process.
    #[error("the install phase could not be run: {0}")]
    Process(#[from] io::Error),
    /// The package manager, or its pen.
    #[error("{what} could not be installed (status {status})")]
    Failed {
        /// What was to be installed.
        what: String,
        /// The exit status.
        status: i32,
        /// The end of what it said.
        said: Vec<String>,
    },
}

impl Phase {
    /// A phase in `home` under a shipped profile.
    pub(crate) fn new(
        server: &str,
        profile: &str,
        home: &Path,
        audit_dir: &Path,
        settings: &Settings,
    ) -> Phase {
        let pairs = |map: &std::collections::BTreeMap<String, String>| {
            map.iter().map(|(name, value)| (name.clone(), value.clone())).collect()
        };
        Phase {
            server: format!("{server}:install"),
            profile: profile.to_owned(),
            home: home.to_owned(),
            cwd: home.to_owned(),
            words: Vec::new(),
            hosts: settings.hosts.clone(),
            variables: pairs(&settings.variables),
            secrets: pairs(&settings.secrets),
            reads: settings.reads.clone(),
            audit_dir: audit_dir.to_owned(),
        }
    }

    /// Runs it to its end. `tell` is called after a second, and now and then, with how long it takes already.
    ///
    /// # Errors
    /// It could not be run, or did not end with status 0.
    pub(crate) fn run(&self, what: &str, settings: &Settings, tell: &dyn Fn(Duration)) -> Result<(), Error> {
        let begun = Instant::now();
        let mut child = Command::new("/proc/self/exe")
            .arg(SUBCOMMAND)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()?;
        let broken = || io::Error::from(io::ErrorKind::BrokenPipe);
        let mut stdin = child.stdin.take().ok_or_else(broken)?;
        let mut stderr = child.stderr.take().ok_or_else(broken)?;
        let mut line = serde_json::to_vec(self).map_err(io::Error::from)?;
        line.push(b'\n');
        // One that ends at once is told by its status.
        let _ = stdin.write_all(&line);
        let (done, ended) = channel();
        let reader = std::thread::Builder::new().name("install".into()).spawn(move || {
            let (mut kept, mut buffer) = (Vec::new(), [0; 4096]);
            while let Ok(read @ 1..) = stderr.read(&mut buffer) {
                kept.extend_from_slice(&buffer[..read]);
                let excess = kept.len().saturating_sub(KEPT);
                kept.drain(..excess);
            }
            let _ = done.send(());
            kept
        })?;
        let mut patience = FIRST_WORD;
        while let Err(RecvTimeoutError::Timeout) = ended.recv_timeout(patience) {
            tell(begun.elapsed());
            patience = BETWEEN_WORDS;
        }
        let status = child.wait()?;
        drop(stdin);
        if status.success() {
            return Ok(());
        }
        let kept = reader.join().unwrap_or_default();
        let said = settings.redact(&String::from_utf8_lossy(&kept));
        let lines: Vec<String> =
            said.lines().map(str::trim_end).filter(|line| !line.is_empty()).map(str::to_owned).collect();
        let said = lines[lines.len().saturating_sub(SHOWN)..].to_vec();
        Err(Error::Failed { what: what.to_owned(), status: status.code().unwrap_or(125), said })
    }
}
