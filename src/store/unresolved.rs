//! Launcher lines that are run as they are (`run --no-resolve`): which package is meant, what the launcher is told of its
//! user's configuration, and whether its cache already holds what it needs.
//!
//! Here the launcher and the server are one tree of processes in one pen. So nothing secret of a configuration is told:
//! registries, certificates and proxies without a password are, tokens are not. And the registry is in reach only until
//! the cache is warm; from then on the launcher is told to stay offline. The cache is written by the server, which can make
//! it look cold: it gains by that what its first start had, and no more.
//!
//! Rests on "Cache" of npm's documentation, `npm-exec(1)`, and on "Caching" and "Environment variables" of uv's.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::fcntl::{Flock, FlockArg};

use crate::profile::packages::Registry;
use crate::sandbox::command::Launcher;
use crate::sandbox::folders::private_folder;
use crate::store::asked::{self, Asked};
use crate::store::install::{Around, Error, ask_npm};
use crate::store::package::{Index, Wish};
use crate::store::settings::Settings;
use crate::store::{npmrc, pipconf};

/// How long a start waits for another one that fills the same cache.
const PATIENCE: Duration = Duration::from_secs(120);
/// How often it looks.
const LOOK: Duration = Duration::from_millis(50);

/// One line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    /// Where its packages come from.
    pub(crate) registry: Registry,
    /// How many words behind the launcher are its own.
    pub(crate) launched: usize,
    /// What is asked for; `None` where the line is more than the store understands, and only the launcher knows.
    pub(crate) wish: Option<Wish>,
    /// What the line is told apart by, then.
    words: String,
}

impl Line {
    /// Reads the words of a command that `launcher` was found in; `None` for one that cannot be run as it is.
    pub(crate) fn read(launcher: Launcher, words: &[OsString]) -> Option<Line> {
        let registry = match launcher {
            Launcher::Npx => Registry::Npm,
            Launcher::Uvx => Registry::PyPi,
            _ => return None,
        };
        let (wish, launched) = match asked::asked(words) {
            // What is passed on are the last words of the line; where it is not (`npm exec … --`), all are the launcher's.
            Ok(Some(Asked { wish, arguments, .. })) if words.ends_with(&arguments) => {
                (Some(wish), words.len() - arguments.len() - 1)
            }
            _ => (None, 0),
        };
        let words: Vec<_> = words.iter().map(|word| word.to_string_lossy()).collect();
        Some(Line { registry, launched, wish, words: words.join("\0") })
    }

    /// What the server is called, where nobody says otherwise.
    pub(crate) fn server(&self) -> Option<&str> {
        Some(self.wish.as_ref()?.package.server())
    }

    /// What its HOME belongs to: the package, in whichever version.
    pub(crate) fn package(&self) -> PathBuf {
        match &self.wish {
            Some(wish) => PathBuf::from(wish.package.shown()),
            None => PathBuf::from(&self.words),
        }
    }

    /// What its cache belongs to: exactly what was asked for, so that another version finds an empty one.
    pub(crate) fn asked(&self) -> PathBuf {
        let Some(Wish { package, wanted, with, python, index, .. }) = &self.wish else {
            return PathBuf::from(&self.words);
        };
        let index = index.as_ref().map(|Index(url)| url);
        PathBuf::from(format!("{} {wanted:?} {with:?} {python:?} {index:?}", package.shown()))
    }
}

/// What a launcher is told.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Told {
    /// Hosts that it may reach.
    pub(crate) hosts: Vec<(String, u16)>,
    /// Variables.
    pub(crate) variables: Vec<(String, String)>,
    /// Folders that it may read.
    pub(crate) reads: Vec<PathBuf>,
    /// Whether the configuration holds credentials, which it is not told.
    pub(crate) withheld: bool,
}

/// With a warm cache: nothing but to stay offline.
pub(crate) fn offline(registry: Registry) -> Told {
    let variable = match registry {
        Registry::Npm => ("npm_config_offline", "true"),
        Registry::PyPi => ("UV_OFFLINE", "1"),
    };
    Told { variables: vec![(variable.0.to_owned(), variable.1.to_owned())], ..Told::default() }
}

/// With a cold one: where packages come from, and whom to trust. Files that it needs for that are copied into `folder`.
///
/// # Errors
/// The configuration cannot be read.
pub(crate) fn online(line: &Line, around: &Around<'_>, folder: &Path) -> Result<Told, Error> {
    let index = line.wish.as_ref().and_then(|wish| wish.index.as_ref());
    let unreadable = |tool, error: io::Error| Error::Configuration { tool, detail: error.to_string() };
    match line.registry {
        Registry::Npm => {
            let said = ask_npm("the package", around)?;
            let settings = npmrc::known_to_all(&said, around.environment, index, folder);
            Ok(told(settings.map_err(|error| unreadable("npm", error))?, |name| Some(name.to_owned())))
        }
        Registry::PyPi => {
            let places = pipconf::Places::new(around.environment);
            let settings = pipconf::settings(&places, around.environment, index, folder);
            let mut told = told(settings.map_err(|error| unreadable("uv", error))?, of_uv);
            told.reads.retain(|folder| folder.is_dir());
            for (name, value) in &mut told.variables {
                if name == "UV_FIND_LINKS" {
                    let there = |link: &&str| !link.starts_with('/') || Path::new(link).is_dir();
                    *value = value.split_whitespace().filter(there).collect::<Vec<_>>().join(",");
                }
            }
            told.variables.retain(|(_, value)| !value.is_empty());
            Ok(told)
        }
    }
}

fn told(settings: Settings, renamed: impl Fn(&str) -> Option<String>) -> Told {
    let Settings { hosts, variables, secrets, reads, .. } = settings;
    let variables: BTreeMap<String, String> =
        variables.into_iter().filter_map(|(name, value)| Some((renamed(&name)?, value))).collect();
    Told { hosts, variables: variables.into_iter().collect(), reads, withheld: !secrets.is_empty() }
}

/// uv's name for a setting of pip's.
fn of_uv(name: &str) -> Option<String> {
    let name = match name {
        "PIP_INDEX_URL" => "UV_DEFAULT_INDEX",
        "PIP_EXTRA_INDEX_URL" => "UV_INDEX",
        "PIP_FIND_LINKS" => "UV_FIND_LINKS",
        "PIP_NO_INDEX" => "UV_NO_INDEX",
        "PIP_TRUSTED_HOST" => "UV_INSECURE_HOST",
        "PIP_TIMEOUT" | "PIP_DEFAULT_TIMEOUT" => "UV_HTTP_TIMEOUT",
        "PIP_CERT" => "SSL_CERT_FILE",
        "PIP_PROXY" => "HTTPS_PROXY",
        _ => return None,
    };
    Some(name.to_owned())
}

/// Held by the start that fills a cache. It lies beside the cache, where no server writes.
#[derive(Debug)]
pub(crate) struct Filling(#[expect(dead_code, reason = "held, not read")] Flock<fs::File>);

/// A cache before a start.
#[derive(Debug)]
pub(crate) enum Cache {
    /// A start was seen to be through with it: the registry is not needed.
    Warm,
    /// This start fills it.
    Cold(Option<Filling>),
}

/// Looks at a cache, and waits while another start fills it: two package managers in one folder break each other.
/// `tell` is called once when there is something to wait for.
///
/// # Errors
/// Our own folder cannot be used.
pub(crate) fn look(registry: Registry, cache: &Path, tell: &dyn Fn()) -> io::Result<Cache> {
    let begun = Instant::now();
    let mut told = false;
    let file = lock_file(cache)?;
    let mut file = Some(file);
    while let Some(opened) = file.take() {
        if is_warm(registry, cache) {
            return Ok(Cache::Warm);
        }
        match Flock::lock(opened, FlockArg::LockExclusiveNonblock) {
            // Whoever held it may have filled it.
            Ok(_) if is_warm(registry, cache) => return Ok(Cache::Warm),
            Ok(lock) => return Ok(Cache::Cold(Some(Filling(lock)))),
            Err((opened, nix::errno::Errno::EWOULDBLOCK)) => file = Some(opened),
            Err((_, errno)) => return Err(errno.into()),
        }
        if begun.elapsed() > PATIENCE {
            break;
        }
        if !told {
            tell();
            told = true;
        }
        std::thread::sleep(LOOK);
    }
    Ok(Cache::Cold(None))
}

fn lock_file(cache: &Path) -> io::Result<fs::File> {
    let caches = cache.parent().unwrap_or(Path::new("/"));
    private_folder(caches)?;
    let mut name = OsString::from(".");
    name.push(cache.file_name().unwrap_or_default());
    name.push(".lock");
    let flags = libc::O_NOFOLLOW;
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .custom_flags(flags)
        .open(caches.join(name))
}

/// Whether a package manager finished what it did there: the last file that it writes is in it.
fn is_warm(registry: Registry, cache: &Path) -> bool {
    match registry {
        Registry::Npm => inside(&cache.join("npm/_npx"))
            .any(|tree| tree.join("node_modules/.package-lock.json").symlink_metadata().is_ok()),
        Registry::PyPi => inside(&cache.join("uv"))
            .filter(|bucket| named(bucket).starts_with("environments-"))
            .flat_map(|bucket| inside(&bucket).collect::<Vec<_>>())
            .flat_map(|interpreter| inside(&interpreter).collect::<Vec<_>>())
            .any(|environment| {
                let name = named(&environment);
                !name.starts_with('.') && !name.ends_with(".lock")
            }),
    }
}

/// What lies in a folder; links lead nowhere that matters: only names are looked at.
fn inside(folder: &Path) -> impl Iterator<Item = PathBuf> {
    fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path())
}

fn named(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(launcher: Launcher, line: &str) -> Option<Line> {
        Line::read(launcher, &line.split(' ').map(OsString::from).collect::<Vec<_>>())
    }

    #[test]
    fn what_belongs_to_the_launcher_is_counted() {
        for (launcher, line, launched, name) in [
            (Launcher::Npx, "npx -y @a/b /x --flag", 2, Some("b")),
            (Launcher::Npx, "npx -y -p @a/b@1 prog /x", 4, Some("b")),
            (Launcher::Npx, "npx -y @a/b", 2, Some("b")),
            (Launcher::Uvx, "uvx mcp-server-time==1 --tz X", 1, Some("mcp-server-time")),
            (Launcher::Uvx, "uv tool run mcp-server-time /x", 3, Some("mcp-server-time")),
            (Launcher::Npx, "npx -y github:a/b /x", 0, None),
            (Launcher::Npx, "npx -c ls", 0, None),
        ] {
            let read = read(launcher, line).unwrap();
            assert_eq!((read.launched, read.server()), (launched, name), "{line}");
        }
        assert_eq!(read(Launcher::Bunx, "bunx a"), None);
    }

    #[test]
    fn each_thing_asked_for_has_a_cache_of_its_own_and_each_package_one_home() {
        let line = |line: &str| read(Launcher::Npx, line).unwrap();
        let (one, two) = (line("npx -y @a/b@1 /x"), line("npx @a/b@2"));
        assert_eq!((one.package(), one.asked() == two.asked()), (two.package(), false));
        assert_eq!(one.asked(), line("npx @a/b@1 /other").asked());
        assert_ne!(one.package(), line("npx @c/b@1").package());
        assert_ne!(line("npx -c ls").asked(), line("npx -c id").asked());
        let on = line("npx --registry https://r.example/ @a/b@1");
        assert_ne!(on.asked(), one.asked());
    }

    #[test]
    fn a_cache_is_warm_once_the_last_file_is_there_and_one_start_fills_it() {
        let root = tempfile::tempdir().unwrap();
        let cache = root.path().join("caches/x");
        let tree = cache.join("npm/_npx/1/node_modules");
        fs::create_dir_all(&tree).unwrap();
        let never = || panic!("nothing to wait for");
        let Cache::Cold(Some(filling)) = look(Registry::Npm, &cache, &never).unwrap() else {
            panic!("it is cold")
        };
        let waited = std::thread::scope(|scope| {
            let (told, heard) = std::sync::mpsc::channel();
            let waiting =
                scope.spawn(|| look(Registry::Npm, &cache, &move || told.send(()).unwrap()).unwrap());
            heard.recv().unwrap();
            fs::write(tree.join(".package-lock.json"), "{}").unwrap();
            waiting.join().unwrap()
        });
        assert!(matches!(waited, Cache::Warm));
        drop(filling);
        assert!(matches!(look(Registry::Npm, &cache, &never).unwrap(), Cache::Warm));
        assert!(matches!(look(Registry::PyPi, &cache, &never).unwrap(), Cache::Cold(Some(_))));
        let environments = cache.join("uv/environments-v2/1");
        fs::create_dir_all(&environments).unwrap();
        fs::write(environments.join("2.lock"), "").unwrap();
        assert!(!is_warm(Registry::PyPi, &cache));
        fs::create_dir(environments.join("2")).unwrap();
        assert!(is_warm(Registry::PyPi, &cache));
    }

    #[test]
    fn uv_is_told_in_its_own_words_and_no_password() {
        let mut settings = Settings::default();
        settings.set("PIP_INDEX_URL", "https://me:hunter22@r.example/");
        settings.set("PIP_EXTRA_INDEX_URL", "https://x.example/");
        settings.set("PIP_USE_FEATURE", "x");
        let told = told(settings, of_uv);
        assert_eq!(told.variables, [("UV_INDEX".to_owned(), "https://x.example/".to_owned())]);
        assert!(told.withheld);
        assert_eq!(offline(Registry::PyPi).variables, [("UV_OFFLINE".to_owned(), "1".to_owned())]);
    }
}
