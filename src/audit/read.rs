//! Lines of a log, one at a time, from whatever stands in the file.
//!
//! A line has a cap before it has a buffer: what is longer is passed over and told, and so is a last line without its
//! newline. Memory is bounded by the cap, whatever the file's size.

use std::io::{self, Read};
use std::ops::Range;

/// Bytes asked for with one `read(2)`.
const CHUNK: usize = 256 << 10;

/// One line, without its newline.
#[derive(Debug, PartialEq, Eq)]
pub enum Line<'a> {
    /// As it should be.
    Whole(&'a [u8]),
    /// Above the cap.
    TooLong {
        /// Its length.
        bytes: u64,
    },
    /// The last one, and its newline is missing: the writer was killed, or is still writing.
    Torn(&'a [u8]),
}

/// Reads lines from `source`.
#[derive(Debug)]
pub struct Lines<R> {
    source: R,
    cap: usize,
    buffer: Vec<u8>,
    /// What was read and not yet given out.
    filled: Range<usize>,
    /// Bytes of a line above the cap that were passed over.
    passed_over: u64,
}

impl<R: Read> Lines<R> {
    /// Lines of at most `cap` bytes.
    pub fn new(source: R, cap: usize) -> Self {
        Self::reusing(Vec::new(), source, cap)
    }

    /// The same, with a buffer that was used before: ten thousand small files need not clear ten thousand buffers.
    pub fn reusing(buffer: Vec<u8>, source: R, cap: usize) -> Self {
        Lines { source, cap, buffer, filled: 0..0, passed_over: 0 }
    }

    /// Gives the buffer back.
    pub fn into_buffer(self) -> Vec<u8> {
        self.buffer
    }

    /// The next line, `None` at the end.
    pub fn next_line(&mut self) -> io::Result<Option<Line<'_>>> {
        let mut searched = self.filled.start;
        loop {
            if let Some(at) = memchr::memchr(b'\n', &self.buffer[searched..self.filled.end]) {
                let line = self.filled.start..searched + at;
                self.filled.start = line.end + 1;
                return Ok(Some(self.give(line, Line::Whole)));
            }
            if self.filled.len() > self.cap {
                self.passed_over += self.filled.len() as u64;
                self.filled = 0..0;
            }
            let before = self.filled.start;
            let more = self.fill()?;
            // What was there already was searched, and may have moved to the front.
            searched = if more == 0 { self.filled.end } else { self.filled.end - more };
            debug_assert!(self.filled.start <= before);
            if more == 0 {
                let rest = self.filled.clone();
                self.filled = 0..0;
                let nothing = rest.is_empty() && self.passed_over == 0;
                return Ok(if nothing { None } else { Some(self.give(rest, Line::Torn)) });
            }
        }
    }

    fn give<'a>(&'a mut self, line: Range<usize>, whole: impl FnOnce(&'a [u8]) -> Line<'a>) -> Line<'a> {
        let bytes = std::mem::take(&mut self.passed_over) + line.len() as u64;
        if bytes > self.cap as u64 { Line::TooLong { bytes } } else { whole(&self.buffer[line]) }
    }

    fn fill(&mut self) -> io::Result<usize> {
        if self.filled.start > 0 {
            self.buffer.copy_within(self.filled.clone(), 0);
            self.filled = 0..self.filled.len();
        }
        if self.filled.end == self.buffer.len() {
            self.buffer.resize((2 * self.buffer.len()).clamp(CHUNK, self.cap + CHUNK), 0);
        }
        loop {
            match self.source.read(&mut self.buffer[self.filled.end..]) {
                Ok(read) => {
                    self.filled.end += read;
                    return Ok(read);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Gives `step` bytes at a time.
    struct Slow<'a>(&'a [u8], usize);

    impl Read for Slow<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let step = self.1.min(buffer.len()).min(self.0.len());
            buffer[..step].copy_from_slice(&self.0[..step]);
            self.0 = &self.0[step..];
            Ok(step)
        }
    }

    fn all(bytes: &[u8], step: usize, cap: usize) -> Vec<String> {
        let mut lines = Lines::new(Slow(bytes, step), cap);
        let mut all = Vec::new();
        while let Some(line) = lines.next_line().unwrap() {
            all.push(match line {
                Line::Whole(line) => format!("whole {}", String::from_utf8_lossy(line)),
                Line::TooLong { bytes } => format!("long {bytes}"),
                Line::Torn(line) => format!("torn {}", String::from_utf8_lossy(line)),
            });
        }
        all
    }

    #[test]
    fn lines_long_lines_and_a_torn_end() {
        for step in 1..40 {
            let told = all(b"ab\n\n1234567890\nxyz\ncut", step, 5);
            assert_eq!(told, ["whole ab", "whole ", "long 10", "whole xyz", "torn cut"], "step {step}");
        }
        assert_eq!(all(b"1234567890", 3, 5), ["long 10"]);
        assert_eq!(all(b"", 3, 5), [""; 0]);
    }

    #[test]
    fn a_line_at_the_cap_passes_and_memory_stays_bounded() {
        let cap = CHUNK;
        let mut bytes = vec![b'a'; cap];
        bytes.push(b'\n');
        bytes.extend(std::iter::repeat_n(b'b', 20 * CHUNK));
        bytes.extend_from_slice(b"\nend\n");
        let mut lines = Lines::new(&bytes[..], cap);
        assert!(matches!(lines.next_line().unwrap(), Some(Line::Whole(line)) if line.len() == cap));
        assert_eq!(lines.next_line().unwrap(), Some(Line::TooLong { bytes: 20 * CHUNK as u64 }));
        assert_eq!(lines.next_line().unwrap(), Some(Line::Whole(b"end")));
        assert!(lines.buffer.len() <= cap + CHUNK);
    }

    proptest! {
        #[test]
        fn nothing_is_lost(parts in prop::collection::vec("[a-z]{0,8}", 0..30), step in 1usize..20) {
            let text = parts.iter().map(|part| format!("{part}\n")).collect::<String>();
            let expected = parts.iter().map(|part| format!("whole {part}")).collect::<Vec<_>>();
            prop_assert_eq!(all(text.as_bytes(), step, 8), expected);
        }
    }
}
