//! What a server is called in the log when nobody names it.

use std::ffi::{OsStr, OsString};
use std::path::Path;

/// A name for the log: the package, the module, or the file that is run.
pub(super) fn server_name(words: &[OsString]) -> String {
    let text = |word: &OsStr| word.to_string_lossy().into_owned();
    let rest = words.get(1..).unwrap_or_default();
    let module = rest.iter().position(|word| word == "-m").and_then(|at| rest.get(at + 1));
    let script = rest.iter().find(|word| !word.to_string_lossy().starts_with('-'));
    let first = words.first().map(|word| text(word)).unwrap_or_default();
    let runtime = Path::new(&first)
        .file_name()
        .map(text)
        .is_some_and(|name| name.starts_with("node") || name.starts_with("python"));
    let chosen = match (runtime, module, script) {
        (true, Some(module), _) => text(module),
        (true, None, Some(script)) => package(&text(script)),
        _ => Path::new(&first).file_name().map(text).unwrap_or(first),
    };
    chosen.chars().filter(|c| !c.is_control()).take(80).collect()
}

/// `…/node_modules/@scope/NAME/…` is NAME; otherwise the file's name without its ending.
fn package(script: &str) -> String {
    if let Some((_, inside)) = script.rsplit_once("node_modules/") {
        let mut parts = inside.split('/').filter(|part| !part.starts_with('@'));
        if let Some(name) = parts.next() {
            return name.to_owned();
        }
    }
    Path::new(script)
        .file_stem()
        .map_or_else(|| script.to_owned(), |stem| stem.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(words: &[&str]) -> String {
        server_name(&words.iter().map(OsString::from).collect::<Vec<_>>())
    }

    #[test]
    fn servers_are_named_after_what_is_run() {
        assert_eq!(
            name(&["node", "/x/node_modules/@modelcontextprotocol/server-memory/dist/index.js"]),
            "server-memory"
        );
        assert_eq!(name(&["/v/bin/python", "-m", "mcp_server_git", "--repository", "/r"]), "mcp_server_git");
        assert_eq!(name(&["/v/bin/mcp-server-time"]), "mcp-server-time");
        assert_eq!(name(&["node", "--inspect", "srv.mjs"]), "srv");
        assert_eq!(name(&["/bin/true"]), "true");
    }
}
