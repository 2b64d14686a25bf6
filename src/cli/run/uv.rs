//! `run -- uv run …`: from packages on the line, a script that names its own, or a project's environment to the words that
//! start it; uv itself is started for none of them.

use std::ffi::OsString;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::cli::diagnostic::{self, escape};
use crate::cli::exit;
use crate::cli::run::managed::{self, Managed, not_understood, provided, refused};
use crate::cli::run::name::{of_script, served, server_name};
use crate::cli::run::{Refused, RunArgs};
use crate::cli::surroundings::Surroundings;
use crate::store::install::command_line;
use crate::store::package::Wish;
use crate::store::project::{Error, Project, Said, by_python};
use crate::store::script::{self, Inline};
use crate::store::uv_run::{self, Target, UvRun};
use crate::store::{asked, python, uv_options};

/// Finds out which of the three it is; what is not `uv run` is read as another launcher's line.
pub(super) fn managed(args: &RunArgs, around: &Surroundings) -> Result<Option<Managed>, Refused> {
    let line = shebang(&args.command, &around.cwd);
    let run = uv_run::read(line.as_ref().unwrap_or(&args.command)).map_err(|error| not_understood(&error))?;
    let Some(run) = &run else { return managed::managed(args, around) };
    let cwd = match &run.directory {
        Some(directory) => Some(entered(&around.cwd.join(directory))?),
        None => None,
    };
    let here = Line { run, args, around, cwd: cwd.as_deref().unwrap_or(&around.cwd) };
    let found = here.managed()?;
    Ok(Some(Managed { cwd, ..found }))
}

/// `./server.py` whose first line is `#!/usr/bin/env -S uv run --script`: the words that `env(1)` would make of it.
fn shebang(words: &[OsString], cwd: &Path) -> Option<Vec<OsString>> {
    let script = words.first().filter(|word| word.as_encoded_bytes().contains(&b'/'))?;
    let mut start = [0; 256];
    let read = fs::File::open(cwd.join(script)).and_then(|mut file| file.read(&mut start)).ok()?;
    let line = std::str::from_utf8(start[..read].split(|byte| *byte == b'\n').next()?).ok()?;
    // With a quote or a variable in it `env` makes something else of the line.
    let mut parts =
        line.strip_prefix("#!").filter(|line| !line.contains(['\'', '"', '\\', '$']))?.split_whitespace();
    let by_env =
        Path::new(parts.next()?).ends_with("env") && parts.next()? == "-S" && parts.clone().next()? == "uv";
    by_env.then(|| parts.map(OsString::from).chain(words.iter().cloned()).collect())
}

/// A folder by the kernel's name for it, as whoever changes to it would see it.
fn entered(directory: &Path) -> Result<PathBuf, Refused> {
    let entered = directory.canonicalize().and_then(|path| match fs::metadata(&path)?.is_dir() {
        true => Ok(path),
        false => Err(std::io::ErrorKind::NotADirectory.into()),
    });
    entered.map_err(|error| {
        let message = format!("uv run: --directory {}: {error}", escape(&directory.to_string_lossy()));
        Refused::new(exit::NOT_FOUND, message, Some("name the project's folder, best by its whole path"))
    })
}

struct Line<'l> {
    run: &'l UvRun,
    args: &'l RunArgs,
    /// Where we were started.
    around: &'l Surroundings,
    /// Where it starts.
    cwd: &'l Path,
}

impl Line<'_> {
    fn managed(&self) -> Result<Managed, Refused> {
        let run = self.run;
        if let Target::File(file) = &run.target {
            let path = self.cwd.join(file);
            let inline = if path.is_file() { script::read(&path) } else { Ok(None) };
            let inline = inline.map_err(|error| {
                Refused::new(exit::NOT_EXECUTABLE, escape(&error.to_string()), Some(error.help()))
            })?;
            if let Some(inline) = inline {
                return self.of_script(&path, &inline);
            }
        }
        let environment: Vec<_> = std::env::vars_os().collect();
        let project = Project::find(run, self.cwd, &Said::new(&environment));
        if !run.with.is_empty() {
            return self.of_packages(project.as_ref());
        }
        if run.isolated {
            let instead =
                "leave it out: the environment is used as it lies there, and nothing is added to it";
            let option = "--isolated".to_owned();
            return Err(not_understood(&asked::Error::Instead { launcher: "uv run", option, instead }));
        }
        let project = project.ok_or_else(|| wrong(&Error::NoProject { from: self.cwd.to_owned() }))?;
        self.of_project(project)
    }

    /// A script with the packages that it names itself.
    fn of_script(&self, path: &Path, inline: &Inline) -> Result<Managed, Refused> {
        let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let requires = inline.requires_python.as_deref();
        let wish = self.run.wish_of_script(&path, &inline.dependencies, requires);
        if let Some(wish) = wish.map_err(|error| not_understood(&error))? {
            return self.stored(&wish);
        }
        let name = self.name(Path::new("python3"))?;
        let lookup = self.around.at(self.cwd.to_owned()).lookup();
        let python = python::interpreter(self.run.python.as_deref(), requires, &lookup)
            .map_err(|error| refused(&error.into(), &name))?;
        let words = self.by_python(Path::new(&python))?;
        Ok(Managed { words, name, held: None, cwd: None, venv: None, project: None })
    }

    /// Packages that stand on the line.
    fn of_packages(&self, project: Option<&Project>) -> Result<Managed, Refused> {
        let run = self.run;
        // What is isolated has nothing of an environment; of a project it would have everything.
        if let Some(project) = project.filter(|project| !run.isolated || project.member.is_some()) {
            let shown = escape(&project.venv.to_string_lossy()).into_owned();
            if !matches!(run.target, Target::Program(_)) {
                let message = format!("uv run: --with would add packages to those of {shown}");
                let help = "add them there, `uv add PACKAGE` (or `uv pip install PACKAGE`), and leave --with out; where \
                            the project's own packages are not needed, say --no-project --isolated";
                return Err(Refused::new(exit::NOT_EXECUTABLE, message, Some(help)));
            }
            diagnostic::note(&format!(
                "{shown} is not used: the packages on the line are run from the store"
            ));
        }
        let wish = match &run.target {
            Target::File(file) => {
                let path = self.cwd.join(file);
                let path = path.canonicalize().map_err(|_| wrong(&Error::NoScript { path }))?;
                run.wish_of_script(&path, &[], None)
            }
            _ => run.wish(),
        };
        let wish = wish.map_err(|error| not_understood(&error))?;
        // There is at least one package.
        let wish = wish.ok_or_else(|| wrong(&Error::NoProject { from: self.cwd.to_owned() }))?;
        self.stored(&wish)
    }

    /// From the store.
    fn stored(&self, wish: &Wish) -> Result<Managed, Refused> {
        let run = self.run;
        tell("packages from the store are used", run.synced.iter());
        run.anew.iter().for_each(|option| diagnostic::note(&escape(&uv_options::nothing_anew(option))));
        let served = self.served();
        let by_itself = || served.as_deref().map_or_else(|| wish.package.server().to_owned(), of_script);
        let name = match &run.target {
            Target::Program(_) => self.args.name.clone().unwrap_or_else(by_itself),
            _ => self.name(Path::new("python3"))?,
        };
        let held = provided(&name, wish, self.args, self.around)?;
        if let Some(requires) = &wish.requires {
            python::check(&held.tree, requires).map_err(|error| refused(&error.into(), &name))?;
        }
        let words = match &run.target {
            Target::Program(program) => {
                command_line(&held, Some(program), &run.arguments).map_err(|error| refused(&error, &name))?
            }
            _ => self.by_python(&held.tree.join("bin/python"))?,
        };
        let venv = Some(held.tree.clone());
        let project = served.and_then(|script| script.parent().map(Path::to_owned));
        Ok(Managed { words, name, held: Some(held), cwd: None, venv, project })
    }

    /// In the environment of a project, as it lies there.
    fn of_project(&self, project: Project) -> Result<Managed, Refused> {
        let words = project.words(self.run, self.cwd).map_err(|error| wrong(&error))?;
        tell("the environment is used as it lies there", self.run.synced.iter().chain(&self.run.anew));
        if let Some(stale) = project.stale() {
            diagnostic::note(&escape(&stale));
        }
        let by_itself = || self.served().as_deref().map_or_else(|| server_name(&words), of_script);
        let name = self.args.name.clone().unwrap_or_else(by_itself);
        let Project { root, venv, .. } = project;
        Ok(Managed { words, name, held: None, cwd: None, venv: Some(venv), project: Some(root) })
    }

    /// The script that the program starts a server from, where it is the SDK's.
    fn served(&self) -> Option<PathBuf> {
        match &self.run.target {
            Target::Program(program) => Some(self.cwd.join(served(program, &self.run.arguments)?)),
            _ => None,
        }
    }

    fn by_python(&self, python: &Path) -> Result<Vec<OsString>, Refused> {
        let mut words = by_python(python, self.run, self.cwd).map_err(|error| wrong(&error))?;
        words.extend(self.run.arguments.iter().cloned());
        Ok(words)
    }

    fn name(&self, python: &Path) -> Result<String, Refused> {
        match &self.args.name {
            Some(name) => Ok(name.clone()),
            None => Ok(server_name(&self.by_python(python)?)),
        }
    }
}

/// What is asked of an environment, and is not seen to.
fn tell<'o>(how: &str, options: impl Iterator<Item = &'o String>) {
    let options: Vec<&str> = options.map(String::as_str).collect();
    if !options.is_empty() {
        let options = options.join(" ");
        diagnostic::note(&format!("{how}: {} changes nothing here (it is for `uv sync`)", escape(&options)));
    }
}

fn wrong(error: &Error) -> Refused {
    let status = match error {
        Error::Python { .. } => exit::CONFIGURATION,
        _ => exit::NOT_FOUND,
    };
    Refused::new(status, escape(&error.to_string()), Some(&escape(&error.help())))
}
