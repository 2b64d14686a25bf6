//! In what condition a session's record is: ended, running or cut off; what was lost, what was degraded.
//!
//! Law 5 of the product: a report never looks more complete than its log. Every report of a session says at its top
//! what is told here. A running session is told from one cut off by the lock that its writer holds (`flock(2)`).

use std::fs::{File, TryLockError};

use serde::{Deserialize, Serialize};

/// How a session stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Standing {
    /// With a `session.end` line.
    Ended,
    /// Its writer holds its file.
    Running,
    /// Without a `session.end` line, and nobody writes it.
    Killed,
}

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Condition {
    /// The session.
    pub session: String,
    /// Its server; empty when its first line cannot be read.
    pub server: String,
    /// How it stands.
    pub standing: Standing,
    /// Its last line has no newline.
    pub torn: bool,
    /// Events that are not in the log: the sum of its `audit.lost` lines.
    pub lost: u64,
    /// What was not enforced or not recorded: `degraded` of `session.start`, and the `audit.degraded` lines.
    pub degraded: Vec<String>,
}

/// Different reasons that are kept of one session.
const MOST_REASONS: usize = 32;

impl Condition {
    /// What has to be said before anything else, in words; empty when the record is whole. May quote the log.
    pub fn notices(&self) -> Vec<String> {
        let mut notices = Vec::new();
        match self.standing {
            Standing::Ended => {}
            Standing::Running => notices.push("it is still running: more will come".to_owned()),
            Standing::Killed => notices.push(
                "it was cut off: there is no session.end, and up to 100 ms of allowed accesses may be missing"
                    .to_owned(),
            ),
        }
        if self.torn && self.standing != Standing::Running {
            notices.push("its last line is torn: it was being written when the end came".to_owned());
        }
        if self.lost > 0 {
            notices.push(match self.lost {
                1 => "1 event was lost: it happened and is not in the log".to_owned(),
                lost => format!("{lost} events were lost: they happened and are not in the log"),
            });
        }
        notices.extend(self.degraded.iter().map(|what| format!("degraded: {what}")));
        notices
    }

    /// Whether nothing has to be said of it.
    pub fn is_whole(&self) -> bool {
        self.standing != Standing::Killed && !self.torn && self.lost == 0 && self.degraded.is_empty()
    }
}

/// Watches the lines of one session go by.
#[derive(Debug, Default)]
pub struct Watch {
    server: Option<String>,
    has_end: bool,
    torn: bool,
    lost: u64,
    degraded: Vec<String>,
}

impl Watch {
    /// Takes one line, whose event is `event`. Of nearly all lines only that name is looked at.
    pub fn take(&mut self, event: &[u8], line: &[u8]) {
        if self.server.is_none() {
            #[derive(Deserialize)]
            struct Named {
                server: String,
            }
            self.server = serde_json::from_slice::<Named>(line).ok().map(|named| named.server);
        }
        match event {
            // Most sessions have all that they asked for.
            b"session.start" if memchr::memmem::find(line, b"\"degraded\":[]").is_none() => {
                #[derive(Deserialize)]
                struct Start {
                    #[serde(default)]
                    degraded: Vec<String>,
                }
                if let Ok(start) = serde_json::from_slice::<Start>(line) {
                    start.degraded.into_iter().for_each(|reason| self.add(reason));
                }
            }
            b"session.end" => self.has_end = true,
            b"audit.lost" | b"audit.degraded" => {
                #[derive(Deserialize)]
                struct Told {
                    #[serde(default)]
                    reason: String,
                    #[serde(default)]
                    count: u64,
                }
                let Ok(Told { reason, count }) = serde_json::from_slice::<Told>(line) else { return };
                if event == b"audit.lost" {
                    self.lost = self.lost.saturating_add(count);
                } else {
                    self.add(reason);
                }
            }
            _ => {}
        }
    }

    /// The last line has no newline.
    pub fn torn(&mut self) {
        self.torn = true;
    }

    fn add(&mut self, reason: String) {
        if self.degraded.len() < MOST_REASONS && !self.degraded.contains(&reason) {
            self.degraded.push(reason);
        }
    }

    /// The outcome. `last` is the session's last file; whether somebody writes it is asked only where there is no
    /// `session.end`.
    pub fn finish(self, session: &str, last: Option<&File>) -> Condition {
        let Watch { server, has_end, torn, lost, degraded } = self;
        let standing = match (has_end, last) {
            (true, _) => Standing::Ended,
            (false, Some(file)) if is_held(file) => Standing::Running,
            (false, _) => Standing::Killed,
        };
        let server = server.unwrap_or_default();
        Condition { session: session.to_owned(), server, standing, torn, lost, degraded }
    }
}

/// Whether a session's writer holds this file.
pub fn is_held(file: &File) -> bool {
    matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock))
}

/// The event's name in a line of ours, without reading the rest of it. The server's name stands before it, and has no
/// quote of its own.
pub fn event_of(line: &[u8]) -> &[u8] {
    const KEY: &[u8] = b"\"event\":\"";
    let Some(at) = memchr::memmem::find(line, KEY) else { return b"" };
    let name = &line[at + KEY.len()..];
    memchr::memchr(b'"', name).map_or(b"", |end| &name[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watch(lines: &[&str]) -> Condition {
        let mut watch = Watch::default();
        for line in lines {
            watch.take(event_of(line.as_bytes()), line.as_bytes());
        }
        watch.finish("S", None)
    }

    #[test]
    fn what_is_not_whole_is_told() {
        let start = r#"{"server":"a\"event\":\"","event":"session.start","degraded":["kill_scope: x"]}"#;
        let cut = watch(&[
            start,
            r#"{"event":"audit.degraded","reason":"late","count":2}"#,
            r#"{"event":"audit.degraded","reason":"late","count":2}"#,
            r#"{"event":"audit.lost","reason":"cap","count":3}"#,
            r#"{"event":"audit.lost","reason":"cap","count":4}"#,
        ]);
        assert_eq!((cut.standing, cut.lost), (Standing::Killed, 7));
        assert_eq!(cut.degraded, ["kill_scope: x", "late"]);
        assert_eq!(cut.notices().len(), 4);
        assert!(!cut.is_whole());
        let whole = watch(&[r#"{"event":"session.start","degraded":[]}"#, r#"{"event":"session.end"}"#]);
        assert_eq!((whole.standing, whole.notices().len(), whole.is_whole()), (Standing::Ended, 0, true));
    }

    #[test]
    fn the_name_of_an_event_is_found_behind_any_server() {
        assert_eq!(
            event_of(br#"{"v":1,"server":"\"event\":\"x\"","event":"call.start","a":1}"#),
            b"call.start"
        );
        assert_eq!(event_of(b"{}"), b"");
        assert_eq!(event_of(b"\"event\":\"cut"), b"");
    }
}
