//! `uv run …`, understood: a program, a module or a script, and what it is to find there.
//!
//! Three things go by that name: packages that stand on the line (`--with`), a script that names its own, and the
//! environment of a project. Which one it is depends on what lies in the folder: [`crate::store::project`] looks. Nothing is
//! guessed: an option that would change what is run is refused by its name. Rests on the help of `uv run` and on "Running
//! scripts" and "Projects" of uv's documentation.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use crate::profile::packages::Registry;
use crate::store::asked::{Error, check_python, moved};
use crate::store::package::{self, Index, Package, Requirement, Wanted, Wish};
use crate::store::python::normal;
use crate::store::uv_options;

const LAUNCHER: &str = "uv run";

/// What `uv run` was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UvRun {
    /// `--directory`: where it starts.
    pub(crate) directory: Option<PathBuf>,
    /// `--project`: where the project is looked for.
    pub(crate) project: Option<PathBuf>,
    /// `--with`: packages that are to be there.
    pub(crate) with: Vec<Requirement>,
    /// `--python`: the version of the interpreter.
    pub(crate) python: Option<String>,
    /// Another index than the configured one.
    pub(crate) index: Option<Index>,
    /// `--isolated`: no environment that lies there.
    pub(crate) isolated: bool,
    /// `--no-project`: no project that lies there.
    pub(crate) no_project: bool,
    /// Options that say what is to be in a project's environment, as given.
    pub(crate) synced: Vec<String>,
    /// Options that look for newer packages, as given.
    pub(crate) anew: Vec<String>,
    /// The first option that says where packages come from, and what to do in its place.
    pub(crate) fetching: Option<(String, &'static str)>,
    /// What is run.
    pub(crate) target: Target,
    /// What it is called with.
    pub(crate) arguments: Vec<OsString>,
}

/// What is run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Target {
    /// `python`, `python3.12`: the environment's own.
    Python(String),
    /// `--module`: one of its modules.
    Module(OsString),
    /// A file that Python runs.
    File(PathBuf),
    /// A program of one of its packages.
    Program(String),
}

/// What becomes of an option.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    Directory,
    Project,
    With,
    Python,
    Index,
    Isolated,
    NoProject,
    Module,
    Script,
    /// Nothing here changes an environment, so that what says how is done already.
    Ignored,
    /// What is to be in a project's environment: said, as nobody sees to it.
    Synced,
    Anew,
    /// Where packages come from: of no account where none is fetched, and refused otherwise.
    Fetching(&'static str),
    Refused(&'static str),
}

const CONFIGURE: &str = "write it into your own uv.toml or pip.conf, which caponier reads; one index alone may stand on the line (--index-url)";
const VERSIONS: &str = "name the versions that are meant: --with NAME==VERSION";
const PATH_PYTHON: &str = "leave it out: python3 on PATH is used, or pythonVERSION with --python VERSION";

/// An option's class, and whether its value is a word of its own.
fn class(option: &str) -> Option<(Class, bool)> {
    Some(match option {
        "--directory" => (Class::Directory, true),
        "--project" => (Class::Project, true),
        "--with" | "-w" => (Class::With, true),
        "--python" | "-p" => (Class::Python, true),
        "--index-url" | "-i" | "--default-index" => (Class::Index, true),
        "--isolated" => (Class::Isolated, false),
        "--no-project" | "--no-workspace" => (Class::NoProject, false),
        "--module" | "-m" => (Class::Module, false),
        "--script" | "-s" => (Class::Script, false),
        "--frozen" | "--locked" | "--no-sync" | "--inexact" => (Class::Ignored, false),
        "--extra"
        | "--no-extra"
        | "--group"
        | "--no-group"
        | "--only-group"
        | "--package"
        | "--no-editable-package" => (Class::Synced, true),
        "--all-extras"
        | "--dev"
        | "--no-dev"
        | "--only-dev"
        | "--all-groups"
        | "--no-default-groups"
        | "--no-editable"
        | "--exact"
        | "--all-packages" => (Class::Synced, false),
        "--extra-index-url"
        | "--index"
        | "--find-links"
        | "-f"
        | "--index-strategy"
        | "--keyring-provider"
        | "--allow-insecure-host" => (Class::Fetching(CONFIGURE), true),
        "--no-index" => (Class::Fetching(CONFIGURE), false),
        "--config-file" => {
            (Class::Fetching("the variable UV_CONFIG_FILE names the file for caponier too"), true)
        }
        "--no-config" => {
            (Class::Fetching("leave it out: your own configuration says where packages come from"), false)
        }
        "--offline" => {
            (Class::Fetching("leave it out: what is in the store is started without the network"), false)
        }
        "--resolution"
        | "--prerelease"
        | "--prerelease-package"
        | "--fork-strategy"
        | "--exclude-newer"
        | "--exclude-newer-package"
        | "--upgrade-package"
        | "-P"
        | "--upgrade-group"
        | "--refresh-package"
        | "--reinstall-package" => (Class::Fetching(VERSIONS), true),
        "--pre" => (Class::Fetching(VERSIONS), false),
        "--config-setting"
        | "-C"
        | "--config-settings-package"
        | "--no-build-isolation-package"
        | "--no-build-package"
        | "--no-binary-package"
        | "--no-sources-package" => (
            Class::Fetching("leave it out: packages are installed from wheels alone, and nothing is built"),
            true,
        ),
        "--no-binary" | "--no-build-isolation" | "--no-sources" => (
            Class::Fetching("leave it out: packages are installed from wheels alone, and nothing is built"),
            false,
        ),
        "--python-preference" | "--python-fetch" | "--python-platform" => {
            (Class::Fetching(PATH_PYTHON), true)
        }
        "--managed-python" => (Class::Fetching(PATH_PYTHON), false),
        "--with-requirements" => (Class::Refused("name the packages: --with NAME, once for each"), true),
        "--with-editable" => (
            Class::Refused(
                "install it once into an environment, and run that: `uv venv FOLDER`, `uv pip install --python \
                 FOLDER/bin/python -e DIR`, then `FOLDER/bin/NAME`",
            ),
            true,
        ),
        "--env-file" => (
            Class::Refused(
                "set the variables where the client sets them (`env`), and pass each on by its name: caponier run \
                 --pass-env NAME",
            ),
            true,
        ),
        "--active" => (
            Class::Refused(
                "leave it out: the project's own environment is used; another one's python can be named itself, \
                 FOLDER/bin/python SCRIPT.py",
            ),
            false,
        ),
        "--gui-script" => (Class::Refused("name the script alone: `uv run SCRIPT.py`"), false),
        _ if uv_options::ANEW.contains(&option) => (Class::Anew, false),
        _ if uv_options::IGNORED.contains(&option) => (Class::Ignored, false),
        _ if uv_options::IGNORED_VALUES.contains(&option) => (Class::Ignored, true),
        _ => return None,
    })
}

/// Reads a command line; `None` when it is not that of `uv run`.
///
/// # Errors
/// It is, and is not understood.
pub(crate) fn read(words: &[OsString]) -> Result<Option<UvRun>, Error> {
    let Some((first, rest)) = words.split_first() else { return Ok(None) };
    if Path::new(first).file_name() != Some(OsStr::new("uv")) {
        return Ok(None);
    }
    match uv_options::subcommand(rest) {
        Some(("run", at)) => UvRun::read(&moved(&rest[..at], &rest[at + 1..])).map(Some),
        _ => Ok(None),
    }
}

impl UvRun {
    fn read(words: &[OsString]) -> Result<UvRun, Error> {
        let launcher = LAUNCHER;
        let mut run = UvRun {
            directory: None,
            project: None,
            with: Vec::new(),
            python: None,
            index: None,
            isolated: false,
            no_project: false,
            synced: Vec::new(),
            anew: Vec::new(),
            fetching: None,
            target: Target::Python(String::new()),
            arguments: Vec::new(),
        };
        let (mut module, mut script) = (false, false);
        let mut rest = words.iter();
        let target = loop {
            let word = rest.next().ok_or(Error::Nothing { launcher })?;
            if word == "--" {
                break rest.next().ok_or(Error::Nothing { launcher })?;
            }
            if !word.as_encoded_bytes().starts_with(b"-") || word == "-" {
                break word;
            }
            let text = word.to_str().ok_or(Error::Text { launcher })?;
            let (option, joined) = match text.split_once('=') {
                Some((option, value)) if option.starts_with("--") => (option, Some(OsStr::new(value))),
                _ => (text, None),
            };
            let given = || option.to_owned();
            let (class, takes_value) = class(option)
                .filter(|(_, takes_value)| *takes_value || joined.is_none())
                .ok_or_else(|| Error::Option { launcher, option: given() })?;
            if let Class::Refused(instead) = class {
                return Err(Error::Instead { launcher, option: given(), instead });
            }
            let value = match (takes_value, joined) {
                (false, _) => OsStr::new(""),
                (true, Some(value)) => value,
                (true, None) => {
                    rest.next().ok_or_else(|| Error::Value { launcher, option: given() })?.as_os_str()
                }
            };
            match class {
                Class::Module => module = true,
                Class::Script => script = true,
                class => run.take(class, option, value)?,
            }
        };
        run.arguments = rest.cloned().collect();
        run.target = aim(target, module, script)?;
        Ok(run)
    }

    fn take(&mut self, class: Class, option: &str, value: &OsStr) -> Result<(), Error> {
        let launcher = LAUNCHER;
        let text = || value.to_str().ok_or(Error::Text { launcher });
        match class {
            Class::Directory => self.directory = Some(value.into()),
            Class::Project => self.project = Some(value.into()),
            Class::With => {
                for word in package::requirements(text()?) {
                    let requirement = package::requirement(&word);
                    self.with.push(requirement.map_err(|source| Error::Package { launcher, source })?);
                }
            }
            Class::Python => {
                check_python(launcher, text()?)?;
                self.python = Some(text()?.to_owned());
            }
            Class::Index => self.index = Some(Index(text()?.to_owned())),
            Class::Isolated => self.isolated = true,
            Class::NoProject => self.no_project = true,
            Class::Synced if value.is_empty() => self.synced.push(option.to_owned()),
            Class::Synced => self.synced.push(format!("{option} {}", value.to_string_lossy())),
            Class::Anew => self.anew.push(option.to_owned()),
            Class::Fetching(instead) => _ = self.fetching.get_or_insert((option.to_owned(), instead)),
            Class::Ignored | Class::Module | Class::Script | Class::Refused(_) => {}
        }
        Ok(())
    }

    /// What the packages on the line ask the store for: the one that the program has its name from, and the others with
    /// it. `None`: there are none.
    ///
    /// # Errors
    /// An option that would have them come from elsewhere.
    pub(crate) fn wish(&self) -> Result<Option<Wish>, Error> {
        let own = |requirement: &&Requirement| self.is_named(&requirement.name);
        let Some(main) = self.with.iter().find(own).or(self.with.first()) else { return Ok(None) };
        self.check_fetching()?;
        let mut with: Vec<String> =
            self.with.iter().filter(|other| *other != main).map(|other| other.word.clone()).collect();
        let (package, wanted) = match package::pypi(&main.word) {
            Ok((package, wanted, extras)) => {
                with.extend(extras.map(|extras| format!("{}[{extras}]", package.name)));
                (package, wanted)
            }
            // One that is not for everywhere is left to pip as it is.
            Err(_) => {
                with.push(main.word.clone());
                (of_pypi(&main.name), Wanted::Any)
            }
        };
        Ok(Some(self.with_options(Wish { with, ..Wish::of(package, wanted) })))
    }

    /// What a script asks the store for, with the packages on the line. `None`: nothing.
    ///
    /// # Errors
    /// As [`UvRun::wish`].
    pub(crate) fn wish_of_script(
        &self,
        script: &Path,
        dependencies: &[Requirement],
        requires: Option<&str>,
    ) -> Result<Option<Wish>, Error> {
        let all = || dependencies.iter().chain(&self.with);
        let Some(first) = all().next() else { return Ok(None) };
        self.check_fetching()?;
        let wish = Wish {
            with: all().map(|requirement| requirement.word.clone()).collect(),
            script: Some(script.to_owned()),
            requires: requires.map(str::to_owned),
            ..Wish::of(of_pypi(&first.name), Wanted::Any)
        };
        Ok(Some(self.with_options(wish)))
    }

    /// Whether the program has its name from this package.
    pub(crate) fn is_program_of(&self, package: &Package) -> bool {
        package.registry == Registry::PyPi && self.is_named(&package.name)
    }

    fn is_named(&self, package: &str) -> bool {
        matches!(&self.target, Target::Program(name) if normal(name) == normal(package))
    }

    fn with_options(&self, wish: Wish) -> Wish {
        Wish { python: self.python.clone(), index: self.index.clone(), ..wish }
    }

    fn check_fetching(&self) -> Result<(), Error> {
        match &self.fetching {
            Some((option, instead)) => {
                Err(Error::Instead { launcher: LAUNCHER, option: option.clone(), instead })
            }
            None => Ok(()),
        }
    }
}

fn of_pypi(name: &str) -> Package {
    Package { registry: Registry::PyPi, name: name.to_owned() }
}

/// What the first word means that is no option.
fn aim(word: &OsStr, module: bool, script: bool) -> Result<Target, Error> {
    let launcher = LAUNCHER;
    let shown = || word.to_string_lossy().into_owned();
    if module {
        return Ok(Target::Module(word.to_owned()));
    }
    if word == "-" {
        let instead = "write the script into a file, and name that";
        return Err(Error::Instead { launcher, option: shown(), instead });
    }
    if word.to_string_lossy().contains("://") {
        return Err(Error::Remote { launcher, word: shown() });
    }
    let path = Path::new(word);
    if script || path.extension().is_some_and(|ending| ending == "py" || ending == "pyc") {
        return Ok(Target::File(path.to_owned()));
    }
    let name = word.to_str().ok_or(Error::Text { launcher })?;
    if name.is_empty() {
        return Err(Error::Nothing { launcher });
    }
    if name.contains('/') || name.starts_with('.') {
        return Err(Error::Path { launcher, word: shown() });
    }
    let version =
        name.strip_prefix("python").map(|rest| rest.bytes().all(|b| b.is_ascii_digit() || b == b'.'));
    Ok(match version {
        Some(true) => Target::Python(name.to_owned()),
        _ => Target::Program(name.to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<OsString> {
        line.split(' ').map(OsString::from).collect()
    }

    fn run(line: &str) -> UvRun {
        read(&words(line)).unwrap_or_else(|error| panic!("{line}: {error}")).expect(line)
    }

    fn refused(line: &str) -> Error {
        match read(&words(line)) {
            Ok(Some(run)) => run.wish().expect_err(line),
            Ok(None) => panic!("{line}"),
            Err(error) => error,
        }
    }

    /// `TARGET | ARGUMENTS`, with what else was said.
    fn told(line: &str) -> String {
        let run = run(line);
        let mut text = match &run.target {
            Target::Python(name) => format!("the {name}"),
            Target::Module(name) => format!("-m {}", name.to_string_lossy()),
            Target::File(path) => format!("file {}", path.display()),
            Target::Program(name) => name.clone(),
        };
        for (what, path) in [("in", &run.directory), ("of", &run.project)] {
            text += &path.as_ref().map(|path| format!(" {what} {}", path.display())).unwrap_or_default();
        }
        if let Some(wish) = run.wish().unwrap() {
            text += &format!(" from {}", wish.shown());
            text += &wish.with.iter().map(|word| format!(" with {word}")).collect::<String>();
            text += &wish.python.map(|python| format!(" on {python}")).unwrap_or_default();
        }
        text += &run.synced.iter().map(|option| format!(" ({option})")).collect::<String>();
        let words: Vec<_> = run.arguments.iter().map(|word| word.to_string_lossy()).collect();
        format!("{text} | {}", words.join(" "))
    }

    #[test]
    fn what_people_have_in_their_configurations() {
        for (line, expected) in [
            ("uv run server.py", "file server.py | "),
            ("uv --directory /p run server.py --port 3", "file server.py in /p | --port 3"),
            ("/usr/bin/uv --directory=/p run weather", "weather in /p | "),
            ("uv run --directory /p weather -v", "weather in /p | -v"),
            ("uv --quiet --project /p run -m weather x", "-m weather of /p | x"),
            ("uv run --project /p -- python -m weather", "the python of /p | -m weather"),
            ("uv run python3.12 x.py", "the python3.12 | x.py"),
            ("uv run --script tool --with x", "file tool | --with x"),
            (
                "uv run -q --no-sync --frozen --extra cli --no-dev server.py",
                "file server.py (--extra cli) (--no-dev) | ",
            ),
            (
                "uv run --with mcp-server-time mcp-server-time --local-timezone UTC",
                "mcp-server-time from pypi:mcp-server-time | --local-timezone UTC",
            ),
            (
                "uv run --with mcp[cli]==2.3.0 mcp run /x.py",
                "mcp from pypi:mcp==2.3.0 with mcp[cli] | run /x.py",
            ),
            (
                "uv run --with httpx --with Mcp_Server.Git>=1,<3 --isolated -p 3.12 mcp-server-git",
                "mcp-server-git from pypi:Mcp_Server.Git >=1,<3 with httpx on 3.12 | ",
            ),
            ("uv run --with a,b[x,y] -w c python -c 1", "the python from pypi:a with b[x,y] with c | -c 1"),
            ("uv run --with=a;python_version<'4' a", "a from pypi:a with a;python_version<'4' | "),
            ("uv run --offline --index https://i.example/ server.py", "file server.py | "),
            ("uv run pythonic", "pythonic | "),
        ] {
            assert_eq!(told(line), expected, "{line}");
        }
    }

    #[test]
    fn what_is_not_uv_run() {
        for line in [
            "uv pip install x",
            "uv tool run x",
            "uvx x",
            "uv --directory run sync",
            "uv",
            "python run x",
            "uv sync run",
        ] {
            assert_eq!(read(&words(line)), Ok(None), "{line}");
        }
    }

    #[test]
    fn what_would_change_what_is_run_is_refused_by_its_name() {
        for (line, why, instead) in [
            ("uv run", "nothing to run", "server.py"),
            ("uv run --with a", "nothing to run", "server.py"),
            ("uv run --with", "--with needs a value", "leave it out"),
            ("uv run --env-file .env server.py", "--env-file", "--pass-env NAME"),
            ("uv run --with-editable . a", "--with-editable", "FOLDER/bin/NAME"),
            ("uv run --with-requirements r.txt a", "--with-requirements", "--with NAME"),
            ("uv run --active server.py", "--active", "FOLDER/bin/python"),
            ("uv run --gui-script x.pyw", "--gui-script", "SCRIPT.py"),
            ("uv run --never-heard-of server.py", "--never-heard-of", "leave it out"),
            ("uv run --isolated=yes server.py", "--isolated", "leave it out"),
            ("uv run -p pypy server.py", "--python pypy", "--python 3.12"),
            ("uv run -", "\"-\"", "into a file"),
            ("uv run https://h.example/x.py", "fetched from elsewhere", "fetch it once"),
            ("uv run ./bin/tool", "path of a program", "without uv"),
            ("uv run --with git+https://h/x x", "no package of a registry", "FOLDER/index.js"),
            ("uv run --with ./x x", "no package of a registry", "FOLDER/index.js"),
            ("uv run --with a --extra-index-url https://i/ a", "--extra-index-url", "uv.toml"),
            ("uv run --with a --find-links /w a", "--find-links", "pip.conf"),
            ("uv run --with a --offline a", "--offline", "without the network"),
            ("uv run --with a --exclude-newer 2026-01-01 a", "--exclude-newer", "NAME==VERSION"),
            ("uv run --with a --no-config a", "--no-config", "your own configuration"),
            ("uv run --with a --config-file f a", "--config-file", "UV_CONFIG_FILE"),
            ("uv run --with a --managed-python a", "--managed-python", "on PATH"),
        ] {
            let error = refused(line);
            assert!(error.to_string().contains(why), "{line}: {error}");
            assert!(error.help().contains(instead), "{line}: {}", error.help());
        }
    }

    #[test]
    fn a_script_asks_for_what_it_names() {
        let run = run("uv run --with extra==1 server.py");
        let needs = [package::requirement("mcp[cli]>=1").unwrap()];
        let wish = run.wish_of_script(Path::new("/p/server.py"), &needs, Some(">=3.11")).unwrap().unwrap();
        assert_eq!(
            (wish.owner().as_str(), wish.with.join(" ").as_str()),
            ("script:/p/server.py", "mcp[cli]>=1 extra==1")
        );
        assert_eq!((wish.package.name.as_str(), wish.requires.as_deref()), ("mcp", Some(">=3.11")));
        let nothing = UvRun { with: Vec::new(), ..run };
        assert_eq!(nothing.wish_of_script(Path::new("/p/server.py"), &[], None), Ok(None));
    }
}
