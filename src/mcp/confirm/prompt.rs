//! What a person is shown of a call: who asks, which server and tool, and every argument, so that nothing of it deceives.
//!
//! Strings are decoded, so that no escape hides what the server will read, and shown in quotes on one line each; what
//! would move a cursor, hide or reorder is spelled out. Of a long text its head and its tail are shown, and how much
//! lies between: what is left out is said.

use std::fmt::Write as _;

use serde_json::json;

use crate::jsonrpc::{Kind, Node, Raw, Tree};
use crate::mcp::visible::{is_deceptive, visible};

/// The form's field that has to be set.
pub const FIELD: &str = "approve";
/// The form's field for the rest of the session.
pub const REMEMBER: &str = "remember";

/// Characters of a text that are shown, from its head and its tail; the second for calls that have much to show.
const LONG: (usize, usize) = (600, 200);
const SHORT: (usize, usize) = (150, 50);
/// Characters that are much.
const MUCH: usize = 6000;
/// Values that are shown.
const VALUES: usize = 200;
/// Levels that are decoded; what is below is shown as it was sent.
const LEVELS: usize = 12;
/// Most values that are read.
const MAX_READ: usize = 1 << 20;

/// One call, as it is asked about.
#[derive(Debug, Clone, Copy)]
pub struct Prompt<'a> {
    /// The server's name in the log.
    pub server: &'a str,
    /// The tool.
    pub tool: &'a str,
    /// What [`arguments`] makes of the arguments.
    pub arguments: &'a str,
    /// The rule that has it ask.
    pub rule: &'a str,
    /// What the held call is called.
    pub id: &'a str,
}

impl Prompt<'_> {
    /// The question, whatever the way it is asked.
    pub fn text(&self) -> String {
        let (server, tool) = (visible(self.server, 128), visible(self.tool, 128));
        format!(
            "caponier asks: may the server \"{server}\" run its tool \"{tool}\"?\n\n{}\n\n({}; {})",
            self.arguments,
            visible(self.rule, 300),
            self.id
        )
    }

    /// `params` of an `elicitation/create`.
    pub fn form(&self) -> serde_json::Value {
        let message = format!(
            "{}\n\nThe call is made only if you set \"{FIELD}\" and accept. Nothing else is a yes.",
            self.text()
        );
        json!({
            "message": message,
            "requestedSchema": {
                "type": "object",
                "properties": {
                    FIELD: {
                        "type": "boolean",
                        "title": "Allow this call",
                        "description": "Set this to have the call made",
                        "default": false,
                    },
                    REMEMBER: {
                        "type": "boolean",
                        "title": "Allow the same call again",
                        "description": "Until the session ends, for this tool with these very arguments",
                        "default": false,
                    },
                },
                "required": [FIELD],
            },
        })
    }
}

/// Every argument on a line of its own.
pub fn arguments(arguments: Option<Raw<'_>>) -> String {
    let text = arguments.map_or("{}", |raw| raw.0);
    // It was scanned; what is too large for a tree is too large for a person.
    let Ok(tree) = Tree::read(text, u32::MAX, MAX_READ) else {
        return format!("arguments: {} characters that cannot be shown", text.chars().count());
    };
    let shown = lines(&tree, LONG);
    if shown.chars().count() <= MUCH { shown } else { lines(&tree, SHORT) }
}

fn lines(tree: &Tree<'_>, lengths: (usize, usize)) -> String {
    let mut view = View { tree, lengths, text: String::new(), left: VALUES };
    let all = tree.count(0);
    if all == 0 {
        return "no arguments".to_owned();
    }
    for (n, (name, value)) in tree.members(0).enumerate() {
        if view.left == 0 {
            let _ = write!(view.text, "\n[{} more arguments are not shown]", all - n);
            break;
        }
        if n > 0 {
            view.text.push('\n');
        }
        view.name(name);
        view.value(value, 0);
    }
    view.text
}

struct View<'t> {
    tree: &'t Tree<'t>,
    lengths: (usize, usize),
    text: String,
    /// Values that are still shown.
    left: usize,
}

impl View<'_> {
    fn name(&mut self, name: Node) {
        let text = self.tree.string(name).unwrap_or_default();
        let is_plain =
            text.len() <= 100 && text.chars().all(|c| c.is_ascii_alphanumeric() || "_-.".contains(c));
        if is_plain && !text.is_empty() {
            self.text.push_str(&text);
        } else {
            self.quoted(&text);
        }
        self.text.push_str(": ");
    }

    fn value(&mut self, node: Node, level: usize) {
        self.left = self.left.saturating_sub(1);
        let tree = self.tree;
        match tree.kind(node) {
            Kind::String => self.quoted(&tree.string(node).unwrap_or_default()),
            Kind::Array | Kind::Object if level >= LEVELS => {
                self.text.push_str("as sent: ");
                self.quoted(tree.raw(node));
            }
            Kind::Array => {
                self.text.push('[');
                for (n, element) in tree.elements(node).enumerate() {
                    if self.is_full(n, tree.count(node)) {
                        break;
                    }
                    self.value(element, level + 1);
                }
                self.text.push(']');
            }
            Kind::Object => {
                self.text.push('{');
                for (n, (name, value)) in tree.members(node).enumerate() {
                    if self.is_full(n, tree.count(node)) {
                        break;
                    }
                    self.name(name);
                    self.value(value, level + 1);
                }
                self.text.push('}');
            }
            _ => self.text.push_str(&visible(tree.raw(node), 400)),
        }
    }

    /// Puts what stands before the `n`th of `all`; whether it is not shown.
    fn is_full(&mut self, n: usize, all: usize) -> bool {
        if n > 0 {
            self.text.push_str(", ");
        }
        if self.left == 0 {
            let _ = write!(self.text, "[{} more are not shown]", all - n);
        }
        self.left == 0
    }

    fn quoted(&mut self, text: &str) {
        let (head, tail) = self.lengths;
        let count = text.chars().count();
        if count <= head + tail {
            quote(&mut self.text, text.chars());
            return;
        }
        quote(&mut self.text, text.chars().take(head));
        let _ = write!(self.text, " [{} characters are not shown] ", count - head - tail);
        quote(&mut self.text, text.chars().skip(count - tail));
    }
}

/// A text in quotes on one line.
fn quote(shown: &mut String, text: impl Iterator<Item = char>) {
    shown.push('"');
    for c in text {
        match c {
            '"' => shown.push_str("\\\""),
            '\\' => shown.push_str("\\\\"),
            '\n' => shown.push_str("\\n"),
            '\t' => shown.push_str("\\t"),
            ' ' => shown.push(' '),
            _ if is_deceptive(c) || c.is_whitespace() => {
                // Writing to a String cannot fail.
                let _ = write!(shown, "\\u{{{:x}}}", u32::from(c));
            }
            _ => shown.push(c),
        }
    }
    shown.push('"');
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shown(json: &str) -> String {
        arguments(Some(Raw(json)))
    }

    #[test]
    fn arguments_are_shown_as_the_server_reads_them() {
        assert_eq!(arguments(None), "no arguments");
        assert_eq!(shown("{}"), "no arguments");
        let text = r#"{"path":"\u002e\u002e/etc","n":-1.50,"edits":[{"old":"a","new":null},true],"a b":""}"#;
        assert_eq!(
            shown(text),
            "path: \"../etc\"\nn: -1.50\nedits: [{old: \"a\", new: null}, true]\n\"a b\": \"\""
        );
    }

    #[test]
    fn what_deceives_is_spelled_out_and_no_line_can_be_faked() {
        let text =
            "{\"path\":\"a\\nn: \\\"b\\\" \u{202e}gpj\\u001b[2J\u{200b}\u{a0}\",\"x\u{202e}\":\"\\\\n\"}";
        assert_eq!(
            shown(text),
            "path: \"a\\nn: \\\"b\\\" \\u{202e}gpj\\u{1b}[2J\\u{200b}\\u{a0}\"\n\"x\\u{202e}\": \"\\\\n\""
        );
    }

    #[test]
    fn what_is_left_out_is_said() {
        let long = format!("{}{}", "x".repeat(5000), "/../../.ssh/id_rsa");
        let text = shown(&format!(r#"{{"path":"{long}"}}"#));
        assert!(text.contains("\" [4218 characters are not shown] \"xxx"), "{text}");
        assert!(text.ends_with("/../../.ssh/id_rsa\"") && text.chars().count() < 900, "{text}");
        let many: Vec<String> = (0..500).map(|n| format!("\"a{n}\":{n}")).collect();
        let text = shown(&format!("{{{}}}", many.join(",")));
        assert!(text.ends_with("a199: 199\n[300 more arguments are not shown]"), "{text}");
        let deep = format!("{{\"a\":{}1{}}}", "[".repeat(50), "]".repeat(50));
        assert!(shown(&deep).contains("as sent: \"[[["), "{}", shown(&deep));
        let list = format!("{{\"a\":[{}]}}", vec!["\"x\""; 1000].join(","));
        assert!(shown(&list).ends_with("[801 more are not shown]]"), "{}", shown(&list));
    }

    #[test]
    fn the_question_names_who_asks_and_what_about() {
        let prompt = Prompt {
            server: "fi\u{202e}les",
            tool: "write\n_file",
            arguments: "path: \"a\"",
            rule: "tools.ask has \"write_*\" (fs.toml:3:9)",
            id: "0a1b2c3d",
        };
        let text = prompt.text();
        assert_eq!(
            text,
            "caponier asks: may the server \"fi\\u{202e}les\" run its tool \"write\\u{a}_file\"?\n\npath: \"a\"\n\n(tools.ask has \
             \"write_*\" (fs.toml:3:9); 0a1b2c3d)"
        );
        let form = prompt.form();
        assert!(form["message"].as_str().unwrap().starts_with(&text));
        assert_eq!(form["requestedSchema"]["properties"][FIELD]["default"], false);
    }

    proptest! {
        #[test]
        fn nothing_shown_deceives(value in any::<String>(), name in any::<String>()) {
            let json = serde_json::json!({ name: [value.clone()], "v": value }).to_string();
            let text = shown(&json);
            prop_assert!(text.chars().all(|c| c == '\n' || !is_deceptive(c)));
            prop_assert!(text.lines().count() <= 2);
        }
    }
}
