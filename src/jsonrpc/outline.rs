//! What can be said of a message that is too long to hold, or too odd to scan: its id, and whether it asks or answers.
//!
//! It reads the first level only, a piece at a time, in a few hundred bytes of memory. What it finds is used for one
//! thing: to tell whoever waits that nothing will come. So it needs no grammar; where it is not sure it says nothing.

use crate::jsonrpc::id::{Id, MAX_ID};
use crate::jsonrpc::message::Raw;

/// Longest method that is kept for the record.
const MAX_METHOD: usize = 256;

/// The first level of one message, as far as it was read.
#[derive(Debug, Default)]
pub struct Outline {
    state: State,
    depth: usize,
    in_string: bool,
    /// A backslash was the last byte of the string so far.
    escaped: bool,
    /// The bytes of the name or value that is being read, when it matters.
    kept: Vec<u8>,
    /// They did not fit.
    overflow: bool,
    member: Member,
    id: Option<Vec<u8>>,
    ids: u32,
    method: Option<Vec<u8>>,
    methods: u32,
    replies: u32,
    has_result: bool,
}

/// Where in the first level.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Before the `{`.
    #[default]
    Before,
    /// A name comes, or is being read.
    Name,
    /// After a name.
    Colon,
    /// A value comes, or is being read.
    Value,
    /// After the `}`, and nothing followed.
    Done,
    /// Not an object, or not in order.
    Broken,
}

/// The members that are told apart.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Member {
    Id,
    Method,
    #[default]
    Other,
}

impl Outline {
    /// The outline of a whole line.
    pub fn of(line: &[u8]) -> Self {
        let mut outline = Outline::default();
        outline.feed(line);
        outline
    }

    /// The id, if there is exactly one that can be used and the object is whole.
    pub fn id(&self) -> Option<Id<'_>> {
        let raw = self.id.as_deref().filter(|_| self.state == State::Done && self.ids == 1)?;
        Id::parse(std::str::from_utf8(raw).ok()?)
    }

    /// The method, as far as it was kept.
    pub fn method(&self) -> Option<String> {
        let raw = self.method.as_deref().filter(|_| self.methods == 1)?;
        Raw(std::str::from_utf8(raw).ok()?).string().map(std::borrow::Cow::into_owned)
    }

    /// Whether this is an object, in order and whole, on its first level.
    pub fn is_whole(&self) -> bool {
        self.state == State::Done
    }

    /// Whether it only answers.
    pub fn is_response(&self) -> bool {
        self.is_whole() && self.methods == 0 && self.replies > 0
    }

    /// Whether it carries a result.
    pub fn has_result(&self) -> bool {
        self.has_result
    }

    /// Whether it asks and waits for nothing: a method, and no id at all.
    pub fn is_notification(&self) -> bool {
        self.is_whole() && self.methods > 0 && self.ids == 0
    }

    /// Takes the next piece.
    pub fn feed(&mut self, piece: &[u8]) {
        let mut at = 0;
        while let Some(byte) = piece.get(at).copied() {
            if self.state == State::Broken {
                return;
            }
            at += if self.in_string {
                self.string(piece.get(at..).unwrap_or_default())
            } else {
                self.structure(byte);
                1
            };
        }
    }

    /// Takes what belongs to the open string; returns how much that was.
    fn string(&mut self, rest: &[u8]) -> usize {
        if std::mem::take(&mut self.escaped) {
            self.keep(rest.get(..1).unwrap_or_default());
            return 1;
        }
        let end = memchr::memchr2(b'"', b'\\', rest);
        let taken = end.map_or(rest.len(), |end| end + 1);
        self.keep(rest.get(..taken).unwrap_or_default());
        match end.and_then(|end| rest.get(end)) {
            Some(b'\\') => self.escaped = true,
            Some(_) => {
                self.in_string = false;
                self.string_ended();
            }
            None => {}
        }
        taken
    }

    fn string_ended(&mut self) {
        if self.depth == 1 && self.state == State::Name {
            self.name_ended();
        }
    }

    fn name_ended(&mut self) {
        let kept = std::mem::take(&mut self.kept);
        let name =
            std::str::from_utf8(&kept).ok().filter(|_| !self.overflow).and_then(|raw| Raw(raw).string());
        self.member = Member::Other;
        match name.as_deref() {
            Some("id") => {
                self.ids += 1;
                self.member = Member::Id;
            }
            Some("method") => {
                self.methods += 1;
                self.member = Member::Method;
            }
            Some("result") => {
                self.replies += 1;
                self.has_result = true;
            }
            Some("error") => self.replies += 1,
            _ => {}
        }
        self.state = State::Colon;
    }

    /// Takes one byte outside of strings.
    fn structure(&mut self, byte: u8) {
        if self.depth > 1 {
            match byte {
                b'"' => self.in_string = true,
                b'{' | b'[' => self.depth += 1,
                b'}' | b']' => self.depth -= 1,
                _ => {}
            }
            return;
        }
        match (self.state, byte) {
            (_, b' ' | b'\t' | b'\r' | b'\n') => {}
            (State::Before, b'{') => {
                self.depth = 1;
                self.state = State::Name;
            }
            (State::Name, b'"') => self.begin(byte),
            (State::Name, b'}') => self.state = State::Done,
            (State::Colon, b':') => {
                self.state = State::Value;
                self.kept.clear();
                self.overflow = false;
            }
            (State::Value, b'"') => self.begin(byte),
            (State::Value, b'{' | b'[') => {
                self.keep(&[byte]);
                self.depth += 1;
            }
            (State::Value, b',') => self.value_ended(State::Name),
            (State::Value, b'}') => self.value_ended(State::Done),
            (State::Value, _) => self.keep(&[byte]),
            _ => self.state = State::Broken,
        }
    }

    /// A string begins, on the first level.
    fn begin(&mut self, quote: u8) {
        if self.state == State::Name {
            self.kept.clear();
            self.overflow = false;
        }
        self.keep(&[quote]);
        self.in_string = true;
    }

    fn value_ended(&mut self, next: State) {
        let kept = std::mem::take(&mut self.kept);
        match self.member {
            Member::Id => self.id = Some(kept).filter(|_| !self.overflow),
            Member::Method => self.method = Some(kept).filter(|_| !self.overflow),
            Member::Other => {}
        }
        self.state = next;
    }

    /// Keeps the bytes of a name, an id or a method, up to a cap.
    fn keep(&mut self, bytes: &[u8]) {
        let cap = match (self.depth, self.state, self.member) {
            (1, State::Name, _) => 64,
            (1, State::Value, Member::Id) => MAX_ID,
            (1, State::Value, Member::Method) => MAX_METHOD,
            _ => return,
        };
        if self.kept.len() + bytes.len() > cap {
            self.overflow = true;
        } else {
            self.kept.extend_from_slice(bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn id(line: &str) -> Option<String> {
        Outline::of(line.as_bytes()).id().map(|id| id.raw().to_owned())
    }

    #[test]
    fn the_id_is_found_wherever_it_stands() {
        assert_eq!(id(r#"{"jsonrpc":"2.0","id":7,"result":{"id":8}}"#).as_deref(), Some("7"));
        assert_eq!(
            id(r#"{"result":{"a":["}","\"",{"id":1}]},"jsonrpc":"2.0","id":"a\"b"}"#).as_deref(),
            Some(r#""a\"b""#)
        );
        assert_eq!(id(r#"{ "\u0069d" : 9 , "result" : { } }"#).as_deref(), Some("9"));
    }

    #[test]
    fn where_it_is_not_sure_it_says_nothing() {
        for line in [
            r#"{"id":1,"id":2,"result":{}}"#,
            r#"{"id":1,"result":{}"#,
            r#"{"id":1,"result":{}} x"#,
            r#"["id",1]"#,
            r#"{"id":null}"#,
            r#"{"id":{"a":1}}"#,
            "noise",
            "",
        ] {
            assert_eq!(id(line), None, "{line}");
        }
        assert_eq!(id(&format!(r#"{{"id":"{}","result":{{}}}}"#, "x".repeat(5000))), None);
    }

    #[test]
    fn asking_and_answering_are_told_apart() {
        let request = Outline::of(br#"{"id":1,"method":"tools\u002fcall","params":{}}"#);
        assert_eq!(request.method().as_deref(), Some("tools/call"));
        assert!(!request.is_response() && !request.is_notification());
        assert!(Outline::of(br#"{"method":"x"}"#).is_notification());
        assert!(Outline::of(br#"{"error":{},"id":null}"#).is_response());
    }

    proptest! {
        #[test]
        fn pieces_do_not_matter(
            line in r#"(\{|\}|\[|\]|"|\\|:|,|id|method|result|1| |"id":|"a":"b",){0,24}"#,
            cut in 0usize..64,
        ) {
            let whole = Outline::of(line.as_bytes());
            let mut pieces = Outline::default();
            let (head, tail) = line.as_bytes().split_at(cut.min(line.len()));
            pieces.feed(head);
            pieces.feed(tail);
            prop_assert_eq!(format!("{whole:?}"), format!("{pieces:?}"));
        }
    }
}
