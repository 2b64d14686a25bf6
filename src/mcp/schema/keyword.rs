//! What a schema amounts to once it was read: keywords with their values, and the schemas below by number.

use std::collections::HashMap;

use crate::jsonrpc::{Kind, Node};
use crate::mcp::schema::number::{Decimal, Divisor};
use crate::mcp::schema::pattern::Tried;

/// Number of a schema.
pub(super) type SchemaId = u32;

/// One schema.
#[derive(Debug)]
pub(super) enum Schema {
    /// `true` or `false`; the node that says so.
    Always(bool, Node),
    /// Keywords, in the order in which they are evaluated.
    Keywords(Vec<Keyword>),
}

/// A keyword, and the node of its value.
#[derive(Debug)]
pub(super) struct Keyword {
    pub(super) at: Node,
    pub(super) name: &'static str,
    pub(super) rule: Rule,
}

/// The kinds that `type` allows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Kinds(u8);

/// Integers are numbers of a kind of their own.
const INTEGER: u8 = 1 << 6;

impl Kinds {
    /// The kind of this name; `false` for a name that there is not.
    pub(super) fn add(&mut self, name: &str) -> bool {
        self.0 |= match name {
            "null" => Self::bit(Kind::Null),
            "boolean" => Self::bit(Kind::Boolean),
            "number" => Self::bit(Kind::Number),
            "string" => Self::bit(Kind::String),
            "array" => Self::bit(Kind::Array),
            "object" => Self::bit(Kind::Object),
            "integer" => INTEGER,
            _ => return false,
        };
        true
    }

    fn bit(kind: Kind) -> u8 {
        1 << kind as u8
    }

    pub(super) fn has(self, kind: Kind) -> bool {
        self.0 & Self::bit(kind) != 0
    }

    /// Whether whole numbers are allowed, and numbers in general are not.
    pub(super) fn only_integers(self) -> bool {
        self.0 & INTEGER != 0 && !self.has(Kind::Number)
    }
}

/// Values that are compared with, found by a number that equal values share.
#[derive(Debug)]
pub(super) struct Values {
    /// `(number, node)`, sorted.
    pub(super) all: Vec<(u64, Node)>,
}

/// `properties`, `patternProperties`, `additionalProperties`: one look at each member does all three.
#[derive(Debug, Default)]
pub(super) struct Properties {
    pub(super) named: HashMap<Box<str>, SchemaId>,
    pub(super) patterns: Vec<(Tried, SchemaId)>,
    pub(super) additional: Option<SchemaId>,
    /// Whether this lists what there is: everything but a lone `additionalProperties`.
    pub(super) lists: bool,
}

/// Names of members, and the nodes that say them.
pub(super) type Names = Vec<(Box<str>, Node)>;

/// What a keyword asks for.
#[derive(Debug)]
pub(super) enum Rule {
    Type(Kinds),
    /// `enum` and `const`.
    Equals(Values),
    MultipleOf(Divisor),
    Maximum(Decimal<'static>),
    ExclusiveMaximum(Decimal<'static>),
    Minimum(Decimal<'static>),
    ExclusiveMinimum(Decimal<'static>),
    MaxLength(u64),
    MinLength(u64),
    Pattern(Tried),
    MaxItems(u64),
    MinItems(u64),
    UniqueItems,
    /// `prefixItems` and `items`, or the older `items` and `additionalItems`.
    Items {
        first: Vec<SchemaId>,
        rest: Option<SchemaId>,
    },
    /// `marks`: what it finds counts as looked at for `unevaluatedItems`.
    Contains {
        schema: SchemaId,
        least: u64,
        most: Option<u64>,
        marks: bool,
    },
    MaxProperties(u64),
    MinProperties(u64),
    Required(Names),
    Properties(Properties),
    PropertyNames(SchemaId),
    /// What an object that has a member needs: `dependentRequired`, `dependentSchemas`, the older `dependencies`.
    Dependencies {
        required: Vec<(Box<str>, Names)>,
        schemas: Vec<(Box<str>, SchemaId)>,
    },
    /// `$ref`.
    Reference(SchemaId),
    AllOf(Vec<SchemaId>),
    AnyOf(Vec<SchemaId>),
    OneOf(Vec<SchemaId>),
    Not(SchemaId),
    If {
        condition: SchemaId,
        then: Option<SchemaId>,
        otherwise: Option<SchemaId>,
    },
    UnevaluatedItems(SchemaId),
    UnevaluatedProperties(SchemaId),
}

impl Rule {
    /// What is cheap and often fails comes first; what needs the marks of the others comes last.
    pub(super) fn order(&self) -> u8 {
        match self {
            Rule::Type(_) => 0,
            Rule::Equals(_) => 1,
            Rule::Required(_) => 2,
            Rule::Reference(_) | Rule::AllOf(_) => 5,
            Rule::Properties(_) => 6,
            Rule::Items { .. } | Rule::Contains { .. } | Rule::PropertyNames(_) => 7,
            Rule::Dependencies { .. } | Rule::AnyOf(_) | Rule::OneOf(_) | Rule::Not(_) | Rule::If { .. } => 8,
            Rule::UnevaluatedItems(_) | Rule::UnevaluatedProperties(_) => 9,
            _ => 3,
        }
    }
}
