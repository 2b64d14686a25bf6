//! Why a schema cannot be used.

use crate::jsonrpc::TreeError;

/// What is wrong with a schema, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}{}", place(at))]
pub struct Error {
    /// JSON pointer into the schema.
    pub at: String,
    /// What is wrong.
    pub what: What,
}

impl Error {
    /// That there is no schema at all.
    pub(in crate::mcp) fn none() -> Self {
        Error { at: String::new(), what: What::Absent }
    }
}

/// What can be wrong with a schema.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum What {
    /// There is none.
    #[error("the list has no inputSchema for it")]
    Absent,
    /// No JSON, or more of it than is read.
    #[error("{0}")]
    Unreadable(TreeError),
    /// A member twice in one object.
    #[error("the member {0} stands there twice")]
    Duplicate(String),
    /// Neither an object nor a boolean.
    #[error("a schema is an object, or true or false")]
    NotASchema,
    /// `$schema` names another one.
    #[error("JSON Schema of the dialect \"{0}\" is not understood; draft-07 and 2020-12 are")]
    Dialect(String),
    /// A keyword with a value of the wrong kind.
    #[error("\"{0}\" must be {1}")]
    Value(&'static str, &'static str),
    /// A keyword that restricts and is not understood.
    #[error("the keyword \"{0}\" is not understood")]
    Keyword(&'static str),
    /// A `$ref` to something that is not in the schema.
    #[error("the reference \"{0}\" leads to nothing in the schema, and nothing is fetched")]
    Unresolved(String),
    /// A name that two schemas have.
    #[error("a {0} stands there twice")]
    Twice(&'static str),
    /// Too much of something.
    #[error("more than {1} {0}")]
    TooLarge(&'static str, usize),
}

/// ` (at /properties/a)`
fn place(at: &str) -> String {
    if at.is_empty() { String::new() } else { format!(" (at {at} of the schema)") }
}
