//! The environment of a project in Python: found where uv has it, and run as it lies there.
//!
//! The project is the nearest folder with a `pyproject.toml`, its environment the `.venv` there, or that of the workspace
//! that the project is a member of; without a project the nearest `.venv`. Nothing is made, synchronised or changed: a
//! missing environment is an error, and one that is visibly older than what the project asks for is told. Rests on
//! PEP 405, on "Projects" and "Workspaces" of uv's documentation, and on the format of `uv.lock`.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::Deserialize;

use crate::store::package;
use crate::store::python::{self, normal};
use crate::store::settings;
use crate::store::specifier::{admits, release};
use crate::store::uv_run::{Target, UvRun};

const PYPROJECT: &str = "pyproject.toml";
const LOCK: &str = "uv.lock";
const VENV: &str = ".venv";

/// Where the environment of a project is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Project {
    /// The folder that the environment belongs to: everything of the project is below it.
    pub(crate) root: PathBuf,
    /// The folder of the `pyproject.toml`, when there is one.
    pub(crate) member: Option<PathBuf>,
    /// The environment, there or not.
    pub(crate) venv: PathBuf,
}

/// What the surroundings say of environments.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Said {
    /// `UV_PROJECT_ENVIRONMENT`: where a project's is, seen from the project.
    chosen: Option<PathBuf>,
    /// `VIRTUAL_ENV`: the one that is active.
    active: Option<PathBuf>,
}

impl Said {
    /// As the variables say.
    pub(crate) fn new(environment: &[(OsString, OsString)]) -> Said {
        let value = |name: &str| {
            let found = environment.iter().find(|(own, _)| own == name);
            found.map(|(_, value)| PathBuf::from(value)).filter(|path| !path.as_os_str().is_empty())
        };
        Said {
            chosen: value("UV_PROJECT_ENVIRONMENT"),
            active: value("VIRTUAL_ENV").filter(|active| active.is_absolute()),
        }
    }
}

/// Why nothing can be run in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Error {
    /// No project and no environment.
    #[error("uv run: there is neither a pyproject.toml nor a .venv in {} or above it", from.display())]
    NoProject {
        /// Where was looked first.
        from: PathBuf,
    },
    /// No environment.
    #[error("uv run: the environment of the project in {} is not there: {}", root.display(), venv.display())]
    NoEnvironment {
        /// The project's folder.
        root: PathBuf,
        /// Where it should be.
        venv: PathBuf,
    },
    /// Another version of Python.
    #[error("uv run: --python {asked} is asked for, and {} has Python {has}", venv.display())]
    Python {
        /// On the line.
        asked: String,
        /// There.
        has: String,
        /// The environment.
        venv: PathBuf,
    },
    /// No such program.
    #[error("uv run: {} has no program {name:?}", venv.display())]
    NoProgram {
        /// The environment.
        venv: PathBuf,
        /// As given.
        name: String,
    },
    /// No such script.
    #[error("uv run: {} is not there", path.display())]
    NoScript {
        /// Where it should be.
        path: PathBuf,
    },
}

impl Error {
    /// What to do about it.
    pub(crate) fn help(&self) -> String {
        match self {
            Error::NoProject { .. } => {
                "name the project's folder: `uv --directory DIR run …`; or the packages: `uv run --with PACKAGE …`; a \
                 script that needs none is run by python3 itself"
                    .to_owned()
            }
            Error::NoEnvironment { root, .. } => format!(
                "make it once, `uv sync --directory {}`; uv would do that at every start, with the network and with \
                 what the project says by then. Nothing else is used in its place",
                root.display()
            ),
            Error::Python { asked, .. } => {
                format!("make it anew with that one, `uv sync --python {asked}`; or leave --python out")
            }
            Error::NoProgram { .. } => {
                "`uv sync` puts the programs of a project there; a program that is no package's is named without uv"
                    .to_owned()
            }
            Error::NoScript { .. } => "a relative path is looked for in --directory".to_owned(),
        }
    }
}

impl Project {
    /// Finds it, from `cwd` (which `--directory` has changed already). `None`: there is neither a project nor an
    /// environment. Without a project the active environment comes before one that lies there, as uv has it.
    pub(crate) fn find(run: &UvRun, cwd: &Path, said: &Said) -> Option<Project> {
        let start = run.project.as_ref().map_or_else(|| cwd.to_owned(), |project| cwd.join(project));
        let start = start.canonicalize().unwrap_or(start);
        let has = |file: &'static str| move |folder: &&Path| folder.join(file).is_file();
        let member = start.ancestors().find(has(PYPROJECT)).filter(|_| !run.no_project);
        let Some(member) = member else {
            if let Some(active) = said.active.as_ref().filter(|active| active.join("pyvenv.cfg").is_file()) {
                return Some(Project { root: active.clone(), member: None, venv: active.clone() });
            }
            let root = start.ancestors().find(|folder| folder.join(VENV).join("pyvenv.cfg").is_file())?;
            return Some(Project { root: root.to_owned(), member: None, venv: root.join(VENV) });
        };
        let mut above = member.ancestors().skip(1).filter(has(PYPROJECT));
        let root = above.find(|root| is_member(root, member)).unwrap_or(member);
        let venv = root.join(said.chosen.as_deref().unwrap_or(Path::new(VENV)));
        Some(Project { root: root.to_owned(), member: Some(member.to_owned()), venv })
    }

    /// The words that run something in it, `cwd` being where relative paths begin.
    ///
    /// # Errors
    /// The environment, or what is to be run, is not there.
    pub(crate) fn words(&self, run: &UvRun, cwd: &Path) -> Result<Vec<OsString>, Error> {
        let python = self.venv.join("bin/python");
        if !self.venv.join("pyvenv.cfg").is_file() || !python.exists() {
            return Err(Error::NoEnvironment { root: self.root.clone(), venv: self.venv.clone() });
        }
        if let Some(asked) = &run.python {
            let has = python::version(&self.venv).unwrap_or_default();
            let same =
                has.strip_prefix(asked.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
            if !same {
                return Err(Error::Python { asked: asked.clone(), has, venv: self.venv.clone() });
            }
        }
        let mut words = match &run.target {
            Target::Program(name) | Target::Python(name) => {
                let program = self.venv.join("bin").join(name);
                if !program.exists() {
                    return Err(Error::NoProgram { venv: self.venv.clone(), name: name.clone() });
                }
                vec![program.into_os_string()]
            }
            Target::Module(_) | Target::File(_) => by_python(&python, run, cwd)?,
        };
        words.extend(run.arguments.iter().cloned());
        Ok(words)
    }

    /// What is asked for and is not there: one line for the user, when it can be seen.
    ///
    /// Times tell whether to look at all, for a start should not read a lock: a copy or a checkout makes files newer that
    /// say the same as before, so that times alone tell nothing.
    pub(crate) fn stale(&self) -> Option<String> {
        let sites = python::site_packages(&self.venv).ok()?;
        let made = sites.iter().filter_map(|site| modified(site)).max()?;
        let member = self.member.as_ref()?;
        let (pyproject, lock) = (member.join(PYPROJECT), self.root.join(LOCK));
        if [&pyproject, &lock].into_iter().filter_map(|file| modified(file)).all(|changed| changed <= made) {
            return None;
        }
        let installed: BTreeMap<String, String> = sites.iter().flat_map(|site| installed(site)).collect();
        let why = of_pyproject(&read(&pyproject)?, &installed, &self.venv)
            .or_else(|| of_lock(&read(&lock)?, &installed))?;
        Some(format!(
            "{} is older than what the project asks for: {why}; `uv sync --directory {}` brings it up to date",
            self.venv.display(),
            self.root.display()
        ))
    }
}

/// `python FILE`, `python -m MODULE`, without the arguments; the file as it was named.
///
/// # Errors
/// There is no such file.
pub(crate) fn by_python(python: &Path, run: &UvRun, cwd: &Path) -> Result<Vec<OsString>, Error> {
    let python = python.as_os_str().to_owned();
    Ok(match &run.target {
        Target::Module(module) => vec![python, "-m".into(), module.clone()],
        Target::File(file) => {
            let path = cwd.join(file);
            match path.is_file() {
                true => vec![python, file.into()],
                false => return Err(Error::NoScript { path }),
            }
        }
        Target::Python(_) | Target::Program(_) => vec![python],
    })
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "kebab-case")]
struct Pyproject {
    project: Asked,
    tool: Tool,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "kebab-case")]
struct Asked {
    requires_python: Option<String>,
    dependencies: Vec<String>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Tool {
    uv: Uv,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Uv {
    workspace: Option<Workspace>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Workspace {
    members: Vec<String>,
    exclude: Vec<String>,
}

#[derive(Deserialize)]
struct Locked {
    #[serde(default)]
    package: Vec<LockedPackage>,
}

#[derive(Deserialize)]
struct LockedPackage {
    name: String,
    version: Option<String>,
}

/// A file of the project's; what cannot be understood says nothing here.
fn read<T: for<'de> Deserialize<'de>>(path: &Path) -> Option<T> {
    toml::from_str(&String::from_utf8(settings::read(path).ok()?).ok()?).ok()
}

/// Whether the workspace of `root` has `member` in it.
fn is_member(root: &Path, member: &Path) -> bool {
    let Some(Workspace { members, exclude }) =
        read::<Pyproject>(&root.join(PYPROJECT)).and_then(|pyproject| pyproject.tool.uv.workspace)
    else {
        return false;
    };
    let Ok(below) = member.strip_prefix(root) else { return false };
    let names = |patterns: &[String]| {
        patterns.iter().any(|pattern| {
            let pattern = pattern.trim_start_matches("./").trim_end_matches('/');
            let built = globset::GlobBuilder::new(pattern).literal_separator(true).build();
            built.is_ok_and(|glob| glob.compile_matcher().is_match(below))
        })
    };
    names(&members) && !names(&exclude)
}

fn of_pyproject(pyproject: &Pyproject, installed: &BTreeMap<String, String>, venv: &Path) -> Option<String> {
    let version = python::version(venv).and_then(|version| release(&version));
    if let (Some(asked), Some(version)) = (&pyproject.project.requires_python, version)
        && admits(asked, &version) == Some(false)
    {
        return Some(format!("it wants Python {asked}"));
    }
    pyproject.project.dependencies.iter().find_map(|dependency| {
        let requirement = package::requirement(dependency).ok()?;
        // What is for some surroundings alone may be missing in these.
        if requirement.word.contains(';') {
            return None;
        }
        let Some(there) = installed.get(&normal(&requirement.name)) else {
            return Some(format!("{} is not installed", requirement.name));
        };
        let specifiers =
            requirement.word.find(['<', '>', '=', '!', '~']).map(|at| &requirement.word[at..])?;
        let fits = admits(specifiers, &release(there)?)?;
        (!fits).then(|| format!("{} is installed as {there}", requirement.word))
    })
}

fn of_lock(lock: &Locked, installed: &BTreeMap<String, String>) -> Option<String> {
    let mut locked: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    for package in &lock.package {
        if let Some(version) = &package.version {
            locked.entry(normal(&package.name)).or_default().insert(version);
        }
    }
    installed.iter().find_map(|(name, there)| {
        let versions = locked.get(name)?;
        let listed = || versions.iter().copied().collect::<Vec<_>>().join(" or ");
        (!versions.contains(there.as_str()))
            .then(|| format!("{name} is locked as {}, installed as {there}", listed()))
    })
}

/// Names and versions, by the folders of their metadata.
fn installed(site: &Path) -> Vec<(String, String)> {
    let entries = fs::read_dir(site).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let parts = |name: String| {
        let (name, version) = name.strip_suffix(".dist-info")?.split_once('-')?;
        Some((normal(name), version.to_owned()))
    };
    names.filter_map(parts).collect()
}

fn modified(path: &Path) -> Option<SystemTime> {
    path.metadata().and_then(|metadata| metadata.modified()).ok()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::time::Duration;

    use super::*;
    use crate::store::uv_run;

    struct Ground(tempfile::TempDir);

    impl Ground {
        fn new() -> Ground {
            Ground(tempfile::tempdir().unwrap())
        }

        fn at(&self, path: &str) -> PathBuf {
            self.0.path().join(path)
        }

        fn put(&self, path: &str, text: &str) {
            fs::create_dir_all(self.at(path).parent().unwrap()).unwrap();
            fs::write(self.at(path), text).unwrap();
        }

        fn venv(&self, folder: &str) {
            self.put(&format!("{folder}/pyvenv.cfg"), "home = /usr/bin\nversion_info = 3.11.2\n");
            self.put(&format!("{folder}/bin/weather"), "");
            symlink("/bin/true", self.at(&format!("{folder}/bin/python"))).unwrap();
        }

        /// `ROOT VENV`, or what is wrong; relative to the ground.
        fn found(&self, line: &str, cwd: &str) -> String {
            let run = run(line);
            match Project::find(&run, &self.at(cwd), &Said::default()) {
                Some(project) => {
                    self.relative(&format!("{} {}", project.root.display(), project.venv.display()))
                }
                None => "nothing".to_owned(),
            }
        }

        fn words(&self, line: &str, cwd: &str) -> Result<String, Error> {
            let run = run(line);
            let words =
                Project::find(&run, &self.at(cwd), &Said::default()).unwrap().words(&run, &self.at(cwd))?;
            Ok(self.relative(&words.iter().map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")))
        }

        fn relative(&self, text: &str) -> String {
            text.replace(&format!("{}/", self.0.path().display()), "")
        }
    }

    fn run(line: &str) -> UvRun {
        let words: Vec<OsString> = line.split(' ').map(OsString::from).collect();
        uv_run::read(&words).unwrap().unwrap()
    }

    #[test]
    fn a_project_is_found_from_within() {
        let ground = Ground::new();
        ground.put("p/pyproject.toml", "[project]\nname = 'p'\n");
        ground.put("p/src/x/a.py", "");
        ground.put("other/x", "");
        assert_eq!(ground.found("uv run x", "p/src/x"), "p p/.venv");
        assert_eq!(ground.found("uv run --project ../p x", "other"), "p p/.venv");
        assert_eq!(ground.found("uv run x", "other"), "nothing");
        assert_eq!(ground.found("uv run --no-project x", "p"), "nothing");
        ground.venv("other/.venv");
        assert_eq!(ground.found("uv run x", "other"), "other other/.venv");
        let said = Said::new(&[
            ("UV_PROJECT_ENVIRONMENT".into(), "../envs/p".into()),
            ("VIRTUAL_ENV".into(), ground.at("other/.venv").into()),
        ]);
        let venv =
            |cwd: &str| Project::find(&run("uv run x"), &ground.at(cwd), &said).map(|found| found.venv);
        assert_eq!(venv("p"), Some(ground.at("p/../envs/p")));
        assert_eq!(venv("."), Some(ground.at("other/.venv")), "the active one, where there is no project");
    }

    #[test]
    fn a_member_has_the_environment_of_its_workspace() {
        let ground = Ground::new();
        ground.put(
            "w/pyproject.toml",
            "[tool.uv.workspace]\nmembers = ['packages/*', './tools/']\nexclude = ['packages/old']\n",
        );
        for folder in ["w/packages/a", "w/packages/old", "w/packages/a/deep", "w/tools"] {
            ground.put(&format!("{folder}/pyproject.toml"), "");
        }
        assert_eq!(ground.found("uv run x", "w/packages/a"), "w w/.venv");
        assert_eq!(ground.found("uv run x", "w/tools"), "w w/.venv");
        assert_eq!(ground.found("uv run x", "w"), "w w/.venv");
        assert_eq!(ground.found("uv run x", "w/packages/old"), "w/packages/old w/packages/old/.venv");
        assert_eq!(
            ground.found("uv run x", "w/packages/a/deep"),
            "w/packages/a/deep w/packages/a/deep/.venv"
        );
    }

    #[test]
    fn what_is_run_in_it() {
        let ground = Ground::new();
        ground.put("p/pyproject.toml", "");
        ground.put("p/server.py", "");
        let missing = ground.words("uv run server.py", "p").unwrap_err();
        assert!(
            matches!(missing, Error::NoEnvironment { .. }) && missing.help().contains("uv sync"),
            "{missing}"
        );
        ground.venv("p/.venv");
        for (line, expected) in [
            ("uv run server.py -x", "p/.venv/bin/python server.py -x"),
            ("uv run -m weather x", "p/.venv/bin/python -m weather x"),
            ("uv run weather x", "p/.venv/bin/weather x"),
            ("uv run python -m weather", "p/.venv/bin/python -m weather"),
            ("uv run --python 3.11 weather", "p/.venv/bin/weather"),
            ("uv run --python 3 weather", "p/.venv/bin/weather"),
        ] {
            assert_eq!(ground.words(line, "p").as_deref(), Ok(expected), "{line}");
        }
        let wrong = |line: &str| ground.words(line, "p").unwrap_err();
        assert!(matches!(wrong("uv run --python 3.1 weather"), Error::Python { .. }));
        assert!(matches!(wrong("uv run sunny"), Error::NoProgram { .. }));
        assert!(matches!(wrong("uv run other.py"), Error::NoScript { .. }));
        for error in [wrong("uv run sunny"), wrong("uv run other.py"), Error::NoProject { from: "/x".into() }]
        {
            assert!(!error.help().is_empty());
        }
    }

    #[test]
    fn what_is_older_than_the_project_is_told() {
        let ground = Ground::new();
        let site = "p/.venv/lib/python3.11/site-packages";
        ground.venv("p/.venv");
        for name in ["mcp-2.3.0", "HTTP_x-1.0"] {
            ground.put(&format!("{site}/{name}.dist-info/RECORD"), "");
        }
        let asks = |dependencies: &str| {
            ground.put(
                "p/pyproject.toml",
                &format!("[project]\nrequires-python = '>=3.10'\ndependencies = [{dependencies}]\n"),
            );
        };
        let lock = |version: &str| {
            ground.put("p/uv.lock", &format!("version = 1\n[[package]]\nname = 'mcp'\nversion = '{version}'\n[[package]]\nname = 'http-x'\nversion = '1.0'\n[[package]]\nname = 'win'\nversion = '1'\n"));
        };
        let made = |ago: u64| {
            let then = SystemTime::now() - Duration::from_secs(ago);
            fs::File::open(ground.at(site)).unwrap().set_modified(then).unwrap();
        };
        let stale = || Project::find(&run("uv run x"), &ground.at("p"), &Said::default()).unwrap().stale();
        asks("'mcp>=2,<3', 'http.x', 'win; sys_platform == \"win32\"'");
        lock("2.3.0");
        made(3600);
        assert_eq!(stale(), None, "newer files that say the same");
        lock("2.4.0");
        assert!(stale().unwrap().contains("mcp is locked as 2.4.0, installed as 2.3.0"), "{:?}", stale());
        fs::File::open(ground.at(site))
            .unwrap()
            .set_modified(SystemTime::now() + Duration::from_secs(3600))
            .unwrap();
        assert_eq!(stale(), None, "what was made later is not looked into");
        made(3600);
        lock("2.3.0");
        asks("'mcp>=3'");
        assert!(stale().unwrap().contains("mcp>=3 is installed as 2.3.0"), "{:?}", stale());
        asks("'mcp', 'httpx'");
        let told = stale().unwrap();
        assert!(told.contains("httpx is not installed") && told.contains("uv sync --directory"), "{told}");
        ground.put("p/pyproject.toml", "[project]\nrequires-python = '>=3.12'\n");
        assert!(stale().unwrap().contains("it wants Python >=3.12"));
        ground.put("p/pyproject.toml", "[project\n");
        assert_eq!(stale(), None, "what cannot be understood says nothing");
    }
}
