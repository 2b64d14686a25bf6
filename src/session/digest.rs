//! The digest of the server's program, made beside the run: a large interpreter is never read on the start path.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use crate::audit::exe::{Cache, hash_file};
use crate::event::SessionExe;
use crate::sys::process;

/// How long the end of a session waits for a digest that is being made.
const LAST_CHANCE: Duration = Duration::from_millis(500);
/// Let the server start first.
const HEAD_START: Duration = Duration::from_secs(2);

/// A digest that is known, or being made.
pub(super) enum Digest {
    Known(String),
    Coming { result: Receiver<Option<String>>, abort: Arc<AtomicBool>, hurry: std::sync::mpsc::Sender<()> },
    Unknown,
}

impl Digest {
    /// Looks it up, or starts to make it.
    pub(super) fn of(program: &Path, state: &Path) -> Digest {
        let cache = Cache::new(state);
        let Ok(file) = File::open(program) else { return Digest::Unknown };
        let Ok(metadata) = file.metadata() else { return Digest::Unknown };
        if let Some(known) = cache.lookup(&metadata) {
            return Digest::Known(known);
        }
        let abort = Arc::new(AtomicBool::new(false));
        let (told, result) = channel();
        let (hurry, hurried) = channel();
        let stop = Arc::clone(&abort);
        let thread = std::thread::Builder::new().name("digest".into()).stack_size(256 << 10);
        let spawned = thread.spawn(move || {
            // Whatever the processor has left over; without that it is merely less polite.
            let _ = process::run_when_idle();
            let _ = hurried.recv_timeout(HEAD_START);
            let digest = hash_file(&file, &stop);
            if let Some(digest) = &digest
                && let Err(error) = cache.store(&metadata, digest)
            {
                tracing::debug!(%error, "the digest was not kept");
            }
            let _ = told.send(digest);
        });
        match spawned {
            Ok(_) => Digest::Coming { result, abort, hurry },
            Err(_) => Digest::Unknown,
        }
    }

    /// What is known now.
    pub(super) fn known(&self) -> Option<String> {
        match self {
            Digest::Known(digest) => Some(digest.clone()),
            _ => None,
        }
    }

    /// At the end of the session: the event that tells what `session.start` could not.
    pub(super) fn late(self, program: &Path) -> Option<SessionExe> {
        let digest = match self {
            Digest::Known(_) => return None,
            Digest::Unknown => None,
            Digest::Coming { result, abort, hurry } => {
                let _ = hurry.send(());
                match result.recv_timeout(LAST_CHANCE) {
                    Ok(digest) => digest,
                    Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                        abort.store(true, Ordering::Relaxed);
                        None
                    }
                }
            }
        };
        let exe = crate::event::text(program.as_os_str().as_encoded_bytes()).into_owned();
        Some(SessionExe { exe, exe_sha256: digest })
    }
}
