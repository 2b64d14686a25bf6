//! The console scripts that pip (distlib) and uv write when a `#!` line cannot hold the path of the interpreter,
//! because it is long, has spaces, or is to stay movable:
//!
//! ```text
//! #!/bin/sh
//! '''exec' "/a path/python" "$0" "$@"
//! ' '''
//! ```
//!
//! To the shell this is an `exec`, to Python a string. It is read, never run: the interpreter is executed with the
//! script as its first argument, which is exactly what the shell would do. Anything that is not this very form is an
//! ordinary shell script.

use std::ffi::OsStr;
use std::path::PathBuf;

use crate::sandbox::program::Program;
use crate::sandbox::shims::layout;

const OPENING: &str = "'''exec' ";
const ENDING: &str = " \"$0\" \"$@\"";
/// uv's movable form: the interpreter beside the script.
const BESIDE: &str = "\"$(dirname -- \"$(realpath -- \"$0\")\")\"/";

/// The interpreter that a console script would execute; `None` when it is not one.
pub fn interpreter(script: &Program) -> Option<PathBuf> {
    let text = layout::read(&script.target).ok()??;
    let mut lines = text.lines().skip(1);
    let command = lines.next()?.strip_prefix(OPENING)?.strip_suffix(ENDING)?;
    (lines.next()? == "' '''").then_some(())?;
    if let Some(name) = command.strip_prefix(BESIDE) {
        return Some(script.target.parent()?.join(word(name)?));
    }
    Some(PathBuf::from(word(command)?)).filter(|path| path.is_absolute())
}

/// One word of shell without any expansion, quoted or not.
fn word(text: &str) -> Option<&OsStr> {
    let quoted = |quote: char| text.strip_prefix(quote)?.strip_suffix(quote);
    let inner = quoted('"').or_else(|| quoted('\'')).unwrap_or(text);
    let is_quoted = inner.len() < text.len();
    let is_plain =
        |c: char| c.is_alphanumeric() || "/._-+@%:,=".contains(c) || (is_quoted && " ()~&".contains(c));
    (!inner.is_empty() && inner.chars().all(is_plain)).then_some(OsStr::new(inner))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::shims::tests::Layout;

    fn read(content: &str) -> Option<PathBuf> {
        let layout = Layout::new();
        let found = interpreter(&Program::open(&layout.script("bin/tool", content)).unwrap())?;
        // Relative to the layout, so that it can be compared.
        let root = PathBuf::from(found.strip_prefix(layout.at("")).unwrap_or(&found));
        Some(root)
    }

    #[test]
    fn the_forms_that_are_written() {
        let script =
            |command: &str| format!("#!/bin/sh\n'''exec' {command} \"$0\" \"$@\"\n' '''\nimport sys\n");
        assert_eq!(read(&script("/very/long/python3")), Some("/very/long/python3".into()));
        assert_eq!(read(&script("\"/with space/python\"")), Some("/with space/python".into()));
        assert_eq!(read(&script("'/with space/python'")), Some("/with space/python".into()));
        assert_eq!(read(&script(&format!("{BESIDE}'python'"))), Some("bin/python".into()));
    }

    #[test]
    fn everything_else_is_a_shell_script() {
        let script = |command: &str| format!("#!/bin/sh\n'''exec' {command} \"$0\" \"$@\"\n' '''\n");
        for command in
            ["$PYTHON", "`id`", "/bin/python -E", "\"/x/$(id)\"", "python", "/a;id", "'/a'b'", "''", "/a b"]
        {
            assert_eq!(read(&script(command)), None, "{command}");
        }
        assert_eq!(
            read("#!/bin/sh\n'''exec' /bin/python \"$0\" \"$@\"\nid\n"),
            None,
            "the string does not end"
        );
        assert_eq!(read("#!/bin/sh\nexec /bin/python \"$0\" \"$@\"\n"), None);
    }
}
