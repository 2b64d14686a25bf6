//! The session's side of `caponier approve` and `caponier deny`: a socket of the user's own.
//!
//! Who may answer is said twice: by the modes of the folder and of the socket, and by the kernel's word on who is at the other
//! end (SO_PEERCRED, unix(7)): the same user, and nothing of the server's own tree, even if something there should reach it.

use std::fs::{self, DirBuilder, Permissions};
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::Builder;

use nix::sys::socket::sockopt::PeerCredentials;
use nix::sys::socket::{Shutdown, UnixCredentials, getsockopt, shutdown};

use crate::relay::STACK;
use crate::relay::confirm::wire::{self, Reply, Request};
use crate::sys::tree;

/// Most who are answered at a time.
const MAX_PEERS: usize = 16;

/// The socket.
pub(in crate::relay) struct Terminal {
    listener: UnixListener,
    path: PathBuf,
}

impl Terminal {
    /// Makes it.
    pub(in crate::relay) fn open(runtime: &Path, session: &str) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(runtime)?;
        let folder = fs::symlink_metadata(runtime)?;
        let is_ours = folder.is_dir() && folder.uid() == nix::unistd::geteuid().as_raw();
        if !is_ours || folder.mode() & 0o077 != 0 {
            let what = format!("{} is not a folder of this user's alone (mode 0700)", runtime.display());
            return Err(io::Error::other(what));
        }
        let path = wire::socket(runtime, session);
        let listener = UnixListener::bind(&path)
            .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))?;
        let terminal = Terminal { listener, path };
        // The folder has kept everybody else out until now.
        fs::set_permissions(&terminal.path, Permissions::from_mode(0o600))?;
        Ok(terminal)
    }

    /// Answers with what `answer` says to who asks, on a thread of its own, until it is closed.
    pub(in crate::relay) fn serve(&self, answer: impl Fn(Request, String) -> Reply + Send + Sync + 'static) {
        let (listener, answer) = match self.listener.try_clone() {
            Ok(listener) => (listener, Arc::new(answer)),
            Err(error) => return tracing::warn!(%error, "nobody can answer with `caponier approve`"),
        };
        let peers = Arc::new(AtomicUsize::new(0));
        let accept = move || {
            while let Ok((stream, _)) = listener.accept() {
                if peers.fetch_add(1, Ordering::SeqCst) >= MAX_PEERS {
                    peers.fetch_sub(1, Ordering::SeqCst);
                    continue;
                }
                let (answer, there) = (Arc::clone(&answer), Arc::clone(&peers));
                let talk = move || {
                    if let Err(error) = converse(&*answer, &stream) {
                        tracing::debug!(%error, "who came to answer went away");
                    }
                    there.fetch_sub(1, Ordering::SeqCst);
                };
                if Builder::new().name("confirm-peer".into()).stack_size(STACK).spawn(talk).is_err() {
                    peers.fetch_sub(1, Ordering::SeqCst);
                }
            }
        };
        if let Err(error) = Builder::new().name("confirm".into()).stack_size(STACK).spawn(accept) {
            tracing::warn!(%error, "nobody can answer with `caponier approve`");
        }
    }

    /// Nobody is answered any more.
    pub(in crate::relay) fn close(&self) {
        let _ = fs::remove_file(&self.path);
        // Wakes whoever waits in accept(2).
        let _ = shutdown(self.listener.as_raw_fd(), Shutdown::Both);
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

/// Why this peer is not answered, if it is not.
fn refuse(peer: &UnixCredentials) -> Option<String> {
    if peer.uid() != nix::unistd::geteuid().as_raw() {
        return Some("only the user who runs the session can answer".to_owned());
    }
    // The server's tree lies below this process, and so does what it leaves behind.
    let pid = peer.pid().unsigned_abs();
    let us = std::process::id();
    (pid != us && tree::is_below(pid, us)).then(|| "a server cannot answer for its user".to_owned())
}

fn converse(answer: &impl Fn(Request, String) -> Reply, stream: &UnixStream) -> io::Result<()> {
    wire::patient(stream)?;
    let peer = getsockopt(stream, PeerCredentials)?;
    let reply = match refuse(&peer) {
        Some(why) => {
            tracing::warn!(pid = peer.pid(), uid = peer.uid(), why, "somebody may not answer");
            Reply::Refused(why)
        }
        None => match serde_json::from_str(&wire::read_line(stream)?) {
            Ok(request) => answer(request, format!("user {}, process {}", peer.uid(), peer.pid())),
            Err(error) => Reply::Refused(format!("not understood: {error}")),
        },
    };
    let mut line = serde_json::to_vec(&reply)?;
    line.push(b'\n');
    (&mut &*stream).write_all(&line)
}
