//! From the text of a file to its tree, whatever it is written in.

use crate::clients::tree::{Node, Value};
use crate::clients::{Fault, Format, json, toml, yaml};

/// The mark that some editors put before UTF-8.
const BOM: &str = "\u{feff}";

/// Parses a whole text. An empty one is an object without members.
pub(super) fn parse(text: &str, format: Format) -> Result<Node, Fault> {
    let skipped = if text.starts_with(BOM) { BOM.len() } else { 0 };
    let body = &text[skipped..];
    if body.trim().is_empty() {
        return Ok(Node { span: skipped..text.len(), value: Value::Object(Vec::new()) });
    }
    let parsed = match format {
        Format::Json => json::parse(body),
        Format::Toml => toml::parse(body),
        Format::Yaml => yaml::parse(body),
    };
    match parsed {
        Ok(mut node) => {
            node.shift(skipped);
            node.once_each()?;
            Ok(node)
        }
        Err(fault) => Err(Fault { at: fault.at + skipped, ..fault }),
    }
}
