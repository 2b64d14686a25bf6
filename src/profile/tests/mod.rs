//! Whole profiles, resolved against a home and a workspace of their own.

mod composition;
mod difference;
mod grants;
mod json_schema;
mod pages;
mod refused;
mod reports;
mod repository;
mod runtimes;
mod shipped;
mod tools;
mod written;

use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use crate::policy::Environment;
use crate::policy::directories::Directories;
use crate::policy::grant::Grant;
use crate::profile::context::{Command, Context, Session};
use crate::profile::problem::Problems;
use crate::profile::{Flags, Request, Resolved, place, resolve};

/// A user with a home, a workspace and profiles of their own.
struct User {
    _root: tempfile::TempDir,
    root: PathBuf,
    context: Context,
    flags: Flags,
    environment: Environment,
}

impl User {
    fn new() -> Self {
        let temporary = tempfile::tempdir().unwrap();
        let root = place::follow(temporary.path()).unwrap().path;
        for folder in ["home", "work", "bin", "config/profiles", "state/audit", "data/tmp/s", "run"] {
            std::fs::create_dir_all(root.join(folder)).unwrap();
        }
        let at = |path: &str| root.join(path);
        let context = Context {
            cwd: at("work"),
            workspace: None,
            home: at("home"),
            other_homes: Vec::new(),
            cache: at("home/.cache"),
            path: at("bin").into_os_string(),
            program: at("caponier"),
            directories: Directories {
                config: at("config"),
                state: at("state"),
                data: at("data"),
                runtime: at("run"),
            },
            audit_dir: None,
            command: None,
            session: Some(Session {
                tmp: at("data/tmp/s"),
                session_home: at("data/tmp/s/home"),
                private_home: at("data/homes/x"),
                cache: at("data/caches/x"),
            }),
        };
        User { _root: temporary, root, context, flags: Flags::default(), environment: Environment::Prod }
    }

    fn at(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }

    fn dir(&self, path: &str) -> PathBuf {
        std::fs::create_dir_all(self.at(path)).unwrap();
        self.at(path)
    }

    fn file(&self, path: &str, text: &str) -> PathBuf {
        std::fs::create_dir_all(self.at(path).parent().unwrap()).unwrap();
        std::fs::write(self.at(path), text).unwrap();
        self.at(path)
    }

    fn program(&self, path: &str, text: &str) -> PathBuf {
        let path = self.file(path, text);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    fn link(&self, target: impl AsRef<Path>, path: &str) -> PathBuf {
        std::fs::create_dir_all(self.at(path).parent().unwrap()).unwrap();
        std::os::unix::fs::symlink(target, self.at(path)).unwrap();
        self.at(path)
    }

    /// A profile in the user's folder; `version` is added. `$ROOT` stands for the root of everything.
    fn profile(&self, name: &str, body: &str) {
        let body = body.replace("$ROOT", self.root.to_str().unwrap());
        self.file(&format!("config/profiles/{name}.toml"), &format!("version = 1\n{body}"));
    }

    fn command(&mut self, words: &[&str], interpreters: &[&str]) {
        let words: Vec<String> =
            words.iter().map(|word| word.replace("$ROOT", self.root.to_str().unwrap())).collect();
        self.context.command = Some(Command {
            exe: PathBuf::from(&words[0]),
            argv: words.iter().map(OsString::from).collect(),
            interpreters: interpreters.iter().map(|path| self.at(path)).collect(),
            loaders: Vec::new(),
            script: None,
            launched: 0,
            project: None,
        });
    }

    fn resolve(&self, profile: &str) -> Result<Resolved, Problems> {
        let request =
            Request { profile: profile.into(), environment: self.environment, flags: self.flags.clone() };
        resolve(&request, &self.context)
    }

    /// Resolves a profile of that body.
    fn of(&self, body: &str) -> Result<Resolved, Problems> {
        self.profile("p", body);
        self.resolve("p")
    }

    /// What is wrong with a profile of that body: `LINE:COLUMN: message | help`, one line each.
    fn wrong(&self, body: &str) -> String {
        self.report(&self.of(body).unwrap_err())
    }

    fn report(&self, problems: &Problems) -> String {
        let lines = problems.0.iter().map(|problem| {
            let help = problem.help.as_deref().map_or(String::new(), |help| format!(" | {help}"));
            let origin = problem.origin.to_string().replace("$ROOT/config/profiles/p.toml:", "");
            format!("{origin}: {}{help}", problem.message)
        });
        let text = lines.collect::<Vec<_>>().join("\n");
        text.replace(self.root.to_str().unwrap(), "$ROOT").replace("$ROOT/config/profiles/p.toml:", "")
    }

    /// Paths of grants, below the root where they are.
    fn paths(&self, grants: &[Grant]) -> Vec<String> {
        grants
            .iter()
            .map(|grant| grant.path.to_str().unwrap().replace(self.root.to_str().unwrap(), "$ROOT"))
            .collect()
    }
}
