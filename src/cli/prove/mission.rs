//! What the attacker is told: whom to attack, and how far the profile's limits go.
//!
//! It stands on the hidden program's command line as JSON, for a profile decides about every other way in. JSON is no
//! absolute path, so that it never becomes a grant.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// The variable that plays a credential of the user's.
pub(super) const SECRET: &str = "DOCTOR_API_TOKEN";

/// Everything that there is to attack, and [`Mission::attacks`] to do it with.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Mission {
    /// A folder that plays a user's home, outside of everything that is granted on purpose.
    pub(super) home: PathBuf,
    /// A folder that plays the workspace, and the folder on the server's command line.
    pub(super) work: PathBuf,
    /// A folder that the profile grants for reading only, and that this user could write otherwise.
    pub(super) read_only: Option<PathBuf>,
    /// The user's own secret stores. They are opened, never read.
    pub(super) stores: Vec<PathBuf>,
    /// Caponier's own folders, the one of the log among them. Nothing is left in them.
    pub(super) own: Vec<PathBuf>,
    /// A process of the user's outside of the pen.
    pub(super) victim: Victim,
    /// A port on 127.0.0.1 on which somebody listens.
    pub(super) tcp: u16,
    /// The same for UDP.
    pub(super) udp: u16,
    /// Who is asked for names: in the pen the address that caponier serves, else the doctor's own, which knows every name.
    pub(super) resolver: SocketAddr,
    /// The name of an abstract Unix socket.
    pub(super) name: String,
    /// The number of a descriptor that was left open: the secret key.
    pub(super) inherited: i32,
    /// What the profile limits.
    pub(super) limits: Bounds,
    /// Whether there is a pen around it.
    pub(super) confined: bool,
    /// The attacks, by name, in their order.
    pub(super) attacks: Vec<String>,
}

/// A process, and something in its memory.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Victim {
    pub(super) pid: u32,
    pub(super) address: u64,
    pub(super) length: usize,
}

/// Limits that can be tried in a moment.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Bounds {
    pub(super) processes: Option<u32>,
    pub(super) open_files: Option<u64>,
    pub(super) file_size: Option<u64>,
    pub(super) memory: Option<u64>,
}

impl Mission {
    /// The secret key.
    pub(super) fn key(&self) -> PathBuf {
        self.home.join(".ssh/id_ed25519")
    }

    /// A socket that plays a key agent's.
    pub(super) fn agent(&self) -> PathBuf {
        self.home.join("agent.sock")
    }

    /// A socket that plays a container engine's.
    pub(super) fn docker(&self) -> PathBuf {
        self.home.join("docker.sock")
    }
}

/// An answer that is a refusal and no errno, by its own name.
#[derive(Debug)]
pub(super) struct Answered(pub(super) &'static str);

impl fmt::Display for Answered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for Answered {}

/// What came of one attack, as whoever did it saw it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Got {
    /// It worked: what it got, in a few words.
    Did(String),
    /// The kernel, or the pen in its place, answered this errno, or a resolver this.
    Errno(String),
    /// There was nothing to get.
    Absent,
    /// It was ended by this signal.
    Killed(i32),
    /// Neither worked nor was refused in a way that we know.
    Failed(String),
}

impl Got {
    /// In a word or two.
    pub(super) fn word(&self) -> String {
        match self {
            Got::Did(_) => "worked".into(),
            Got::Errno(errno) => errno.clone(),
            Got::Absent => "not there".into(),
            Got::Killed(signal) => format!("signal {signal}"),
            Got::Failed(_) => "unclear".into(),
        }
    }

    /// In words.
    pub(super) fn sentence(&self) -> String {
        match self {
            Got::Did(what) => format!("it worked: {what}"),
            Got::Errno(errno) => format!("it was answered {errno}"),
            Got::Absent => "there was nothing to get".into(),
            Got::Killed(signal) => format!("signal {signal} ended it"),
            Got::Failed(why) => format!("unclear: {why}"),
        }
    }
}

/// One line of the attacker's.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Told {
    /// The attack.
    pub(super) attack: String,
    /// The process that did it.
    pub(super) pid: u32,
    /// What came of it.
    pub(super) got: Got,
}
