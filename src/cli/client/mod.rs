//! `caponier client`: which servers clients start, caponier put in front of them, and taken away again.
//!
//! Exit status: 0; 1 when a file or a server that was meant is left as it is; 64 usage (clap); 78 where our own folder
//! cannot be used. Nothing of a file reaches a terminal or a report but by way of [`Shown`].

mod apply;
mod list;
mod options;
mod report;
mod unwrap;
mod wrap;

use std::ffi::OsStr;
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::builder::{PossibleValue, PossibleValuesParser};
use clap::{Args, Subcommand};

use crate::audit::redact::Redactor;
use crate::cli::surroundings::Surroundings;
use crate::cli::{diagnostic, exit};
use crate::clients::server::is_caponier;
use crate::clients::survey::{Config, Survey, survey};
use crate::clients::table::{self, CLIENTS, Client, Folders, Place};
use crate::event::Redact;
use crate::policy::Arguments;

/// Put caponier in front of the servers of MCP clients, and take it away again
#[derive(Debug, Args)]
pub struct ClientArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List every server that a client's configuration names, and whether caponier stands in front of it
    List(list::ListArgs),
    /// Put caponier in front of servers; without --yes only show what would change
    Wrap(wrap::WrapArgs),
    /// Take caponier away again, byte for byte; without --yes only show what would change
    Unwrap(unwrap::UnwrapArgs),
}

/// Whose files are meant.
#[derive(Debug, Args)]
struct Whose {
    /// Only this client's files (repeatable)
    #[arg(long = "client", value_name = "CLIENT", value_parser = PossibleValuesParser::new(CLIENTS.iter().map(name)))]
    clients: Vec<String>,
}

/// How a client may be called: also as it calls itself, and in short.
fn name(client: &Client) -> PossibleValue {
    let plain = match client.id {
        "vscode" => "code",
        "lm-studio" => "lmstudio",
        "amazon-q" => "amazonq",
        id => id.trim_end_matches("-cli"),
    };
    PossibleValue::new(client.id).aliases([client.name, plain])
}

/// Runs it.
pub fn run(args: &ClientArgs, around: &Surroundings) -> ExitCode {
    let done = match &args.command {
        Command::List(args) => list::run(args, around),
        Command::Wrap(args) => wrap::run(args, around),
        Command::Unwrap(args) => unwrap::run(args, around),
    };
    done.unwrap_or_else(|refused| {
        let (message, help) = (diagnostic::escape(&refused.message), diagnostic::escape(&refused.help));
        diagnostic::tell(&format!("error: {message}\nhelp: {help}\n"));
        ExitCode::from(refused.status)
    })
}

/// Why a command does nothing at all.
#[derive(Debug)]
struct Refused {
    status: u8,
    message: String,
    help: String,
}

impl Refused {
    fn configuration(message: impl Into<String>, help: impl Into<String>) -> Self {
        Refused { status: exit::CONFIGURATION, message: message.into(), help: help.into() }
    }
}

/// The folders that clients read, as this user's environment has them.
fn folders(around: &Surroundings) -> Folders {
    let variable = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let mut projects = vec![around.cwd.clone()];
    // The top of the repository, when we are below it; a home that is one is no project.
    let above =
        around.cwd.ancestors().take_while(|folder| *folder != around.home && folder.parent().is_some());
    let top = above.into_iter().find(|folder| folder.join(".git").exists());
    projects.extend(top.map(Path::to_owned).filter(|top| *top != around.cwd));
    Folders {
        home: around.home.clone(),
        config: variable("XDG_CONFIG_HOME"),
        claude: variable("CLAUDE_CONFIG_DIR"),
        codex: variable("CODEX_HOME"),
        copilot: variable("COPILOT_HOME"),
        projects,
    }
}

/// Reads the files that are meant.
fn look(around: &Surroundings, whose: &Whose) -> Survey {
    let places = table::places(&folders(around));
    let is_meant = |place: &Place| {
        whose.clients.is_empty() || whose.clients.iter().any(|asked| name(place.client).matches(asked, false))
    };
    survey(places.into_iter().filter(is_meant))
}

/// Values that are looked for everywhere.
const MOST_SECRETS: usize = 2000;

/// What may be shown of one file's texts: what looks like a secret, and every value of its `env` blocks, wherever it
/// stands, gives way to a mark.
struct Shown {
    redactor: Redactor,
}

impl Shown {
    fn of<'c>(configs: impl IntoIterator<Item = &'c Config>) -> Result<Self, Refused> {
        let secrets = configs.into_iter().flat_map(|config| config.secrets());
        let mut secrets: Vec<(String, String)> =
            secrets.map(|(name, value)| (format!("env.{name}"), value.clone())).collect();
        secrets.sort_unstable_by(|one, other| one.1.cmp(&other.1));
        secrets.dedup_by(|one, other| one.1 == other.1);
        // Where they belong they are hidden in any case; a file with more was made to keep us busy.
        secrets.truncate(MOST_SECRETS);
        let redactor = Redactor::new(&secrets, Arguments::Redacted);
        let redactor = redactor.map_err(|error| {
            Refused::configuration(format!("no random number from the kernel: {error}"), "try again")
        })?;
        Ok(Shown { redactor })
    }

    /// A line of a file.
    fn line(&self, line: &str) -> String {
        self.redactor.text(line)
    }

    /// The words of a command.
    fn words(&self, words: Vec<String>) -> Vec<String> {
        self.redactor.words(words)
    }
}

/// Words as one line that a shell would split again in the same way.
fn joined(words: &[String]) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "@%+=:,./_-*[]".contains(c);
    let quoted = words.iter().map(|word| match !word.is_empty() && word.chars().all(is_plain) {
        true => word.clone(),
        false => format!("'{}'", word.replace('\'', "'\\''")),
    });
    quoted.collect::<Vec<_>>().join(" ")
}

/// Whether somebody sits there who can be asked.
fn is_interactive() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// The absolute path of this program, as a configuration can name it.
fn program() -> Result<String, Refused> {
    let help = "install caponier where it stays, and run it from there";
    let path = std::env::current_exe().map_err(|error| {
        Refused::configuration(format!("caponier cannot find its own program: {error}"), help)
    })?;
    let gone = !path.exists();
    match path.to_str() {
        Some(text) if !gone && is_caponier(text) => Ok(text.to_owned()),
        Some(text) if !gone => {
            let message = format!("{text} is not called caponier: what it wraps would not be known again");
            Err(Refused::configuration(message, help))
        }
        _ => {
            let shown = path.display();
            Err(Refused::configuration(
                format!("{shown} cannot be named in a configuration, or is gone"),
                help,
            ))
        }
    }
}

/// A path as text; what is not UTF-8 is replaced.
fn shown_path(path: &Path) -> String {
    path.as_os_str().to_string_lossy().into_owned()
}

/// A name without what a terminal or a log would obey, for `--name`.
fn plain_name(name: &str) -> String {
    let plain: String = name.chars().filter(|c| !c.is_control()).take(80).collect();
    if plain.trim().is_empty() { "server".to_owned() } else { plain }
}

/// Whether a file of this name stands there, for tests of paths that a person typed.
fn is_file_name(text: &str) -> bool {
    text.starts_with(['.', '/', '~']) || Path::new(text).extension() == Some(OsStr::new("toml"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::protected::is_protected;
    use crate::profile::secrets::{CLIENT_FILES, SECRET_STORES};

    /// What a client would start by is kept out of every server's reach.
    #[test]
    fn no_server_is_granted_a_file_of_the_table() {
        for file in table::user_files() {
            let stored = SECRET_STORES.iter().any(|store| Path::new(&file).starts_with(store));
            assert!(stored || CLIENT_FILES.contains(&file.as_str()), "{file}");
        }
        for file in table::project_files() {
            assert!(is_protected(&Path::new("/p").join(file), 1, &[]).is_some(), "{file}");
        }
    }

    #[test]
    fn a_command_is_one_line() {
        let words = ["a b", "", "it's", "-y", "@x/y@1"].map(str::to_owned);
        assert_eq!(joined(&words), "'a b' '' 'it'\\''s' -y @x/y@1");
        assert_eq!(plain_name("a\u{1b}[2Jb\n"), "a[2Jb");
        assert_eq!(plain_name("\n"), "server");
    }
}
