//! What takes secrets out of text before it goes anywhere. `audit` implements it; everyone above `event` may ask.

use serde_json::value::RawValue;

/// Takes secrets out. What stands in a secret's place names its kind and lets equal secrets be matched within one
/// session (`docs/AUDIT.md`). Every method may be applied to its own result: that changes nothing.
pub trait Redact: Send + Sync {
    /// Text of any origin, whole.
    fn text(&self, text: &str) -> String;

    /// The words of a command line: also the value after a flag whose name says that it is a secret.
    fn words(&self, words: Vec<String>) -> Vec<String>;

    /// At most `max` characters from the beginning of a line of a stream. Give it [`WINDOW`] bytes more than those,
    /// when there are: a secret that is cut off where the excerpt ends is then still known for one. `open` is the
    /// stream's own: whether a private key that began on an earlier line goes on.
    fn excerpt(&self, line: &str, max: usize, open: &mut bool) -> String;

    /// The arguments of a call as a record has them: without secrets (unless the session records arguments in full),
    /// long strings cut. `arguments` is the text of a JSON value that was scanned.
    fn arguments(&self, arguments: &str) -> Box<RawValue>;
}

/// How far beyond the end of an excerpt a secret is still recognised.
pub const WINDOW: usize = 4096;

/// For tests that look at texts as they are.
#[cfg(test)]
pub(crate) struct Unchanged;

#[cfg(test)]
impl Redact for Unchanged {
    fn text(&self, text: &str) -> String {
        text.to_owned()
    }

    fn words(&self, words: Vec<String>) -> Vec<String> {
        words
    }

    fn excerpt(&self, line: &str, max: usize, _: &mut bool) -> String {
        line.chars().take(max).collect()
    }

    fn arguments(&self, arguments: &str) -> Box<RawValue> {
        serde_json::from_str(arguments).expect("JSON")
    }
}
