//! What a profile would have said to what stands in the log: the judge of `audit replay`, and of what `audit explain`
//! proposes.
//!
//! Paths are asked of [`crate::profile::why`], which finds the answer as Landlock and the broker do, by inode, on the
//! file system as it is now. What no line of a profile decides keeps the answer that it got. Where the log does not say
//! enough to judge again, that is the answer: nothing is guessed.

mod hosts;
pub mod question;

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::audit::query::record::Record;
use crate::audit::replay::question::Question;
use crate::policy::grant::{Access, Origin};
use crate::policy::reason::Reason;
use crate::policy::verdict::{Denial, Layer, Remedy, Ruling};
use crate::profile::Resolved;
use crate::profile::context::Context;
use crate::profile::why::{self, Answer, Error, Paths};

/// One answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Judgement {
    /// `null` where the log does not say enough.
    pub verdict: Option<Ruling>,
    /// Why it is refused.
    pub reason: Option<String>,
    /// Who refuses.
    pub layer: Option<String>,
    /// The line that decides; `null` when it is the lack of one, or no profile's business.
    pub line: Option<Origin>,
    /// In words.
    pub because: String,
    /// What would allow it.
    pub remedy: Option<String>,
    /// Why nothing is proposed.
    pub why_not: Option<String>,
    /// Whether some line of some profile could decide it.
    pub by_profile: bool,
}

impl Judgement {
    /// Whether it would be allowed, for all that is known.
    pub fn is_allowed(&self) -> bool {
        self.verdict == Some(Ruling::Allow)
    }

    /// Whether it would be refused.
    pub fn is_refused(&self) -> bool {
        self.verdict == Some(Ruling::Deny)
    }

    fn of(answer: Answer) -> Self {
        let denial = answer.denial.as_ref();
        Judgement {
            verdict: Some(answer.verdict),
            reason: denial.map(|denial| denial.reason.code().to_owned()),
            layer: denial.map(|denial| word(denial.layer)),
            line: answer.line,
            because: answer.because,
            remedy: denial.and_then(|denial| denial.remedy.line().map(str::to_owned)),
            why_not: denial.and_then(|denial| denial.remedy.why_not().map(str::to_owned)),
            by_profile: true,
        }
    }

    fn refused(denial: &Denial, line: Option<Origin>, because: String) -> Self {
        let denial = Some(denial.clone());
        Judgement::of(Answer { verdict: Ruling::Deny, denial, line, because, note: None })
    }

    fn allowed(line: Option<Origin>, because: String) -> Self {
        Judgement::of(Answer { verdict: Ruling::Allow, denial: None, line, because, note: None })
    }

    /// As it was, since no profile decides it.
    fn recorded(record: &Record<'_>, because: &str) -> Self {
        let denied = record.is_denied();
        let text = |text: &Option<crate::audit::query::record::Text<'_>>| {
            text.as_deref().filter(|_| denied).map(str::to_owned)
        };
        Judgement {
            verdict: Some(if denied { Ruling::Deny } else { Ruling::Allow }),
            reason: text(&record.reason),
            layer: text(&record.layer),
            line: None,
            because: because.to_owned(),
            remedy: text(&record.remedy),
            why_not: text(&record.why_not),
            by_profile: false,
        }
    }

    fn open(because: &str) -> Self {
        Judgement {
            verdict: None,
            reason: None,
            layer: None,
            line: None,
            because: because.to_owned(),
            remedy: None,
            why_not: None,
            by_profile: true,
        }
    }
}

/// `landlock`, `gate` …
fn word(layer: Layer) -> String {
    match serde_json::to_value(layer) {
        Ok(serde_json::Value::String(word)) => word,
        _ => String::new(),
    }
}

/// Judges the lines of one session by one profile.
pub struct Judge<'a> {
    resolved: &'a Resolved,
    paths: Paths<'a>,
    /// Folders that were the server's own.
    own: Vec<PathBuf>,
    known: HashMap<Question, Judgement>,
}

impl<'a> Judge<'a> {
    /// `own` are folders that were the server's own in that session, whatever the profile: they may be gone by now.
    ///
    /// # Errors
    /// A place that paths are compared with cannot be looked at.
    pub fn new(resolved: &'a Resolved, context: &'a Context, own: Vec<PathBuf>) -> Result<Self, Error> {
        let paths = Paths::new(resolved, context)?;
        Ok(Judge { resolved, paths, own, known: HashMap::new() })
    }

    /// What the profile says to this line; `None` for a line that tells of nothing that could be refused.
    pub fn judge(&mut self, record: &Record<'_>) -> Option<(Question, Judgement)> {
        let question = Question::of(record)?;
        if let Some(known) = self.known.get(&question) {
            return Some((question, known.clone()));
        }
        let judgement = self.answer(&question, record);
        // What keeps its answer keeps each one its own.
        if !matches!(question, Question::Kept { .. } | Question::Open(_)) {
            self.known.insert(question.clone(), judgement.clone());
        }
        Some((question, judgement))
    }

    fn answer(&self, question: &Question, record: &Record<'_>) -> Judgement {
        match question {
            Question::Path(access, path) => self.path(*access, path),
            Question::Name(path) => self.name(path),
            Question::Tool(tool) => Judgement::of(why::tool(self.resolved, tool)),
            Question::Lookup(host) => hosts::lookup(self.resolved, host),
            Question::Connect { name, address } => hosts::connect(self.resolved, name.as_deref(), address),
            Question::Listen(address) => hosts::listen(self.resolved, address),
            Question::Processes(limit) => self.processes(*limit),
            Question::OwnFilter => self.own_filter(),
            Question::Message(bytes) => self.message(*bytes),
            Question::Kept { because } => Judgement::recorded(record, because),
            Question::Open(because) => Judgement::open(because),
        }
    }

    fn path(&self, access: Access, path: &Path) -> Judgement {
        if access != Access::Execute && self.own.iter().any(|own| path.starts_with(own)) {
            let because = format!("{} was the server's own folder", path.display());
            return Judgement::allowed(Some(Origin::caponier()), because);
        }
        match self.paths.ask(access, path) {
            Ok(answer) => Judgement::of(answer),
            Err(error) => Judgement::open(&error.to_string()),
        }
    }

    /// A name is made or removed in the folder around it: that folder has to be writable, and the name not protected.
    fn name(&self, path: &Path) -> Judgement {
        let Some(folder) = path.parent() else { return self.path(Access::Write, path) };
        let around = self.path(Access::Write, folder);
        if !around.is_allowed() && around.reason.as_deref() != Some(Reason::FsWriteProtected.code()) {
            return around;
        }
        self.path(Access::Write, path)
    }

    fn processes(&self, limit: u64) -> Judgement {
        let line = self.resolved.lines.get("limits.processes").cloned();
        match self.resolved.policy.limits.processes {
            None => Judgement::allowed(line, "`limits.processes` is none".into()),
            Some(most) if u64::from(most) > limit => {
                Judgement::allowed(line, format!("`limits.processes` is {most}, and {limit} were running"))
            }
            Some(most) => {
                let remedy = Remedy::Line(format!("limits.processes = {}", limit.saturating_mul(2).max(1)));
                let denial = Denial { reason: Reason::ProcessLimit, layer: Layer::Broker, remedy };
                Judgement::refused(&denial, line, format!("`limits.processes` is {most}"))
            }
        }
    }

    fn own_filter(&self) -> Judgement {
        let line = self.resolved.lines.get("process.nested_seccomp").cloned();
        if self.resolved.policy.process.nested_seccomp {
            return Judgement::allowed(line, "`process.nested_seccomp` is true".into());
        }
        let remedy = Remedy::Line("process.nested_seccomp = true".into());
        let denial = Denial { reason: Reason::SyscallSeccomp, layer: Layer::Broker, remedy };
        Judgement::refused(&denial, line, "`process.nested_seccomp` is false".into())
    }

    fn message(&self, bytes: u64) -> Judgement {
        let line = self.resolved.lines.get("protocol.max_message").cloned();
        let most = self.resolved.policy.protocol.max_message;
        let because = format!("`protocol.max_message` is {most} bytes, and the message had {bytes}");
        if bytes <= most {
            return Judgement::allowed(line, because);
        }
        let megabytes = bytes.div_ceil(1024 * 1024);
        let remedy = Remedy::Line(format!("protocol.max_message = \"{megabytes}MiB\""));
        let denial = Denial { reason: Reason::MessageTooLong, layer: Layer::Gate, remedy };
        Judgement::refused(&denial, line, because)
    }
}

#[cfg(test)]
mod tests;
