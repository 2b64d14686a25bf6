//! One direction: read, frame, judge, forward the bytes as they came.
//!
//! Lines that may pass and follow each other are written at once, and always before anything is said about a later
//! line, so that order is kept exactly. One read's worth is in flight: whoever does not read stops whoever writes.
//! A panic while one message is judged costs that message, not the session.

use std::fs::File;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};

use nix::poll::{PollFlags, PollTimeout};
use std::os::fd::AsFd;

use crate::jsonrpc::frame::{Frame, Framer};
use crate::jsonrpc::{Message, Outline};
use crate::relay::pipe;

/// How long a direction is silent before it gives the memory of a large message back.
const IDLE_MS: u16 = 1000;

/// What becomes of one line.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Action {
    /// Its bytes go on.
    pub(super) forward: bool,
    /// This goes on in its place, without a line end.
    pub(super) text: Option<String>,
    /// The client is told this, without a line end.
    pub(super) answer: Option<String>,
}

impl Action {
    pub(super) const FORWARD: Action = Action { forward: true, text: None, answer: None };
    pub(super) const DROP: Action = Action { forward: false, text: None, answer: None };

    /// The line goes no further.
    pub(super) fn instead(answer: Option<String>) -> Self {
        Action { forward: false, text: None, answer }
    }

    /// Another text goes on.
    pub(super) fn rewritten(text: String) -> Self {
        Action { forward: false, text: Some(text), answer: None }
    }
}

/// The text of a batch, with other texts where there are some; `None`: it stays as it is.
pub(super) fn batch_of(messages: &[Message<'_>], texts: &[Option<String>]) -> Option<String> {
    if texts.iter().all(Option::is_none) {
        return None;
    }
    let pieces: Vec<&str> =
        messages.iter().zip(texts).map(|(message, text)| text.as_deref().unwrap_or(message.raw)).collect();
    Some(format!("[{}]", pieces.join(",")))
}

/// What differs between the directions.
pub(super) trait Side {
    /// Judges a line, its line end included.
    fn line(&mut self, line: &[u8]) -> Action;
    /// Tells of a line that was too long to hold; the answer to it.
    fn too_long(&mut self, outline: &Outline, bytes: u64) -> Option<String>;
    /// Tells of a line whose judgement panicked; the answer to it.
    fn unjudged(&mut self, outline: &Outline, bytes: u64) -> Option<String>;
    /// Writes to where lines go on to.
    fn forward(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// Writes a line of ours to the client.
    fn answer(&mut self, line: String) -> io::Result<()>;
}

/// Pumps until the source ends, or until what is forwarded has nowhere to go.
///
/// # Errors
/// Of [`Side::forward`] and [`Side::answer`]. What cannot be read has ended.
pub(super) fn pump(source: &File, max: usize, side: &mut impl Side) -> io::Result<()> {
    let mut framer = Framer::new(max);
    loop {
        if framer.is_large() && !pipe::wait(source.as_fd(), PollFlags::POLLIN, PollTimeout::from(IDLE_MS))? {
            framer.shrink();
        }
        let count = pipe::read(source, framer.room()).unwrap_or_else(|error| {
            tracing::warn!(%error, "a stream could not be read and counts as ended");
            0
        });
        framer.filled(count);
        while_lines(&mut framer, side, count == 0)?;
        if count == 0 {
            return Ok(());
        }
    }
}

/// Deals with every line that is complete, and with the last one at the end.
fn while_lines(framer: &mut Framer, side: &mut impl Side, at_end: bool) -> io::Result<()> {
    // Bytes that may pass and were not written yet.
    let mut run = 0..0;
    loop {
        let frame = match framer.next_frame() {
            None if at_end => framer.last_frame(),
            next => next,
        };
        let action = match &frame {
            None => Action::DROP,
            Some(Frame::Line(line)) => judge(side, framer.bytes(line.clone())),
            Some(Frame::TooLong(outline, bytes)) => {
                guarded(|| Action::instead(side.too_long(outline, *bytes))).unwrap_or(Action::DROP)
            }
        };
        if let (true, Some(Frame::Line(line))) = (action.forward, &frame) {
            run = if run.is_empty() { line.clone() } else { run.start..line.end };
            continue;
        }
        if !run.is_empty() {
            side.forward(framer.bytes(std::mem::take(&mut run)))?;
        }
        if let Some(mut text) = action.text {
            text.push('\n');
            side.forward(text.as_bytes())?;
        }
        if let Some(answer) = action.answer {
            side.answer(answer)?;
        }
        if frame.is_none() {
            return Ok(());
        }
    }
}

fn judge(side: &mut impl Side, line: &[u8]) -> Action {
    guarded(|| side.line(line))
        .or_else(|| guarded(|| Action::instead(side.unjudged(&Outline::of(line), line.len() as u64))))
        .unwrap_or(Action::DROP)
}

/// `None` when it panicked. Nothing that is left half done lets a message pass: what a judgement changes is the table
/// of requests, under a lock that outlives a panic.
fn guarded(judgement: impl FnOnce() -> Action) -> Option<Action> {
    catch_unwind(AssertUnwindSafe(judgement)).ok()
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::fd::OwnedFd;

    use super::*;

    /// Forwards what does not begin with `!`; `?` answers, `*` panics.
    #[derive(Default)]
    struct Script {
        written: Vec<String>,
    }

    impl Side for Script {
        fn line(&mut self, line: &[u8]) -> Action {
            match line.first() {
                Some(b'!') => Action::DROP,
                Some(b'?') => Action::instead(Some("answer".into())),
                Some(b'=') => Action::rewritten("other".into()),
                Some(b'*') => panic!("as the test wants"),
                _ => Action::FORWARD,
            }
        }
        fn too_long(&mut self, _: &Outline, bytes: u64) -> Option<String> {
            Some(format!("too long: {bytes}"))
        }
        fn unjudged(&mut self, _: &Outline, bytes: u64) -> Option<String> {
            Some(format!("unjudged: {bytes}"))
        }
        fn forward(&mut self, bytes: &[u8]) -> io::Result<()> {
            self.written.push(String::from_utf8(bytes.to_vec()).unwrap());
            Ok(())
        }
        fn answer(&mut self, line: String) -> io::Result<()> {
            self.written.push(line);
            Ok(())
        }
    }

    fn pumped(input: &[u8]) -> Vec<String> {
        let (read, write) = io::pipe().unwrap();
        File::from(OwnedFd::from(write)).write_all(input).unwrap();
        let mut script = Script::default();
        pump(&File::from(OwnedFd::from(read)), 8, &mut script).unwrap();
        script.written
    }

    #[test]
    fn order_is_kept_and_neighbours_go_together() {
        assert_eq!(pumped(b"a\nb\r\n\n?\nc\n!\nd\ne"), ["a\nb\r\n\n", "answer", "c\n", "d\n", "e"]);
        assert_eq!(pumped(b"a\n=x\nb\n"), ["a\n", "other\n", "b\n"]);
    }

    #[test]
    fn a_panic_costs_one_message() {
        assert_eq!(pumped(b"a\n*xx\nb\n"), ["a\n", "unjudged: 4", "b\n"]);
    }

    #[test]
    fn a_long_line_is_told_and_not_forwarded() {
        assert_eq!(pumped(b"a\n123456789\nb\n123456789"), ["a\n", "too long: 9", "b\n", "too long: 9"]);
    }
}
