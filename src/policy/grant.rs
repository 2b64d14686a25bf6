//! A grant: one path, one kind of access, and the line that gave it.

use std::fmt;
use std::path::PathBuf;

use serde::Serialize;

/// One line of a profile, one flag of `run`, or a rule of the program's own.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct Origin {
    /// The file, `<shipped>/NAME.toml`, `command line`, or `caponier` for what the program itself adds.
    pub file: String,
    /// 1-based; 0 where there is no line.
    pub line: u32,
    /// 1-based; 0 where there is no column.
    pub column: u32,
}

impl Origin {
    /// A flag of `run`, or an argument of the server's command.
    pub fn command_line() -> Self {
        Origin { file: "command line".into(), line: 0, column: 0 }
    }

    /// What the program adds by itself: the session's folders, the command that is run.
    pub fn caponier() -> Self {
        Origin { file: "caponier".into(), line: 0, column: 0 }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.line, self.column) {
            (0, _) => write!(f, "{}", self.file),
            (line, 0) => write!(f, "{}:{line}", self.file),
            (line, column) => write!(f, "{}:{line}:{column}", self.file),
        }
    }
}

/// A value, and the line that states it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Stated<T> {
    /// The value.
    pub value: T,
    /// The line.
    pub origin: Origin,
}

/// Access to one path.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Grant {
    /// Absolute, variables expanded, not resolved: it is opened once, when the plan is made.
    pub path: PathBuf,
    /// Why the profile gives it, in the author's words.
    pub reason: Option<String>,
    /// A missing path is left out instead of being an error.
    pub optional: bool,
    /// The line that gave it.
    pub origin: Origin,
}

/// A grant of the profile's that the workspace's own file takes away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// Of what kind.
    pub access: Access,
    /// The grant.
    pub grant: Grant,
    /// The line that takes it away.
    pub by: Origin,
}

impl Taken {
    /// Whether it would give such access: what is writable or executable is readable too.
    pub fn gives(&self, access: Access) -> bool {
        self.access == access || access == Access::Read
    }

    /// Why a line of the profile would not help.
    pub fn why(&self) -> String {
        taken_away(&self.grant.origin, &self.by)
    }
}

/// What is said of a grant that a workspace's file takes away.
pub fn taken_away(given: &Origin, by: &Origin) -> String {
    format!(
        "the profile grants it ({given}), and the workspace's own file takes it away ({by}): no line of a profile gives it back"
    )
}

/// What a grant allows. Writable is never executable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Access {
    /// Read files, list folders.
    Read,
    /// Read, and write, create, remove, truncate, rename within.
    Write,
    /// Read files and execute them.
    Execute,
}

impl Access {
    /// The key of a profile that grants it.
    pub fn key(self) -> &'static str {
        match self {
            Access::Read => "filesystem.read",
            Access::Write => "filesystem.write",
            Access::Execute => "process.execute",
        }
    }

    /// The flag of `run` that grants it.
    pub fn flag(self) -> &'static str {
        match self {
            Access::Read => "--read",
            Access::Write => "--write",
            Access::Execute => "--exec",
        }
    }
}
