//! One event as one line, and the envelope of a line read back.
//!
//! `{"v":1,"seq":N,"time":"…","session":"…","server":"…","event":"…", …fields…,"prev":"…"}`: exactly in that order,
//! which the readers rely on. Whatever a payload contains, it makes one line: a newline that serde_json passes on can
//! only be white space (RFC 8259, 2), and becomes a space.

use std::sync::Arc;

use serde::Serialize;

use crate::audit::chain::{self, Digest};
use crate::audit::redact::Redactor;
use crate::audit::session_id::{self, is_session_id};
use crate::audit::stamp::{self, Stamp};
use crate::event::{Event, Redact};

/// The longest line that is written, and that a reader takes. The newline is not counted.
pub const MAX_LINE: usize = 4 << 20;

/// Why a line could not be made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Longer than a reader takes.
    #[error("an event of {bytes} bytes is longer than a line may be ({MAX_LINE} bytes)")]
    TooLong {
        /// What it would have had.
        bytes: usize,
    },
    /// The payload has no JSON form.
    #[error("an event has no JSON form: {0}")]
    Unrepresentable(#[from] serde_json::Error),
}

/// What all lines of one session have in common.
#[derive(Debug)]
pub struct Frame {
    /// From the end of the time to the beginning of the event's name.
    middle: Vec<u8>,
    redactor: Arc<Redactor>,
}

impl Frame {
    /// The frame of a session's lines. `server` is escaped, `session` is known to need no escape.
    pub fn new(session: &str, server: &str, redactor: Arc<Redactor>) -> Result<Self, Error> {
        let mut middle = Vec::with_capacity(96);
        middle.extend_from_slice(b"\",\"session\":\"");
        middle.extend_from_slice(session.as_bytes());
        middle.extend_from_slice(b"\",\"server\":");
        serde_json::to_writer(&mut middle, &redactor.text(server))?;
        middle.extend_from_slice(b",\"event\":\"");
        Ok(Frame { middle, redactor })
    }

    /// Appends one line with its newline to `out` and returns the line's digest. On an error `out` is as before.
    pub fn push(
        &self,
        out: &mut Vec<u8>,
        seq: u64,
        time: Stamp,
        event: &Event,
        prev: Digest,
    ) -> Result<Digest, Error> {
        let begin = out.len();
        let made = self.build(out, seq, time, event, prev);
        let bytes = out.len() - begin;
        match made {
            Ok(()) if bytes <= MAX_LINE => {
                let digest = Digest::of(&out[begin..]);
                out.push(b'\n');
                Ok(digest)
            }
            Ok(()) => {
                out.truncate(begin);
                Err(Error::TooLong { bytes })
            }
            Err(error) => {
                out.truncate(begin);
                Err(error)
            }
        }
    }

    fn build(
        &self,
        out: &mut Vec<u8>,
        seq: u64,
        time: Stamp,
        event: &Event,
        prev: Digest,
    ) -> Result<(), Error> {
        out.extend_from_slice(b"{\"v\":1,\"seq\":");
        serde_json::to_writer(&mut *out, &seq)?;
        out.extend_from_slice(b",\"time\":\"");
        out.extend_from_slice(&time.text());
        out.extend_from_slice(&self.middle);
        out.extend_from_slice(event.name().as_bytes());
        out.push(b'"');
        self.push_fields(out, event)?;
        out.extend_from_slice(b",\"prev\":\"");
        out.extend_from_slice(&prev.hex());
        out.extend_from_slice(b"\"}");
        Ok(())
    }

    /// Appends the members of a payload to an object that is open, without secrets: `{"a":1}` becomes `,"a":1`.
    fn push_fields(&self, out: &mut Vec<u8>, fields: &impl Serialize) -> Result<(), Error> {
        let payload = serde_json::to_string(fields)?;
        if !payload.starts_with('{') {
            return Err(Error::Unrepresentable(serde::ser::Error::custom("not an object")));
        }
        let begin = out.len();
        let mut members = String::with_capacity(payload.len() + 64);
        self.redactor.payload(&mut members, &payload);
        out.extend_from_slice(members.as_bytes());
        if memchr::memchr(b'\n', &out[begin..]).is_some() {
            out[begin..].iter_mut().filter(|byte| **byte == b'\n').for_each(|byte| *byte = b' ');
        }
        Ok(())
    }
}

/// The envelope of a line, borrowed from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Envelope<'a> {
    /// Running number in the session, from 1.
    pub seq: u64,
    /// A stamp; compares as bytes.
    pub time: &'a [u8],
    /// The session's name.
    pub session: &'a str,
    /// The server's name as JSON has it, without its quotes.
    pub server: &'a str,
    /// The event's name.
    pub event: &'a str,
    /// The digest of the line before.
    pub prev: Digest,
}

impl<'a> Envelope<'a> {
    /// Reads the envelope of a line that is exactly of our making; `None` for every other one. What lies between the
    /// event's name and `prev` is not looked at: the chain answers for it.
    pub fn parse(line: &'a [u8]) -> Option<Self> {
        let rest = line.strip_prefix(b"{\"v\":1,\"seq\":")?;
        let (seq, rest) = number(rest)?;
        let (time, rest) = rest.strip_prefix(b",\"time\":\"")?.split_at_checked(stamp::LENGTH)?;
        let (session, rest) =
            rest.strip_prefix(b"\",\"session\":\"")?.split_at_checked(session_id::LENGTH)?;
        let (server, rest) = string(rest.strip_prefix(b"\",\"server\":\"")?)?;
        let (event, rest) = string(rest.strip_prefix(b",\"event\":\"")?)?;
        let tail = rest.strip_suffix(b"\"}")?;
        let (tail, prev) = tail.split_at_checked(tail.len().checked_sub(chain::HEX)?)?;
        tail.strip_suffix(b",\"prev\":\"")?;
        if !stamp::is_shaped(time) || !is_session_id(session) {
            return None;
        }
        Some(Envelope {
            seq,
            time,
            session: std::str::from_utf8(session).ok()?,
            server: std::str::from_utf8(server).ok()?,
            event: std::str::from_utf8(event).ok()?,
            prev: Digest::parse(prev)?,
        })
    }
}

/// A number without leading zeros, and what follows it.
pub(super) fn number(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let end = bytes.iter().position(|byte| !byte.is_ascii_digit())?;
    let (digits, rest) = bytes.split_at(end);
    if digits.len() > 1 && digits[0] == b'0' {
        return None;
    }
    Some((std::str::from_utf8(digits).ok()?.parse().ok()?, rest))
}

/// The inside of a string whose opening quote was taken, and what follows its closing one.
pub(super) fn string(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut from = 0;
    loop {
        let at = from + memchr::memchr2(b'"', b'\\', &bytes[from..])?;
        if bytes[at] == b'"' {
            return Some((&bytes[..at], &bytes[at + 1..]));
        }
        // An escape: the byte after the backslash says nothing about the string's end.
        from = at + 2;
        if from > bytes.len() {
            return None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{AuditLost, CallStart, StdoutNoise};
    use crate::policy::Arguments;
    use proptest::prelude::*;
    use serde_json::value::RawValue;

    const SESSION: &str = "01JDXZ0000000000000000000A";

    fn frame(server: &str, secrets: &[&str]) -> Frame {
        let secrets: Vec<_> = secrets.iter().map(|value| ("env.S".to_owned(), (*value).to_owned())).collect();
        Frame::new(SESSION, server, Arc::new(Redactor::new(&secrets, Arguments::Redacted).unwrap())).unwrap()
    }

    fn line(server: &str, event: &Event) -> Vec<u8> {
        let mut out = Vec::new();
        let frame = frame(server, &[]);
        frame.push(&mut out, 7, Stamp::now(), event, Digest::EMPTY).unwrap();
        assert_eq!(out.pop(), Some(b'\n'));
        out
    }

    #[test]
    fn a_line_is_exactly_this() {
        let event = Event::AuditLost(AuditLost { reason: "cap".into(), count: 3 });
        let mut out = Vec::new();
        let time = Stamp::of(std::time::UNIX_EPOCH);
        frame("a\"b", &[]).push(&mut out, 1, time, &event, Digest::EMPTY).unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            concat!(
                r#"{"v":1,"seq":1,"time":"1970-01-01T00:00:00.000000Z","session":"01JDXZ0000000000000000000A","#,
                r#""server":"a\"b","event":"audit.lost","reason":"cap","count":3,"#,
                r#""prev":"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"}"#,
                "\n"
            )
        );
    }

    #[test]
    fn secrets_stand_in_no_line() {
        let secrets = ["s3cr\"et-value", "s3cr\"et-value-and-more", "123456789", "abc"];
        let reason = format!("{} {} {} abc", secrets[0], secrets[1], secrets[2]);
        let event = Event::AuditLost(AuditLost { reason, count: 123_456_789 });
        let mut out = Vec::new();
        frame("s3cr\"et-value", &secrets).push(&mut out, 7, Stamp::now(), &event, Digest::EMPTY).unwrap();
        let line: serde_json::Value = serde_json::from_slice(&out).unwrap();
        let reason = line["reason"].as_str().unwrap();
        assert_eq!(reason.matches("[redacted:env.S:len").count(), 3, "{reason}");
        assert!(
            reason.ends_with("] abc") && secrets[..3].iter().all(|secret| !reason.contains(secret)),
            "{reason}"
        );
        assert!(line["server"].as_str().unwrap().starts_with("[redacted:env.S:len16:"));
        assert_eq!(line["count"], 123_456_789);
    }

    #[test]
    fn white_space_of_a_raw_value_cannot_break_the_line() {
        let event = Event::CallStart(Box::new(CallStart {
            call: 1,
            id: RawValue::from_string("1".into()).unwrap(),
            method: "tools/call".into(),
            tool: "t".into(),
            arguments: Some(RawValue::from_string("{\n\"a\":\r\n1}".into()).unwrap()),
            arguments_sha256: String::new(),
            bytes: 0,
            unlisted: false,
        }));
        let line = line("s", &event);
        assert!(!line.contains(&b'\n'));
        serde_json::from_slice::<serde_json::Value>(&line).unwrap();
    }

    #[test]
    fn a_line_that_is_too_long_leaves_nothing_behind() {
        let event = Event::StdoutNoise(StdoutNoise { bytes: 1, excerpt: "x".repeat(MAX_LINE) });
        let mut out = b"before".to_vec();
        let made = frame("s", &[]).push(&mut out, 1, Stamp::now(), &event, Digest::EMPTY);
        assert!(matches!(made, Err(Error::TooLong { .. })));
        assert_eq!(out, b"before");
    }

    proptest! {
        #[test]
        fn the_envelope_is_read_back(server in ".{0,20}", excerpt in ".{0,40}") {
            let line = line(&server, &Event::StdoutNoise(StdoutNoise { bytes: 1, excerpt }));
            let envelope = Envelope::parse(&line).unwrap();
            prop_assert_eq!(envelope.seq, 7);
            prop_assert_eq!(envelope.session, SESSION);
            prop_assert_eq!(envelope.event, "stdout.noise");
            prop_assert_eq!(envelope.prev, Digest::EMPTY);
            prop_assert_eq!(serde_json::from_str::<String>(&format!("\"{}\"", envelope.server)).unwrap(), server);
        }

        #[test]
        fn any_bytes_are_survived(bytes: Vec<u8>) {
            let _ = Envelope::parse(&bytes);
            let mut prefixed = b"{\"v\":1,\"seq\":1,\"time\":\"".to_vec();
            prefixed.extend_from_slice(&bytes);
            prop_assert_eq!(Envelope::parse(&prefixed), None);
        }
    }
}
