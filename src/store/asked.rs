//! Command lines of launchers, understood: `npx -y PKG …` asks for a package, one of its programs, and arguments for it.
//!
//! Nothing is guessed. An option that would change what is run, and that is not one of those below, is refused: what we
//! start instead of the launcher has to be what it would have started. Rests on `npx(1)`, `npm-exec(1)`, and the help of
//! `bunx`, `pnpm dlx`, `uvx`, `pipx run`.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use crate::profile::packages::Registry;
use crate::store::package::{self, Index, Package, Wanted, Wish};
use crate::store::uv_options;

/// What a launcher was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Asked {
    /// What is to be there.
    pub(crate) wish: Wish,
    /// Which program of it; without a name, the package's own.
    pub(crate) program: Option<String>,
    /// What it is to be called with.
    pub(crate) arguments: Vec<OsString>,
    /// What the user has to know of options that mean something else here.
    pub(crate) notes: Vec<String>,
}

/// A command line that is a launcher's, and that is not understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Error {
    /// An option.
    #[error("{launcher}: the option {option:?} is not one that caponier can take over")]
    Option {
        /// Whose.
        launcher: &'static str,
        /// As given.
        option: String,
    },
    /// An option that would change what is run, and what to do in its place.
    #[error("{launcher}: the option {option:?} is not one that caponier can take over")]
    Instead {
        /// Whose.
        launcher: &'static str,
        /// As given.
        option: String,
        /// In its place.
        instead: &'static str,
    },
    /// A file where a package is named.
    #[error("{launcher}: {word:?} is a script, and no package")]
    Script {
        /// Whose.
        launcher: &'static str,
        /// As given.
        word: String,
    },
    /// An option without its value.
    #[error("{launcher}: {option} needs a value")]
    Value {
        /// Whose.
        launcher: &'static str,
        /// As given.
        option: String,
    },
    /// No package.
    #[error("{launcher}: no package is named")]
    NoPackage {
        /// Whose.
        launcher: &'static str,
    },
    /// Nothing at all.
    #[error("{launcher}: there is nothing to run")]
    Nothing {
        /// Whose.
        launcher: &'static str,
    },
    /// A script that lies elsewhere.
    #[error("{launcher}: {word:?} would be fetched from elsewhere at every start")]
    Remote {
        /// Whose.
        launcher: &'static str,
        /// As given.
        word: String,
    },
    /// A program that is none of a package's.
    #[error("{launcher}: {word:?} is the path of a program, which needs no launcher")]
    Path {
        /// Whose.
        launcher: &'static str,
        /// As given.
        word: String,
    },
    /// A shell's command line.
    #[error("{launcher}: {option} runs a shell's command line")]
    Shell {
        /// Whose.
        launcher: &'static str,
        /// As given.
        option: String,
    },
    /// Not text.
    #[error("{launcher}: a word before the package is not UTF-8")]
    Text {
        /// Whose.
        launcher: &'static str,
    },
    /// No package of a registry.
    #[error("{launcher}: {source}")]
    Package {
        /// Whose.
        launcher: &'static str,
        /// Why not.
        source: package::Error,
    },
}

impl Error {
    /// What to do about it.
    pub(crate) fn help(&self) -> &'static str {
        match self {
            Error::Option { .. } | Error::Value { .. } => {
                "leave it out; or install the package once, `caponier server add npm:PACKAGE@VERSION` (or \
                 pypi:PACKAGE==VERSION), and start it with the plain launcher line"
            }
            Error::Instead { instead, .. } => instead,
            Error::Script { .. } => {
                "`uv run SCRIPT.py` is understood, with what the script says of itself; so is `python3 SCRIPT.py`, \
                 which runs it as it is"
            }
            Error::NoPackage { .. } => {
                "name the server's package, as in `npx -y @modelcontextprotocol/server-memory`"
            }
            Error::Nothing { .. } => {
                "name a script or a program: `uv run server.py`, `uv --directory DIR run NAME`"
            }
            Error::Remote { .. } => "fetch it once, look at it, and run the file",
            Error::Path { .. } => "name it without uv: caponier run -- PROGRAM ARGUMENTS",
            Error::Shell { .. } => "name the package and its program instead: `npx -y -p PACKAGE PROGRAM …`",
            Error::Text { .. } => "write the package's name in ASCII",
            Error::Package { source: package::Error::Elsewhere { .. }, .. } => {
                "only packages of a registry can be locked and kept; install this one by hand in a folder of its own, \
                 and run its entry point: `node FOLDER/index.js`, `FOLDER/.venv/bin/NAME`"
            }
            Error::Package { .. } => {
                "write it as the registry does: NAME, @SCOPE/NAME, NAME@VERSION, NAME==VERSION"
            }
        }
    }
}

/// How a launcher's options are read.
struct Grammar {
    launcher: &'static str,
    registry: Registry,
    /// Options that change nothing about what is run.
    ignored: &'static [&'static str],
    /// The same, with a value.
    ignored_values: &'static [&'static str],
    /// Options that fetch anew what is there: nothing is fetched, and that is said.
    anew: &'static [&'static str],
    /// Options that name the package, where the first word is then the program.
    package: &'static [&'static str],
    /// Options that name what else has to be there.
    with: &'static [&'static str],
    /// Options that name the registry.
    index: &'static [&'static str],
    /// Options that name the interpreter's version.
    python: &'static [&'static str],
    /// Options that run a shell's command line.
    shell: &'static [&'static str],
    /// Whether options may also stand behind the package, up to `--`.
    behind: bool,
}

const NPX: Grammar = Grammar {
    launcher: "npx",
    registry: Registry::Npm,
    ignored: &[
        "-y",
        "--yes",
        "-q",
        "--quiet",
        "-s",
        "--silent",
        "--prefer-offline",
        "--prefer-online",
        "--no-audit",
        "--no-fund",
        "--no-update-notifier",
        "--ignore-scripts",
    ],
    ignored_values: &["--cache", "--loglevel"],
    anew: &[],
    package: &["-p", "--package"],
    with: &[],
    index: &["--registry"],
    python: &[],
    shell: &["-c", "--call"],
    behind: false,
};

const BUNX: Grammar = Grammar {
    launcher: "bunx",
    ignored: &["-y", "--yes", "--silent", "--verbose"],
    ignored_values: &[],
    index: &[],
    shell: &[],
    ..NPX
};

const PNPM: Grammar = Grammar {
    launcher: "pnpm dlx",
    ignored: &["--silent", "-s"],
    ignored_values: &[],
    package: &["--package"],
    index: &[],
    ..NPX
};

const YARN: Grammar = Grammar {
    launcher: "yarn dlx",
    ignored: &["-q", "--quiet"],
    ignored_values: &[],
    index: &[],
    shell: &[],
    ..NPX
};

const UVX: Grammar = Grammar {
    launcher: "uvx",
    registry: Registry::PyPi,
    ignored: uv_options::IGNORED,
    ignored_values: uv_options::IGNORED_VALUES,
    anew: uv_options::ANEW,
    package: &["--from"],
    with: &["--with", "-w"],
    index: &["--index-url", "-i", "--default-index"],
    python: &["--python", "-p"],
    shell: &[],
    behind: false,
};

const PIPX: Grammar = Grammar {
    launcher: "pipx run",
    ignored: &["-q", "--quiet", "-v", "--verbose", "--no-cache"],
    ignored_values: &[],
    anew: &[],
    package: &["--spec"],
    with: &["--with"],
    index: &["--index-url", "-i"],
    python: &["--python"],
    ..UVX
};

/// Reads a command line; `None` when it is no package manager's launcher.
///
/// # Errors
/// A launcher's, and not understood.
pub(crate) fn asked(words: &[OsString]) -> Result<Option<Asked>, Error> {
    let Some((first, rest)) = words.split_first() else { return Ok(None) };
    let name = Path::new(first).file_name().and_then(OsStr::to_str).unwrap_or_default();
    match name {
        "npx" => NPX.read(rest).map(Some),
        "npm" => match subcommand(rest) {
            Some(("exec" | "x", at)) => {
                let words = moved(&rest[..at], &rest[at + 1..]);
                Grammar { launcher: "npm exec", behind: true, ..NPX }.read(&words).map(Some)
            }
            _ => Ok(None),
        },
        "bunx" => BUNX.read(rest).map(Some),
        "bun" => match subcommand(rest) {
            Some(("x", at)) => BUNX.read(&moved(&rest[..at], &rest[at + 1..])).map(Some),
            _ => Ok(None),
        },
        "pnpx" => PNPM.read(rest).map(Some),
        "pnpm" => match subcommand(rest) {
            Some(("dlx", at)) => PNPM.read(&moved(&rest[..at], &rest[at + 1..])).map(Some),
            _ => Ok(None),
        },
        "yarn" | "yarnpkg" => match subcommand(rest) {
            Some(("dlx", at)) => YARN.read(&moved(&rest[..at], &rest[at + 1..])).map(Some),
            _ => Ok(None),
        },
        "uvx" => UVX.read(rest).map(Some),
        "uv" => match uv_options::subcommand(rest) {
            Some(("tool", at)) if rest.get(at + 1).is_some_and(|word| word == "run") => {
                UVX.read(&moved(&rest[..at], &rest[at + 2..])).map(Some)
            }
            _ => Ok(None),
        },
        "pipx" => match subcommand(rest) {
            Some(("run", at)) => PIPX.read(&moved(&rest[..at], &rest[at + 1..])).map(Some),
            _ => Ok(None),
        },
        _ => Ok(None),
    }
}

/// The first word that is no option, and where it stands.
fn subcommand(words: &[OsString]) -> Option<(&str, usize)> {
    let at = words.iter().position(|word| !word.as_encoded_bytes().starts_with(b"-"))?;
    Some((words[at].to_str()?, at))
}

/// Options before a subcommand are read like those behind it.
pub(super) fn moved(before: &[OsString], behind: &[OsString]) -> Vec<OsString> {
    before.iter().chain(behind).cloned().collect()
}

/// A version in numbers: another implementation, or a path, is not what `pythonVERSION` on PATH is.
pub(super) fn check_python(launcher: &'static str, version: &str) -> Result<(), Error> {
    let plain = |c: char| c.is_ascii_digit() || c == '.';
    if !version.is_empty() && version.chars().all(plain) {
        return Ok(());
    }
    let instead = "name its version, as in --python 3.12: `python3.12` is then looked for on PATH";
    Err(Error::Instead { launcher, option: format!("--python {version}"), instead })
}

/// A name that people give to files: asking an index for it would install what anybody may have put there.
fn is_script(word: &str) -> bool {
    Path::new(word).extension().is_some_and(|ending| ending == "py" || ending == "pyw")
}

impl Grammar {
    fn read(&self, words: &[OsString]) -> Result<Asked, Error> {
        let launcher = self.launcher;
        let mut packages = Vec::new();
        let (mut with, mut index, mut python, mut notes) = (Vec::new(), None, None, Vec::new());
        let mut at = 0;
        let mut first = None;
        while let Some(word) = words.get(at) {
            let text = word.to_str().ok_or(Error::Text { launcher })?;
            at += 1;
            if text == "--" {
                first =
                    words.get(at).map(|word| word.to_str().ok_or(Error::Text { launcher })).transpose()?;
                at += 1;
                break;
            }
            if !text.starts_with('-') || text == "-" {
                first = Some(text);
                break;
            }
            let (option, joined) = match text.split_once('=') {
                Some((option, value)) if option.starts_with("--") => (option, Some(value)),
                _ => (text, None),
            };
            if self.ignored.contains(&text) {
                continue;
            }
            if self.anew.contains(&text) {
                notes.push(uv_options::nothing_anew(text));
                continue;
            }
            let is = |list: &[&str]| list.contains(&option);
            if is(self.shell) {
                return Err(Error::Shell { launcher, option: option.to_owned() });
            }
            if !(is(self.package)
                || is(self.with)
                || is(self.index)
                || is(self.python)
                || is(self.ignored_values))
            {
                return Err(Error::Option { launcher, option: option.to_owned() });
            }
            let value = match joined {
                Some(value) => value,
                None => {
                    let value = words.get(at).and_then(|word| word.to_str());
                    at += 1;
                    value.ok_or_else(|| Error::Value { launcher, option: option.to_owned() })?
                }
            };
            if is(self.ignored_values) {
                continue;
            }
            if is(self.package) {
                packages.push(value.to_owned());
            } else if is(self.with) {
                with.extend(package::requirements(value));
            } else if is(self.index) {
                index = Some(Index(value.to_owned()));
            } else {
                python = Some(value.to_owned());
            }
        }
        let arguments = self.arguments(words.get(at..).unwrap_or_default())?;
        let first = first.filter(|first| !first.is_empty());
        let (specification, program) = match (packages.is_empty(), first) {
            (true, None) => return Err(Error::NoPackage { launcher }),
            (true, Some(first)) => (first.to_owned(), None),
            (false, first) => (packages.remove(0), first.map(str::to_owned)),
        };
        with.extend(packages);
        if self.registry == Registry::PyPi && is_script(&specification) {
            return Err(Error::Script { launcher, word: specification });
        }
        let wrong = |source| Error::Package { launcher, source };
        let (package, wanted) = self.specification(&specification, &mut with).map_err(wrong)?;
        // What `uvx NAME@VERSION` and `pipx run NAME==VERSION` call is NAME.
        for requirement in &with {
            match self.registry {
                Registry::Npm => package::npm(requirement).map(drop),
                Registry::PyPi => package::pypi(requirement).map(drop),
            }
            .map_err(wrong)?;
        }
        if let Some(version) = &python {
            check_python(launcher, version)?;
        }
        let wish = Wish { with, python, index, ..Wish::of(package, wanted) };
        Ok(Asked { wish, program, arguments, notes })
    }

    fn specification(&self, word: &str, with: &mut Vec<String>) -> Result<(Package, Wanted), package::Error> {
        match self.registry {
            Registry::Npm => package::npm(word),
            Registry::PyPi => {
                let (package, wanted, extras) = package::pypi(word)?;
                // The same package again, with its extras: pip takes the two as one requirement.
                with.extend(extras.map(|extras| format!("{}[{extras}]", package.name)));
                Ok((package, wanted))
            }
        }
    }

    /// What is passed on. `npm exec` reads options behind the package too, until `--`.
    fn arguments(&self, words: &[OsString]) -> Result<Vec<OsString>, Error> {
        if !self.behind {
            return Ok(words.to_vec());
        }
        let end = words.iter().position(|word| word == "--").unwrap_or(words.len());
        if let Some(option) = words[..end].iter().find(|word| word.as_encoded_bytes().starts_with(b"-")) {
            let option = option.to_string_lossy().into_owned();
            return Err(Error::Option { launcher: self.launcher, option });
        }
        Ok(words.iter().enumerate().filter(|(at, _)| *at != end).map(|(_, word)| word.clone()).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Option<Asked>, Error> {
        asked(&line.split(' ').map(OsString::from).collect::<Vec<_>>())
    }

    /// `PACKAGE WANTED with=… program=… | ARGUMENTS`.
    fn told(line: &str) -> String {
        let asked = read(line).unwrap_or_else(|error| panic!("{line}: {error}")).unwrap();
        let mut text = asked.wish.shown();
        for requirement in &asked.wish.with {
            text += &format!(" with {requirement}");
        }
        if let Some(python) = &asked.wish.python {
            text += &format!(" on {python}");
        }
        if let Some(program) = &asked.program {
            text += &format!(" runs {program}");
        }
        let words: Vec<_> = asked.arguments.iter().map(|word| word.to_string_lossy()).collect();
        format!("{text} | {}", words.join(" "))
    }

    #[test]
    fn what_people_have_in_their_configurations() {
        for (line, expected) in [
            ("npx -y @a/b /x", "npm:@a/b | /x"),
            ("npx @a/b@1.2.3 --flag -y", "npm:@a/b@1.2.3 | --flag -y"),
            ("/usr/bin/npx --yes -- @a/b -- x", "npm:@a/b | -- x"),
            ("npx -y --package=@a/b tool --port 3", "npm:@a/b runs tool | --port 3"),
            ("npx -p a -p c@2.0.0 tool", "npm:a with c@2.0.0 runs tool | "),
            ("npx -y --registry https://r.example/ a@^1", "npm:a ^1 | "),
            ("npm exec -y -- @a/b x", "npm:@a/b | x"),
            ("npm --yes x @a/b -- --flag", "npm:@a/b | --flag"),
            ("bunx @a/b x", "npm:@a/b | x"),
            ("bun x a --y", "npm:a | --y"),
            ("pnpm dlx a", "npm:a | "),
            ("pnpm --silent dlx a", "npm:a | "),
            ("yarn dlx a z", "npm:a | z"),
            (
                "uvx mcp-server-time --local-timezone Europe/Berlin",
                "pypi:mcp-server-time | --local-timezone Europe/Berlin",
            ),
            ("uvx mcp-server-git@2026.10.19", "pypi:mcp-server-git==2026.10.19 | "),
            ("uvx --from mcp[cli]==2.3.0 mcp run", "pypi:mcp==2.3.0 with mcp[cli] runs mcp | run"),
            ("uvx --python 3.12 --with mcp<2 a", "pypi:a with mcp<2 on 3.12 | "),
            ("uv tool run -q a b", "pypi:a | b"),
            ("uv --quiet tool run a", "pypi:a | "),
            ("pipx run --spec a==1 b c", "pypi:a==1 runs b | c"),
            ("pipx run a --flag", "pypi:a | --flag"),
            ("bunx -p @a/b tool x", "npm:@a/b runs tool | x"),
            ("bunx --package=@a/b@1.0.0 tool", "npm:@a/b@1.0.0 runs tool | "),
            ("npx --package=a -- tool -y", "npm:a runs tool | -y"),
            ("npx --cache /c -y a@latest", "npm:a | "),
            ("pnpm --package=a dlx tool", "npm:a runs tool | "),
            ("yarn dlx -p a tool", "npm:a runs tool | "),
            ("uvx a@latest", "pypi:a | "),
            ("uvx a[x,y]>=1 b", "pypi:a >=1 with a[x,y] | b"),
            ("uvx --with b[x,y]>=1,<2,c a", "pypi:a with b[x,y]>=1,<2 with c | "),
            ("uvx --cache-dir /c --no-cache --refresh a", "pypi:a | "),
            ("uv --color never tool run a", "pypi:a | "),
        ] {
            assert_eq!(told(line), expected, "{line}");
        }
    }

    #[test]
    fn what_is_no_launcher() {
        for line in [
            "node x.js",
            "python -m x",
            "npm start",
            "bun run x",
            "uv pip install x",
            "docker run x",
            "uv run x",
        ] {
            assert_eq!(read(line), Ok(None), "{line}");
        }
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for line in [
            "npx",
            "npx -y",
            "npx -c ls",
            "npx --node-options=--inspect a",
            "npx -p",
            "npx ./x",
            "npx a/b",
            "npx github:a/b",
            "npm exec a --flag",
            "uvx",
            "uvx --with-editable . a",
            "uvx git+https://h/x",
            "uvx --from ./x a",
            "uvx --python pypy a",
            "pipx run https://h/x.py",
            "pipx run server.py",
            "pipx run --spec a --pip-args=x b",
            "uvx --from ./server.py a",
            "uvx server.py",
            "uvx --extra-index-url https://i/ a",
            "uvx --index https://i/ a",
            "uvx --find-links /w a",
            "uvx --offline a",
            "uvx --env-file .env a",
            "uvx --directory /x a",
            "uvx --python /usr/bin/python3 a",
            "npx --offline a",
            "npx --no a",
            "pnpm dlx -c ls",
            "bunx --bun a",
            "uvx --from a; b",
            "npx --package=--registry=x a",
        ] {
            let error = read(line).expect_err(line);
            assert!(!error.to_string().is_empty() && !error.help().is_empty());
        }
    }

    #[test]
    fn what_fetches_nothing_says_so() {
        let asked = read("uvx --refresh --upgrade a").unwrap().unwrap();
        assert_eq!(asked.notes.len(), 2);
        assert!(asked.notes[0].starts_with("--refresh fetches nothing"), "{:?}", asked.notes);
        assert!(read("uvx --no-cache a").unwrap().unwrap().notes.is_empty());
    }

    #[test]
    fn the_registry_of_a_line_is_not_shown() {
        let asked = read("npx --registry=https://me:pw@r.example/ a").unwrap();
        assert!(!format!("{asked:?}").contains("pw@"));
    }
}
