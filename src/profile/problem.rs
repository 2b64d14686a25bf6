//! What is wrong with a profile, and what is only worth a word: each with its place and, where there is one, its fix.
//!
//! Plain data: `cli::diagnostic` renders it. A problem stops everything; a warning stops nothing.

use std::fmt;

use serde::Serialize;

use crate::policy::grant::Origin;

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Problem {
    /// Where.
    pub origin: Origin,
    /// What, as one sentence without a full stop.
    pub message: String,
    /// What would put it right.
    pub help: Option<String>,
}

impl Problem {
    /// A problem at `origin`, without help yet.
    pub fn new(origin: Origin, message: impl Into<String>) -> Self {
        Problem { origin, message: message.into(), help: None }
    }

    /// The same, with help.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// Everything that is wrong, in the order of the files; never empty.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
pub struct Problems(pub Vec<Problem>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "; " };
            write!(f, "{separator}{}: {}", problem.origin, problem.message)?;
        }
        Ok(())
    }
}

impl From<Problem> for Problems {
    fn from(problem: Problem) -> Self {
        Problems(vec![problem])
    }
}

macro_rules! codes {
    ($($(#[$doc:meta])+ $name:ident = $code:literal;)+) => {
        /// The closed list of warnings. Each has a line in `docs/PROFILES.md`; a test compares the two.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Code {
            $($(#[$doc])+ $name,)+
        }

        impl Code {
            /// Every code there is.
            pub const ALL: &'static [Code] = &[$(Code::$name),+];

            /// The stable code.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Code::$name => $code,)+
                }
            }
        }
    };
}

codes! {
    /// An execute grant that is a folder: every program in it, its shells too.
    ExecuteFolder = "execute-folder";
    /// An execute grant of a shell.
    ExecuteShell = "execute-shell";
    /// A folder in which the server executes what it wrote.
    ExecuteWritable = "execute-writable";
    /// A read grant of a folder that holds much more than one server needs.
    BroadRead = "broad-read";
    /// A write grant inside the system's own folders, or in a folder that other users share.
    WriteShared = "write-shared";
    /// A client's or editor's configuration that the profile made writable.
    WritableClientConfiguration = "writable-client-configuration";
    /// Another protected name that the profile gave up.
    UnprotectedName = "unprotected-name";
    /// A grant on one file that is lost when the file is replaced.
    StaleFileGrant = "stale-file-grant";
    /// A writable file with a second name outside the grant.
    HardLinkedFile = "hard-linked-file";
    /// A grant without a reason.
    NoReason = "no-reason";
    /// The server may hide system calls from the broker.
    NestedSeccomp = "nested-seccomp";
    /// A part of the record that the profile gives up.
    AuditGap = "audit-gap";
    /// Secrets in the record.
    RecordedSecrets = "recorded-secrets";
    /// No limit on memory or processes.
    Unlimited = "unlimited";
    /// A passed variable whose name looks like a credential's.
    PassedCredential = "passed-credential";
    /// A wildcard below a domain where anybody can have a name.
    MultiTenantHost = "multi-tenant-host";
    /// A listed socket that lends another program's rights.
    ServiceSocket = "service-socket";
    /// An address to listen on that other machines can reach.
    ListenOpen = "listen-open";
    /// Reading very much, with a way out.
    BroadReadNetwork = "broad-read-network";
    /// An argument of the command that looks like a path and grants nothing.
    ArgumentNotGranted = "argument-not-granted";
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Code {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// Something that is allowed and worth knowing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Warning {
    /// Where.
    pub origin: Origin,
    /// Which kind.
    pub code: Code,
    /// What, as one sentence without a full stop.
    pub message: String,
    /// What would be better.
    pub help: Option<String>,
}

impl Warning {
    /// A warning at `origin`, without help yet.
    pub fn new(origin: Origin, code: Code, message: impl Into<String>) -> Self {
        Warning { origin, code, message: message.into(), help: None }
    }

    /// The same, with help.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}
