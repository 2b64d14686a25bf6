//! What is wrong with a line, where, and how bad that is.
//!
//! The class decides what happens: a line that is no JSON at all is noise, everything else was meant as a message
//! and is refused as one.

use std::fmt;

/// A refusal of the scanner: what, and at which byte of the line (0-based).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{fault}, at byte {offset}")]
pub struct ScanError {
    /// Byte offset in the line.
    pub offset: usize,
    /// What is wrong.
    pub fault: Fault,
}

/// What can be wrong with a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// Nothing but white space.
    Empty,
    /// Bytes that are not UTF-8.
    InvalidUtf8,
    /// A byte order mark.
    ByteOrderMark,
    /// The grammar of JSON asks for something else here.
    Expected(&'static str),
    /// The line ends inside a value.
    UnexpectedEnd,
    /// A raw control character inside a string.
    ControlCharacter(u8),
    /// A backslash with something after it that JSON does not know.
    BadEscape,
    /// Half of a UTF-16 pair: readers replace it, keep it, or fail.
    LoneSurrogate,
    /// Something after the message.
    TrailingData,
    /// A raw line break inside the line: some readers end the message there.
    LineBreak,
    /// Deeper than this many levels.
    TooDeep(u32),
    /// A member twice in one object, compared as the least exact reader would (escapes decoded, case folded).
    DuplicateKey(String),
    /// A NUL in a name: readers written in C end it there.
    NulInName,
    /// A member that differs from this one of the protocol's only in case.
    Misspelt(&'static str),
    /// A number, string or literal where a message should be.
    NotAnObject,
    /// An array of messages, where the protocol has none.
    Batch,
    /// A batch with more elements than this.
    BatchTooLong(usize),
    /// A `jsonrpc` member that is missing or not `"2.0"`.
    Version,
    /// This member has to be of that kind.
    WrongType(&'static str, &'static str),
    /// A member that has to be there.
    Missing(&'static str),
    /// Members that exclude each other: a call and an answer at once, or two answers.
    Both(&'static str, &'static str),
    /// A request whose id is `null`: some readers take it for a notification.
    NullId,
    /// An id that cannot come back as it was sent: too long, or beyond every number.
    UnusableId,
}

/// How bad a fault is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// Not JSON: noise on a server's stdout, `-32700` for a client.
    NotJson,
    /// JSON, but no JSON-RPC message: `-32600`.
    NotAMessage,
    /// Readers could differ: `-32600`, and never passed on.
    Ambiguous,
    /// Nested deeper than allowed.
    TooDeep,
    /// A batch where there is none.
    Batch,
}

impl Fault {
    /// The class of this fault.
    pub fn class(&self) -> Class {
        match self {
            Fault::Empty
            | Fault::Expected(_)
            | Fault::UnexpectedEnd
            | Fault::ControlCharacter(_)
            | Fault::BadEscape => Class::NotJson,
            Fault::InvalidUtf8
            | Fault::ByteOrderMark
            | Fault::LoneSurrogate
            | Fault::TrailingData
            | Fault::LineBreak
            | Fault::DuplicateKey(_)
            | Fault::NulInName
            | Fault::Misspelt(_)
            | Fault::Both(..)
            | Fault::NullId
            | Fault::UnusableId => Class::Ambiguous,
            Fault::NotAnObject | Fault::Version | Fault::WrongType(..) | Fault::Missing(_) => {
                Class::NotAMessage
            }
            Fault::TooDeep(_) => Class::TooDeep,
            Fault::Batch | Fault::BatchTooLong(_) => Class::Batch,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Empty => f.write_str("an empty line"),
            Fault::InvalidUtf8 => f.write_str("bytes that are not UTF-8"),
            Fault::ByteOrderMark => f.write_str("a byte order mark"),
            Fault::Expected(what) => write!(f, "not JSON: expected {what}"),
            Fault::UnexpectedEnd => f.write_str("not JSON: the line ends inside a value"),
            Fault::ControlCharacter(byte) => {
                write!(f, "not JSON: the control character \\x{byte:02x} inside a string")
            }
            Fault::BadEscape => f.write_str("not JSON: an unknown escape in a string"),
            Fault::LoneSurrogate => f.write_str("half of a UTF-16 surrogate pair"),
            Fault::TrailingData => f.write_str("more data after the end of the message"),
            Fault::LineBreak => f.write_str("a line break inside the message"),
            Fault::TooDeep(limit) => write!(f, "nested deeper than {limit} levels"),
            Fault::DuplicateKey(key) => {
                write!(f, "the member {key:?} more than once in one object (case ignored)")
            }
            Fault::NulInName => f.write_str("a NUL character in a name"),
            Fault::Misspelt(meant) => write!(f, "a member that differs from \"{meant}\" only in case"),
            Fault::NotAnObject => f.write_str("JSON, but not an object"),
            Fault::Batch => f.write_str("a batch, which this version of the protocol does not have"),
            Fault::BatchTooLong(limit) => write!(f, "a batch of more than {limit} messages"),
            Fault::Version => f.write_str("\"jsonrpc\" is not \"2.0\""),
            Fault::WrongType(member, wanted) => write!(f, "\"{member}\" is not {wanted}"),
            Fault::Missing(member) => write!(f, "\"{member}\" is missing"),
            Fault::Both(one, other) => write!(f, "both \"{one}\" and \"{other}\""),
            Fault::NullId => f.write_str("a request whose \"id\" is null"),
            Fault::UnusableId => f.write_str("an \"id\" that is too long or not a finite number"),
        }
    }
}
