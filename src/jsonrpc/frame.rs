//! Lines out of a stream of bytes, with a cap on the line and on the memory.
//!
//! The buffer grows only as far as a line needs, never beyond the cap and one read. A line over the cap is not held:
//! it is passed through an [`Outline`] and forgotten. The bytes of a line stay where they were read until the
//! caller asks for more, so that they can be forwarded as they are, and several at once.

use std::ops::Range;

use crate::jsonrpc::outline::Outline;

/// Room offered to each read; what a pipe holds at most (pipe(7)).
const READ: usize = 64 * 1024;

/// One line, or what is left of one.
#[derive(Debug)]
pub enum Frame {
    /// A line within the cap, its `\n` included (missing at the very end of the stream); for [`Framer::bytes`].
    Line(Range<usize>),
    /// A line over the cap: its outline and its length without the `\n`.
    TooLong(Box<Outline>, u64),
}

/// Splits a stream at each `\n`.
#[derive(Debug)]
pub struct Framer {
    buffer: Vec<u8>,
    /// Where the bytes that were not handed out begin and end.
    held: Range<usize>,
    /// No `\n` is in `held` before this.
    searched: usize,
    max: usize,
    discarding: Option<(Box<Outline>, u64)>,
}

impl Framer {
    /// Lines of at most `max` bytes, the `\n` not counted.
    pub fn new(max: usize) -> Self {
        Framer { buffer: Vec::new(), held: 0..0, searched: 0, max, discarding: None }
    }

    /// Where the next read goes, never empty. Ranges handed out before are void after this.
    pub fn room(&mut self) -> &mut [u8] {
        if self.held.is_empty() {
            self.move_to_front();
        }
        if self.buffer.len() - self.held.end < READ {
            // Move when at most half of it is in use, else grow: either way each byte is moved O(1) times.
            if self.held.len() <= self.buffer.len() / 2 {
                self.move_to_front();
            }
            let wanted = self.held.end + READ;
            if self.buffer.len() < wanted {
                self.buffer.resize(wanted.max((self.buffer.len() * 2).min(self.max + READ)), 0);
            }
        }
        self.buffer.get_mut(self.held.end..).unwrap_or_default()
    }

    /// `count` bytes were read into [`Framer::room`].
    pub fn filled(&mut self, count: usize) {
        self.held.end = (self.held.end + count).min(self.buffer.len());
    }

    /// The next line that is complete.
    pub fn next_frame(&mut self) -> Option<Frame> {
        let unsearched = self.searched..self.held.end;
        match memchr::memchr(b'\n', self.bytes(unsearched)) {
            Some(found) => Some(self.cut(self.searched + found + 1, 1)),
            None => {
                self.searched = self.held.end;
                if self.discarding.is_some() || self.held.len() > self.max {
                    self.discard(self.held.end);
                }
                None
            }
        }
    }

    /// What is left when the stream has ended.
    pub fn last_frame(&mut self) -> Option<Frame> {
        (!self.held.is_empty() || self.discarding.is_some()).then(|| self.cut(self.held.end, 0))
    }

    /// The bytes of a line.
    pub fn bytes(&self, line: Range<usize>) -> &[u8] {
        self.buffer.get(line).unwrap_or_default()
    }

    /// Whether the buffer is larger than everyday messages need; then [`Framer::shrink`] is worth it.
    pub fn is_large(&self) -> bool {
        self.buffer.len() > 4 * READ
    }

    /// Gives memory back, as far as nothing is held in it. Ranges handed out before are void after this.
    pub fn shrink(&mut self) {
        self.move_to_front();
        self.buffer.truncate(self.held.end);
        self.buffer.shrink_to_fit();
    }

    /// Hands out everything before `end`, whose last `newline` bytes end the line.
    fn cut(&mut self, end: usize, newline: usize) -> Frame {
        let line = self.held.start..end;
        if self.discarding.is_some() || line.len() - newline > self.max {
            self.discard(end - newline);
        }
        self.held.start = end;
        self.searched = end;
        match self.discarding.take() {
            Some((outline, length)) => Frame::TooLong(outline, length),
            None => Frame::Line(line),
        }
    }

    /// Looks at everything before `end` and forgets it.
    fn discard(&mut self, end: usize) {
        let (mut outline, length) = self.discarding.take().unwrap_or_default();
        let piece = self.bytes(self.held.start..end);
        outline.feed(piece);
        let length = length + piece.len() as u64;
        self.discarding = Some((outline, length));
        self.held.start = end;
    }

    fn move_to_front(&mut self) {
        self.buffer.copy_within(self.held.clone(), 0);
        self.searched -= self.held.start;
        self.held = 0..self.held.len();
    }
}

/// A line without its `\n` or `\r\n`.
pub fn content(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Feeds `stream` in pieces; every line as text, a line over the cap as its length.
    fn lines(stream: &[u8], pieces: &[usize], max: usize) -> Vec<Result<Vec<u8>, u64>> {
        let mut framer = Framer::new(max);
        let mut out = Vec::new();
        let mut rest = stream;
        let mut pieces = pieces.iter().cycle();
        while !rest.is_empty() {
            let count = (*pieces.next().unwrap()).clamp(1, rest.len());
            let (piece, later) = rest.split_at(count);
            framer.room()[..count].copy_from_slice(piece);
            framer.filled(count);
            rest = later;
            while let Some(frame) = framer.next_frame() {
                out.push(told(&framer, frame));
            }
        }
        out.extend(framer.last_frame().map(|frame| told(&framer, frame)));
        out
    }

    fn told(framer: &Framer, frame: Frame) -> Result<Vec<u8>, u64> {
        match frame {
            Frame::Line(range) => Ok(framer.bytes(range).to_vec()),
            Frame::TooLong(_, length) => Err(length),
        }
    }

    proptest! {
        #[test]
        fn no_byte_is_lost_or_moved(
            stream in proptest::collection::vec(prop_oneof![4 => Just(b'a'), 1 => Just(b'\n'), 1 => any::<u8>()], 0..400),
            pieces in proptest::collection::vec(1usize..50, 1..8),
            max in 0usize..30,
        ) {
            let expected: Vec<_> = stream
                .split_inclusive(|byte| *byte == b'\n')
                .map(|line| {
                    let length = line.strip_suffix(b"\n").unwrap_or(line).len();
                    if length > max { Err(length as u64) } else { Ok(line.to_vec()) }
                })
                .collect();
            prop_assert_eq!(lines(&stream, &pieces, max), expected);
        }
    }

    #[test]
    fn a_stream_without_line_ends_takes_no_more_than_the_cap() {
        let max = 1 << 20;
        let mut framer = Framer::new(max);
        for _ in 0..200 {
            let room = framer.room().len();
            framer.filled(room);
            assert!(framer.next_frame().is_none());
            assert!(framer.buffer.len() <= max + 2 * READ, "{}", framer.buffer.len());
        }
        assert!(matches!(framer.last_frame(), Some(Frame::TooLong(_, length)) if length > max as u64));
    }

    #[test]
    fn a_large_buffer_is_given_back_and_keeps_what_it_holds() {
        let mut framer = Framer::new(1 << 20);
        let long = [vec![b'x'; 1 << 19], b"\ny".to_vec()].concat();
        for piece in long.chunks(READ) {
            framer.room()[..piece.len()].copy_from_slice(piece);
            framer.filled(piece.len());
        }
        assert!(matches!(framer.next_frame(), Some(Frame::Line(_))));
        assert!(framer.is_large());
        framer.shrink();
        assert!(!framer.is_large());
        assert!(
            matches!(framer.last_frame(), Some(Frame::Line(range)) if framer.bytes(range.clone()) == b"y")
        );
    }

    #[test]
    fn line_ends_are_no_content() {
        for line in [&b"a\n"[..], b"a\r\n", b"a", b"a\r"] {
            assert_eq!(content(line), b"a");
        }
    }
}
