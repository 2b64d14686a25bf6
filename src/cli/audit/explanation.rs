//! What `audit explain` finds out about one event, as a value; and how it is said.

use std::error::Error;
use std::io::{self, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::audit::count::counted;
use crate::audit::query::filter::{Filter, Pattern};
use crate::audit::query::record::Record;
use crate::audit::query::{self, Answer, Match, Note};
use crate::audit::replay::question::Question;
use crate::audit::replay::{Judge, Judgement};
use crate::audit::suggestion::{self, Proposed};
use crate::cli::audit::contents::Contents;
use crate::cli::audit::found::Found;
use crate::cli::audit::notices::note;
use crate::cli::audit::overview::Overview;
use crate::cli::audit::recorded::Recorded;
use crate::cli::audit::what;
use crate::cli::term::escape::escape;
use crate::cli::term::table::fold;
use crate::cli::term::{Style, Terminal};
use crate::policy::grant::Access;
use crate::profile::problem::{Code, Warning};
use crate::profile::{self, Resolved};

/// Other refusals that are named one by one; the rest is counted.
const NAMED: usize = 10;

/// See the module.
pub(super) struct Explanation<'a> {
    record: Record<'a>,
    found: &'a Found,
    overview: &'a Overview,
    /// The profile as it is now; the error in words where it cannot be had.
    profile: Result<Resolved, String>,
    judgement: Option<Judgement>,
    /// `None` where nothing was refused.
    proposed: Option<Proposed>,
    opens: Option<Opens>,
    /// The user's own profiles.
    profiles: PathBuf,
    remarks: Vec<String>,
}

/// What a suggestion would allow besides.
#[derive(Debug, Default, Serialize)]
struct Opens {
    /// Other refusals in the log of this server that it would have lifted: their number, repeats counted.
    refusals: u64,
    /// Some of them.
    events: Vec<OtherRefusal>,
    /// What lies in the folder.
    contents: Option<Contents>,
    /// Warnings that the profile would get.
    warnings: Vec<String>,
}

#[derive(Debug, Serialize)]
struct OtherRefusal {
    event: String,
    what: String,
    target: String,
    count: u64,
}

impl<'a> Explanation<'a> {
    /// Finds out. The log of the whole folder is read for what a suggestion would open.
    pub(super) fn of(
        dir: &Path,
        found: &'a Found,
        overview: &'a Overview,
        recorded: &Recorded,
    ) -> Result<Self, Box<dyn Error>> {
        let record = found.record()?;
        let question = Question::of(&record);
        let mut remarks = recorded.notes.clone();
        let profile = recorded
            .resolve(&recorded.profile, recorded.environment, &recorded.flags)
            .map_err(|problems| problems.to_string());
        let mut judgement = None;
        if let Ok(resolved) = &profile {
            judgement = recorded.judge(resolved)?.judge(&record).map(|(_, judgement)| judgement);
            if resolved.policy.profile.sha256 != overview.text("profile_sha256") {
                remarks.push("the profile has changed since: what follows is what it says now".to_owned());
            }
        }
        let asked = question.filter(|_| record.is_denied());
        let mut proposed =
            asked.as_ref().map(|question| suggestion::propose(&record, question, judgement.as_ref()));
        if judgement.as_ref().is_some_and(Judgement::is_allowed) && asked.is_some() {
            remarks.push("the profile allows it by now".to_owned());
        }
        let mut opens = None;
        if let (Some(Ok(suggestion)), Ok(_), Some(question)) = (&proposed, &profile, &asked) {
            match tried(dir, recorded, overview, (&record, question), suggestion) {
                Ok(found) => opens = Some(found),
                Err(Untried::Refused(why)) => proposed = Some(Err(why)),
                Err(Untried::Broken(error)) => return Err(error),
            }
        }
        let profiles = recorded.context.directories.profiles();
        Ok(Explanation { record, found, overview, profile, judgement, proposed, opens, profiles, remarks })
    }

    pub(super) fn json(&self) -> Value {
        let event: Value = serde_json::from_str(&self.found.line).unwrap_or_default();
        let suggestion = self.proposed.as_ref().and_then(|proposed| proposed.as_ref().ok());
        let why_not = self.proposed.as_ref().and_then(|proposed| proposed.as_ref().err());
        let mut report = json!({
            "v": 1,
            "event": event,
            "calls": self.found.calls,
            "profile": self.profile_json(),
            "decision": self.judgement,
            "suggestion": suggestion.map(|suggestion| json!({"line": suggestion.line, "flag": flag(suggestion)})),
            "why_not": why_not,
            "opens": self.opens,
            "remarks": self.remarks,
        });
        if let (Some(report), Some(overview)) = (report.as_object_mut(), self.overview.json().as_object()) {
            report.extend(overview.clone());
        }
        report
    }

    fn profile_json(&self) -> Value {
        let name = self.overview.text("profile");
        match &self.profile {
            Ok(resolved) => {
                let now = &resolved.policy.profile;
                let unchanged = now.sha256 == self.overview.text("profile_sha256");
                json!({"name": name, "file": now.file, "sha256": now.sha256, "unchanged": unchanged, "error": null})
            }
            Err(error) => {
                let file = self.overview.text("profile_file");
                json!({"name": name, "file": file, "sha256": null, "unchanged": null, "error": error})
            }
        }
    }

    pub(super) fn text(&self, terminal: Terminal, out: &mut impl Write) -> io::Result<()> {
        self.overview.write(terminal, out)?;
        for told in &self.remarks {
            note(told, terminal, out)?;
        }
        writeln!(out)?;
        let record = &self.record;
        let (verdict, style) = match record.is_denied() {
            true => ("refused", Style::Red),
            false => ("allowed", Style::Green),
        };
        let head = format!("{}  {}  {}", verdict, what::what(record), what::target(record));
        writeln!(out, "{}", terminal.paint(style, &escape(&head)))?;
        let text = |name: &str, value: &str, out: &mut _| said(name, value, terminal, out);
        text("event", &format!("{}:{}", &*record.session, record.seq), out)?;
        text("asked as", record.asked.as_deref().unwrap_or_default(), out)?;
        text("by", &by(record), out)?;
        for call in &self.found.calls {
            text("in call", &call_words(call), out)?;
        }
        text("attribution", attribution(record.attribution.as_deref(), self.found.calls.len()), out)?;
        text("reason", record.reason.as_deref().unwrap_or_default(), out)?;
        text("layer", layer(record.layer.as_deref()), out)?;
        text("evidence", evidence(record.evidence.as_deref()), out)?;
        text("result", record.result.as_deref().or(record.errno.as_deref()).unwrap_or_default(), out)?;
        text("detail", record.detail.as_deref().unwrap_or_default(), out)?;
        self.decision(terminal, out)?;
        self.help(terminal, out)
    }

    /// Where the line is put: into the profile's own file, or into one that takes the place of a shipped profile.
    fn put(&self, line: &str) -> Vec<String> {
        let Ok(resolved) = &self.profile else { return Vec::new() };
        let profile = &resolved.policy.profile;
        if profile.file.is_absolute() {
            return vec![format!("in {}", profile.file.display())];
        }
        // The profile of a runtime is many servers': one of this server's own is made of it.
        let (name, how) = match profile.name.contains('/') {
            false => (&*profile.name, ", for every server under this profile".to_owned()),
            true => {
                let server = self.overview.text("server");
                (server, format!(", and --profile {server} on the server's command line"))
            }
        };
        if !name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_')) {
            return vec!["in a profile of your own".to_owned()];
        }
        let file = self.profiles.join(format!("{name}.toml"));
        vec![
            format!("in {}{how}; where there is none yet, it has three lines:", file.display()),
            "version = 1".to_owned(),
            format!("extends = [\"{}\"]", profile.name),
            line.to_owned(),
        ]
    }

    fn decision(&self, terminal: Terminal, out: &mut impl Write) -> io::Result<()> {
        let Some(judgement) = &self.judgement else {
            let why = match &self.profile {
                Ok(_) => "no line of a profile decides such an event".to_owned(),
                Err(error) => format!("the profile is not at hand, so its line cannot be named: {error}"),
            };
            return said("decided by", &why, terminal, out);
        };
        said("decided by", &judgement.because, terminal, out)?;
        match &judgement.line {
            Some(line) => said("", &format!("--> {line}"), terminal, out),
            None if judgement.by_profile => {
                said("", "--> no line: what is not granted is refused", terminal, out)
            }
            None => Ok(()),
        }
    }

    fn help(&self, terminal: Terminal, out: &mut impl Write) -> io::Result<()> {
        if self.judgement.as_ref().is_some_and(Judgement::is_allowed) {
            // The remark at the top says so: there is nothing left to do.
            return Ok(());
        }
        let suggestion = match &self.proposed {
            None => return Ok(()),
            Some(Err(why)) => return said("no remedy", why, terminal, out),
            Some(Ok(suggestion)) => suggestion,
        };
        said("remedy", &suggestion.line, terminal, out)?;
        for line in self.put(&suggestion.line) {
            said("", &line, terminal, out)?;
        }
        if let Some(flag) = flag(suggestion) {
            said("", &format!("or, on one server's command line, before the --: {flag}"), terminal, out)?;
        }
        let Some(opens) = &self.opens else {
            return said("opens", "not known: the profile is not at hand", terminal, out);
        };
        let others = match opens.refusals {
            0 => "no other refusal in the log of this server".to_owned(),
            count => format!("{} in the log of this server:", counted(count, "other refusal")),
        };
        said("opens", &others, terminal, out)?;
        for OtherRefusal { event, what, target, count } in &opens.events {
            said("", &format!("{what} {target}  x{count}  {event}"), terminal, out)?;
        }
        if let Some(contents) = &opens.contents {
            said("", &contents.to_string(), terminal, out)?;
        }
        opens.warnings.iter().try_for_each(|warning| said("warning", warning, terminal, out))
    }
}

/// Why a suggestion was not kept.
enum Untried {
    /// The profile would not take it, or it would not help.
    Refused(String),
    Broken(Box<dyn Error>),
}

impl<E: Error + 'static> From<E> for Untried {
    fn from(error: E) -> Self {
        Untried::Broken(Box::new(error))
    }
}

/// Puts the suggestion beside the profile, and asks again: this event, and every refusal of this server in the log.
fn tried(
    dir: &Path,
    recorded: &Recorded,
    overview: &Overview,
    (record, question): (&Record<'_>, &Question),
    suggestion: &suggestion::Suggestion,
) -> Result<Opens, Untried> {
    let request = recorded.request(&recorded.profile, recorded.environment, &recorded.flags);
    let with =
        profile::resolve_adding(&request, &recorded.context, &suggestion.line).map_err(|problems| {
            let words: Vec<&str> = problems.0.iter().map(|problem| problem.message.as_str()).collect();
            Untried::Refused(format!("no profile takes the line that would allow it: {}", words.join("; ")))
        })?;
    let mut judge = recorded.judge(&with)?;
    if let Some((_, judgement)) = judge.judge(record)
        && judgement.is_refused()
    {
        let because = &judgement.because;
        return Err(Untried::Refused(format!("`{}` would not be enough: {because}", suggestion.line)));
    }
    let server = Pattern::name(&globset::escape(overview.text("server")))?;
    let filter = Filter { denied: true, server: Some(server), ..Filter::default() };
    let mut others = Others { judge, question: question.clone(), opens: Opens::default() };
    query::scan(dir, &filter, &mut others)?;
    let mut opens = others.opens;
    opens.contents = suggestion.grant.as_ref().and_then(|(_, path)| Contents::of(path));
    let before = recorded.resolve(&recorded.profile, recorded.environment, &recorded.flags);
    let known = before.map(|before| before.warnings).unwrap_or_default();
    let is_new = |warning: &&Warning| {
        // The reason is the author's to write.
        warning.code != Code::NoReason
            && !known.iter().any(|known| (known.code, &known.message) == (warning.code, &warning.message))
    };
    opens.warnings = with.warnings.iter().filter(is_new).map(|warning| warning.message.clone()).collect();
    Ok(opens)
}

/// Refusals that the suggestion would lift, that of the event itself aside.
struct Others<'a> {
    judge: Judge<'a>,
    question: Question,
    opens: Opens,
}

impl Answer for Others<'_> {
    fn take(&mut self, found: &Match<'_>) -> io::Result<ControlFlow<()>> {
        let record = found.record()?;
        let Some((question, judgement)) = self.judge.judge(&record) else {
            return Ok(ControlFlow::Continue(()));
        };
        let by_it = judgement.line.as_ref().is_some_and(|line| line.file == profile::ADDED);
        if question == self.question || !judgement.is_allowed() || !by_it {
            return Ok(ControlFlow::Continue(()));
        }
        let count = record.count.unwrap_or(1);
        self.opens.refusals += count;
        let (what, target) = (what::what(&record).into_owned(), what::target(&record).into_owned());
        let events = &mut self.opens.events;
        if let Some(same) = events.iter_mut().find(|other| other.what == what && other.target == target) {
            same.count += count;
        } else if events.len() < NAMED {
            let event = format!("{}:{}", &*record.session, record.seq);
            events.push(OtherRefusal { event, what, target, count });
        }
        Ok(ControlFlow::Continue(()))
    }

    fn note(&mut self, _: Note) -> io::Result<()> {
        Ok(())
    }
}

fn flag(suggestion: &suggestion::Suggestion) -> Option<String> {
    let (access, path) = suggestion.grant.as_ref()?;
    let access: &Access = access;
    Some(format!("{} {}", access.flag(), path.display()))
}

fn by(record: &Record<'_>) -> String {
    match (record.exe.as_deref(), record.pid) {
        (Some(exe), Some(pid)) => format!("{exe} (process {pid})"),
        (Some(exe), None) => exe.to_owned(),
        (None, _) => match record.direction.as_deref() {
            Some("client_to_server") => "the client".to_owned(),
            Some("server_to_client") => "the server".to_owned(),
            _ => String::new(),
        },
    }
}

fn call_words(call: &Map<String, Value>) -> String {
    let number = call.get("call").and_then(Value::as_u64).unwrap_or_default();
    let tool = call.get("tool").and_then(Value::as_str).unwrap_or_default();
    let arguments = call.get("arguments").filter(|arguments| !arguments.is_null());
    let arguments = arguments.map(|arguments| format!("  {arguments}")).unwrap_or_default();
    format!("{number}  {tool}{arguments}")
}

fn attribution(word: Option<&str>, calls: usize) -> &'static str {
    match (word, calls) {
        (Some("sole"), _) => "sole: this call was in flight alone",
        (Some("overlap"), _) => "overlap: one of these calls, or none of them",
        (Some("none"), _) => "none: no call was in flight",
        _ => "",
    }
}

fn layer(word: Option<&str>) -> &str {
    match word {
        Some("landlock") => "landlock: the kernel's rules refuse it too",
        Some("seccomp") => "seccomp: the system call is on no list",
        Some("broker") => "broker: caponier answered the system call itself",
        Some("gate") => "gate: the message went no further",
        Some("network") => "network: the connection was not made",
        other => other.unwrap_or_default(),
    }
}

fn evidence(word: Option<&str>) -> &str {
    match word {
        Some("performed") => "performed: caponier did it, or refused it, itself",
        Some("predicted") => {
            "predicted: the kernel decided; a race can make the path wrong, never the access"
        }
        Some("unreadable") => "unreadable: the path could not be read",
        other => other.unwrap_or_default(),
    }
}

const NAME: usize = 11;

fn said(name: &str, value: &str, terminal: Terminal, out: &mut impl Write) -> io::Result<()> {
    if value.is_empty() {
        return Ok(());
    }
    let room = terminal.columns.unwrap_or(usize::MAX).saturating_sub(NAME + 4).max(24);
    let mut head = format!("  {name:<NAME$}  ");
    let value = escape(value);
    for line in fold(&value, room) {
        writeln!(out, "{}{}", terminal.paint(Style::Dim, &head), line.trim_end())?;
        head = format!("{:width$}", "", width = NAME + 4);
    }
    Ok(())
}
