//! JSON as a tree with places (RFC 8259), with the comments and the commas at the end that clients take.
//!
//! Strings, numbers and words are judged by serde_json, which is strict about them; here is only what stands between.
//! No other laxity: a name without quotes, or a text in single ones, is a fault.

use serde::de::IgnoredAny;

use crate::clients::Fault;
use crate::clients::tree::{DEEPEST, Member, Node, Value};

pub(super) fn parse(text: &str) -> Result<Node, Fault> {
    let mut reader = Reader { text, at: 0 };
    reader.blanks()?;
    let node = reader.value(0)?;
    reader.blanks()?;
    match reader.peek() {
        None => Ok(node),
        Some(_) => Err(reader.fault("something stands after the end of the value")),
    }
}

struct Reader<'t> {
    text: &'t str,
    at: usize,
}

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn fault(&self, detail: &str) -> Fault {
        Fault::new(self.at, format!("it is not JSON: {detail}"))
    }

    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// Past white space and comments.
    fn blanks(&mut self) -> Result<(), Fault> {
        loop {
            match self.peek() {
                Some(b' ' | b'\t' | b'\r' | b'\n') => self.at += 1,
                Some(b'/') => self.comment()?,
                _ => return Ok(()),
            }
        }
    }

    fn comment(&mut self) -> Result<(), Fault> {
        let rest = self.rest();
        let length = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if let Some(inside) = rest.strip_prefix("/*") {
            let end = inside.find("*/").ok_or_else(|| self.fault("a comment does not end"))?;
            end + 4
        } else {
            return Err(self.fault("a stray `/`"));
        };
        self.at += length;
        Ok(())
    }

    fn value(&mut self, depth: usize) -> Result<Node, Fault> {
        if depth > DEEPEST {
            return Err(self.fault("it is nested too deeply"));
        }
        let start = self.at;
        let value = match self.peek() {
            Some(b'{') => self.object(depth)?,
            Some(b'[') => self.array(depth)?,
            Some(b'"') => Value::Text(self.string()?),
            Some(_) => self.scalar()?,
            None => return Err(self.fault("it ends where a value should stand")),
        };
        Ok(Node { span: start..self.at, value })
    }

    fn object(&mut self, depth: usize) -> Result<Value, Fault> {
        let mut members = Vec::new();
        self.at += 1;
        loop {
            self.blanks()?;
            match self.peek() {
                Some(b'}') => break,
                Some(b'"') => {}
                _ => return Err(self.fault("a name in quotes should stand here")),
            }
            let start = self.at;
            let key = self.string()?;
            let key_span = start..self.at;
            self.blanks()?;
            if self.peek() != Some(b':') {
                return Err(self.fault("a `:` should stand here"));
            }
            self.at += 1;
            self.blanks()?;
            let node = self.value(depth + 1)?;
            members.push(Member { key, key_span, node });
            if !self.goes_on(b'}')? {
                break;
            }
        }
        self.at += 1;
        Ok(Value::Object(members))
    }

    fn array(&mut self, depth: usize) -> Result<Value, Fault> {
        let mut nodes = Vec::new();
        self.at += 1;
        loop {
            self.blanks()?;
            if self.peek() == Some(b']') {
                break;
            }
            nodes.push(self.value(depth + 1)?);
            if !self.goes_on(b']')? {
                break;
            }
        }
        self.at += 1;
        Ok(Value::Array(nodes))
    }

    /// Past a comma; `false` at the end, which is not passed.
    fn goes_on(&mut self, end: u8) -> Result<bool, Fault> {
        self.blanks()?;
        match self.peek() {
            Some(b',') => {
                self.at += 1;
                Ok(true)
            }
            Some(byte) if byte == end => Ok(false),
            _ => Err(self.fault("a `,` or the end should stand here")),
        }
    }

    fn string(&mut self) -> Result<String, Fault> {
        let bytes = self.text.as_bytes();
        let mut end = self.at + 1;
        loop {
            match bytes.get(end) {
                Some(b'"') => break,
                Some(b'\\') => end += 2,
                Some(_) => end += 1,
                None => return Err(self.fault("a text does not end")),
            }
        }
        let said = self.text.get(self.at..=end).and_then(|quoted| serde_json::from_str(quoted).ok());
        let said =
            said.ok_or_else(|| self.fault("a text has a character or an escape that none may have"))?;
        self.at = end + 1;
        Ok(said)
    }

    fn scalar(&mut self) -> Result<Value, Fault> {
        let rest = self.rest();
        let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
        let length = rest.bytes().take_while(|byte| is_part(byte)).count();
        if length == 0 || serde_json::from_str::<IgnoredAny>(&rest[..length]).is_err() {
            return Err(self.fault("a value should stand here"));
        }
        self.at += length;
        Ok(Value::Other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn places_are_those_of_the_text() {
        let text = "// c\n{ \"a\" : [1, \"x\\n\", true,], /* } */ \"b\":{}, }\n";
        let node = parse(text).unwrap();
        let list = node.get("a").unwrap();
        assert_eq!(&text[list.span.clone()], "[1, \"x\\n\", true,]");
        assert_eq!(list.elements().unwrap()[1].text(), Some("x\n"));
        assert_eq!(&text[node.member("b").unwrap().key_span.clone()], "\"b\"");
    }

    #[test]
    fn what_is_no_json_is_a_fault_that_shows_nothing() {
        let deep = "[".repeat(100_000);
        for text in [
            "{",
            "{\"a\"}",
            "{a:1}",
            "{'a':1}",
            "[1 2]",
            "[,]",
            "{,}",
            "\"\t\"",
            "\"\\x\"",
            "01",
            "tru",
            "nul l",
            "{} {}",
            "/* ",
            "[1,,2]",
            "/",
            "{\"a\":sk-secret}",
            "\"\\ud800\"",
            "",
            "\"a",
            "\"\\",
            &deep,
        ] {
            let fault = parse(text).unwrap_err();
            assert!(!fault.detail.contains("secret"), "{fault:?}");
        }
    }

    proptest! {
        /// Without comments and commas at the end it is JSON, and says what serde_json says.
        #[test]
        fn it_agrees_with_serde_json(text in "[\\[\\]{}:,\"a1.e\\\\tnu \n-]{0,24}") {
            let strict: Result<serde_json::Value, _> = serde_json::from_str(&text);
            match (strict, parse(&text)) {
                (Ok(strict), Ok(node)) => prop_assert_eq!(kind(&strict), node_kind(&node)),
                (Ok(strict), Err(fault)) => prop_assert!(false, "{strict} {fault:?}"),
                // What is lax here is a comma at the end.
                (Err(_), Ok(_)) => prop_assert!(text.contains(',')),
                (Err(_), Err(_)) => {}
            }
        }
    }

    fn kind(value: &serde_json::Value) -> usize {
        match value {
            serde_json::Value::Object(_) => 0,
            serde_json::Value::Array(_) => 1,
            serde_json::Value::String(_) => 2,
            _ => 3,
        }
    }

    fn node_kind(node: &Node) -> usize {
        match node.value {
            Value::Object(_) => 0,
            Value::Array(_) => 1,
            Value::Text(_) => 2,
            Value::Other => 3,
        }
    }
}
