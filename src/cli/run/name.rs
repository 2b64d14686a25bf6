//! What a server is called in the log when nobody names it.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

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

/// The script that a program of the SDK for Python starts a server from: `mcp run SCRIPT.py[:OBJECT]`, and `fastmcp run`.
/// It is the server, then, and its folder the server's package.
pub(super) fn served(program: &str, arguments: &[OsString]) -> Option<PathBuf> {
    let (first, rest) = arguments.split_first()?;
    if !matches!(program, "mcp" | "fastmcp") || first != "run" {
        return None;
    }
    let script = |word: &OsString| {
        let word = word.to_str()?;
        let file = word.rsplit_once(':').map_or(word, |(file, _)| file);
        (file.ends_with(".py") && !file.contains("://") && !file.starts_with('-'))
            .then(|| PathBuf::from(file))
    };
    rest.iter().find_map(script)
}

/// A script's name without its ending.
pub(super) fn of_script(script: &Path) -> String {
    package(&script.to_string_lossy())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_sdk_serves_is_the_server() {
        let served = |line: &str| {
            let words: Vec<OsString> = line.split(' ').map(OsString::from).collect();
            served(words[0].to_str().unwrap(), &words[1..]).map(|path| path.display().to_string())
        };
        assert_eq!(served("mcp run /x/weather.py").as_deref(), Some("/x/weather.py"));
        assert_eq!(served("mcp run -t stdio weather.py:server").as_deref(), Some("weather.py"));
        assert_eq!(served("fastmcp run --no-banner weather.py").as_deref(), Some("weather.py"));
        for line in
            ["mcp dev weather.py", "mcp run", "mcp run https://h/x.py", "other run x.py", "mcp run --x=/y.py"]
        {
            assert_eq!(served(line), None, "{line}");
        }
        assert_eq!(of_script(Path::new("/x/weather.py")), "weather");
    }

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
