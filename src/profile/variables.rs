//! `${…}` and `~/` in paths and in `env.set`.
//!
//! One pass: what a variable expands to is never expanded again, so an argument of the command cannot smuggle one in.
//! A variable without a value is an error where the entry is not `optional`; one that is not known yet (a profile is
//! shown without its command) leaves the whole text as it was written.

use std::cell::OnceCell;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use crate::policy::Home;
use crate::profile::context::Context;
use crate::profile::runtime::{self, Language, Server};
use crate::profile::suggest;

/// Every variable, with what it stands for.
pub const VARIABLES: &[(&str, &str)] = &[
    ("workspace", "--workspace, or the folder that caponier was started in"),
    ("home", "the user's home; `~/` at the start of a path is the same"),
    ("server.args[N]", "argument N of the server itself, from 0: what follows its program or script"),
    (
        "server.dir",
        "the folder of the server's package: node_modules, the virtual environment, the script's folder",
    ),
    ("server.home", "the private HOME that the server gets"),
    ("server.cache", "the server's own cache, where `process.execute_writable` names a folder in it"),
    ("session.tmp", "the session's TMPDIR"),
    ("runtime.node", "the node that runs the server, or the first on PATH"),
    ("runtime.python", "the python that runs the server, or the first on PATH"),
    ("runtime.python.lib", "the lib folder of that python's installation"),
    ("runtime.python.venv", "the virtual environment of that python, if it has one"),
    ("runtime.uv", "the first uv on PATH"),
    ("xdg.cache", "$XDG_CACHE_HOME"),
];

/// Why a text cannot be expanded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Error {
    #[error("`${{{name}}}` is not a variable")]
    Unknown { name: String },
    #[error("`${{` without `}}`")]
    Unclosed,
    #[error("`~` stands for the home only in front of a `/`")]
    Tilde,
    #[error("`${{{name}}}` has no value: {why}")]
    Absent { name: String, why: String },
    #[error("the workspace would be {}, which is {what}", path.display())]
    Workspace { path: PathBuf, what: &'static str },
}

impl Error {
    /// What would put it right.
    pub(super) fn help(&self) -> Option<String> {
        match self {
            Error::Unknown { name } => {
                let known = VARIABLES.iter().map(|(known, _)| *known);
                Some(match suggest::nearest(name, known.clone()) {
                    Some(near) => format!("did you mean `${{{near}}}`?"),
                    None => format!("the variables are: {}", known.collect::<Vec<_>>().join(", ")),
                })
            }
            Error::Workspace { .. } => {
                Some("say which folder is meant: caponier run --workspace /path/to/project …".into())
            }
            Error::Absent { .. } => Some("if the entry may be left out, mark it `optional = true`".into()),
            Error::Unclosed | Error::Tilde => None,
        }
    }
}

/// The outcome of an expansion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Expansion {
    /// All variables had a value.
    Text(OsString),
    /// One is known only once the server runs; the text stays as written.
    Later,
}

/// The values of the variables, each looked up once.
pub(super) struct Variables<'c> {
    context: &'c Context,
    home: Home,
    server: Option<Server<'c>>,
    node: OnceCell<Option<PathBuf>>,
    python: OnceCell<Option<PathBuf>>,
}

enum Value {
    Is(OsString),
    Absent(String),
    Later,
}

impl<'c> Variables<'c> {
    /// The variables of one resolution; `home` is what the profile says of the private HOME.
    pub(super) fn new(context: &'c Context, home: Home) -> Self {
        let server = context.command.as_ref().map(|command| Server::of(command, &context.cwd));
        Variables { context, home, server, node: OnceCell::new(), python: OnceCell::new() }
    }

    /// Expands a path: `~/` at its start, and its variables.
    pub(super) fn path(&self, text: &str) -> Result<Expansion, Error> {
        match text.strip_prefix('~') {
            None => self.substitute(OsString::new(), text),
            Some(rest) if rest.is_empty() || rest.starts_with('/') => {
                self.substitute(self.context.home.clone().into_os_string(), rest)
            }
            Some(_) => Err(Error::Tilde),
        }
    }

    /// Expands a value that need not be a path: its variables only.
    pub(super) fn text(&self, text: &str) -> Result<Expansion, Error> {
        self.substitute(OsString::new(), text)
    }

    fn substitute(&self, mut expanded: OsString, mut rest: &str) -> Result<Expansion, Error> {
        let mut later = false;
        while let Some(start) = rest.find("${") {
            expanded.push(&rest[..start]);
            let end = rest[start..].find('}').ok_or(Error::Unclosed)? + start;
            let name = &rest[start + 2..end];
            match self.value(name)? {
                Value::Is(value) => expanded.push(value),
                Value::Later => later = true,
                Value::Absent(why) => return Err(Error::Absent { name: name.to_owned(), why }),
            }
            rest = &rest[end + 1..];
        }
        expanded.push(rest);
        Ok(if later { Expansion::Later } else { Expansion::Text(expanded) })
    }

    /// The server's own arguments, when there is a command.
    pub(super) fn arguments(&self) -> &'c [OsString] {
        self.server.as_ref().map_or(&[], |server| server.arguments)
    }

    /// The private HOME, when there is a session.
    pub(super) fn private_home(&self) -> Option<&'c Path> {
        let session = self.context.session.as_ref()?;
        Some(match self.home {
            Home::Session => &session.session_home,
            Home::Private => &session.private_home,
        })
    }

    fn value(&self, name: &str) -> Result<Value, Error> {
        Ok(match name {
            "workspace" => is(self.workspace()?),
            "home" => is(&self.context.home),
            "xdg.cache" => is(&self.context.cache),
            "server.dir" => match &self.server {
                None => Value::Later,
                Some(server) => {
                    known(server.folder(self.context), "the command has no script and no package")
                }
            },
            "server.home" => self.private_home().map_or(Value::Later, is),
            "server.cache" => {
                self.context.session.as_ref().map_or(Value::Later, |session| is(&session.cache))
            }
            "session.tmp" => self.context.session.as_ref().map_or(Value::Later, |session| is(&session.tmp)),
            "runtime.node" => known(self.node(), "there is no node on PATH"),
            "runtime.python" => known(self.python(), NO_PYTHON),
            "runtime.python.lib" => {
                known(self.python().and_then(|python| runtime::python_lib(&python)), NO_PYTHON)
            }
            "runtime.python.venv" => match (&self.server, self.python()) {
                (None, _) => Value::Later,
                (_, python) => known(
                    python.and_then(|python| runtime::venv(&python)),
                    "the python is not one of a virtual environment",
                ),
            },
            "runtime.uv" => known(runtime::program("uv", self.context), "there is no uv on PATH"),
            _ => return self.argument(name),
        })
    }

    fn argument(&self, name: &str) -> Result<Value, Error> {
        let index = name.strip_prefix("server.args[").and_then(|rest| rest.strip_suffix(']'));
        let Some(index) = index.and_then(|index| index.parse::<usize>().ok()) else {
            return Err(Error::Unknown { name: name.to_owned() });
        };
        Ok(match &self.server {
            None => Value::Later,
            Some(server) => match server.arguments.get(index) {
                Some(argument) => Value::Is(argument.clone()),
                None => Value::Absent(format!("the server has {} arguments", server.arguments.len())),
            },
        })
    }

    fn node(&self) -> Option<PathBuf> {
        self.node.get_or_init(|| runtime::interpreter(Language::Node, self.context)).clone()
    }

    fn python(&self) -> Option<PathBuf> {
        self.python.get_or_init(|| runtime::interpreter(Language::Python, self.context)).clone()
    }

    /// The workspace, unless nobody chose it and it would be everything: desktop clients start servers in `/`.
    pub(super) fn workspace(&self) -> Result<&'c Path, Error> {
        if let Some(chosen) = &self.context.workspace {
            return Ok(chosen);
        }
        let path = &self.context.cwd;
        let what = if path.parent().is_none() {
            "the whole file system"
        } else if self.context.homes().any(|home| home == path) {
            "a whole home"
        } else if self.context.homes().any(|home| home.starts_with(path)) {
            "above a home"
        } else {
            return Ok(path);
        };
        Err(Error::Workspace { path: path.clone(), what })
    }
}

const NO_PYTHON: &str = "there is no python on PATH (a version manager's shim is none)";

fn is(path: impl AsRef<OsStr>) -> Value {
    Value::Is(path.as_ref().to_owned())
}

fn known(path: Option<PathBuf>, why: &str) -> Value {
    path.map_or_else(|| Value::Absent(why.to_owned()), is)
}

/// A text from outside, made fit for a message.
pub(super) fn shown(text: &OsStr) -> String {
    String::from_utf8_lossy(text.as_bytes()).escape_debug().to_string()
}
