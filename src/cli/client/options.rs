//! What stands between `caponier` and `--`: the profile, the name, the variables.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::cli::client::{Refused, is_file_name, plain_name, shown_path};
use crate::cli::surroundings::Surroundings;
use crate::clients::server::Server;
use crate::clients::survey::Config;
use crate::clients::table::Scope;
use crate::policy::Environment;
use crate::profile;
use crate::profile::packages;
use crate::sandbox::environment;
use crate::store::{asked, uv_run};

/// Largest file of variables that is read.
const LARGEST: u64 = 1 << 20;

/// Which profile each server gets.
#[derive(Debug, Default)]
pub(super) struct Profiles {
    for_all: Option<String>,
    /// Server, profile.
    for_one: Vec<(String, String)>,
}

impl Profiles {
    /// From `--profile P` and `--profile SERVER=P`.
    pub(super) fn parse(words: &[String], around: &Surroundings) -> Result<Self, Refused> {
        let mut profiles = Profiles::default();
        for word in words {
            match word.split_once('=') {
                Some((server, profile)) if !server.is_empty() && !profile.is_empty() => {
                    profiles.for_one.push((server.to_owned(), known(profile, around)?));
                }
                Some(_) => return Err(usage(format!("--profile {word}: SERVER=PROFILE has both parts"))),
                None if profiles.for_all.is_some() => {
                    return Err(usage(
                        "--profile: only one can be for all servers; others are SERVER=PROFILE".into(),
                    ));
                }
                None => profiles.for_all = Some(known(word, around)?),
            }
        }
        Ok(profiles)
    }

    /// That of a server: its own, that of all, or the one that was made for the package that it starts.
    pub(super) fn of(&self, server: &Server) -> Option<&str> {
        let own = self.for_one.iter().find(|(name, _)| *name == server.name).map(|(_, profile)| profile);
        own.or(self.for_all.as_ref()).map(String::as_str).or_else(|| made_for(&server.words))
    }

    /// Whether it was chosen for this server alone.
    pub(super) fn is_chosen(&self, server: &str) -> bool {
        self.for_one.iter().any(|(name, _)| name == server)
    }

    /// The servers that were named.
    pub(super) fn named(&self) -> impl Iterator<Item = &str> {
        self.for_one.iter().map(|(server, _)| server.as_str())
    }
}

fn usage(message: String) -> Refused {
    Refused {
        status: crate::cli::exit::USAGE,
        message,
        help: "`caponier client wrap --help` shows the forms".into(),
    }
}

/// A profile that is there; a file by its whole path, as clients start servers in folders of their own.
fn known(profile: &str, around: &Surroundings) -> Result<String, Refused> {
    let listed = profile::list(&around.directories, Environment::Prod);
    if listed.iter().any(|(available, _)| available.name == profile) {
        return Ok(profile.to_owned());
    }
    let path = around.cwd.join(profile);
    match path.to_str() {
        Some(path) if is_file_name(profile) && Path::new(path).is_file() => Ok(path.to_owned()),
        _ => {
            let help = "`caponier profile list` shows the names; a file has a `/` or ends in .toml";
            Err(Refused::configuration(format!("there is no profile \"{profile}\""), help))
        }
    }
}

/// Words for a server, and what is to be said about them.
#[derive(Debug, Default)]
pub(super) struct Chosen {
    pub(super) words: Vec<String>,
    pub(super) notes: Vec<String>,
}

/// `run`, and its options for a server.
///
/// # Errors
/// Why the server would not get what it gets now.
pub(super) fn of(config: &Config, server: &Server, profile: Option<&str>) -> Result<Chosen, String> {
    let mut names = server.env.clone();
    if let Some(file) = &server.env_file {
        for name in in_env_file(file, config)? {
            if !names.contains(&name) {
                names.push(name);
            }
        }
    }
    let mut chosen = Chosen { words: vec!["run".to_owned()], notes: Vec::new() };
    if let Some(profile) = profile {
        chosen.words.extend(option("--profile", profile));
    }
    chosen.words.extend(option("--name", &plain_name(&server.name)));
    for name in names {
        match environment::check_flag(&name) {
            Ok(()) => chosen.words.extend(option("--pass-env", &name)),
            Err(error) => chosen.notes.push(format!("{error}: the server will not have it")),
        }
    }
    Ok(chosen)
}

/// The same as nobody chose it, for what is pasted by hand.
pub(super) fn by_default(server: &Server) -> Vec<String> {
    let profile = made_for(&server.words).map(|profile| option("--profile", profile)).unwrap_or_default();
    let names = server.env.iter().filter(|name| environment::check_flag(name).is_ok());
    let names = names.flat_map(|name| option("--pass-env", name));
    let first = ["run".to_owned()].into_iter().chain(profile);
    first.chain(option("--name", &plain_name(&server.name))).chain(names).collect()
}

/// The shipped profile that was made for the package that a command asks the store for; what `run` chooses for other
/// commands it chooses when it sees them.
pub(super) fn made_for(words: &[String]) -> Option<&'static str> {
    let words: Vec<OsString> = words.iter().map(OsString::from).collect();
    let wish = match uv_run::read(&words) {
        // With several packages on the line it is the program that tells whose it is.
        Ok(Some(run)) => run.wish().ok().flatten().filter(|wish| run.is_program_of(&wish.package))?,
        _ => asked::asked(&words).ok().flatten()?.wish,
    };
    packages::for_package(wish.package.registry, &wish.package.name)
}

/// One word where two could be read otherwise.
fn option(flag: &str, value: &str) -> Vec<String> {
    match value.starts_with('-') {
        true => vec![format!("{flag}={value}")],
        false => vec![flag.to_owned(), value.to_owned()],
    }
}

/// The names in a file of variables. The client reads the values from it; `--pass-env` wants to know the names.
fn in_env_file(file: &str, config: &Config) -> Result<Vec<String>, String> {
    let unknown = |why: &str| format!("its envFile cannot be read for the names of its variables: {why}");
    let path = expanded(file, config).ok_or_else(|| unknown("caponier cannot tell where it is"))?;
    if !fs::metadata(&path).is_ok_and(|found| found.is_file()) {
        return Err(unknown(&format!("{} is not a file", shown_path(&path))));
    }
    let mut text = String::new();
    let read = File::open(&path).and_then(|file| file.take(LARGEST + 1).read_to_string(&mut text));
    match read {
        Ok(length) if length as u64 <= LARGEST => Ok(text.lines().filter_map(variable).collect()),
        Ok(_) => Err(unknown("it is too large")),
        Err(error) => Err(unknown(&error.kind().to_string())),
    }
}

/// The name in a line `NAME=value` or `export NAME=value`.
fn variable(line: &str) -> Option<String> {
    let line = line.trim_start().trim_start_matches('\u{feff}');
    let line = line.strip_prefix("export ").unwrap_or(line);
    let (name, _) = line.split_once('=')?;
    let name = name.trim();
    let is_name =
        !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-'));
    is_name.then(|| name.to_owned())
}

/// A path with the variables that clients know in it.
fn expanded(file: &str, config: &Config) -> Option<PathBuf> {
    let home = std::env::var("HOME").ok();
    // `.vscode/mcp.json` lies in a folder of the project's.
    let project =
        (config.place.scope == Scope::Project).then(|| config.place.path.parent()?.parent()).flatten();
    let mut text = file.to_owned();
    for (variable, value) in [
        ("${workspaceFolder}", project.and_then(Path::to_str)),
        ("${userHome}", home.as_deref()),
        ("${env:HOME}", home.as_deref()),
    ] {
        if text.contains(variable) {
            text = text.replace(variable, value?);
        }
    }
    if let (Some(rest), Some(home)) = (text.strip_prefix("~/"), &home) {
        text = format!("{home}/{rest}");
    }
    let path = PathBuf::from(text);
    match path.is_absolute() {
        _ if path.to_str().is_some_and(|path| path.contains("${")) => None,
        true => Some(path),
        false => Some(project?.join(path)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_and_values_are_not() {
        let text = "A=1\nexport B='x=y'\n# C=1\n\nD\n e.f = g\n=h\n\"i\"=j\n";
        assert_eq!(text.lines().filter_map(variable).collect::<Vec<_>>(), ["A", "B", "e.f"]);
        assert_eq!(option("--name", "-x"), ["--name=-x"]);
    }

    #[test]
    fn a_package_is_found_behind_its_manager() {
        for (line, profile) in [
            ("npx -y @modelcontextprotocol/server-filesystem /x", Some("filesystem")),
            ("/usr/bin/npx --yes @modelcontextprotocol/server-memory@2026.8.31", Some("memory")),
            ("npx -y --package=@modelcontextprotocol/server-memory mcp-server-memory", Some("memory")),
            ("npx -p @modelcontextprotocol/server-memory mcp-server-memory", Some("memory")),
            ("npm exec -- @modelcontextprotocol/server-everything", Some("everything")),
            ("uvx mcp-server-git --repository /x", Some("git")),
            ("uvx --python 3.12 mcp_server_time==2026.10.19", Some("time")),
            ("uv tool run --from mcp-server-fetch[x]>=1 other", Some("fetch")),
            ("pipx run --spec mcp-server-time x", Some("time")),
            ("uv run --with mcp-server-time mcp-server-time", Some("time")),
            ("uv --quiet run --isolated --with httpx --with Mcp_Server.Git>=1 mcp-server-git", Some("git")),
            ("uv run --with mcp-server-time server.py", None),
            ("uv run --with httpx,mcp-server-time python server.py", None),
            ("uv run --directory /p mcp-server-git", None),
            ("uv run --env-file .env --with mcp-server-time mcp-server-time", None),
            ("bunx -p @modelcontextprotocol/server-memory mcp-server-memory", Some("memory")),
            ("pnpm --silent dlx @modelcontextprotocol/server-memory", Some("memory")),
            ("npx -y someone-elses-server-filesystem", None),
            ("npx -y ./@modelcontextprotocol/server-filesystem", None),
            ("npx -y github:modelcontextprotocol/server-filesystem", None),
            ("uvx --from git+https://x/mcp-server-git mcp-server-git", None),
            ("uvx @modelcontextprotocol/server-filesystem", None),
            ("node @modelcontextprotocol/server-filesystem", None),
            ("npx", None),
        ] {
            let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
            assert_eq!(made_for(&words), profile, "{line}");
        }
    }
}
