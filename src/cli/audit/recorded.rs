//! From what a session recorded of its start to what a profile is resolved against: the same folders, the same command,
//! the same flags. What has changed since is said, never hidden.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::audit::replay::Judge;
use crate::cli::audit::overview::Overview;
use crate::cli::surroundings::Surroundings;
use crate::policy::Environment;
use crate::profile::context::{Context, Session};
use crate::profile::problem::Problems;
use crate::profile::{self, Flags, Request, Resolved};
use crate::sandbox::cache::lasting_cache;
use crate::sandbox::folders::lasting_home;
use crate::store::unresolved::Line;

/// See the module.
pub(super) struct Recorded {
    pub(super) context: Context,
    /// Folders that were the server's own.
    pub(super) own: Vec<PathBuf>,
    /// The profile, as it is found again.
    pub(super) profile: String,
    pub(super) environment: Environment,
    pub(super) flags: Flags,
    /// What could not be found again, in words.
    pub(super) notes: Vec<String>,
}

impl Recorded {
    /// `workspace` replaces the recorded one.
    pub(super) fn of(overview: &Overview, around: &Surroundings, workspace: Option<&Path>) -> Recorded {
        let mut around = around.clone();
        let mut notes = Vec::new();
        let cwd = overview.text("cwd");
        if cwd.starts_with('/') {
            around.cwd = PathBuf::from(cwd);
        }
        let words: Vec<OsString> = list(overview, "argv").into_iter().map(OsString::from).collect();
        let mut flags = flags(&list(overview, "flags"));
        let mut command = match words.as_slice() {
            [] => None,
            words => around
                .command(words, None)
                .map_err(|error| {
                    notes.push(format!(
                        "the command cannot be found any more, so its own files are not counted: {error}"
                    ));
                })
                .ok(),
        };
        let tmp = around.directories.tmp().join(overview.text("session"));
        let entry = command.as_ref().map(|command| match &command.script {
            Some(script) => script.target.clone(),
            None => command.target.clone(),
        });
        let entry = entry.unwrap_or_else(|| PathBuf::from(overview.text("exe")));
        let line = match &mut command {
            Some(command) if list(overview, "flags").last().is_some_and(|word| word == "--no-resolve") => {
                let line = command.launcher.and_then(|launcher| Line::read(launcher, &words));
                command.launched = line.as_ref().map_or(0, |line| line.launched);
                line
            }
            _ => None,
        };
        flags.launcher = line.as_ref().map(|line| line.registry);
        let entry = line.as_ref().map_or(entry, Line::package);
        let lasting = lasting_home(&around.directories.homes(), overview.text("server"), &entry);
        let asked = match (&line, &command) {
            (Some(line), _) => line.asked(),
            (None, Some(command)) => command.identity(&around.cwd),
            (None, None) => entry,
        };
        let cache = lasting_cache(&around.directories.caches(), overview.text("server"), &asked);
        let session = Session {
            session_home: tmp.join("home"),
            private_home: lasting.clone(),
            cache: cache.clone(),
            tmp: tmp.clone(),
        };
        let recorded = Some(overview.text("workspace")).filter(|text| !text.is_empty()).map(Path::new);
        let context = around.context(workspace.or(recorded), command.as_ref(), Some(session), None);
        let environment = if overview.text("env") == "dev" { Environment::Dev } else { Environment::Prod };
        Recorded {
            context,
            own: vec![tmp, lasting, cache],
            profile: profile_of(overview),
            environment,
            flags,
            notes,
        }
    }

    /// Resolves a profile as that session would have had it.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn resolve(
        &self,
        profile: &str,
        env: Environment,
        flags: &Flags,
    ) -> Result<Resolved, Problems> {
        profile::resolve(&self.request(profile, env, flags), &self.context)
    }

    pub(super) fn request(&self, profile: &str, environment: Environment, flags: &Flags) -> Request {
        Request { profile: profile.to_owned(), environment, flags: flags.clone() }
    }

    /// The judge of that session's lines.
    ///
    /// # Errors
    /// A place that paths are compared with cannot be looked at.
    pub(super) fn judge<'a>(&'a self, resolved: &'a Resolved) -> Result<Judge<'a>, profile::why::Error> {
        Judge::new(resolved, &self.context, self.own.clone())
    }
}

/// A file is named by its path, a profile of the program's or the user's folder by its name.
fn profile_of(overview: &Overview) -> String {
    let (name, file) = (overview.text("profile"), overview.text("profile_file"));
    if file.starts_with('/') { file.to_owned() } else { name.to_owned() }
}

fn list(overview: &Overview, field: &str) -> Vec<String> {
    let words = overview.start.get(field).and_then(Value::as_array);
    words.into_iter().flatten().filter_map(|word| word.as_str().map(str::to_owned)).collect()
}

fn flags(words: &[String]) -> Flags {
    let mut flags = Flags::default();
    for pair in words.chunks_exact(2) {
        match pair[0].as_str() {
            "--read" => flags.read.push(PathBuf::from(&pair[1])),
            "--write" => flags.write.push(PathBuf::from(&pair[1])),
            "--exec" => flags.execute.push(PathBuf::from(&pair[1])),
            "--host" => flags.host.push(pair[1].clone()),
            "--pass-env" => flags.pass_env.push(pair[1].clone()),
            _ => {}
        }
    }
    flags
}
