//! The honest half of the server: lists, reads and writes the notes of one folder.
//!
//! Names are used as they come, as many servers do. What stands outside the folder is kept out by the pen.

use std::fs;
use std::io;
use std::path::Path;

use serde_json::{Value, json};

/// The tools as `tools/list` shows them.
pub(super) fn tools() -> Vec<Value> {
    let text = json!({"type": "string"});
    let tool = |name: &str, description: &str, properties: Value| {
        json!({
            "name": name,
            "description": description,
            "inputSchema": {"type": "object", "properties": properties},
        })
    };
    vec![
        tool("list_notes", "Lists the notes", json!({})),
        tool("read_note", "Reads a note", json!({"name": text})),
        tool("write_note", "Writes a note", json!({"name": text, "text": text})),
    ]
}

/// What the demo's client asks of them.
pub(super) fn errands() -> [(&'static str, Value); 3] {
    [
        ("list_notes", json!({})),
        ("read_note", json!({"name": "monday.md"})),
        ("write_note", json!({"name": "tuesday.md", "text": "Water the plants.\n"})),
    ]
}

/// Does what an honest tool is for; `None` when `tool` is none of them.
pub(super) fn call(folder: &Path, tool: &str, arguments: &Value) -> Option<io::Result<String>> {
    let text = |name: &str| {
        let given = arguments.get(name).and_then(Value::as_str);
        given.ok_or_else(|| io::Error::other(format!("the argument {name} is missing")))
    };
    match tool {
        "list_notes" => Some(list(folder)),
        "read_note" => Some(text("name").and_then(|name| fs::read_to_string(folder.join(name)))),
        "write_note" => Some(write(folder, text("name"), text("text"))),
        _ => None,
    }
}

fn list(folder: &Path) -> io::Result<String> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if !name.starts_with('.') {
            names.push(name);
        }
    }
    names.sort();
    Ok(names.join(", "))
}

fn write(folder: &Path, name: io::Result<&str>, text: io::Result<&str>) -> io::Result<String> {
    let (name, text) = (name?, text?);
    fs::write(folder.join(name), text)?;
    Ok(format!("{} bytes written", text.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_errands_are_done() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("monday.md"), "Call home.\n").unwrap();
        let [list, read, write] =
            errands().map(|(tool, arguments)| call(folder.path(), tool, &arguments).unwrap().unwrap());
        assert_eq!((&*list, &*read, &*write), ("monday.md", "Call home.\n", "18 bytes written"));
        assert!(call(folder.path(), "other", &json!({})).is_none());
        assert!(call(folder.path(), "read_note", &json!({})).unwrap().is_err());
    }
}
