//! `caponier completions SHELL`: a script that completes our commands, made from the command line's own definition.
//!
//! Names of profiles and servers are looked up when they are completed: where a script would hold them it asks
//! `caponier completions --names` instead. Bash expands the words that it completes with, so only names that no shell could
//! take for anything else are told.
//!
//! Exit status: 0; 64 usage.

use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use clap_complete::Shell;

use crate::policy::Environment;
use crate::policy::directories::Directories;
use crate::profile;

/// `caponier completions SHELL`.
#[derive(Debug, Args)]
pub struct CompletionsArgs {
    /// The shell
    #[arg(required_unless_present = "names")]
    shell: Option<Shell>,
    /// Print names, one a line: the scripts ask for them
    #[arg(long, value_enum, hide = true, conflicts_with = "shell")]
    names: Option<Names>,
}

/// Names that are looked up when they are completed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Names {
    Profiles,
    Servers,
}

impl Names {
    const ALL: [Names; 2] = [Names::Profiles, Names::Servers];

    /// The arguments that want one of these, by their id.
    fn id(self) -> &'static str {
        match self {
            Names::Profiles => "profile",
            Names::Servers => "server",
        }
    }

    /// What stands for them in a script that clap made.
    fn sign(self) -> &'static str {
        match self {
            Names::Profiles => "CAPONIER_PROFILES",
            Names::Servers => "CAPONIER_SERVERS",
        }
    }

    /// The command that lists them.
    fn asking(self) -> &'static str {
        match self {
            Names::Profiles => "$(caponier completions --names profiles 2>/dev/null)",
            Names::Servers => "$(caponier completions --names servers 2>/dev/null)",
        }
    }
}

/// Runs it.
pub fn run(args: &CompletionsArgs, directories: &Directories) -> ExitCode {
    let text = match (args.names, args.shell) {
        (Some(names), _) => known(names, directories),
        (None, Some(shell)) => script(shell),
        // clap demands one of the two.
        (None, None) => return ExitCode::from(crate::cli::exit::USAGE),
    };
    crate::cli::diagnostic::written(std::io::stdout().lock().write_all(text.as_bytes()), 0)
}

fn known(names: Names, directories: &Directories) -> String {
    let mut found: Vec<String> = match names {
        Names::Profiles => profile::list(directories, Environment::Prod)
            .into_iter()
            .map(|(available, _)| available.name)
            .collect(),
        Names::Servers => pinned(&directories.state),
    };
    found.retain(|name| is_plain(name));
    found.sort();
    found.dedup();
    found.into_iter().map(|name| name + "\n").collect()
}

/// Servers that were seen: the files of their pins. A name that is spelled out there is none that is told.
fn pinned(state: &Path) -> Vec<String> {
    let files = std::fs::read_dir(state.join("pins")).into_iter().flatten().flatten();
    let names = files.filter_map(|file| Some(file.file_name().to_str()?.strip_suffix(".json")?.to_owned()));
    names.collect()
}

/// Whether a shell takes it for nothing but itself.
fn is_plain(name: &str) -> bool {
    let letters = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/' | '@' | '+' | ':');
    !name.is_empty() && !name.starts_with('-') && name.chars().all(letters)
}

fn script(shell: Shell) -> String {
    let asks = matches!(shell, Shell::Bash | Shell::Zsh | Shell::Fish);
    let mut command = crate::cli::command();
    if asks {
        command = signed(command);
    }
    let mut made = Vec::new();
    clap_complete::generate(shell, &mut command, "caponier", &mut made);
    let script = String::from_utf8_lossy(&made).into_owned();
    match shell {
        Shell::Bash => Names::ALL.iter().fold(script, |script, names| bash(&script, *names)),
        Shell::Zsh => Names::ALL.iter().fold(script, |script, names| zsh(&script, *names)),
        Shell::Fish => Names::ALL.iter().fold(script, |script, names| fish(&script, *names)),
        _ => script,
    }
}

/// The command line, with a sign wherever a script is to ask for names.
fn signed(command: clap::Command) -> clap::Command {
    let command = command.mut_args(|arg| {
        match Names::ALL.iter().find(|names| arg.get_id() == names.id() && arg.get_action().takes_values()) {
            Some(names) => arg.value_parser([names.sign()]),
            None => arg,
        }
    });
    command.mut_subcommands(signed)
}

/// The words stand in double quotes: what they hold is asked for when they are completed.
fn bash(script: &str, names: Names) -> String {
    script.replace(names.sign(), names.asking())
}

/// An action of `_arguments` that is a function; a profile may also be a file.
fn zsh(script: &str, names: Names) -> String {
    let id = names.id();
    let files = if names == Names::Profiles { "\n    _files -g '*.toml'" } else { "" };
    let function = format!(
        "_caponier_{id}s() {{\n    local -a found=(${{(f)\"{}\"}})\n    compadd -a found{files}\n}}\n",
        names.asking()
    );
    let script = script.replace(&format!("({})", names.sign()), &format!("_caponier_{id}s"));
    match script.split_once('\n') {
        Some((first, rest)) => format!("{first}\n\n{function}{rest}"),
        None => script,
    }
}

/// `-f` rules files out, `-F` lets them in.
fn fish(script: &str, names: Names) -> String {
    let before = format!("-f -a \"{}\\t''\"", names.sign());
    let files = if names == Names::Profiles { "-F" } else { "-f" };
    let asking = names.asking().trim_start_matches('$');
    script.replace(&before, &format!("{files} -a \"{asking}\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_sign_is_left_in_any_script() {
        for shell in Shell::value_variants() {
            let script = script(*shell);
            assert!(script.contains("pass-env"), "{shell}");
            let asks = script.matches("completions --names profiles").count();
            assert_eq!(asks > 0, matches!(shell, Shell::Bash | Shell::Zsh | Shell::Fish), "{shell}");
            for names in Names::ALL {
                assert!(!script.contains(names.sign()), "{shell}: {}", names.sign());
            }
        }
    }

    #[test]
    fn only_names_that_a_shell_takes_for_themselves_are_told() {
        for name in ["notes", "runtime/node", "server-filesystem", "@scope/x", "mcp_1.2"] {
            assert!(is_plain(name), "{name}");
        }
        for name in ["", "-rf", "$(id)", "`id`", "a b", "a\nb", "a;b", "é", "a*", "~x", "{a,b}"] {
            assert!(!is_plain(name), "{name}");
        }
    }
}
