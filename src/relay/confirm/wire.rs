//! How `caponier approve` and a session speak: one line of JSON each way, over a socket in the runtime folder.
//!
//! Each session that can ask has one, `SESSION.sock`, mode 0600 in a folder of mode 0700 (unix(7)). A socket whose
//! session was killed answers nobody, and is removed by whoever finds that out.

use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Longest line either way.
pub const LONGEST: u64 = 4 << 20;
/// The ending of a socket's name.
const ENDING: &str = "sock";
/// How long either side waits for the other.
const PATIENCE: Duration = Duration::from_secs(20);

/// What is asked of a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Request {
    /// What waits?
    List,
    /// An answer.
    Answer {
        /// Which of them.
        id: String,
        /// Yes or no.
        approve: bool,
        /// Yes to the same call in the rest of the session.
        remember: bool,
    },
}

/// What a session says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// What waits.
    Pending(Vec<Pending>),
    /// The answer was taken.
    Taken,
    /// Nothing of this name waits here, or no longer.
    Unknown,
    /// Whoever asks is not answered.
    Refused(String),
}

/// A call that waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pending {
    /// What it is called.
    pub id: String,
    /// The session's name.
    pub session: String,
    /// The server's name in the log.
    pub server: String,
    /// The call's number in the session.
    pub call: u64,
    /// The tool, as the client named it.
    pub tool: String,
    /// Its arguments, one on each line, made visible.
    pub arguments: String,
    /// The rule that has it ask.
    pub rule: String,
    /// The ways in which it can be answered.
    pub channels: Vec<String>,
    /// For how long it has waited.
    pub waiting_ms: u64,
    /// For how long it will.
    pub left_ms: u64,
}

/// The socket of a session.
pub fn socket(runtime: &Path, session: &str) -> PathBuf {
    runtime.join(format!("{session}.{ENDING}"))
}

/// Every socket in the folder, by name.
///
/// # Errors
/// The folder cannot be read. That there is none means that there is no session.
pub fn sockets(runtime: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(runtime) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|ending| ending == ENDING) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// Asks one session; `None`: it is gone.
///
/// # Errors
/// It does not answer, or not in a way that can be understood.
pub fn ask(socket: &Path, request: &Request) -> io::Result<Option<Reply>> {
    let mut stream = match UnixStream::connect(socket) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            let _ = fs::remove_file(socket);
            return Ok(None);
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        stream => stream?,
    };
    patient(&stream)?;
    let mut line = serde_json::to_vec(request)?;
    line.push(b'\n');
    stream.write_all(&line)?;
    match read_line(&stream)? {
        line if line.is_empty() => Ok(None),
        line => Ok(Some(serde_json::from_str(&line)?)),
    }
}

/// Neither side waits for ever.
pub(super) fn patient(stream: &UnixStream) -> io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))
}

/// One line, as far as one goes.
pub(super) fn read_line(stream: &UnixStream) -> io::Result<String> {
    let mut line = String::new();
    BufReader::new(stream.take(LONGEST)).read_line(&mut line)?;
    Ok(line)
}
