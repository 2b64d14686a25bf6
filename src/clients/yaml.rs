//! The part of YAML that clients' configurations are written in, as a tree with places.
//!
//! Block mappings and sequences, flow sequences and mappings, quoted and plain scalars of one line, comments; block
//! scalars are passed over. Anything else (anchors, tags, several documents, plain scalars of several lines) is a fault:
//! it is read to be listed, never to be written, and half understood is worse than not.

use std::ops::Range;

use crate::clients::Fault;
use crate::clients::tree::{DEEPEST, Member, Node, Value};

pub(super) fn parse(text: &str) -> Result<Node, Fault> {
    let mut reader = Reader { text, lines: lines(text), at: 0 };
    let Some(first) = reader.lines.first() else {
        return Ok(Node { span: 0..text.len(), value: Value::Object(Vec::new()) });
    };
    let indent = first.indent;
    let node = reader.block(indent, 0)?;
    match reader.lines.get(reader.at) {
        None => Ok(node),
        Some(line) => Err(unread(line.span.start)),
    }
}

fn unread(at: usize) -> Fault {
    Fault::new(at, "this is YAML that caponier does not read")
}

/// One line with something on it: its indentation, and where its content stands, without comments.
#[derive(Debug, Clone)]
struct Line {
    indent: usize,
    span: Range<usize>,
}

fn lines(text: &str) -> Vec<Line> {
    let mut found = Vec::new();
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let start = at;
        at += line.len();
        let line = if start == 0 { line.trim_start_matches('\u{feff}') } else { line };
        let start = at - line.len();
        let content = &line[..content_length(line)];
        let trimmed = content.trim();
        if trimmed.is_empty() || trimmed == "---" {
            continue;
        }
        let indent = content.len() - content.trim_start_matches(' ').len();
        found.push(Line { indent, span: start + indent..start + indent + trimmed.len() });
    }
    found
}

/// The length of a line without its comment: a `#` at its beginning or after a blank, outside of quotes.
fn content_length(line: &str) -> usize {
    let mut quote = None;
    let mut before = b' ';
    let mut bytes = line.bytes().enumerate();
    while let Some((at, byte)) = bytes.next() {
        match (quote, byte) {
            (Some(b'"'), b'\\') => drop(bytes.next()),
            (Some(open), _) if byte == open => quote = None,
            (Some(_), _) => {}
            (None, b'"' | b'\'') if matches!(before, b' ' | b'[' | b'{' | b',' | b':') => quote = Some(byte),
            (None, b'#') if matches!(before, b' ' | b'\t') => return at,
            _ => {}
        }
        before = byte;
    }
    line.len()
}

struct Reader<'t> {
    text: &'t str,
    lines: Vec<Line>,
    at: usize,
}

impl<'t> Reader<'t> {
    fn slice(&self, span: &Range<usize>) -> &'t str {
        self.text.get(span.clone()).unwrap_or_default()
    }

    fn line(&self) -> Option<(Line, &'t str)> {
        let line = self.lines.get(self.at)?.clone();
        let content = self.slice(&line.span);
        Some((line, content))
    }

    /// The mapping or sequence whose lines have this indentation.
    fn block(&mut self, indent: usize, depth: usize) -> Result<Node, Fault> {
        let Some((first, content)) = self.line() else { return Err(unread(self.text.len())) };
        if depth > DEEPEST {
            return Err(unread(first.span.start));
        }
        let is_sequence = is_item(content);
        let mut end = first.span.end;
        let (mut members, mut items) = (Vec::new(), Vec::new());
        while let Some((line, content)) = self.line() {
            if line.indent < indent || (line.indent == indent && is_item(content) != is_sequence) {
                break;
            }
            if line.indent > indent {
                return Err(unread(line.span.start));
            }
            if is_sequence {
                items.push(self.item(&line, content, depth)?);
            } else {
                members.push(self.entry(&line, content, depth)?);
            }
            end = self
                .at
                .checked_sub(1)
                .and_then(|last| self.lines.get(last))
                .map_or(end, |last| last.span.end);
        }
        let value = if is_sequence { Value::Array(items) } else { Value::Object(members) };
        Ok(Node { span: first.span.start..end, value })
    }

    /// `- …`: what follows is a block that begins on this line.
    fn item(&mut self, line: &Line, content: &str, depth: usize) -> Result<Node, Fault> {
        let rest = content[1..].trim_start();
        if rest.is_empty() {
            self.at += 1;
            return self.below(line.indent, line.span.end, depth);
        }
        let moved = content.len() - rest.len();
        if key(rest).is_some() || is_item(rest) {
            // As if it stood on a line of its own, with the indentation that it has.
            if let Some(here) = self.lines.get_mut(self.at) {
                here.indent += moved;
                here.span.start += moved;
            }
            return self.block(line.indent + moved, depth + 1);
        }
        self.at += 1;
        self.scalar(line.span.start + moved..line.span.end, line.indent, depth)
    }

    /// `key: …`.
    fn entry(&mut self, line: &Line, content: &str, depth: usize) -> Result<Member, Fault> {
        let (name, length) = key(content).ok_or_else(|| unread(line.span.start))?;
        let rest = content[length..].trim_start();
        self.at += 1;
        let node = if rest.is_empty() {
            self.below(line.indent, line.span.end, depth)?
        } else {
            self.scalar(line.span.end - rest.len()..line.span.end, line.indent, depth)?
        };
        let key_span = line.span.start..line.span.start + length - 1;
        Ok(Member { key: name, key_span, node })
    }

    /// What stands below a key or a dash; nothing is null. A sequence may have its key's own indentation.
    fn below(&mut self, indent: usize, at: usize, depth: usize) -> Result<Node, Fault> {
        match self.line() {
            Some((next, _)) if next.indent > indent => self.block(next.indent, depth + 1),
            Some((next, content)) if next.indent == indent && is_item(content) => {
                let is_own = self.at.checked_sub(1).and_then(|last| self.lines.get(last));
                match is_own.is_some_and(|own| is_item(self.slice(&own.span))) {
                    true => Ok(Node { span: at..at, value: Value::Other }),
                    false => self.block(next.indent, depth + 1),
                }
            }
            _ => Ok(Node { span: at..at, value: Value::Other }),
        }
    }

    /// A value that begins on a line.
    fn scalar(&mut self, span: Range<usize>, indent: usize, depth: usize) -> Result<Node, Fault> {
        let content = self.slice(&span);
        let is_deeper = |line: &Line| line.indent > indent;
        match content.as_bytes().first() {
            Some(b'|' | b'>') => {
                // Its lines were cut at what looked like comments; nobody reads them.
                while self.lines.get(self.at).is_some_and(is_deeper) {
                    self.at += 1;
                }
                Ok(Node { span, value: Value::Other })
            }
            Some(b'[' | b'{') => {
                let mut end = span.end;
                while self.lines.get(self.at).is_some_and(is_deeper) {
                    end = self.lines[self.at].span.end;
                    self.at += 1;
                }
                let mut flow = Flow { text: self.text, at: span.start, end };
                let node = flow.value(depth)?;
                flow.blanks();
                if flow.at < end { Err(unread(flow.at)) } else { Ok(node) }
            }
            _ if self.lines.get(self.at).is_some_and(is_deeper) => Err(unread(span.start)),
            _ => single(content, span),
        }
    }
}

fn is_item(content: &str) -> bool {
    content == "-" || content.starts_with("- ")
}

/// The key at the beginning, and its length with the colon.
fn key(content: &str) -> Option<(String, usize)> {
    let ends =
        |rest: &str| rest.strip_prefix(':').is_some_and(|rest| rest.is_empty() || rest.starts_with(' '));
    if content.starts_with(['"', '\'']) {
        let length = quoted_length(content)?;
        return ends(&content[length..])
            .then(|| unquote(&content[..length]).map(|name| (name, length + 1)))?;
    }
    let length = content.char_indices().map(|(at, _)| at).find(|at| ends(&content[*at..]))?;
    let is_plain = !content.starts_with(['[', '{', '&', '*', '!', '|', '>', '%', '@', '`', '?']);
    is_plain.then(|| (content[..length].trim_end().to_owned(), length + 1))
}

/// The length of the quoted text at the beginning, with its quotes.
fn quoted_length(content: &str) -> Option<usize> {
    let quote = content.bytes().next()?;
    let mut bytes = content.bytes().enumerate().skip(1).peekable();
    while let Some((at, byte)) = bytes.next() {
        if byte == b'\\' && quote == b'"' {
            bytes.next();
        } else if byte == quote {
            // '' in single quotes is one.
            match bytes.peek() {
                Some((_, b'\'')) if quote == b'\'' => drop(bytes.next()),
                _ => return Some(at + 1),
            }
        }
    }
    None
}

fn unquote(quoted: &str) -> Option<String> {
    let inner = quoted.get(1..quoted.len().checked_sub(1)?)?;
    match quoted.starts_with('\'') {
        true => Some(inner.replace("''", "'")),
        // The escapes that JSON has are YAML's too; others are not read.
        false => serde_json::from_str(quoted).ok(),
    }
}

/// A scalar of one line.
fn single(content: &str, span: Range<usize>) -> Result<Node, Fault> {
    let value = match content.as_bytes().first() {
        Some(b'"' | b'\'') => {
            let whole = quoted_length(content) == Some(content.len());
            let said = whole.then(|| unquote(content)).flatten();
            Value::Text(said.ok_or_else(|| unread(span.start))?)
        }
        Some(b'&' | b'*' | b'!' | b'%' | b'@' | b'`') => return Err(unread(span.start)),
        _ if matches!(content, "true" | "false" | "null" | "~" | "True" | "False") => Value::Other,
        _ if content.contains(": ") || content.ends_with(':') => return Err(unread(span.start)),
        _ => Value::Text(content.to_owned()),
    };
    Ok(Node { span, value })
}

/// `[a, "b"]`, `{a: b}`.
struct Flow<'t> {
    text: &'t str,
    at: usize,
    end: usize,
}

impl Flow<'_> {
    fn peek(&self) -> Option<u8> {
        if self.at < self.end { self.text.as_bytes().get(self.at).copied() } else { None }
    }

    fn blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
    }

    fn value(&mut self, depth: usize) -> Result<Node, Fault> {
        let start = self.at;
        if depth > DEEPEST {
            return Err(unread(start));
        }
        let value = match self.peek() {
            Some(b'[') => {
                let mut nodes = Vec::new();
                self.sequence(b']', |flow| {
                    nodes.push(flow.value(depth + 1)?);
                    Ok(())
                })?;
                Value::Array(nodes)
            }
            Some(b'{') => {
                let mut members = Vec::new();
                self.sequence(b'}', |flow| {
                    let name = flow.value(depth + 1)?;
                    let key = name.text().ok_or_else(|| unread(flow.at))?.to_owned();
                    flow.blanks();
                    if flow.peek() != Some(b':') {
                        return Err(unread(flow.at));
                    }
                    flow.at += 1;
                    flow.blanks();
                    let node = flow.value(depth + 1)?;
                    members.push(Member { key, key_span: name.span, node });
                    Ok(())
                })?;
                Value::Object(members)
            }
            Some(b'"' | b'\'') => {
                let rest = self.text.get(start..self.end).unwrap_or_default();
                let length = quoted_length(rest).ok_or_else(|| unread(start))?;
                self.at += length;
                return single(&rest[..length], start..self.at);
            }
            _ => {
                let rest = self.text.get(start..self.end).unwrap_or_default();
                let ends = |at: usize| match rest.as_bytes().get(at) {
                    Some(b',' | b']' | b'}' | b'[' | b'{' | b'\n' | b'#') | None => true,
                    Some(b':') => matches!(rest.as_bytes().get(at + 1), Some(b' ') | None),
                    _ => false,
                };
                let length = (0..=rest.len()).find(|at| ends(*at)).unwrap_or(rest.len());
                let plain = rest[..length].trim_end();
                if plain.is_empty() {
                    return Err(unread(start));
                }
                self.at += length;
                return single(plain, start..start + plain.len());
            }
        };
        Ok(Node { span: start..self.at, value })
    }

    fn sequence(
        &mut self,
        end: u8,
        mut one: impl FnMut(&mut Self) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        self.at += 1;
        loop {
            self.blanks();
            if self.peek() == Some(end) {
                break;
            }
            one(self)?;
            self.blanks();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(byte) if byte == end => break,
                _ => return Err(unread(self.at)),
            }
        }
        self.at += 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_clients_write_is_read() {
        let text = "\u{feff}---\n# models\nname: x # me\nmodels:\n- name: a\n  roles: [chat, 'it''s', \"e\\td\"]\nprompt: |\n  a: b\n   # c\nmcpServers:\n  - name: \"git: x\"\n    command: uvx\n    args:\n      - mcp-server-git\n      - --repository\n      - /x # y\n    env:\n      TOKEN: abc#def\n  -\n    name: r\n    url: https://x/y\nempty:\nlast: {a: 1, b: [x]}\n";
        let tree = parse(text).unwrap();
        let servers = tree.get("mcpServers").unwrap().elements().unwrap();
        assert_eq!(servers[0].get("name").unwrap().text(), Some("git: x"));
        let args: Vec<_> =
            servers[0].get("args").unwrap().elements().unwrap().iter().map(|n| n.text().unwrap()).collect();
        assert_eq!(args, ["mcp-server-git", "--repository", "/x"]);
        assert_eq!(servers[0].at(&["env", "TOKEN"]).unwrap().text(), Some("abc#def"));
        assert_eq!(servers[1].get("url").unwrap().text(), Some("https://x/y"));
        let roles = tree.get("models").unwrap().elements().unwrap()[0].get("roles").unwrap();
        assert_eq!(roles.elements().unwrap()[1].text(), Some("it's"));
        assert_eq!(tree.at(&["last", "a"]).unwrap().text(), Some("1"));
    }

    #[test]
    fn what_is_beyond_is_a_fault() {
        for text in [
            "a: &x 1\n",
            "a: *x\n",
            "a: !!str 1\n",
            "a: b\n  c\n",
            "a\n",
            "a: b: c\n",
            "- a\nb: c\n",
            "a: [1\n",
            "a:\n    b: 1\n  c: 2\n",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn nothing_makes_it_panic(text in "[a-c:\\-#'\"\\[\\]{},|& \n]{0,40}") {
            let _ = parse(&text);
        }
    }
}
