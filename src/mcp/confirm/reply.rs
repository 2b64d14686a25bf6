//! What a client's answer to our question says.
//!
//! Only one thing is a yes: `accept` with the form's field set to `true`. A bare `accept` may be a client's own doing.

use crate::jsonrpc::{Raw, Tree};
use crate::mcp::confirm::prompt::{FIELD, REMEMBER};

/// Most values in an answer.
const MAX_VALUES: usize = 1000;

/// What was said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// Yes; `remember`: to the same call in this session too.
    Accept {
        /// For the rest of the session.
        remember: bool,
    },
    /// No.
    Decline,
    /// The question was closed.
    Cancel,
    /// Accepted without the field that says so.
    Unset,
    /// The client could not ask, or its answer cannot be read.
    Error,
}

impl Answer {
    /// The word of the log.
    pub fn word(self) -> &'static str {
        match self {
            Answer::Accept { .. } => "accept",
            Answer::Decline => "decline",
            Answer::Cancel => "cancel",
            Answer::Unset => "unset",
            Answer::Error => "error",
        }
    }

    /// Whether the call may go on.
    pub fn is_yes(self) -> bool {
        matches!(self, Answer::Accept { .. })
    }
}

/// Reads the result of an `elicitation/create`.
pub fn read(result: Raw<'_>) -> Answer {
    let Ok(tree) = Tree::read(result.0, u32::MAX, MAX_VALUES) else { return Answer::Error };
    if tree.duplicate(0).is_some() {
        return Answer::Error;
    }
    let action = tree.member(0, "action").and_then(|action| tree.string(action));
    let content = tree.member(0, "content");
    let is_set = |name| {
        let value = content.and_then(|content| tree.member(content, name));
        value.is_some_and(|value| tree.raw(value) == "true")
    };
    match action.as_deref() {
        Some("accept") if is_set(FIELD) => Answer::Accept { remember: is_set(REMEMBER) },
        Some("accept") => Answer::Unset,
        Some("decline") => Answer::Decline,
        Some("cancel") => Answer::Cancel,
        _ => Answer::Error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_set_field_is_a_yes() {
        let yes = |remember| Answer::Accept { remember };
        for (result, said) in [
            (r#"{"action":"accept","content":{"approve":true}}"#, yes(false)),
            (r#"{"action":"accept","content":{"approve":true,"remember":false}}"#, yes(false)),
            (r#"{"content":{"remember":true,"approve":true},"action":"\u0061ccept"}"#, yes(true)),
            (r#"{"action":"accept"}"#, Answer::Unset),
            (r#"{"action":"accept","content":{}}"#, Answer::Unset),
            (r#"{"action":"accept","content":{"approve":false,"remember":true}}"#, Answer::Unset),
            (r#"{"action":"accept","content":{"approve":"true"}}"#, Answer::Unset),
            (r#"{"action":"accept","content":[true]}"#, Answer::Unset),
            (r#"{"action":"decline","content":{"approve":true}}"#, Answer::Decline),
            (r#"{"action":"cancel"}"#, Answer::Cancel),
            (r#"{"action":"accept","content":{"approve":false,"approve":true}}"#, Answer::Error),
            (r#"{"action":"Accept","content":{"approve":true}}"#, Answer::Error),
            ("{}", Answer::Error),
            ("[]", Answer::Error),
        ] {
            assert_eq!(read(Raw(result)), said, "{result}");
        }
    }
}
