//! TOML as a tree with places, on the spanned tree of the crate `toml`.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::clients::Fault;
use crate::clients::tree::{DEEPEST, Member, Node, Value};

pub(super) fn parse(text: &str) -> Result<Node, Fault> {
    // Its own message has no text of the file in it; its Display shows the line, and perhaps a secret.
    let table = DeTable::parse(text).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start);
        Fault::new(at, format!("it is not TOML: {}", safe(error.message())))
    })?;
    let span = 0..text.len();
    Ok(Node { span, value: object(table.get_ref(), 0)? })
}

/// The first sentence of the parser's, as far as it is its own words.
fn safe(message: &str) -> &str {
    let line = message.lines().next().unwrap_or_default();
    line.find(['`', '"', '\'']).map_or(line, |quote| line[..quote].trim_end())
}

fn object(table: &DeTable<'_>, depth: usize) -> Result<Value, Fault> {
    let mut members = Vec::with_capacity(table.len());
    for (key, value) in table {
        members.push(Member {
            key: key.get_ref().to_string(),
            key_span: key.span(),
            node: node(value, depth + 1)?,
        });
    }
    members.sort_by_key(|member| member.key_span.start);
    Ok(Value::Object(members))
}

fn node(value: &Spanned<DeValue<'_>>, depth: usize) -> Result<Node, Fault> {
    let span: Range<usize> = value.span();
    if depth > DEEPEST {
        return Err(Fault::new(span.start, "it is nested too deeply"));
    }
    let value = match value.get_ref() {
        DeValue::String(text) => Value::Text(text.to_string()),
        DeValue::Table(table) => object(table, depth)?,
        DeValue::Array(array) => {
            let nodes: Result<Vec<Node>, Fault> = array.iter().map(|item| node(item, depth + 1)).collect();
            Value::Array(nodes?)
        }
        _ => Value::Other,
    };
    Ok(Node { span, value })
}
