//! The environment of the server: an allow-list, compiled.
//!
//! Invariants: a variable is in the result only if it is one of a dozen plain facts, is named by the profile or by
//! `--pass-env`, or is set by the profile or by us; a variable that injects code ([`injection`]) is in it only if the
//! profile *sets* it, never from outside; `HOME` and `TMPDIR` are the private ones. The values of secrets are in no
//! `Debug` output and no message.
//!
//! Rests on `environ(7)`, "ENVIRONMENT" of `ld.so(8)`, and the XDG base directory specification.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

use crate::policy::{EnvironmentRules, injection};
use crate::sandbox::search;

/// Facts about the user and the place that every program may know. `PATH` is passed in a form of its own.
const PASSED: &[&str] = &[
    "LANG",
    "LANGUAGE",
    "LC_ADDRESS",
    "LC_ALL",
    "LC_COLLATE",
    "LC_CTYPE",
    "LC_IDENTIFICATION",
    "LC_MEASUREMENT",
    "LC_MESSAGES",
    "LC_MONETARY",
    "LC_NAME",
    "LC_NUMERIC",
    "LC_PAPER",
    "LC_TELEPHONE",
    "LC_TIME",
    "LOGNAME",
    "TERM",
    "TZ",
    "USER",
];

/// Names that are always the private folders: neither passed nor set by a profile.
const PRIVATE: &[&str] = &["HOME", "TEMP", "TMP", "TMPDIR"];

/// XDG's folders of one user, below `HOME`.
const XDG: &[(&str, &str)] = &[
    ("XDG_CACHE_HOME", ".cache"),
    ("XDG_CONFIG_HOME", ".config"),
    ("XDG_DATA_HOME", ".local/share"),
    ("XDG_STATE_HOME", ".local/state"),
];

/// Words in a name that make its value look like a credential, wherever they stand.
const CREDENTIAL_WORDS: &[&str] =
    &["APIKEY", "CREDENTIAL", "PASSPHRASE", "PASSWD", "PASSWORD", "SECRET", "TOKEN"];
/// The same, between underscores or at an end.
const CREDENTIAL_PARTS: &[&str] = &["AUTH", "KEY", "KEYS", "PAT", "PWD"];

impl Environment {
    /// Adds what is no profile's business: names of ours replace what is there.
    pub fn add(&mut self, variables: &[(String, String)], secrets: &[(String, String)]) {
        let added: BTreeMap<OsString, OsString> =
            variables.iter().chain(secrets).map(|(name, value)| (name.into(), value.into())).collect();
        self.vars.retain(|(name, _)| !added.contains_key(name));
        self.removed.retain(|name| !added.contains_key(OsStr::new(name)));
        self.vars.extend(added);
        self.vars.sort();
        self.secrets.extend(secrets.iter().map(|(name, value)| (name.clone(), value.into())));
    }
}

/// Why an environment cannot be made. None of these ever shows a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A variable that injects code is to be passed on.
    #[error("{name} is never passed on: it {}", .kind.explanation())]
    Injection {
        /// Its name.
        name: String,
        /// Who wants it.
        source_of: Source,
        /// What it does.
        kind: injection::Kind,
    },
    /// `HOME`, `TMPDIR` and the like.
    #[error("{name} always leads to a private folder of the session, and cannot be given another value")]
    Private {
        /// Its name.
        name: String,
        /// Who wants it.
        source_of: Source,
    },
    /// Empty, or with `=` or NUL in it.
    #[error("{name:?} cannot be the name of an environment variable")]
    Name {
        /// As given.
        name: String,
        /// Who wants it.
        source_of: Source,
    },
    /// A NUL in a value.
    #[error("the value of {name} holds a NUL character, which no environment variable can")]
    Value {
        /// Its name.
        name: String,
    },
}

impl Error {
    /// What to do about it.
    pub fn help(&self) -> String {
        match self {
            Error::Injection { kind: injection::Kind::Own | injection::Kind::Session, source_of, .. } => {
                format!("leave it out of {source_of}")
            }
            Error::Injection { name, source_of, .. } => format!(
                "if the server needs it, write its value in the profile, where it can be reviewed: \
                 `[process] env.set.{name} = \"…\"`; and leave it out of {source_of}"
            ),
            Error::Private { source_of, .. } => format!(
                "leave it out of {source_of}; to let the server read or write a folder, grant it under [filesystem]"
            ),
            Error::Name { source_of, .. } => format!("{source_of} takes names only, without `=VALUE`"),
            Error::Value { .. } => "take it out".into(),
        }
    }
}

/// Where a name stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// `process.env.pass`.
    Pass,
    /// `process.env.secret`.
    Secret,
    /// `process.env.set`.
    Set,
    /// `--pass-env`.
    Flag,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Source::Pass => "the profile's `process.env.pass`",
            Source::Secret => "the profile's `process.env.secret`",
            Source::Set => "the profile's `process.env.set`",
            Source::Flag => "`--pass-env`",
        })
    }
}

/// What the session itself decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fixed {
    /// The private home.
    pub home: PathBuf,
    /// Whether it lasts. Then Python must not load packages from it: a server could plant one for its next start.
    pub lasting: bool,
    /// The session's folder for temporary files.
    pub tmpdir: PathBuf,
    /// Folders that have to come first in `PATH` (`Command::path_first`).
    pub path_first: Vec<PathBuf>,
    /// The virtual environment that is to be the active one (`Command::venv`); its programs come first in `PATH`.
    pub venv: Option<PathBuf>,
}

/// The environment of the server, and what was done to make it.
#[derive(Clone, PartialEq, Eq)]
pub struct Environment {
    /// Name and value, each name once, sorted by name.
    pub vars: Vec<(OsString, OsString)>,
    /// Names that were set outside and are not passed on, sorted; bytes that are not UTF-8 are replaced.
    pub removed: Vec<String>,
    /// Those of them whose value may be a credential that the server needs: worth one line to the user.
    pub credential_like: Vec<String>,
    /// Secrets that are passed on: their values are to be redacted everywhere.
    pub secrets: Vec<(String, OsString)>,
    /// Names asked for by `--pass-env` or `env.secret` that are not set: worth a note, the server may do without.
    pub missing: Vec<String>,
}

impl fmt::Debug for Environment {
    /// Names only: any value may be a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let vars: Vec<_> = self.vars.iter().map(|(name, _)| name).collect();
        let secrets: Vec<_> = self.secrets.iter().map(|(name, _)| name).collect();
        f.debug_struct("Environment")
            .field("vars", &vars)
            .field("removed", &self.removed)
            .field("credential_like", &self.credential_like)
            .field("secrets", &secrets)
            .field("missing", &self.missing)
            .finish()
    }
}

/// Compiles the server's environment from ours.
///
/// # Errors
/// When the profile or `--pass-env` asks for a variable that is never passed on, or names none.
pub fn compile(
    process_env: impl IntoIterator<Item = (OsString, OsString)>,
    rules: &EnvironmentRules,
    pass_env: &[OsString],
    fixed: &Fixed,
) -> Result<Environment, Error> {
    let mut outside = BTreeMap::new();
    for (name, value) in process_env {
        // As getenv(3): the first of two counts.
        outside.entry(name).or_insert(value);
    }
    let mut vars: BTreeMap<OsString, OsString> = BTreeMap::new();
    let mut secrets = BTreeMap::new();
    let mut missing = BTreeSet::new();
    let names = |list: &[String], source| {
        list.iter().map(move |name| (OsString::from(name), source)).collect::<Vec<_>>()
    };
    let flags = pass_env.iter().map(|name| (name.clone(), Source::Flag));
    let wanted =
        names(&rules.pass, Source::Pass).into_iter().chain(names(&rules.secret, Source::Secret)).chain(flags);

    for (name, source) in
        PASSED.iter().map(|name| (OsString::from(name), None)).chain(wanted.map(|(n, s)| (n, Some(s))))
    {
        if let Some(source) = source {
            check_passed(&name, source)?;
        }
        let secret = matches!(source, Some(Source::Secret | Source::Flag));
        match outside.get(&name) {
            Some(value) => {
                if secret {
                    secrets.insert(shown(&name), value.clone());
                }
                vars.insert(name, value.clone());
            }
            None if secret => _ = missing.insert(shown(&name)),
            None => {}
        }
    }
    vars.extend(private(fixed));
    for (name, value) in &rules.set {
        check_set(name, value)?;
        vars.insert(name.into(), value.into());
        missing.remove(name);
        // The profile's value is what the server gets; it stands in a file that anyone may read.
        secrets.remove(name);
    }
    let path =
        rules.set.get("PATH").map(OsStr::new).or(outside.get(OsStr::new("PATH")).map(OsString::as_os_str));
    vars.insert("PATH".into(), joined(fixed, path));

    let removed: Vec<String> =
        outside.keys().filter(|name| !vars.contains_key(*name)).map(|name| shown(name)).collect();
    let credential_like = removed.iter().filter(|name| looks_like_credential(name)).cloned().collect();
    Ok(Environment {
        vars: vars.into_iter().collect(),
        removed,
        credential_like,
        secrets: secrets.into_iter().collect(),
        missing: missing.into_iter().collect(),
    })
}

/// What the session decides, before the profile's own settings.
fn private(fixed: &Fixed) -> Vec<(OsString, OsString)> {
    let folder = |name: &str, path: PathBuf| (OsString::from(name), path.into_os_string());
    let mut vars = vec![folder("HOME", fixed.home.clone())];
    vars.extend(["TMPDIR", "TMP", "TEMP"].map(|name| folder(name, fixed.tmpdir.clone())));
    vars.extend(XDG.iter().map(|(name, below)| folder(name, fixed.home.join(below))));
    vars.extend(fixed.venv.iter().map(|venv| folder("VIRTUAL_ENV", venv.clone())));
    if fixed.lasting {
        vars.push(("PYTHONNOUSERSITE".into(), "1".into()));
    }
    vars
}

/// The server's `PATH`: absolute elements only. An element with `:` in it would be two.
fn joined(fixed: &Fixed, path: Option<&OsStr>) -> OsString {
    let first =
        fixed.path_first.iter().filter(|folder| !folder.as_os_str().as_bytes().contains(&b':')).cloned();
    let folders: Vec<_> = fixed
        .venv
        .iter()
        .map(|venv| venv.join("bin"))
        .filter(|bin| !bin.as_os_str().as_bytes().contains(&b':'))
        .chain(first)
        .chain(search::absolute_elements(path))
        .map(|folder| folder.into_os_string().into_vec())
        .collect();
    OsString::from_vec(folders.join(&b':'))
}

/// Whether `--pass-env` takes this name.
///
/// # Errors
/// Why not.
pub fn check_flag(name: &str) -> Result<(), Error> {
    check_passed(OsStr::new(name), Source::Flag)
}

fn check_passed(name: &OsStr, source_of: Source) -> Result<(), Error> {
    check_name(name, source_of)?;
    let name = shown(name);
    if let Some(kind) = injection::kind(&name) {
        return Err(Error::Injection { name, source_of, kind });
    }
    if PRIVATE.contains(&name.as_str()) || XDG.iter().any(|(xdg, _)| *xdg == name) {
        return Err(Error::Private { name, source_of });
    }
    Ok(())
}

fn check_set(name: &str, value: &str) -> Result<(), Error> {
    check_name(OsStr::new(name), Source::Set)?;
    if PRIVATE.contains(&name) {
        return Err(Error::Private { name: name.into(), source_of: Source::Set });
    }
    if value.contains('\0') {
        return Err(Error::Value { name: name.into() });
    }
    Ok(())
}

fn check_name(name: &OsStr, source_of: Source) -> Result<(), Error> {
    let bytes = name.as_bytes();
    if bytes.is_empty() || bytes.contains(&b'=') || bytes.contains(&0) {
        return Err(Error::Name { name: shown(name), source_of });
    }
    Ok(())
}

fn shown(name: &OsStr) -> String {
    name.to_string_lossy().into_owned()
}

/// Whether a removed variable may be a credential that the user meant for the server. Variables that are never passed
/// on are not worth a hint, whatever they are called (`SSH_AUTH_SOCK`).
fn looks_like_credential(name: &str) -> bool {
    if injection::kind(name).is_some() {
        return false;
    }
    let name = name.to_ascii_uppercase();
    CREDENTIAL_WORDS.iter().any(|word| name.contains(word))
        || name.split(|c: char| !c.is_ascii_alphanumeric()).any(|part| CREDENTIAL_PARTS.contains(&part))
            && name != "PWD"
}

#[cfg(test)]
mod tests;
