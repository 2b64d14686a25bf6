//! The files that one session's lines go to: `<session>.jsonl`, then `<session>.1.jsonl` and so on.
//!
//! A batch of whole lines is written with one `write(2)`, and is in the file as a whole or not at all: after an error
//! or a short write (disk full, file size limit) the file is cut back to where it was. The file stays locked
//! (`flock(2)`, exclusive) while the session lives, so that a reader can tell a running session from one cut off.

use std::fs::File;
use std::io::{self, Write};

use crate::audit::folder::{Error, Folder, io_error};

/// The file of a session that is written now, and how to come to the next one.
#[derive(Debug)]
pub(super) struct Segments {
    day: Folder,
    session: String,
    part: u32,
    file: File,
    /// Bytes of whole lines.
    length: u64,
    /// A failed write could not be cut back yet.
    torn: bool,
    rotate_at: u64,
}

impl Segments {
    /// Creates and locks the session's first file. `rotate_at` is in bytes.
    pub(super) fn create(day: Folder, session: &str, rotate_at: u64) -> Result<Self, Error> {
        let file = create_locked(&day, &file_name(session, 0))?;
        Ok(Segments { day, session: session.to_owned(), part: 0, file, length: 0, torn: false, rotate_at })
    }

    /// The file's name below the folder of the day.
    pub(super) fn name(&self) -> String {
        file_name(&self.session, self.part)
    }

    /// The folder of the day.
    pub(super) fn day(&self) -> &Folder {
        &self.day
    }

    /// Writes whole lines, all of them or none; with `durable`, they are on the disk itself when this returns.
    pub(super) fn write(&mut self, lines: &[u8], durable: bool) -> io::Result<()> {
        if self.torn {
            self.file.set_len(self.length)?;
            self.torn = false;
        }
        if self.length > 0 && self.length + lines.len() as u64 > self.rotate_at {
            self.rotate()?;
        }
        let written = write_once(&self.file, lines).and_then(|()| match durable {
            true => self.file.sync_data(),
            false => Ok(()),
        });
        match written {
            Ok(()) => self.length += lines.len() as u64,
            Err(_) => self.torn = self.file.set_len(self.length).is_err(),
        }
        written
    }

    /// Goes on to the next file. The one before is made durable first: nobody looks at it again.
    fn rotate(&mut self) -> io::Result<()> {
        self.file.sync_data()?;
        let next =
            create_locked(&self.day, &file_name(&self.session, self.part + 1)).map_err(
                |error| match error {
                    Error::Io { source, .. } => source,
                    other => io::Error::other(other),
                },
            )?;
        self.file = next;
        self.part += 1;
        self.length = 0;
        Ok(())
    }

    /// Makes what was written durable, and the file's name with it.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.file.sync_data()?;
        self.day.sync()
    }
}

/// The name of part `part` of a session.
pub(super) fn file_name(session: &str, part: u32) -> String {
    match part {
        0 => format!("{session}.jsonl"),
        part => format!("{session}.{part}.jsonl"),
    }
}

fn create_locked(day: &Folder, name: &str) -> Result<File, Error> {
    let file = day.create_file(name)?;
    // Waits at most for a reader that asks whether the session runs, which lets go at once.
    file.lock().map_err(io_error("lock", &day.path().join(name)))?;
    Ok(file)
}

/// One `write(2)`; a short one is an error, because the rest would not come in one piece with it.
pub(super) fn write_once(mut file: &File, bytes: &[u8]) -> io::Result<()> {
    loop {
        match file.write(bytes) {
            Ok(written) if written == bytes.len() => return Ok(()),
            Ok(written) => {
                let detail = format!("only {written} of {} bytes could be written", bytes.len());
                return Err(io::Error::new(io::ErrorKind::WriteZero, detail));
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
