//! What is wrong with arguments, in words: which argument, which keyword, what was found and what was expected.
//!
//! Values of arguments never appear, only their kind and length. What the schema says is the server's text: whoever
//! shows it makes it visible.

use std::fmt;

use crate::jsonrpc::{Kind, Node, Tree};
use crate::mcp::schema::Document;
use crate::mcp::schema::evaluate::Failure;

/// Stands for a keyword where a schema is closed by us.
pub(super) const UNLISTED: &str = "unlisted";
/// Characters of the schema's text that are shown.
const SHOWN: usize = 120;

/// The kind of a violation, as a policy sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fault {
    /// A field that the schema does not list, or refuses.
    UnknownField,
    /// A field that has to be there.
    Missing,
    /// A value of another kind.
    Type,
    /// Any other rule.
    Value,
}

/// A rule of the schema that does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// What kind of rule.
    pub fault: Fault,
    /// The argument, as a JSON pointer into the arguments; of a missing field, where it would be.
    pub pointer: String,
    /// The keyword of the schema; `unlisted` where only we refuse.
    pub keyword: &'static str,
    /// What was found: a kind and a length.
    pub what: String,
    /// What the schema asks for.
    pub expected: String,
}

impl Violation {
    /// Whether the schema as it stands would have let it pass: only its being closed refuses.
    pub fn is_ours(&self) -> bool {
        self.keyword == UNLISTED
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Named(&self.pointer);
        match self.fault {
            Fault::UnknownField => write!(f, "{name} is not in the tool's schema"),
            Fault::Missing => write!(f, "{name} is missing"),
            Fault::Type | Fault::Value => {
                write!(f, "{name} is {}; the tool's schema asks for {}", self.what, self.expected)
            }
        }
    }
}

/// A pointer as the name of an argument: `/edits/0/text` is `edits[0].text`.
struct Named<'p>(&'p str);

impl fmt::Display for Named<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("what the tool is called with");
        }
        f.write_str("the argument \"")?;
        for (n, token) in self.0.split('/').skip(1).enumerate() {
            let token = token.replace("~1", "/").replace("~0", "~");
            match (n, token.bytes().all(|byte| byte.is_ascii_digit()) && !token.is_empty()) {
                (0, _) => f.write_str(&token)?,
                (_, true) => write!(f, "[{token}]")?,
                (_, false) => write!(f, ".{token}")?,
            }
        }
        f.write_str("\"")
    }
}

/// The words for a failure.
pub(super) fn describe(document: &Document, arguments: &Tree<'_>, failure: Failure) -> Violation {
    let schema = &document.tree;
    let mut pointer = arguments.pointer(failure.node);
    let fault = match failure.keyword {
        UNLISTED | "additionalProperties" | "unevaluatedProperties" => Fault::UnknownField,
        "required" | "dependentRequired" | "dependencies" => Fault::Missing,
        "type" => Fault::Type,
        _ => Fault::Value,
    };
    if fault == Fault::Missing {
        let name = schema.string(failure.at).unwrap_or_default();
        pointer = format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1"));
    }
    Violation {
        fault,
        pointer,
        keyword: failure.keyword,
        what: kind(arguments, failure.node),
        expected: expected(schema, failure),
    }
}

/// Kind and length of a value.
fn kind(tree: &Tree<'_>, node: Node) -> String {
    let count = tree.count(node);
    match tree.kind(node) {
        Kind::Null => "null".to_owned(),
        Kind::Boolean => "a boolean".to_owned(),
        Kind::Number => "a number".to_owned(),
        Kind::String => {
            let length = tree.string(node).map_or(0, |text| text.chars().count());
            format!("a string of {length} characters")
        }
        Kind::Array => format!("a list of {count}"),
        Kind::Object => format!("an object with {count} members"),
    }
}

fn expected(schema: &Tree<'_>, failure: Failure) -> String {
    let value = || cut(schema.raw(failure.at));
    let count = schema.count(failure.at);
    match failure.keyword {
        "type" => value(),
        "enum" => format!("one of {}", value()),
        "const" => format!("only {}", value()),
        "anyOf" => format!("one of {count} alternatives"),
        "oneOf" => format!("exactly one of {count} alternatives"),
        "not" => "something else".to_owned(),
        "false" => "nothing there".to_owned(),
        "uniqueItems" => "a list without repetitions".to_owned(),
        "contains" => "other elements".to_owned(),
        "propertyNames" => "another name".to_owned(),
        "required" | "dependentRequired" | "dependencies" => format!("the member {}", value()),
        keyword => format!("{keyword} {}", value()),
    }
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}
