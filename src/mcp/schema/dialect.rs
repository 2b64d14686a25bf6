//! The two dialects that are understood, and where in each a schema stands within a schema.
//!
//! Rests on JSON Schema draft-07 and 2020-12; a schema that does not say is of 2020-12 (MCP 2025-11-25, "Tools").

/// Which JSON Schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    /// `http://json-schema.org/draft-07/schema#`.
    Draft7,
    /// `https://json-schema.org/draft/2020-12/schema`.
    Draft2020,
}

/// How schemas stand in the value of a keyword.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Holds {
    /// It is one.
    One,
    /// It is a list of them.
    List,
    /// It is one, or a list of them.
    OneOrList,
    /// It is an object whose values are schemas.
    Map,
    /// The same, but a list in it is no schema.
    MapOrNames,
}

impl Dialect {
    /// The dialect that `$schema` names.
    pub(super) fn named(uri: &str) -> Option<Self> {
        let uri = uri.strip_suffix('#').unwrap_or(uri);
        let (_, rest) = uri.split_once("://").filter(|(scheme, _)| matches!(*scheme, "http" | "https"))?;
        match rest {
            "json-schema.org/draft-07/schema" => Some(Dialect::Draft7),
            "json-schema.org/draft/2020-12/schema" => Some(Dialect::Draft2020),
            _ => None,
        }
    }

    /// Whether and how the value of this keyword holds schemas.
    pub(super) fn holds(self, keyword: &str) -> Option<Holds> {
        use Dialect::{Draft7, Draft2020};
        Some(match (keyword, self) {
            ("additionalProperties" | "propertyNames" | "contains" | "not" | "if" | "then" | "else", _)
            | ("unevaluatedItems" | "unevaluatedProperties" | "contentSchema" | "items", Draft2020)
            | ("additionalItems", Draft7) => Holds::One,
            ("items", Draft7) => Holds::OneOrList,
            ("allOf" | "anyOf" | "oneOf", _) | ("prefixItems", Draft2020) => Holds::List,
            ("properties" | "patternProperties" | "definitions" | "$defs", _)
            | ("dependentSchemas", Draft2020) => Holds::Map,
            ("dependencies", Draft7) => Holds::MapOrNames,
            _ => return None,
        })
    }
}
