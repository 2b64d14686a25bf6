//! What `--help` teaches beyond the options: for each command examples and exit statuses.
//!
//! One table is the source for `--help`, the man pages and docs/CLI.md. Tests hold it to the command line: every command has
//! its lesson, every example is one that the command line takes. 64 for a wrong command line is added to each.

use std::fmt::Write as _;

use clap::Command;

/// What one command teaches.
struct Lesson {
    /// The words after `caponier`.
    command: &'static str,
    /// Whole command lines, and what they do.
    examples: &'static [(&'static str, &'static str)],
    /// Exit statuses, and when.
    statuses: &'static [(&'static str, &'static str)],
}

/// Of every command that reports from the log.
const OF_THE_LOG: (&str, &str) = ("1", "the log cannot be read, or has no such thing");
const DONE: (&str, &str) = ("0", "done");
const WRONG_PROFILE: (&str, &str) = ("78", "a profile is wrong");

/// By command.
const LESSONS: &[Lesson] = &[
    Lesson {
        command: "approve",
        examples: &[
            ("caponier approve", "which calls wait for a yes, with their arguments"),
            ("caponier approve 5f0c2b1e", "yes, to this one"),
            ("caponier approve --remember 5f0c2b1e", "and to the same call, as long as its session runs"),
            ("caponier approve --watch", "be asked about each call as it comes"),
        ],
        statuses: &[DONE, ("1", "nothing of that name waits, or its session does not answer")],
    },
    Lesson {
        command: "audit diff",
        examples: &[
            (
                "caponier audit diff 01M857 01M9AB",
                "what did the second session do that the first one did not?",
            ),
            ("caponier audit diff --exit-code --json 01M857 01M9AB", "the same for a script"),
        ],
        statuses: &[
            ("0", "compared"),
            ("1", "the log has no such session; with --exit-code also: they differ"),
        ],
    },
    Lesson {
        command: "audit explain",
        examples: &[
            (
                "caponier audit explain 01M857ZGCPQK8TYDD1R1KKTR84:353",
                "why was this refused, by which line, and what would allow it?",
            ),
            ("caponier audit explain 01M857:353", "the beginning of the session's name is enough"),
        ],
        statuses: &[DONE, OF_THE_LOG],
    },
    Lesson {
        command: "audit export",
        examples: &[
            ("caponier audit export --format ocsf --since 1d", "the last day for a SIEM"),
            ("caponier audit export --format csv --denied --server notes", "refusals as a table"),
        ],
        statuses: &[DONE, OF_THE_LOG],
    },
    Lesson {
        command: "audit prune",
        examples: &[
            ("caponier audit prune --older-than 90d --dry-run", "what would go?"),
            ("caponier audit prune --older-than 90d", "remove it; `audit verify` still holds"),
        ],
        statuses: &[DONE, ("1", "the log cannot be read, or something could not be removed")],
    },
    Lesson {
        command: "audit query",
        examples: &[
            ("caponier audit query --denied --since 2h", "what was refused in the last two hours?"),
            ("caponier audit query --path ~/notes", "what touched this folder?"),
            ("caponier audit query --denied --group-by reason,path", "which refusals are the most frequent?"),
            ("caponier audit query --event network.connect --json", "every connection, for a program"),
        ],
        statuses: &[("0", "answered, also when nothing was found"), OF_THE_LOG],
    },
    Lesson {
        command: "audit replay",
        examples: &[(
            "caponier audit replay --profile notes --session 01M857",
            "would the profile, as it is now, have refused anything?",
        )],
        statuses: &[
            ("0", "it would refuse nothing"),
            ("1", "it would refuse something, or the log has no such session"),
            WRONG_PROFILE,
        ],
    },
    Lesson {
        command: "audit report",
        examples: &[(
            "caponier audit report --html report.html --since 2h",
            "the last two hours as one page that loads nothing",
        )],
        statuses: &[DONE, ("1", "the log cannot be read, or the page not be written")],
    },
    Lesson {
        command: "audit tail",
        examples: &[
            ("caponier audit tail", "the ten newest events"),
            ("caponier audit tail -f --denied", "refusals as they come, until Ctrl-C"),
        ],
        statuses: &[DONE, OF_THE_LOG],
    },
    Lesson {
        command: "audit timeline",
        examples: &[
            ("caponier audit timeline --session 01M857", "each call, and what happened inside it"),
            ("caponier audit timeline --session 01M857 --all", "also the hundreds of files of a start"),
        ],
        statuses: &[DONE, OF_THE_LOG],
    },
    Lesson {
        command: "audit verify",
        examples: &[
            ("caponier audit verify", "was any line changed, removed or added?"),
            ("caponier audit verify --session 01M857 --json", "one session, for a program"),
        ],
        statuses: &[("0", "nothing was"), ("1", "something was, or the log cannot be read")],
    },
    Lesson {
        command: "client list",
        examples: &[
            ("caponier client list", "which servers would start here, and which of them without caponier?"),
            ("caponier client list --client vscode --json", "those of one client, for a program"),
        ],
        statuses: &[DONE, ("1", "a configuration cannot be read or understood")],
    },
    Lesson {
        command: "client unwrap",
        examples: &[
            ("caponier client unwrap", "what would change?"),
            ("caponier client unwrap --yes --only notes", "take caponier away from one server"),
        ],
        statuses: &[
            ("0", "done, or there is nothing to do"),
            ("1", "a file or a server that was meant is as it was"),
            ("78", "caponier's own folder cannot be used"),
        ],
    },
    Lesson {
        command: "client wrap",
        examples: &[
            ("caponier client wrap", "what would change?"),
            ("caponier client wrap --yes", "put caponier in front of every server that is started here"),
            (
                "caponier client wrap --yes --client cursor --only notes --profile filesystem",
                "of one server, under a profile",
            ),
            (
                "caponier client wrap --yes --profile notes=filesystem --profile db=./db.toml",
                "of all servers, two of them under profiles of their own",
            ),
        ],
        statuses: &[
            ("0", "done, or there is nothing to do"),
            ("1", "a file or a server that was meant is as it was"),
            ("78", "there is no such profile, or caponier's own folder cannot be used"),
        ],
    },
    Lesson {
        command: "completions",
        examples: &[
            ("caponier completions bash > ~/.local/share/bash-completion/completions/caponier", "for bash"),
            (
                "caponier completions zsh > ~/.zfunc/_caponier",
                "for zsh, with ~/.zfunc in fpath before compinit",
            ),
            ("caponier completions fish > ~/.config/fish/completions/caponier.fish", "for fish"),
        ],
        statuses: &[DONE],
    },
    Lesson {
        command: "demo",
        examples: &[
            ("caponier demo", "let a hostile server attack, and see what stopped it"),
            ("caponier demo --keep", "keep its log, to ask it questions"),
        ],
        statuses: &[
            ("0", "every attack was stopped and recorded"),
            ("1", "one was not"),
            ("125", "the pen could not be set up here: see `caponier doctor`"),
            ("128 + n", "signal n ended it"),
        ],
    },
    Lesson {
        command: "deny",
        examples: &[("caponier deny 5f0c2b1e", "no; whoever made the call is told so at once")],
        statuses: &[DONE, ("1", "nothing of that name waits, or its session does not answer")],
    },
    Lesson {
        command: "doctor",
        examples: &[
            ("caponier doctor", "what can this kernel enforce?"),
            ("caponier doctor --profile git", "can this profile be held here?"),
            (
                "caponier doctor --prove --profile git",
                "attack it, here and now: what held, and what did not?",
            ),
            ("caponier doctor --prove --profile ./my.toml --json", "the same for a program"),
        ],
        statuses: &[
            (
                "0",
                "servers can be run here; with --prove: something is blocked, and nothing is open or unclear",
            ),
            (
                "1",
                "nothing can be run here, or not under the profile; with --prove: something is open or unclear",
            ),
            WRONG_PROFILE,
            ("125", "with --prove: the pen could not be set up"),
        ],
    },
    Lesson {
        command: "learn",
        examples: &[
            ("caponier learn --server notes", "propose a profile from all sessions of a server"),
            (
                "caponier learn --session 01M857 --output ~/.config/caponier/profiles/notes.toml",
                "from one session, into a new file",
            ),
        ],
        statuses: &[
            DONE,
            ("1", "there is nothing to learn from, or the file exists"),
            ("78", "the command of the sessions cannot be found any more"),
        ],
    },
    Lesson {
        command: "profile check",
        examples: &[
            ("caponier profile check ./notes.toml", "errors, and what is wider than it seems"),
            (
                "caponier profile check filesystem -- node index.js /home/me/notes",
                "with the server's command",
            ),
        ],
        statuses: &[("0", "no errors; there may be warnings"), WRONG_PROFILE],
    },
    Lesson {
        command: "profile diff",
        examples: &[
            (
                "caponier profile diff --profile git dev prod",
                "what production does not allow, and what it does",
            ),
            ("caponier profile diff filesystem ./mine.toml", "wider, narrower, or only another value?"),
        ],
        statuses: &[("0", "compared"), ("1", "with --exit-code: they differ"), WRONG_PROFILE],
    },
    Lesson {
        command: "profile list",
        examples: &[("caponier profile list", "yours, and those that come with caponier")],
        statuses: &[DONE],
    },
    Lesson {
        command: "profile lock",
        examples: &[
            (
                "caponier profile lock git",
                "from now on run refuses another one, and --write, under --env prod",
            ),
            ("caponier profile lock --remove git", "take the lock away"),
        ],
        statuses: &[DONE, ("78", "the profile is wrong, or the lock cannot be kept")],
    },
    Lesson {
        command: "profile schema",
        examples: &[(
            "caponier profile schema > ~/.config/caponier/profile.schema.json",
            "for an editor; `#:schema ../profile.schema.json` in a profile's first line names it",
        )],
        statuses: &[DONE],
    },
    Lesson {
        command: "profile show",
        examples: &[
            ("caponier profile show git", "what it amounts to, each line with where it comes from"),
            ("caponier profile show filesystem -- node index.js /home/me/notes", "with the server's command"),
            ("caponier profile show --plan git", "what this kernel is told"),
        ],
        statuses: &[DONE, WRONG_PROFILE, ("125", "with --plan: this kernel cannot enforce it")],
    },
    Lesson {
        command: "profile trust",
        examples: &[
            (
                "caponier profile trust",
                "the .caponier.toml of this folder may widen, as long as it stays as it is",
            ),
            ("caponier profile trust --remove /home/me/project", "take the approval back"),
        ],
        statuses: &[DONE, ("78", "there is no such file, or the approval cannot be kept")],
    },
    Lesson {
        command: "profile why",
        examples: &[
            ("caponier profile why --profile notes --read ~/.ssh/id_ed25519", "may it read my key?"),
            ("caponier profile why --profile fetch --host example.com:443", "may it reach this host?"),
            ("caponier profile why --profile notes --tool delete_note", "may this tool be called?"),
        ],
        statuses: &[("0", "allowed"), ("1", "denied"), WRONG_PROFILE],
    },
    Lesson {
        command: "ps",
        examples: &[("caponier ps", "which servers run now, and what they were refused so far")],
        statuses: &[("0", "done, also when none runs"), ("1", "the log cannot be read")],
    },
    Lesson {
        command: "run",
        examples: &[
            (
                "caponier run -- npx -y @modelcontextprotocol/server-filesystem /home/me/notes",
                "a server that may read the folder on its command line; its package is installed once",
            ),
            (
                "caponier run --profile filesystem --write /home/me/notes -- node index.js /home/me/notes",
                "and write it",
            ),
            (
                "caponier run --profile fetch --host example.com:443 -- mcp-server-fetch",
                "a server that may reach one host",
            ),
            (
                "caponier run --profile github --pass-env GITHUB_PERSONAL_ACCESS_TOKEN -- github-mcp-server stdio",
                "a server that gets one variable, whose value no log will show",
            ),
            (
                "caponier run -- uv --directory /home/me/weather run server.py",
                "a server of your own, in the environment that `uv sync` made",
            ),
            (
                "caponier run --env dev --observe --name notes -- node index.js /home/me/notes",
                "watch what a server needs; then: caponier learn --server notes",
            ),
            (
                "caponier run --no-resolve -- npx -y @modelcontextprotocol/server-memory",
                "npx itself in the pen, with a shell and a cache that it executes from; without --no-resolve, from the store",
            ),
        ],
        statuses: &[
            ("the server's", "it ended by itself"),
            ("128 + n", "signal n ended it"),
            ("78", "a profile or setting is wrong; nothing was started"),
            ("124", "limits.wall_time is over"),
            ("125", "the pen could not be set up; nothing was started"),
            ("126", "the command cannot or may not be executed"),
            ("127", "the command was not found"),
        ],
    },
    Lesson {
        command: "server add",
        examples: &[
            (
                "caponier server add npm:@modelcontextprotocol/server-memory@2026.8.31",
                "install this version; `caponier run -- npx -y @modelcontextprotocol/server-memory` starts it",
            ),
            (
                "caponier server add pypi:mcp-server-git --name git",
                "the newest one, under a name of your own",
            ),
        ],
        statuses: &[
            ("0", "it is in the store"),
            ("78", "that is no package, or another one has the name"),
            ("125", "it could not be installed; what was there is as it was"),
            ("127", "npm or python3, which would install it, was not found"),
        ],
    },
    Lesson {
        command: "server approve",
        examples: &[
            ("caponier server approve notes read_page", "what one tool says now holds from now on"),
            ("caponier server approve notes", "and of all of it"),
            ("caponier server approve notes --forget", "see it as for the first time"),
        ],
        statuses: &[("0", "approved"), ("78", "there is nothing to approve, or the pins cannot be read")],
    },
    Lesson {
        command: "server diff",
        examples: &[(
            "caponier server diff notes",
            "what does it say otherwise than when it was first seen?",
        )],
        statuses: &[
            ("0", "nothing waits for approval"),
            ("1", "something does"),
            ("78", "nothing is known of such a server, or its pins cannot be read"),
        ],
    },
    Lesson {
        command: "server list",
        examples: &[("caponier server list", "which packages are in the store, and at which version?")],
        statuses: &[
            ("0", "listed"),
            ("1", "a record could not be understood"),
            ("78", "the store cannot be read"),
        ],
    },
    Lesson {
        command: "server promote",
        examples: &[
            ("caponier server promote notes", "the staged version is the one in use from now on"),
            ("caponier server promote notes --accept", "although its tools changed, or it did something new"),
        ],
        statuses: &[
            ("0", "promoted"),
            ("1", "not promoted: it says or does something else; look at `server diff`"),
            ("78", "there is no such server, or nothing is staged"),
            ("125", "the staged version is not what was installed, or the disk is full; nothing changed"),
        ],
    },
    Lesson {
        command: "server remove",
        examples: &[
            ("caponier server remove server-memory", "remove all of its versions"),
            ("caponier server remove server-memory@2025.8.4", "only one that is not in use"),
        ],
        statuses: &[
            ("0", "removed"),
            ("78", "there is no such server or version"),
            ("125", "a session runs from it, or it could not be removed"),
        ],
    },
    Lesson {
        command: "server rollback",
        examples: &[("caponier server rollback notes", "the version before is the one in use again")],
        statuses: &[
            ("0", "rolled back"),
            ("78", "there is no such server, or no version before"),
            ("125", "that version is not what was installed; nothing changed"),
        ],
    },
    Lesson {
        command: "server stage",
        examples: &[
            (
                "caponier server stage notes@2026.8.31",
                "install this version, and start both once, in their pens",
            ),
            ("caponier server stage notes -- /home/me/notes", "the newest, probed with these arguments"),
        ],
        statuses: &[
            ("0", "staged; it says and does what the version in use does"),
            ("1", "staged; somebody has to look at it"),
            ("78", "there is no such server, or it could not be probed"),
            ("125", "it could not be installed; what was there is as it was"),
        ],
    },
];

/// The command line with what it teaches, to stand below the options.
pub(super) fn taught(command: Command) -> Command {
    LESSONS.iter().fold(command, |command, lesson| {
        let words: Vec<&str> = lesson.command.split(' ').collect();
        at(command, &words, &text(lesson))
    })
}

fn at(command: Command, words: &[&str], text: &str) -> Command {
    match words {
        [] => command.after_help(text.to_owned()),
        // A lesson about no command is a test's to find: clap would panic.
        [word, ..] if command.find_subcommand(word).is_none() => command,
        [word, rest @ ..] => command.mut_subcommand(*word, |below| at(below, rest, text)),
    }
}

fn text(lesson: &Lesson) -> String {
    let mut text = "Examples:\n".to_owned();
    for (line, what) in lesson.examples {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "  {line}\n      {what}");
    }
    text.push_str("\nExit status:\n");
    let usage = ("64", "the command line is wrong");
    let mut statuses: Vec<(&str, &str)> = lesson.statuses.iter().copied().chain([usage]).collect();
    // The server's own and signals first or last as written, numbers in their order.
    statuses.sort_by_key(|(status, _)| status.parse::<u8>().map_or(0, |number| u16::from(number) + 1));
    let width = statuses.iter().map(|(status, _)| status.len()).max().unwrap_or_default();
    for (status, when) in statuses {
        let _ = writeln!(text, "  {status:width$}  {when}");
    }
    text
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Every command below `command` that does something, by its words.
    fn leaves(command: &Command, words: &str, found: &mut BTreeSet<String>) {
        let below: Vec<&Command> = command.get_subcommands().filter(|below| !below.is_hide_set()).collect();
        if below.is_empty() {
            found.insert(words.to_owned());
        }
        for one in below {
            leaves(one, format!("{words} {}", one.get_name()).trim_start(), found);
        }
    }

    #[test]
    fn every_command_has_its_lesson_and_no_other_is_there() {
        let mut commands = BTreeSet::new();
        leaves(&crate::cli::command(), "", &mut commands);
        let taught: Vec<String> = LESSONS.iter().map(|lesson| lesson.command.to_owned()).collect();
        assert!(taught.is_sorted(), "src/cli/manual.rs: by command, please");
        assert_eq!(
            commands,
            taught.into_iter().collect(),
            "commands (left), LESSONS of src/cli/manual.rs (right): give each command examples and exit statuses there"
        );
    }

    #[test]
    fn every_example_is_a_command_line_that_is_taken() {
        for lesson in LESSONS {
            assert!(!lesson.examples.is_empty() && !lesson.statuses.is_empty(), "{}", lesson.command);
            for (line, _) in lesson.examples {
                let words = line.split(' ').take_while(|word| *word != ">");
                let taken = crate::cli::command().try_get_matches_from(words);
                assert!(taken.is_ok(), "{line}: {}", taken.unwrap_err());
                assert!(line.starts_with(&format!("caponier {}", lesson.command)), "{line}");
            }
        }
    }
}
