//! Which lines a report holds when it cannot hold all: refusals, calls, programs and the session's life before files
//! that were opened as they may be. What is left out is counted.
//!
//! Memory is bounded by the number of lines and by their bytes, whatever the log's size.

use serde::Serialize;

use crate::audit::chain::HEX;
use crate::audit::query::Match;
use crate::audit::query::record::Record;

/// Bytes of lines of one rank that are held.
const MAX_BYTES: usize = 12 << 20;
/// Longer lines are left out: a page has to open.
const MAX_LINE: usize = 256 << 10;

/// A line that is held.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Held {
    session: Box<str>,
    seq: u64,
    line: Box<str>,
}

/// Lines of one rank.
#[derive(Debug, Default)]
struct Rank {
    held: Vec<Held>,
    bytes: usize,
}

impl Rank {
    fn take(&mut self, found: &Match<'_>, record: &Record<'_>, limit: usize) -> bool {
        let line = without_link(found.line);
        let fits = self.held.len() < limit && line.len() <= MAX_LINE && self.bytes + line.len() <= MAX_BYTES;
        if fits {
            self.bytes += line.len();
            let session = Box::from(&*record.session);
            self.held.push(Held { session, seq: record.seq, line: line.into() });
        }
        fits
    }
}

/// What was left out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Omitted {
    /// Accesses that were allowed, in lines.
    pub allowed: u64,
    /// Everything else, in lines.
    pub other: u64,
    /// Lines that frame others: sessions and calls.
    pub frames: u64,
}

/// The lines that are held.
#[derive(Debug)]
pub struct Selection {
    limit: usize,
    /// Refusals, calls, programs, the session's life.
    first: Rank,
    /// Accesses that were allowed.
    second: Rank,
    /// What was not asked for, and frames it.
    frames: Rank,
    omitted: Omitted,
}

impl Selection {
    /// At most `limit` lines that were asked for, and as many that frame them.
    pub fn new(limit: usize) -> Self {
        Selection {
            limit,
            first: Rank::default(),
            second: Rank::default(),
            frames: Rank::default(),
            omitted: Omitted::default(),
        }
    }

    /// Takes a line that was asked for, if there is room: whether there was.
    pub fn take(&mut self, found: &Match<'_>, record: &Record<'_>) -> bool {
        let second = is_second(record);
        let taken = match second {
            true => self.second.take(found, record, self.limit),
            false => self.first.take(found, record, self.limit),
        };
        if !taken {
            self.pass_over(record);
        }
        taken
    }

    /// Counts a line that is not held.
    pub fn pass_over(&mut self, record: &Record<'_>) {
        match is_second(record) {
            true => self.omitted.allowed += 1,
            false => self.omitted.other += 1,
        }
    }

    /// Takes a line that frames what was asked for; that it was asked for itself does no harm.
    pub fn frame(&mut self, found: &Match<'_>, record: &Record<'_>) {
        // Both come in the order of the log.
        let wanted = (&*record.session, record.seq);
        let first = self.first.held.binary_search_by(|held| (&*held.session, held.seq).cmp(&wanted));
        if first.is_err() && !self.frames.take(found, record, self.limit) {
            self.omitted.frames += 1;
        }
    }

    /// Puts the lines in order, and gives back what is beyond the limit.
    pub fn close(&mut self) {
        let room = self.limit.saturating_sub(self.first.held.len());
        let beyond = self.second.held.len().saturating_sub(room);
        self.second.held.truncate(room);
        self.omitted.allowed += beyond as u64;
        let all = &mut self.first.held;
        all.append(&mut self.second.held);
        all.append(&mut self.frames.held);
        all.sort_unstable();
        all.dedup();
    }

    /// The lines, each one JSON object without the link to the line before it.
    pub fn lines(&self) -> impl ExactSizeIterator<Item = &str> {
        self.first.held.iter().map(|held| &*held.line)
    }

    /// What was left out.
    pub fn omitted(&self) -> Omitted {
        self.omitted
    }
}

/// What is left out first: files that were opened as they may be, and noise.
fn is_second(record: &Record<'_>) -> bool {
    matches!(&*record.event, "file.access" | "stdout.noise") && !record.is_denied()
}

/// A line without its link: nothing in a page can check it, and it is a third of the bytes. Where it does not stand as
/// we write it, at the end, the line stays as it is.
fn without_link(line: &str) -> String {
    let is_link = |rest: &str| {
        rest.strip_suffix("\"}").is_some_and(|digest| {
            digest.len() == HEX && digest.bytes().all(|digit| digit.is_ascii_hexdigit())
        })
    };
    match line.rsplit_once(",\"prev\":\"") {
        Some((fields, rest)) if is_link(rest) => format!("{fields}}}"),
        _ => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_link_is_left_out() {
        let link = "0".repeat(HEX);
        let line = format!(r#"{{"v":1,"path":"x","prev":"{link}"}}"#);
        assert_eq!(without_link(&line), r#"{"v":1,"path":"x"}"#);
        for other in
            [r#"{"prev":"00"}"#, r#"{"v":1,"prev":"00","path":"x"}"#, r#"{"path":"\",\"prev\":\"0\"}"}"#]
        {
            assert_eq!(without_link(other), other);
        }
    }
}
