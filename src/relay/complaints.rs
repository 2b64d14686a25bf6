//! The server's stderr in the log, where the profile asks for it (`audit.stderr`).
//!
//! It is passed on whatever becomes of the record: a server's complaints are never a reason to stop it. A flood is
//! counted.

use std::time::Instant;

use crate::relay::excerpt::{Excerpts, Lines};
use crate::relay::meter::Meter;
use crate::relay::shared::Shared;

/// What is kept between two pieces of the stream.
pub(super) struct Complaints {
    lines: Lines,
    excerpts: Excerpts,
    meter: Meter,
}

impl Complaints {
    pub(super) fn new() -> Self {
        Complaints {
            lines: Lines::default(),
            excerpts: Excerpts::default(),
            meter: Meter::new(Instant::now()),
        }
    }

    /// Records the lines that end in this piece; an empty one is the end of the stream.
    pub(super) fn seen(&mut self, shared: &Shared, piece: &[u8]) {
        // The session's part of the log may be closed already.
        let Some(_open) = shared.enter() else { return };
        let Complaints { lines, excerpts, meter } = self;
        let mut each = |line: &[u8], bytes| {
            if let Some(lost) = meter.admit(Instant::now()) {
                shared.record.lost_stderr(lost);
                shared.record.stderr(excerpts, line, bytes);
            } else {
                shared.record.pass_over(excerpts, line);
            }
        };
        if piece.is_empty() {
            lines.end(&mut each);
            shared.record.lost_stderr(meter.take_lost());
        } else {
            lines.push(piece, each);
        }
    }
}
