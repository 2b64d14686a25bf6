//! One run of an installed version in its pen, for what it says and does when it starts: initialize, tools/list, the end.
//!
//! It runs as the server was run last, by its log: the same arguments, profile, flags and folders. Its name in the log is
//! `NAME@DIGEST`, so that what it says of its tools is pinned apart from what the server is held to.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use crate::audit::behaviour::{Behaviour, Deed};
use crate::audit::query::filter::{Filter, Pattern};
use crate::audit::query::{self, Answer, Match, Note};
use crate::audit::session;
use crate::cli::demo::client::{Client, Error as ClientError};
use crate::cli::diagnostic::escape;
use crate::cli::surroundings::Surroundings;
use crate::relay::pinned::Store;
use crate::store::install::command_line;
use crate::store::server::{Held, Server};
use crate::store::staged::made_equal;

/// Pages of a list that are asked for.
const MOST_PAGES: usize = 100;
/// Lines of its stderr that are kept to tell why it did not answer.
const LINES: usize = 3;

/// As what it is run.
#[derive(Debug, Clone, Default)]
pub(super) struct As {
    profile: Option<String>,
    flags: Vec<OsString>,
    env: Option<String>,
    workspace: Option<PathBuf>,
    cwd: Option<PathBuf>,
    program: Option<String>,
    arguments: Vec<OsString>,
}

/// What came of it.
pub(super) struct Probed {
    /// What it did.
    pub(super) deeds: BTreeMap<Deed, u64>,
    /// Its session.
    pub(super) session: Option<String>,
    /// Why it did not answer.
    pub(super) failed: Option<String>,
}

/// The name under which a version is probed.
pub(super) fn name(server: &Server, digest: &str) -> String {
    format!("{}@{}", server.name(), digest.get(..8).unwrap_or(digest))
}

impl As {
    /// As the log says that the server was run last; `given` are arguments in the place of those.
    pub(super) fn last(
        around: &Surroundings,
        server: &Server,
        held: &Held,
        profile: Option<&str>,
        given: &[OsString],
    ) -> As {
        let last = last_start(&around.directories.audit(), server.name()).unwrap_or_default();
        let words = |key: &str| -> Vec<String> {
            let list = last.get(key).and_then(Value::as_array).into_iter().flatten();
            list.filter_map(|word| word.as_str().map(str::to_owned)).collect()
        };
        let text = |key: &str| last.get(key).and_then(Value::as_str).map(str::to_owned);
        let argv = words("argv");
        let started = argv.iter().enumerate().find_map(|(at, word)| {
            let programs = held.lock.head.programs.iter();
            let found = programs.filter(|(_, program)| word.ends_with(&format!("/tree/{}", program.file)));
            found.map(|(name, _)| (at, name.clone())).next()
        });
        let recorded = started.as_ref().map(|(at, _)| argv[at + 1..].to_vec()).unwrap_or_default();
        let file = text("profile_file").filter(|file| !file.starts_with("<shipped>"));
        As {
            profile: profile.map(str::to_owned).or(file).or_else(|| text("profile")),
            flags: words("flags").into_iter().map(OsString::from).collect(),
            env: text("env"),
            workspace: text("workspace").map(PathBuf::from).filter(|folder| folder.is_dir()),
            cwd: text("cwd").map(PathBuf::from).filter(|folder| folder.is_dir()),
            program: started.map(|(_, name)| name),
            arguments: match given.is_empty() {
                true => recorded.into_iter().map(OsString::from).collect(),
                false => given.to_vec(),
            },
        }
    }

    /// Runs one version.
    ///
    /// # Errors
    /// Nothing could be run, or the log cannot be read. That the version does not answer is no error.
    pub(super) fn run(&self, around: &Surroundings, server: &Server, held: &Held) -> Result<Probed, String> {
        let name = name(server, held.digest());
        let pins = Store::new(&around.directories.state, &name);
        // What an earlier probe saw must not hold anything back now.
        pins.forget().map_err(|error| error.to_string())?;
        let words = command_line(held, self.program.as_deref(), &self.arguments)
            .or_else(|_| command_line(held, None, &self.arguments))
            .map_err(|error| error.to_string())?;
        let mut command = tokio::process::Command::new("/proc/self/exe");
        command.args(["run", "--name", &name]);
        for (option, value) in [("--profile", &self.profile), ("--env", &self.env)] {
            if let Some(value) = value {
                command.arg(option).arg(value);
            }
        }
        if let Some(workspace) = &self.workspace {
            command.arg("--workspace").arg(workspace);
        }
        command.args(&self.flags).arg("--").args(words);
        command.current_dir(self.cwd.as_ref().unwrap_or(&around.cwd));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let talked = runtime.map_err(|error| error.to_string())?.block_on(talk(command));
        let failed = talked.err().map(|error| why(&error));
        let audit = around.directories.audit();
        let session = last_start(&audit, &name)
            .and_then(|start| start.get("session").and_then(Value::as_str).map(str::to_owned));
        let tree = held.tree.to_string_lossy().into_owned();
        let mut deeds = BTreeMap::new();
        if let Some(session) = &session {
            let files = session::find(&audit, session).map_err(|error| error.to_string())?;
            let behaviour = Behaviour::of(&audit, &files).map_err(|error| error.to_string())?;
            for (deed, times) in &behaviour.deeds {
                *deeds.entry(made_equal(deed, &tree)).or_insert(0) += times.count;
            }
        }
        Ok(Probed { deeds, session, failed })
    }
}

async fn talk(command: tokio::process::Command) -> Result<(), ClientError> {
    let mut client = Client::start(command).await?;
    let mut cursor = None;
    for _ in 0..MOST_PAGES {
        let asked = cursor.take().map_or_else(|| json!({}), |cursor: Value| json!({"cursor": cursor}));
        let heard = client.request("tools/list", asked).await?;
        match heard.answer["result"].get("nextCursor") {
            Some(next) if next.is_string() => cursor = Some(next.clone()),
            _ => break,
        }
    }
    client.close().await
}

fn why(error: &ClientError) -> String {
    match error {
        ClientError::Ended { stderr, .. } => {
            let lines: Vec<&str> = stderr.lines().filter(|line| !line.trim().is_empty()).collect();
            let last = lines[lines.len().saturating_sub(LINES)..].join("; ");
            format!("{error}: {}", escape(&last))
        }
        _ => error.to_string(),
    }
}

/// The newest `session.start` of a server.
fn last_start(dir: &Path, server: &str) -> Option<Map<String, Value>> {
    struct Last(Option<Map<String, Value>>);
    impl Answer for Last {
        fn take(&mut self, found: &Match<'_>) -> io::Result<ControlFlow<()>> {
            self.0 = Some(serde_json::from_str(found.line)?);
            Ok(ControlFlow::Continue(()))
        }
        fn note(&mut self, _: Note) -> io::Result<()> {
            Ok(())
        }
    }
    let filter = Filter {
        server: Some(Pattern::name(&globset::escape(server)).ok()?),
        event: vec![Pattern::name("session.start").ok()?],
        ..Filter::default()
    };
    let mut last = Last(None);
    query::scan(dir, &filter, &mut last).ok()?;
    last.0
}
