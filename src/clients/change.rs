//! Putting words in front of a server's: splices, and what is kept to undo them.
//!
//! The old command and arguments stay where they are, byte for byte: the command's own text moves to the front of the
//! list of arguments, with our words before it, and ours takes its place.

use serde::{Deserialize, Serialize};
use serde_json::Value as Plain;

use crate::clients::Format;
use crate::clients::argv::{Args, Launch, launch};
use crate::clients::parse::parse;
use crate::clients::splice::{Splice, apply};
use crate::clients::table::Shape;
use crate::clients::tree::Node;

/// What undoes a change of one entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Undo {
    /// The keys that lead to the entry.
    pub path: Vec<String>,
    /// The command's text before and after; none where the command is the list of all words.
    pub command: Option<Exchanged>,
    /// How the words came to the others.
    pub how: How,
    /// The text that came with them.
    pub text: String,
}

/// A text that another one took the place of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exchanged {
    /// What stood there.
    pub before: String,
    /// What stands there now.
    pub after: String,
}

/// Where the words were put.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum How {
    /// Before the first word of a list.
    BeforeFirst,
    /// Into a list that was empty.
    IntoEmpty,
    /// In a list that was not there.
    AsMember,
}

/// A text that cannot be changed, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unchanged(pub String);

/// A quoted text, as JSON and TOML both read it.
pub(super) fn quoted(text: &str) -> String {
    // JSON leaves DEL as it is, TOML does not take it.
    Plain::from(text).to_string().replace('\u{7f}', "\\u007f")
}

/// Splices that put `program words… --` in front of what the entry at `path` starts.
pub(super) fn wrap(
    text: &str,
    tree: &Node,
    (format, shape): (Format, Shape),
    path: &[String],
    program: &str,
    words: &[String],
) -> Result<(Vec<Splice>, Undo), Unchanged> {
    let odd = || Unchanged("its entry is no longer what it was".into());
    let launch = tree.at(path).and_then(|entry| launch(entry, shape).ok()).ok_or_else(odd)?;
    let command = &launch.command.node;
    let before = text.get(command.span.clone()).ok_or_else(odd)?;
    let ours = words.iter().map(|word| quoted(word)).chain([quoted("--")]);
    let exchanged = Exchanged { before: before.to_owned(), after: quoted(program) };
    let exchange = Splice::new(command.span.clone(), exchanged.after.clone());
    let put = |how, text: String| Undo { path: path.to_vec(), command: None, how, text };
    let (splices, undo) = match launch.args {
        Args::Whole(nodes) => {
            let first = nodes.first().ok_or_else(odd)?;
            let items: Vec<String> = std::iter::once(quoted(program)).chain(ours).collect();
            let inserted = before_first(text, command, nodes, &items);
            (vec![Splice::insert(first.span.start, inserted.clone())], put(How::BeforeFirst, inserted))
        }
        Args::Listed(args) => {
            let items: Vec<String> = ours.chain([before.to_owned()]).collect();
            let nodes = args.node.elements().unwrap_or_default();
            let (at, how, inserted) = match nodes.first() {
                Some(first) => {
                    let inserted = before_first(text, &args.node, nodes, &items);
                    (first.span.start, How::BeforeFirst, inserted)
                }
                None => (args.node.span.start + 1, How::IntoEmpty, items.join(", ")),
            };
            (vec![exchange, Splice::insert(at, inserted.clone())], put(how, inserted))
        }
        Args::Absent => {
            let items: Vec<String> = ours.chain([before.to_owned()]).collect();
            let (at, inserted) = new_member(text, &launch, format, &items);
            (vec![exchange, Splice::insert(at, inserted.clone())], put(How::AsMember, inserted))
        }
    };
    let command = (!matches!(launch.args, Args::Whole(_))).then_some(exchanged);
    Ok((splices, Undo { command, ..undo }))
}

/// `items`, and what joins each to the next and the last to the first word, in the style of the list.
fn before_first(text: &str, list: &Node, nodes: &[Node], items: &[String]) -> String {
    let slice = |from: usize, to: usize| text.get(from..to).unwrap_or_default();
    let first = nodes.first().map_or(list.span.end, |node| node.span.start);
    let gap = slice(list.span.start + 1, first);
    let blank = &gap[gap.trim_end().len()..];
    let join = match blank.rfind('\n') {
        // One word a line: so are ours.
        Some(newline) => {
            let start = if blank[..newline].ends_with('\r') { newline - 1 } else { newline };
            format!(",{}", &blank[start..])
        }
        None => {
            let between = nodes.windows(2).next().map(|pair| slice(pair[0].span.end, pair[1].span.start));
            let is_plain = |between: &&str| {
                between.strip_prefix(',').is_some_and(|rest| rest.bytes().all(|byte| byte == b' '))
            };
            between.filter(is_plain).unwrap_or(", ").to_owned()
        }
    };
    items.iter().flat_map(|item| [item.as_str(), &join]).collect()
}

/// Where `args` goes that was not there, and its text.
fn new_member(text: &str, launch: &Launch<'_>, format: Format, items: &[String]) -> (usize, String) {
    let key = &launch.command.key_span;
    let value = &launch.command.node.span;
    let slice = |from: usize, to: usize| text.get(from..to).unwrap_or_default();
    let list = format!("[{}]", items.join(", "));
    let is_braced = text[launch.owner.span.start..].starts_with('{');
    if format == Format::Toml && !is_braced {
        return new_line(text, key.start, value.end, &list);
    }
    // What stands before the command's name stands before ours: a new line with its indentation, or a blank.
    let before = text.get(..key.start).unwrap_or_default();
    let blank = &before[before.trim_end_matches([' ', '\t', '\r', '\n']).len()..];
    let (name, sign) = match format {
        Format::Toml => ("args", " = "),
        _ => {
            let sign = slice(key.end, value.start);
            let is_plain = sign.bytes().all(|byte| matches!(byte, b':' | b' ' | b'\t'));
            ("\"args\"", if is_plain { sign } else { ": " })
        }
    };
    let blank = if blank.is_empty() && sign.ends_with(' ') { " " } else { blank };
    (value.end, format!(",{blank}{name}{sign}{list}"))
}

/// The line after the one of a TOML key: with the same beginning (indentation, `servers.x.`) and the same end.
fn new_line(text: &str, key: usize, value_end: usize, list: &str) -> (usize, String) {
    let rest = text.get(value_end..).unwrap_or_default();
    let start = text.get(..key).and_then(|before| before.rfind('\n')).map_or(0, |newline| newline + 1);
    let prefix = text.get(start..key).unwrap_or_default().trim_start_matches('\u{feff}');
    let (length, newline) = match rest.find('\n') {
        Some(at) if rest[..at].ends_with('\r') => (at - 1, "\r\n"),
        Some(at) => (at, "\n"),
        None => (rest.len(), if text.contains("\r\n") { "\r\n" } else { "\n" }),
    };
    (value_end + length, format!("{newline}{prefix}args = {list}"))
}

/// Makes the splices, and checks that what comes out says what it should and nothing else: every other value as before,
/// and each entry in `expected` starting these words.
pub(super) fn made(
    text: &str,
    tree: &Node,
    (format, shape): (Format, Shape),
    splices: &[Splice],
    expected: &[(Vec<String>, Vec<String>)],
) -> Result<(String, Node), Unchanged> {
    let wrong = || {
        Unchanged(
            "the change would not come out as meant: this is a fault of caponier's; nothing was changed"
                .into(),
        )
    };
    let after = apply(text, splices).ok_or_else(wrong)?;
    let new = parse(&after, format).map_err(|_| wrong())?;
    let (mut old_plain, mut new_plain) = (tree.plain(text), new.plain(&after));
    for (path, words) in expected {
        let entry = new.at(path).and_then(|entry| launch(entry, shape).ok()).ok_or_else(wrong)?;
        if entry.words() != *words {
            return Err(wrong());
        }
        for plain in [&mut old_plain, &mut new_plain] {
            take_words(plain, path, &entry);
        }
    }
    if old_plain == new_plain { Ok((after, new)) } else { Err(wrong()) }
}

/// Takes the words of an entry out, so that the rest can be compared.
fn take_words(plain: &mut Plain, path: &[String], launch: &Launch<'_>) {
    let keys = path.iter().map(String::as_str).chain(launch.inside);
    let owner = keys.into_iter().try_fold(plain, |plain, key| plain.get_mut(key));
    if let Some(Plain::Object(owner)) = owner {
        owner.remove(&launch.command.key);
        owner.remove("args");
    }
}
