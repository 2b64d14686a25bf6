//! What is installed: a package of a registry, which of its versions, and what goes with it.
//!
//! Names and versions become words of a package manager's command line and parts of paths, so both are held to the
//! registries' own grammar here; whatever else could stand in such a place (a folder, a URL, a git repository) is no
//! package of a registry, and is refused.

use std::fmt;
use std::path::PathBuf;

use crate::profile::packages::Registry;

/// Longest name: npm's limit.
const LONGEST: usize = 214;

/// What stands in front of a script where otherwise a package is named.
pub(crate) const SCRIPT: &str = "script:";

/// A package by its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Package {
    /// Where it comes from.
    pub(crate) registry: Registry,
    /// Its name there.
    pub(crate) name: String,
}

/// Which version is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// Whichever is in use; the newest when there is none.
    Any,
    /// This one.
    Exact(String),
    /// One that fits: a range, a tag, a specifier, as it was written.
    Fitting(String),
}

/// A package of PyPI that is to be there too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Requirement {
    /// Its name.
    pub(crate) name: String,
    /// As it was written: with extras, versions and the surroundings that it is for.
    pub(crate) word: String,
}

/// What a command line asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wish {
    /// The package.
    pub(crate) package: Package,
    /// Which of its versions.
    pub(crate) wanted: Wanted,
    /// Other packages that are to be there too, as requirements of the same registry.
    pub(crate) with: Vec<String>,
    /// `--python`: the version of the interpreter.
    pub(crate) python: Option<String>,
    /// Another registry than the configured one, for this package. May hold a password: never shown.
    pub(crate) index: Option<Index>,
    /// The script whose packages these are, all of them in `with`; it decides what is meant, and not the package.
    pub(crate) script: Option<PathBuf>,
    /// Which versions of Python it runs with.
    pub(crate) requires: Option<String>,
}

/// The URL of a registry. Not to be shown.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Index(pub(crate) String);

impl fmt::Debug for Index {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Index(…)")
    }
}

/// What is no package of a registry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Error {
    /// A folder, a URL, a git repository, an alias.
    #[error(
        "{word:?} is no package of a registry but a folder, a URL, a repository or another name of something"
    )]
    Elsewhere {
        /// As given.
        word: String,
    },
    /// A name that no registry has.
    #[error("{word:?} is no name of a package")]
    Name {
        /// As given.
        word: String,
    },
    /// A version that cannot be one.
    #[error("{version:?} is no version, range or tag of {name}")]
    Version {
        /// The package.
        name: String,
        /// As given.
        version: String,
    },
    /// Not `npm:…` or `pypi:…`.
    #[error("{word:?} does not begin with npm: or pypi:")]
    Registry {
        /// As given.
        word: String,
    },
}

/// What a registry is called in front of a package.
pub(crate) fn prefix(registry: Registry) -> &'static str {
    match registry {
        Registry::Npm => "npm",
        Registry::PyPi => "pypi",
    }
}

impl Package {
    /// `npm:NAME`, `pypi:NAME`.
    pub(crate) fn shown(&self) -> String {
        format!("{}:{}", prefix(self.registry), self.name)
    }

    /// `npm:NAME@V`, `pypi:NAME==V`.
    pub(crate) fn at(&self, version: &str) -> String {
        let sign = match self.registry {
            Registry::Npm => "@",
            Registry::PyPi => "==",
        };
        format!("{}{sign}{version}", self.shown())
    }

    /// The name of the server that it is, unless somebody chooses another: without the scope.
    pub(crate) fn server(&self) -> &str {
        self.name.rsplit('/').next().unwrap_or(&self.name)
    }
}

impl Wish {
    /// Nothing but a package.
    pub(crate) fn of(package: Package, wanted: Wanted) -> Wish {
        Wish { package, wanted, with: Vec::new(), python: None, index: None, script: None, requires: None }
    }

    /// Whose the tree is, in the record of a server.
    pub(crate) fn owner(&self) -> String {
        match &self.script {
            Some(script) => format!("{SCRIPT}{}", script.display()),
            None => self.package.shown(),
        }
    }

    /// For people: what is asked for.
    pub(crate) fn shown(&self) -> String {
        if let Some(script) = &self.script {
            return format!("the packages of {}", script.display());
        }
        match &self.wanted {
            Wanted::Any => self.package.shown(),
            Wanted::Exact(version) => self.package.at(version),
            Wanted::Fitting(range) => format!("{} {range}", self.package.shown()),
        }
    }
}

/// `npm:PKG[@V]`, `pypi:PKG[==V]`.
///
/// # Errors
/// Anything else.
pub(crate) fn reference(word: &str) -> Result<(Package, Wanted), Error> {
    match word.split_once(':') {
        Some(("npm", rest)) => npm(rest),
        Some(("pypi", rest)) => {
            let (package, wanted, extras) = pypi(rest)?;
            if extras.is_some() {
                return Err(Error::Name { word: rest.to_owned() });
            }
            Ok((package, wanted))
        }
        _ => Err(Error::Registry { word: word.to_owned() }),
    }
}

/// `[@SCOPE/]NAME[@VERSION]`.
///
/// # Errors
/// What npm would look for somewhere else than in a registry, and what is no name.
pub(crate) fn npm(word: &str) -> Result<(Package, Wanted), Error> {
    let at = word.char_indices().skip(1).find(|(_, c)| *c == '@').map(|(at, _)| at);
    let (name, version) = match at {
        Some(at) => (&word[..at], Some(&word[at + 1..])),
        None => (word, None),
    };
    let (scope, own) = match name.strip_prefix('@') {
        Some(scoped) => scoped.split_once('/').map_or((Some(""), scoped), |(scope, own)| (Some(scope), own)),
        None => (None, name),
    };
    if own.contains('/') || own.contains(':') || name.starts_with('.') || name.starts_with('~') {
        return Err(Error::Elsewhere { word: word.to_owned() });
    }
    let plain = |part: &str| {
        !part.is_empty()
            && !part.starts_with(['.', '_', '-'])
            && part.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~'))
    };
    if !plain(own) || !scope.is_none_or(plain) || name.len() > LONGEST {
        return Err(Error::Name { word: word.to_owned() });
    }
    let package = Package { registry: Registry::Npm, name: name.to_owned() };
    let wanted = match version {
        None | Some("" | "latest" | "*") => Wanted::Any,
        Some(version) if is_semver(version) => Wanted::Exact(version.to_owned()),
        Some(range) if range.contains([':', '/']) => return Err(Error::Elsewhere { word: word.to_owned() }),
        Some(range) => Wanted::Fitting(fitting(name, range)?),
    };
    Ok((package, wanted))
}

/// `NAME[EXTRAS][==VERSION | SPECIFIERS | @VERSION]`; the extras apart.
///
/// # Errors
/// What pip would look for somewhere else than in an index, and what is no name.
pub(crate) fn pypi(word: &str) -> Result<(Package, Wanted, Option<String>), Error> {
    let word = word.trim();
    let elsewhere = || Error::Elsewhere { word: word.to_owned() };
    if word.contains([':', '/']) || word.starts_with(['.', '~']) {
        return Err(elsewhere());
    }
    let end = word.find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')));
    let (name, mut rest) = word.split_at(end.unwrap_or(word.len()));
    let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    if !edge(name.chars().next()) || !edge(name.chars().next_back()) || name.len() > LONGEST {
        return Err(Error::Name { word: word.to_owned() });
    }
    let mut extras = None;
    if let Some(inside) = rest.strip_prefix('[') {
        let (list, after) = inside.split_once(']').ok_or_else(|| Error::Name { word: word.to_owned() })?;
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ',' | ' ');
        if list.is_empty() || !list.chars().all(plain) {
            return Err(Error::Name { word: word.to_owned() });
        }
        extras = Some(list.replace(' ', ""));
        rest = after;
    }
    let package = Package { registry: Registry::PyPi, name: name.to_owned() };
    let version = |version: &str| Error::Version { name: name.to_owned(), version: version.to_owned() };
    let rest = rest.trim();
    let wanted = match rest.strip_prefix("==").or_else(|| rest.strip_prefix('@')).map(str::trim) {
        _ if rest.is_empty() => Wanted::Any,
        Some("latest") => Wanted::Any,
        Some(exact) if is_python_version(exact) => Wanted::Exact(exact.to_owned()),
        Some(other) if rest.starts_with('@') => return Err(version(other)),
        _ if rest.starts_with(['<', '>', '=', '!', '~']) => Wanted::Fitting(fitting(name, rest)?),
        _ => return Err(version(rest)),
    };
    Ok((package, wanted, extras))
}

/// `NAME[EXTRAS]SPECIFIERS; MARKER`: the same with the surroundings that it is for, as in Python's own files.
///
/// # Errors
/// As [`pypi`], and a marker that could be more than one.
pub(crate) fn requirement(word: &str) -> Result<Requirement, Error> {
    let (plain, marker) = word.split_once(';').unwrap_or((word, ""));
    let (package, ..) = pypi(plain)?;
    let fits = |c: char| {
        c.is_ascii_alphanumeric()
            || matches!(c, ' ' | '_' | '.' | '-' | '\'' | '"' | '<' | '>' | '=' | '!' | '~' | '(' | ')' | ',')
    };
    match marker.chars().all(fits) {
        true => Ok(Requirement { name: package.name, word: word.trim().to_owned() }),
        false => Err(Error::Name { word: word.to_owned() }),
    }
}

/// `a,b[x,y]>=1,<2`: a comma inside brackets, or before a specifier, belongs to the requirement.
pub(crate) fn requirements(list: &str) -> Vec<String> {
    let mut found = vec![String::new()];
    let mut inside = false;
    let mut rest = list.chars();
    while let Some(c) = rest.next() {
        inside = (inside || c == '[') && c != ']';
        let goes_on = || rest.as_str().trim_start().starts_with(['<', '>', '=', '!', '~']);
        match found.last_mut() {
            Some(last) if c != ',' || inside || goes_on() => last.push(c),
            _ => found.push(String::new()),
        }
    }
    let trimmed = found.iter().map(|one| one.trim().to_owned());
    trimmed.filter(|one| !one.is_empty()).collect()
}

/// `1.2.3`, `1.2.3-beta.1+build`.
fn is_semver(version: &str) -> bool {
    let core = version.split(['-', '+']).next().unwrap_or_default();
    let numbers: Vec<&str> = core.split('.').collect();
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'+' | b'.');
    numbers.len() == 3
        && numbers.iter().all(|number| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()))
        && version.bytes().all(plain)
}

/// One version, without a star.
fn is_python_version(version: &str) -> bool {
    version.starts_with(|c: char| c.is_ascii_digit())
        && version.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'!' | b'+' | b'-' | b'_'))
}

/// A range or a tag as it was written. It is handed to the package manager as part of one word: it may not hold what
/// would lead elsewhere, and an option it cannot be, as the name stands before it.
fn fitting(name: &str, range: &str) -> Result<String, Error> {
    let plain = |c: char| {
        c.is_ascii_alphanumeric()
            || matches!(c, '.' | '-' | '+' | '_' | '^' | '~' | '<' | '>' | '=' | '*' | '|' | ' ' | ',' | '!')
    };
    match range.len() <= LONGEST && range.chars().all(plain) {
        true => Ok(range.to_owned()),
        false => Err(Error::Version { name: name.to_owned(), version: range.to_owned() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn npm_specifications() {
        let read = |word| npm(word).map(|(package, wanted)| (package.name, wanted));
        let exact = |version: &str| Wanted::Exact(version.to_owned());
        let range = |range: &str| Wanted::Fitting(range.to_owned());
        for (word, name, wanted) in [
            ("server", "server", Wanted::Any),
            ("@a/b", "@a/b", Wanted::Any),
            ("@a/b@latest", "@a/b", Wanted::Any),
            ("@a/b@1.2.3", "@a/b", exact("1.2.3")),
            ("b@2026.8.31-rc.1+x", "b", exact("2026.8.31-rc.1+x")),
            ("b@1", "b", range("1")),
            ("b@^1.2", "b", range("^1.2")),
            ("b@next", "b", range("next")),
        ] {
            assert_eq!(read(word), Ok((name.to_owned(), wanted)), "{word}");
        }
        for word in
            ["./x", "/x", "a/b", "git+https://h/x", "https://h/x.tgz", "b@npm:c@1", "b@file:../x", "~/x"]
        {
            assert!(matches!(npm(word), Err(Error::Elsewhere { .. })), "{word}: {:?}", npm(word));
        }
        for word in
            ["", "@", "@a", "@/b", "a b", "-x", "--registry=x", "a;b", "a\n", "@a/b@1.2.3;x", ".hidden/.."]
        {
            assert!(npm(word).is_err(), "{word}");
        }
    }

    #[test]
    fn pypi_requirements() {
        let read = |word| pypi(word).map(|(package, wanted, extras)| (package.name, wanted, extras));
        let exact = |version: &str| Wanted::Exact(version.to_owned());
        for (word, name, wanted, extras) in [
            ("mcp-server-time", "mcp-server-time", Wanted::Any, None),
            ("a==1.2", "a", exact("1.2"), None),
            ("a@1.2.post1", "a", exact("1.2.post1"), None),
            ("a@latest", "a", Wanted::Any, None),
            ("mcp[cli, ws]>=1,<2", "mcp", Wanted::Fitting(">=1,<2".into()), Some("cli,ws")),
            ("a==1.*", "a", Wanted::Fitting("==1.*".into()), None),
        ] {
            assert_eq!(read(word), Ok((name.to_owned(), wanted, extras.map(str::to_owned))), "{word}");
        }
        for word in ["git+https://h/x", "./a", "a @ https://h/x.whl", "a/b"] {
            assert!(matches!(pypi(word), Err(Error::Elsewhere { .. })), "{word}");
        }
        for word in ["", "-r", "--index-url=x", "a b", "a;python_version<'3'", "a[", "a==1;x", "_a", "a@main"]
        {
            assert!(pypi(word).is_err(), "{word}: {:?}", pypi(word));
        }
    }

    #[test]
    fn requirements_are_told_apart_by_their_commas() {
        for (list, expected) in [
            ("a", vec!["a"]),
            ("a,b", vec!["a", "b"]),
            ("a[x,y]>=1,<2, b", vec!["a[x,y]>=1,<2", "b"]),
            ("a, ,b>=1 , !=2", vec!["a", "b>=1 , !=2"]),
            ("", vec![]),
        ] {
            assert_eq!(requirements(list), expected, "{list}");
        }
    }

    #[test]
    fn requirements_may_say_where_they_are_needed() {
        for (word, name) in [
            ("a", "a"),
            ("mcp[cli]>=1.2,<2", "mcp"),
            ("a>=1; python_version < '3.11' and sys_platform == \"linux\"", "a"),
            (" a ;extra=='x'", "a"),
        ] {
            let requirement = requirement(word).unwrap();
            assert_eq!((requirement.name.as_str(), requirement.word.as_str()), (name, word.trim()));
        }
        for word in ["a @ https://h/x.whl", "a; $(id)", "a;b\nc", "-r x", "./a", "a;https://h", ""] {
            assert!(requirement(word).is_err(), "{word}");
        }
    }

    #[test]
    fn references_name_their_registry() {
        assert_eq!(
            reference("npm:@a/b@1.0.0").map(|(package, _)| package.at("1.0.0")),
            Ok("npm:@a/b@1.0.0".into())
        );
        assert_eq!(reference("pypi:a==1").map(|(package, _)| package.at("1")), Ok("pypi:a==1".into()));
        assert!(
            reference("crates:a").is_err()
                && reference("@a/b").is_err()
                && reference("pypi:a[x]==1").is_err()
        );
        assert_eq!(npm("@a/b").map(|(package, _)| package.server().to_owned()), Ok("b".into()));
    }
}
