//! `caponier profile`: list, show, check, schema, why. Reports go to stdout, diagnostics to stderr.
//!
//! Exit status: 0; 1 where `why` answers deny; 64 usage (clap); 78 where the profile is wrong.

mod decide;
mod diff;
mod plan;
mod show;

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde::Serialize;

use crate::audit::count::counted;
use crate::cli::diagnostic::{self, Style, escape};
use crate::cli::surroundings::Surroundings;
use crate::policy::Environment;
use crate::policy::grant::{Access, Origin};
use crate::policy::verdict::Ruling;
use crate::profile::context::Context;
use crate::profile::problem::{Problem, Problems, Warning};
use crate::profile::why::{self, Answer};
use crate::profile::{self, Flags, Request, Resolved, difference, lock};

/// A profile is wrong.
const CONFIGURATION: u8 = 78;

/// Version of the JSON of every report here.
const SCHEMA: u32 = 1;

/// `caponier profile …`.
#[derive(Debug, Args)]
pub struct ProfileArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List the profiles that --profile can name
    List {
        /// Which environment's files are meant: dev or prod
        #[arg(long, value_name = "ENV", default_value = "prod", value_parser = environment)]
        env: Environment,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Show what a profile amounts to, each line with the file and line that it came from
    Show {
        /// A profile's name, or a file
        profile: String,
        /// Show what this kernel is told: rules by inode, system calls, limits
        #[arg(long)]
        plan: bool,
        #[command(flatten)]
        setting: Setting,
    },
    /// Look for errors (exit status 78), and for what is wider than it seems
    Check {
        /// A profile's name, or a file
        profile: String,
        #[command(flatten)]
        setting: Setting,
    },
    /// Print the JSON Schema of profiles, for editors
    Schema,
    /// Compare two profiles, or the environments of one, line by line: what is wider, what is narrower
    Diff {
        #[command(flatten)]
        pair: diff::Pair,
        #[command(flatten)]
        setting: Setting,
    },
    /// Lock the production profile as it is now: a changed one is refused (78), and so is what adds to it
    Lock {
        /// A profile's name, or a file
        profile: String,
        /// Take the lock away instead
        #[arg(long)]
        remove: bool,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Approve the .caponier.toml of a workspace as it is now: without that it can only narrow
    Trust {
        /// The workspace [default: the current folder]
        #[arg(value_name = "DIR")]
        workspace: Option<PathBuf>,
        /// Take the approval back instead
        #[arg(long)]
        remove: bool,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Tell whether something would be allowed, and which line decides; exit status 1 if not
    Why {
        /// A profile's name, or a file
        #[arg(long)]
        profile: String,
        #[command(flatten)]
        question: Question,
        #[command(flatten)]
        setting: Setting,
    },
}

/// What a profile is resolved against.
#[derive(Debug, Args)]
struct Setting {
    /// Which environment's files are meant: dev or prod
    #[arg(long, value_name = "ENV", default_value = "prod", value_parser = environment)]
    env: Environment,
    /// What ${workspace} stands for; default: the current folder
    #[arg(long, value_name = "DIR")]
    workspace: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// The server's command: without it, ${server.*} and path arguments stay open
    #[arg(last = true, value_name = "CMD")]
    command: Vec<std::ffi::OsString>,
}

/// One thing that a server may want.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Question {
    /// Read this path
    #[arg(long, value_name = "PATH")]
    read: Option<PathBuf>,
    /// Write this path
    #[arg(long, value_name = "PATH")]
    write: Option<PathBuf>,
    /// Execute this file
    #[arg(long, value_name = "PATH")]
    exec: Option<PathBuf>,
    /// Reach this host
    #[arg(long, value_name = "HOST:PORT")]
    host: Option<String>,
    /// Have this tool called
    #[arg(long, value_name = "NAME")]
    tool: Option<String>,
}

/// `dev` or `prod`, for clap.
///
/// # Errors
/// Anything else, in words.
pub fn environment(text: &str) -> Result<Environment, String> {
    match text {
        "dev" => Ok(Environment::Dev),
        "prod" => Ok(Environment::Prod),
        _ => Err("it is dev or prod".into()),
    }
}

/// Runs `caponier profile …`.
pub fn run(args: ProfileArgs, around: &Surroundings) -> ExitCode {
    match args.action {
        Action::List { env, json } => print(&list(around, env, json)),
        Action::Show { profile, plan: true, setting } => match resolve(&profile, &setting, around) {
            Ok((resolved, _)) => plan::show(&resolved, setting.json),
            Err(problems) => fail(&problems),
        },
        Action::Show { profile, plan: false, setting } => match resolve(&profile, &setting, around) {
            Ok((resolved, _)) if setting.json => print(&json(&resolved)),
            Ok((resolved, _)) => print(&show::text(&resolved, Style::stdout())),
            Err(problems) => fail(&problems),
        },
        Action::Schema => print(profile::SCHEMA),
        Action::Check { profile, setting } => check(&profile, &setting, around),
        Action::Diff { pair, setting } => match compare(&pair, &setting, around) {
            Ok(code) => code,
            Err(problems) => fail(&problems),
        },
        Action::Lock { profile, remove: true, json } => decide::unlock(&profile, json, around),
        Action::Lock { profile, remove: false, json } => decide::lock(&profile, json, around),
        Action::Trust { workspace, remove, json } => {
            decide::trust(workspace.as_deref(), remove, json, around)
        }
        Action::Why { profile, question, setting } => match ask(&profile, &question, &setting, around) {
            Ok(answer) => give(&answer, setting.json),
            Err(problems) => fail(&problems),
        },
    }
}

fn compare(pair: &diff::Pair, setting: &Setting, around: &Surroundings) -> Result<ExitCode, Problems> {
    let [from, to] = pair.sides(setting.env)?;
    let (from, _) = resolve_in(&from.0, from.1, setting, around)?;
    let (to, _) = resolve_in(&to.0, to.1, setting, around)?;
    let found = difference::between(&from, &to);
    let code = match setting.json {
        true => print(&diff::json(&from, &to, &found)),
        false => print(&diff::text(&from, &to, &found, Style::stdout())),
    };
    let differ = pair.exit_code && !found.is_empty() && code == ExitCode::SUCCESS;
    Ok(if differ { ExitCode::from(1) } else { code })
}

fn resolve(name: &str, setting: &Setting, around: &Surroundings) -> Result<(Resolved, Context), Problems> {
    resolve_in(name, setting.env, setting, around)
}

fn resolve_in(
    name: &str,
    environment: Environment,
    setting: &Setting,
    around: &Surroundings,
) -> Result<(Resolved, Context), Problems> {
    let command = match setting.command.as_slice() {
        [] => None,
        words => {
            let problem = |error: crate::sandbox::command::Error| {
                Problem::new(Origin::command_line(), error.to_string()).help(error.help())
            };
            Some(around.command(words, None).map_err(problem)?)
        }
    };
    let context = around.context(setting.workspace.as_deref(), command.as_ref(), None, None);
    let request = Request { profile: name.to_owned(), environment, flags: Flags::default() };
    Ok((profile::resolve(&request, &context)?, context))
}

fn list(around: &Surroundings, env: Environment, as_json: bool) -> String {
    let found = profile::list(&around.directories, env);
    if as_json {
        #[derive(Serialize)]
        struct Line<'l> {
            name: &'l str,
            file: &'l str,
            description: Option<&'l str>,
        }
        #[derive(Serialize)]
        struct List<'l> {
            profiles: Vec<Line<'l>>,
        }
        let line = |(available, description)| -> Line<'_> {
            let (available, description): (&profile::Available, &Option<String>) = (available, description);
            Line { name: &available.name, file: &available.file, description: description.as_deref() }
        };
        return json(&List { profiles: found.iter().map(|(a, d)| line((a, d))).collect() });
    }
    let width = found.iter().map(|(available, _)| available.name.len()).max().unwrap_or_default();
    let mut text = String::new();
    for (available, description) in &found {
        let description = description.as_deref().unwrap_or("(no description)");
        let _ = writeln!(text, "{:width$}  {}", escape(&available.name), escape(description));
        if !available.file.starts_with("<shipped>") {
            let _ = writeln!(text, "{:width$}  {}", "", escape(&available.file));
        }
    }
    text
}

fn check(name: &str, setting: &Setting, around: &Surroundings) -> ExitCode {
    let (errors, warnings) = match resolve(name, setting, around) {
        Ok((resolved, _)) => {
            let request =
                Request { profile: name.to_owned(), environment: setting.env, flags: Flags::default() };
            let locked = lock::refuse(&request, &resolved);
            (locked.err().unwrap_or_default(), resolved.warnings)
        }
        Err(problems) => (problems.0, Vec::new()),
    };
    let code = if errors.is_empty() { 0 } else { CONFIGURATION };
    if setting.json {
        #[derive(Serialize)]
        struct Report<'r> {
            profile: &'r str,
            ok: bool,
            errors: &'r [Problem],
            warnings: &'r [Warning],
        }
        let report = Report { profile: name, ok: errors.is_empty(), errors: &errors, warnings: &warnings };
        return end(&json(&report), code);
    }
    if !errors.is_empty() {
        return fail(&Problems(errors));
    }
    let style = Style::stdout();
    let mut text: String = warnings.iter().map(|found| diagnostic::warning(found, style) + "\n").collect();
    let _ = match warnings.len() {
        0 => writeln!(text, "{}: no errors, no warnings", escape(name)),
        some => writeln!(text, "{}: no errors, {}", escape(name), counted(some, "warning")),
    };
    end(&text, code)
}

fn ask(
    name: &str,
    question: &Question,
    setting: &Setting,
    around: &Surroundings,
) -> Result<Answer, Problems> {
    let (resolved, context) = resolve(name, setting, around)?;
    let mut answer = answer(question, &resolved, &context)?;
    if let (Ruling::Deny, Some(found)) = (answer.verdict, &resolved.repository) {
        // A line of the profile alone may not be enough.
        let narrowing = format!("{} narrows the profile in this workspace", found.file.display());
        answer.note = Some(match answer.note {
            Some(note) => format!("{note}; {narrowing}"),
            None => narrowing,
        });
    }
    Ok(answer)
}

fn answer(question: &Question, resolved: &Resolved, context: &Context) -> Result<Answer, Problems> {
    if let Some(tool) = &question.tool {
        return Ok(why::tool(resolved, tool));
    }
    if let Some(host) = &question.host {
        return why::host(resolved, host)
            .map_err(|error| Problem::new(Origin::command_line(), format!("--host {error}")).into());
    }
    let paths =
        [(Access::Read, &question.read), (Access::Write, &question.write), (Access::Execute, &question.exec)];
    let asked = paths.into_iter().find_map(|(access, path)| Some((access, path.as_ref()?)));
    let Some((access, path)) = asked else {
        // clap demands one of the five.
        return Err(Problem::new(Origin::command_line(), "nothing was asked").into());
    };
    why::path(resolved, context, access, path)
        .map_err(|error| Problem::new(Origin::command_line(), error.to_string()).into())
}

fn give(answer: &Answer, as_json: bool) -> ExitCode {
    let denial = answer.denial.as_ref();
    let code = u8::from(answer.verdict != Ruling::Allow);
    if as_json {
        #[derive(Serialize)]
        struct Report<'r> {
            verdict: Ruling,
            reason: Option<crate::policy::reason::Reason>,
            layer: Option<crate::policy::verdict::Layer>,
            line: Option<&'r Origin>,
            because: &'r str,
            remedy: Option<&'r str>,
            why_not: Option<&'r str>,
            note: Option<&'r str>,
        }
        let report = Report {
            verdict: answer.verdict,
            reason: denial.map(|denial| denial.reason),
            layer: denial.map(|denial| denial.layer),
            line: answer.line.as_ref(),
            because: &answer.because,
            remedy: denial.and_then(|denial| denial.remedy.line()),
            why_not: denial.and_then(|denial| denial.remedy.why_not()),
            note: answer.note.as_deref(),
        };
        return end(&json(&report), code);
    }
    let style = Style::stdout();
    let mut text = match denial {
        None => format!("{}: {}\n", style.paint("allow", 32), escape(&answer.because)),
        Some(denial) => {
            format!("{}[{}]: {}\n", style.paint("deny", 31), denial.reason, escape(&answer.because))
        }
    };
    if let Some(line) = &answer.line {
        let _ = writeln!(text, "  {} {}", style.paint("-->", 34), escape(&line.to_string()));
    }
    if let Some(denial) = denial {
        let help = denial.remedy.line().or(denial.remedy.why_not()).unwrap_or_default();
        let _ = writeln!(text, "{}: {}", style.paint("help", 36), escape(help));
    }
    if let Some(note) = &answer.note {
        let _ = writeln!(text, "{}: {}", style.paint("note", 33), escape(note));
    }
    end(&text, code)
}

/// One line of JSON: the report's fields, and the version of their schema.
pub(in crate::cli) fn json(report: &impl Serialize) -> String {
    let Ok(serde_json::Value::Object(fields)) = serde_json::to_value(report) else {
        return String::new();
    };
    // Under both names: `v`, as in every other report and in the log, and the one that these had first.
    let names = ["v", "version"].map(|name| (name.to_owned(), SCHEMA.into()));
    let mut versioned = serde_json::Map::from_iter(names);
    versioned.extend(fields);
    serde_json::Value::Object(versioned).to_string() + "\n"
}

/// Writes a report that is no answer to yes or no.
fn print(text: &str) -> ExitCode {
    end(text, 0)
}

/// Writes a report, and ends with its status. A reader that has seen enough (a closed pipe) is no error.
fn end(text: &str, status: u8) -> ExitCode {
    diagnostic::written(std::io::stdout().lock().write_all(text.as_bytes()), status)
}

/// One thing that is wrong, without a line.
fn refused(message: String) -> Problem {
    Problem::new(Origin::command_line(), message)
}

/// Says on stderr what is wrong; the status of a wrong configuration.
fn fail(problems: &Problems) -> ExitCode {
    // Where stderr is closed there is nobody to tell; the exit status says it.
    let _ = std::io::stderr().lock().write_all(diagnostic::problems(problems, Style::stderr()).as_bytes());
    ExitCode::from(CONFIGURATION)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::policy::directories::Directories;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: ProfileArgs,
    }

    /// A user whose folders are all empty, and a profile of theirs.
    fn user(body: &str) -> (tempfile::TempDir, Surroundings, String) {
        let root = tempfile::tempdir().unwrap();
        let at = |name: &str| root.path().join(name);
        let dirs =
            Directories { config: at("config"), state: at("state"), data: at("data"), runtime: at("run") };
        let file = at("p.toml");
        std::fs::write(&file, body).unwrap();
        let file = file.display().to_string();
        let mut around = Surroundings::find().unwrap();
        around.directories = dirs;
        (root, around, file)
    }

    fn status(words: &[&str], around: &Surroundings) -> ExitCode {
        let line = Line::try_parse_from(["profile"].iter().chain(words)).unwrap();
        run(line.args, around)
    }

    #[test]
    fn exit_statuses_tell_allow_deny_and_wrong() {
        let (_root, dirs, file) = user("version = 1\n[filesystem]\nread = [\"/usr\"]\n");
        let why = |question: &[&str]| status(&[&["why", "--profile", &file], question].concat(), &dirs);
        assert_eq!(why(&["--read", "/usr/share"]), ExitCode::SUCCESS);
        assert_eq!(why(&["--write", "/usr/share"]), ExitCode::from(1));
        assert_eq!(why(&["--host", "example.com:443", "--json"]), ExitCode::from(1));
        assert_eq!(why(&["--tool", "x"]), ExitCode::SUCCESS);
        assert_eq!(status(&["check", &file, "--json"], &dirs), ExitCode::SUCCESS);
        assert_eq!(status(&["show", "nowhere"], &dirs), ExitCode::from(78));
        assert_eq!(status(&["list", "--env", "dev"], &dirs), ExitCode::SUCCESS);
    }

    #[test]
    fn two_profiles_are_compared_and_environments_of_one() {
        let (_root, dirs, file) = user("version = 1\n[tools]\ndeny = [\"x\"]\n");
        let diff = |words: &[&str]| status(&[&["diff"], words].concat(), &dirs);
        assert_eq!(diff(&[&file, &file, "--exit-code"]), ExitCode::SUCCESS);
        assert_eq!(diff(&[&file, "base", "--json"]), ExitCode::SUCCESS);
        assert_eq!(diff(&[&file, "base", "--exit-code"]), ExitCode::from(1));
        assert_eq!(diff(&["--profile", &file, "dev", "prod", "--exit-code"]), ExitCode::from(1));
        assert_eq!(diff(&["dev", "prod"]), ExitCode::from(78));
        assert_eq!(diff(&["--profile", &file, "dev", "base"]), ExitCode::from(78));
    }

    #[test]
    fn a_lock_is_kept_checked_and_taken_away() {
        let (_root, dirs, file) = user("version = 1\n");
        assert_eq!(status(&["lock", &file, "--json"], &dirs), ExitCode::SUCCESS);
        assert_eq!(status(&["check", &file], &dirs), ExitCode::SUCCESS);
        std::fs::write(&file, "version = 1\n# another\n").unwrap();
        assert_eq!(status(&["check", &file], &dirs), ExitCode::from(78));
        assert_eq!(status(&["check", &file, "--env", "dev"], &dirs), ExitCode::SUCCESS);
        assert_eq!(status(&["lock", "--remove", &file], &dirs), ExitCode::SUCCESS);
        assert_eq!(status(&["check", &file], &dirs), ExitCode::SUCCESS);
        assert_eq!(status(&["lock", "nowhere"], &dirs), ExitCode::from(78));
    }

    #[test]
    fn exactly_one_question_is_asked() {
        for words in
            [&["why", "--profile", "p"][..], &["why", "--profile", "p", "--read", "/", "--tool", "x"]]
        {
            assert!(Line::try_parse_from(["profile"].iter().chain(words)).is_err());
        }
    }

    #[test]
    fn a_whole_report_of_errors_is_rendered() {
        let (_root, dirs, file) = user("version = 1\n[filesystem]\nraed = []\n[limits]\nmemory = \"1GB\"\n");
        let setting = Setting { env: Environment::Prod, workspace: None, json: false, command: Vec::new() };
        let problems = resolve(&file, &setting, &dirs).unwrap_err();
        let expected = format!(
            "error: unknown key `filesystem.raed`\n  --> {file}:3:1\nhelp: did you mean `read`?\n\n\
             error: `limits.memory`: `GB` is not a unit here; the units are B, KiB, MiB, GiB, TiB\n  --> {file}:5:10\n\n\
             error: 2 errors\n"
        );
        assert_eq!(diagnostic::problems(&problems, Style::PLAIN), expected);
    }

    #[test]
    fn every_line_that_is_shown_names_where_it_comes_from() {
        let body = "version = 1\n[filesystem]\nread = [{ path = \"/usr\", reason = \"x\" }]\n[limits]\nprocesses = 3\n";
        let (_root, dirs, file) = user(body);
        let setting = Setting { env: Environment::Prod, workspace: None, json: false, command: Vec::new() };
        let (resolved, _) = resolve(&file, &setting, &dirs).unwrap();
        let text = show::text(&resolved, Style::PLAIN);
        let squeezed = text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(squeezed.contains(&format!("read /usr {file}:3 # x")), "{text}");
        assert!(squeezed.contains(&format!("processes = 3 {file}:5")), "{text}");
        assert!(squeezed.contains("memory = 1GiB default"), "{text}");
        let report: serde_json::Value = serde_json::from_str(&json(&resolved)).unwrap();
        assert_eq!(report["version"], 1);
        assert_eq!(report["policy"]["filesystem"]["read"][0]["origin"]["line"], 3);
    }
}
