//! The lines of a stream that is no stream of messages: each as its length and its beginning.
//!
//! As much of a line is held as an excerpt needs, and so much more that a secret which lies across the excerpt's end
//! is known for one. A private key is known over the lines that it takes.

use crate::event::{Redact, WINDOW, text};

/// Characters of a line that an event keeps.
pub(super) const EXCERPT: usize = 200;
/// Bytes of a line that are held: a character has four at most.
const HELD: usize = EXCERPT * 4 + WINDOW;

/// Makes excerpts of one stream's lines.
#[derive(Debug, Default)]
pub(super) struct Excerpts {
    /// A private key began and did not end.
    key: bool,
}

impl Excerpts {
    /// The excerpt of a line, without secrets.
    pub(super) fn of(&mut self, redact: &dyn Redact, line: &[u8]) -> String {
        redact.excerpt(&text(line.get(..HELD).unwrap_or(line)), EXCERPT, &mut self.key)
    }

    /// A line of which there is no excerpt: a key may begin or end in it all the same.
    pub(super) fn pass_over(&mut self, redact: &dyn Redact, line: &[u8]) {
        let may = |what: &[u8]| memchr::memmem::find(line, what).is_some();
        if self.key || may(b"-----") || may(b"Private-") {
            let _ = self.of(redact, line);
        }
    }
}

/// Lines out of a stream's bytes, whatever the pieces in which they come.
#[derive(Debug, Default)]
pub(super) struct Lines {
    head: Vec<u8>,
    bytes: u64,
}

impl Lines {
    /// Calls `each` with the beginning and the length of every line that ends in `piece`.
    pub(super) fn push(&mut self, piece: &[u8], mut each: impl FnMut(&[u8], u64)) {
        for part in piece.split_inclusive(|byte| *byte == b'\n') {
            let (content, ended) = part.strip_suffix(b"\n").map_or((part, false), |content| (content, true));
            let room = HELD.saturating_sub(self.head.len());
            self.head.extend_from_slice(content.get(..room).unwrap_or(content));
            self.bytes += content.len() as u64;
            if ended {
                self.end(&mut each);
            }
        }
    }

    /// The stream has ended: its last line may have no line end.
    pub(super) fn end(&mut self, mut each: impl FnMut(&[u8], u64)) {
        let line = self.head.strip_suffix(b"\r").unwrap_or(&self.head);
        if !line.trim_ascii().is_empty() {
            each(line, self.bytes);
        }
        self.head.clear();
        self.bytes = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_the_same_in_any_pieces() {
        let stream = b"one\r\n\n  \ntwo\nthree";
        for size in 1..=stream.len() {
            let mut lines = Lines::default();
            let mut seen = Vec::new();
            let mut each = |line: &[u8], bytes| seen.push((String::from_utf8(line.to_vec()).unwrap(), bytes));
            stream.chunks(size).for_each(|piece| lines.push(piece, &mut each));
            lines.end(&mut each);
            let expected =
                [("one", 4), ("two", 3), ("three", 5)].map(|(line, bytes)| (line.to_owned(), bytes));
            assert_eq!(seen, expected);
        }
    }

    #[test]
    fn a_line_without_an_end_is_counted_and_not_held() {
        let mut lines = Lines::default();
        for _ in 0..1000 {
            lines.push(&[b'x'; 4096], |_, _| panic!("no line has ended"));
        }
        assert!(lines.head.capacity() <= HELD * 2);
        lines.push(b"\n", |line, bytes| assert_eq!((line.len(), bytes), (HELD, 4096 * 1000)));
    }
}
