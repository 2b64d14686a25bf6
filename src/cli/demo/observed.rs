//! What one attack got, in one of the two runs, as the client saw it.

use serde::Serialize;
use serde_json::Value;

use crate::cli::demo::attacks::Answer;

/// The member of `_meta` and of an error's data in which the gate names its decision.
const DECISION: &str = "io.github.caponier/decision";
/// Characters of a detail that are kept.
const DETAIL: usize = 80;

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", content = "detail", rename_all = "lowercase")]
pub(super) enum Observed {
    /// It worked: what it got.
    Did(String),
    /// The kernel, or the pen in its place, answered this errno.
    Errno(String),
    /// There was nothing to get.
    Absent,
    /// The gate answered in place of the server, for this reason.
    Refused(String),
    /// Nothing of what the server sent reached the client.
    Withheld,
    /// What was started ended with the session.
    Ended,
    /// Neither worked nor was stopped in a way that we know.
    Unclear(String),
}

impl Observed {
    /// Reads the answer to a call. `strays` are lines that came before it and that nobody asked for; they are the
    /// attack where it is expected that they are withheld.
    pub(super) fn of(answer: &Value, strays: usize, expected: Answer) -> Observed {
        let result = &answer["result"];
        for place in [&result["_meta"], &answer["error"]["data"]] {
            if let Some(reason) = place[DECISION]["reason"].as_str() {
                return Observed::Refused(reason.to_owned());
            }
        }
        let structured = &result["structuredContent"];
        if let Some(did) = structured["did"].as_str() {
            return match (expected, strays) {
                (Answer::Withheld, 0) => Observed::Withheld,
                (Answer::Withheld, 1) => Observed::Did("the client got it".into()),
                (Answer::Withheld, lines) => Observed::Did(format!("the client got {lines} lines")),
                _ => Observed::Did(cut(did)),
            };
        }
        if let Some(errno) = structured["errno"].as_str() {
            return Observed::Errno(cut(errno));
        }
        if structured["absent"] == true {
            return Observed::Absent;
        }
        Observed::Unclear(cut(structured["failed"].as_str().unwrap_or(&answer.to_string())))
    }

    /// Whether it is what the pen has to make of the attack.
    pub(super) fn is(&self, answer: Answer) -> bool {
        match (self, answer) {
            (Observed::Errno(errno), Answer::Errno(expected)) => errno == expected,
            (Observed::Refused(reason), Answer::Refused(expected)) => reason == expected.code(),
            (Observed::Withheld, Answer::Withheld)
            | (Observed::Absent, Answer::Absent)
            | (Observed::Ended, Answer::Ended) => true,
            _ => false,
        }
    }

    /// In a word or two, for a table.
    pub(super) fn word(&self) -> &str {
        match self {
            Observed::Did(_) => "worked",
            Observed::Errno(errno) => errno,
            Observed::Absent => "not there",
            Observed::Refused(_) => "refused",
            Observed::Withheld => "withheld",
            Observed::Ended => "ended",
            Observed::Unclear(_) => "unclear",
        }
    }

    /// In words, for a sentence.
    pub(super) fn sentence(&self) -> String {
        match self {
            Observed::Did(did) => format!("it worked: {did}"),
            Observed::Refused(reason) => format!("refused for {reason}"),
            Observed::Unclear(what) => format!("unclear: {what}"),
            other => other.word().to_owned(),
        }
    }
}

fn cut(text: &str) -> String {
    text.chars().take(DETAIL).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::policy::reason::Reason;

    #[test]
    fn answers_are_read() {
        let plain = Answer::Errno("EACCES");
        let structured = |content: Value| json!({"id": 1, "result": {"structuredContent": content}});
        let decision = json!({DECISION: {"reason": "tool.denied"}});
        for (answer, strays, expected, observed) in [
            (structured(json!({"did": "x"})), 0, plain, Observed::Did("x".into())),
            (structured(json!({"did": "x"})), 0, Answer::Withheld, Observed::Withheld),
            (
                structured(json!({"did": "x"})),
                3,
                Answer::Withheld,
                Observed::Did("the client got 3 lines".into()),
            ),
            (structured(json!({"errno": "EPERM"})), 1, plain, Observed::Errno("EPERM".into())),
            (structured(json!({"absent": true})), 0, plain, Observed::Absent),
            (structured(json!({"failed": "odd"})), 0, plain, Observed::Unclear("odd".into())),
            (json!({"result": {"_meta": decision}}), 0, plain, Observed::Refused("tool.denied".into())),
            (json!({"error": {"data": decision}}), 0, plain, Observed::Refused("tool.denied".into())),
            (json!({"error": {}}), 0, plain, Observed::Unclear(r#"{"error":{}}"#.into())),
        ] {
            assert_eq!(Observed::of(&answer, strays, expected), observed);
        }
    }

    #[test]
    fn only_the_named_answer_is_the_expected_one() {
        let eacces = Observed::Errno("EACCES".into());
        assert!(eacces.is(Answer::Errno("EACCES")));
        assert!(!eacces.is(Answer::Errno("EPERM")));
        assert!(!Observed::Refused("tool.denied".into()).is(Answer::Refused(Reason::ResultTooLong)));
        for worked in [Answer::Withheld, Answer::Ended, Answer::Absent, Answer::Errno("EACCES")] {
            assert!(!Observed::Did("x".into()).is(worked));
        }
    }
}
