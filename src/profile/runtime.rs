//! What kind of server a command starts: its interpreter, its script, the folder of its package.
//!
//! Found by looking at files only; nothing is run. An interpreter is the one that the command names; otherwise the
//! first program of that name on PATH that is no script (the shims of version managers are scripts). Virtual
//! environments rest on `pyvenv.cfg` (docs.python.org, `venv`): their own packages lie in them, the standard library
//! in the installation that `home` names.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::Read as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use crate::profile::context::{Command, Context};
use crate::profile::place;

/// A language whose servers are scripts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Language {
    /// Node.js.
    Node,
    /// CPython.
    Python,
}

impl Language {
    /// The program's names, most wanted first.
    fn programs(self) -> &'static [&'static str] {
        match self {
            Language::Node => &["node", "nodejs"],
            Language::Python => &["python3", "python"],
        }
    }

    /// Whether `name` is this interpreter's file: `node`, `python3`, `python3.11`.
    fn names(self, name: &OsStr) -> bool {
        let Some(name) = name.to_str() else { return false };
        self.programs().iter().any(|program| {
            name.strip_prefix(program)
                .is_some_and(|rest| rest.chars().all(|c| c.is_ascii_digit() || c == '.'))
        })
    }

    /// Options that take the next word as their value; code on the command line ends the search for a script.
    fn takes_value(self, option: &str) -> bool {
        match self {
            Language::Node => matches!(
                option,
                "-r" | "--require"
                    | "--import"
                    | "--loader"
                    | "--experimental-loader"
                    | "-C"
                    | "--conditions"
            ),
            Language::Python => matches!(option, "-W" | "-X" | "--check-hash-based-pycs"),
        }
    }

    fn takes_code(self, option: &str) -> bool {
        match self {
            Language::Node => matches!(option, "-e" | "--eval" | "-p" | "--print" | "-pe"),
            Language::Python => matches!(option, "-c" | "-m"),
        }
    }
}

/// A command, looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Server<'c> {
    /// The interpreter's language; `None` for a program of its own.
    language: Option<Language>,
    /// The interpreter as found, when there is one.
    interpreter: Option<&'c Path>,
    /// The script's real path, when there is one.
    script: Option<PathBuf>,
    /// The module after `-m`, when there is one.
    module: Option<&'c str>,
    /// The server's own arguments: what stands after the program, and after the script.
    pub arguments: &'c [OsString],
}

impl<'c> Server<'c> {
    /// Looks at a command.
    pub(super) fn of(command: &'c Command, cwd: &Path) -> Self {
        let words = command.argv.get(1 + command.launched..).unwrap_or_default();
        let real =
            |path: &Path| place::follow(path).map_or_else(|_| path.to_owned(), |followed| followed.path);
        if let Some(interpreter) = command.interpreters.last() {
            let language = language(interpreter);
            let script = Some(real(&command.exe));
            return Server {
                language,
                interpreter: Some(interpreter),
                script,
                module: None,
                arguments: words,
            };
        }
        let Some(language) = language(&command.exe) else {
            return Server {
                language: None,
                interpreter: None,
                script: None,
                module: None,
                arguments: words,
            };
        };
        let (script, used) = script(language, words);
        let script = script.map(|script| real(&cwd.join(script)));
        let arguments = words.get(used..).unwrap_or_default();
        let module = match (&script, words.get(..used)) {
            (None, Some([.., option, module])) if language == Language::Python && option == "-m" => {
                module.to_str()
            }
            _ => None,
        };
        Server { language: Some(language), interpreter: Some(&command.exe), script, module, arguments }
    }

    /// The folder that holds the server's package: that of the project, where the command is run in one. A script that
    /// lies directly in a home stands for itself: its folder would be the home.
    pub(super) fn folder(&self, context: &Context) -> Option<PathBuf> {
        let project = context.command.as_ref().and_then(|command| command.project.as_ref());
        if let Some(project) = project.filter(|project| self.is_of(project) && is_narrow(project, context)) {
            return Some(project.clone());
        }
        let Some(script) = &self.script else {
            return match (self.interpreter, &context.command) {
                (Some(interpreter), _) => venv(interpreter),
                (None, Some(command)) => {
                    let real = place::follow(&command.exe).ok()?.path;
                    real.parent().filter(|folder| is_narrow(folder, context)).map(Path::to_owned)
                }
                (None, None) => None,
            };
        };
        let package = match self.language {
            Some(Language::Node) => node_package(script, context),
            Some(Language::Python) => nearest(script, context, &["pyvenv.cfg"]),
            None => None,
        };
        let beside = || script.parent().filter(|folder| is_narrow(folder, context)).map(Path::to_owned);
        package.or_else(beside).or_else(|| Some(script.clone()))
    }

    /// Whether it is code of a project: its script lies there or in the environment, or it has none.
    fn is_of(&self, project: &Path) -> bool {
        let real = |path: &Path| place::follow(path).map_or_else(|_| path.to_owned(), |found| found.path);
        let venv = self.interpreter.and_then(venv);
        let own = std::iter::once(project).chain(venv.as_deref());
        self.script
            .as_ref()
            .is_none_or(|script| own.into_iter().any(|folder| script.starts_with(real(folder))))
    }

    /// The interpreter's language.
    pub(super) fn language(&self) -> Option<Language> {
        self.language
    }

    /// The script's real path.
    pub(super) fn script(&self) -> Option<&Path> {
        self.script.as_deref()
    }

    /// The module that Python runs: what stands after `-m`.
    pub(super) fn module(&self) -> Option<&'c str> {
        self.module
    }

    /// The interpreter of that language, when this command uses one.
    pub(super) fn interpreter(&self, language: Language) -> Option<&'c Path> {
        (self.language == Some(language)).then_some(self.interpreter).flatten()
    }
}

/// The interpreter of a language: the command's own, else the first on PATH.
pub(super) fn interpreter(language: Language, context: &Context) -> Option<PathBuf> {
    let server = context.command.as_ref().map(|command| Server::of(command, &context.cwd));
    if let Some(own) = server.and_then(|server| server.interpreter(language)) {
        return Some(own.to_owned());
    }
    language.programs().iter().find_map(|program| {
        candidates(program, context)
            .find(|found| !is_script(found) && self::language(found) == Some(language))
    })
}

/// The first program of that name on PATH.
pub(super) fn program(name: &str, context: &Context) -> Option<PathBuf> {
    candidates(name, context).next()
}

fn candidates(name: &str, context: &Context) -> impl Iterator<Item = PathBuf> {
    let folders: Vec<PathBuf> =
        std::env::split_paths(&context.path).filter(|folder| folder.is_absolute()).collect();
    folders.into_iter().map(move |folder| folder.join(name)).filter(|path| is_executable(path))
}

fn is_executable(path: &Path) -> bool {
    path.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

fn is_script(path: &Path) -> bool {
    let mut start = [0; 2];
    File::open(path).and_then(|mut file| file.read_exact(&mut start)).is_ok() && start == *b"#!"
}

/// The language of an interpreter, by the name of the file that it really is: a link called `node` that leads to a
/// version manager's launcher is no node.
fn language(exe: &Path) -> Option<Language> {
    let real = place::follow(exe).ok()?.path;
    let name = real.file_name()?;
    [Language::Node, Language::Python].into_iter().find(|language| language.names(name))
}

/// The script among the words after an interpreter, and how many words belong to the interpreter.
fn script(language: Language, words: &[OsString]) -> (Option<&OsStr>, usize) {
    let mut at = 0;
    while let Some(word) = words.get(at) {
        let Some(option) = word.to_str().filter(|word| word.starts_with('-') && *word != "-") else {
            return (Some(word), at + 1);
        };
        if language.takes_code(option) {
            return (None, at + 2);
        }
        if option == "--" {
            return (words.get(at + 1).map(OsString::as_os_str), at + 2);
        }
        at += if language.takes_value(option) { 2 } else { 1 };
    }
    (None, words.len())
}

/// The outermost `node_modules` above the script, for a package finds its dependencies in every one on the way up;
/// else the nearest folder that is a package of its own.
fn node_package(script: &Path, context: &Context) -> Option<PathBuf> {
    let outermost =
        script.ancestors().filter(|above| above.file_name() == Some(OsStr::new("node_modules"))).last();
    outermost.map(Path::to_owned).or_else(|| nearest(script, context, &["node_modules", "package.json"]))
}

/// The nearest folder above `script` that holds one of `marks`. A home, or anything above one, is no package.
fn nearest(script: &Path, context: &Context, marks: &[&str]) -> Option<PathBuf> {
    script
        .ancestors()
        .skip(1)
        .take_while(|folder| is_narrow(folder, context))
        .find(|folder| marks.iter().any(|mark| folder.join(mark).exists()))
        .map(Path::to_owned)
}

/// Whether granting a folder would reach neither a home nor our own folders, which nobody is granted.
fn is_narrow(folder: &Path, context: &Context) -> bool {
    let dirs = &context.directories;
    let own = [&dirs.config, &dirs.state, &dirs.data, &dirs.runtime];
    let kept = own.into_iter().chain(&context.audit_dir).map(PathBuf::as_path).chain(context.homes());
    let mut kept = kept.filter(|kept| {
        kept.starts_with(folder) || place::follow(kept).is_ok_and(|real| real.path.starts_with(folder))
    });
    folder.parent().is_some() && kept.next().is_none()
}

/// The root of the virtual environment that a Python interpreter, as found, belongs to.
pub(super) fn venv(interpreter: &Path) -> Option<PathBuf> {
    let folder = interpreter.parent()?;
    [Some(folder), folder.parent()]
        .into_iter()
        .flatten()
        .find(|root| root.join("pyvenv.cfg").is_file())
        .map(Path::to_owned)
}

/// The `lib` folder of the installation behind a Python interpreter: the standard library and libpython are in it.
pub(super) fn python_lib(interpreter: &Path) -> Option<PathBuf> {
    let bin = match venv(interpreter) {
        Some(root) => base_of(&root.join("pyvenv.cfg"))?,
        None => place::follow(interpreter).ok()?.path.parent()?.to_owned(),
    };
    let bin = place::follow(&bin).ok()?.path;
    Some(bin.parent()?.join("lib"))
}

/// The `home` of a `pyvenv.cfg`: the folder of the interpreter that it was made with.
fn base_of(config: &Path) -> Option<PathBuf> {
    const LARGEST: u64 = 64 * 1024;
    let mut text = Vec::new();
    File::open(config).ok()?.take(LARGEST).read_to_end(&mut text).ok()?;
    text.split(|byte| *byte == b'\n').find_map(|line| {
        let at = line.iter().position(|byte| *byte == b'=')?;
        let (key, value) = (line[..at].trim_ascii(), line[at + 1..].trim_ascii());
        let path = Path::new(OsStr::from_bytes(value));
        (key.eq_ignore_ascii_case(b"home") && path.is_absolute()).then(|| path.to_owned())
    })
}
