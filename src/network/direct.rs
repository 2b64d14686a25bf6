//! Connections that the server's own socket makes: what went over them, and when they ended, without holding them open.
//!
//! Each is known by its cookie. The kernel says when one ends and what went over it by then ([`diag`]); before a call begins or
//! ends the live ones are asked, so that bytes go to the calls in flight when they flowed.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use crate::event::Backend;
use crate::network::record::{Asker, Ending, Record};
use crate::network::{Shared, Target, lock};
use crate::policy::calls::Touch;
use crate::sys::diag::{self, Figures};

/// One of them.
struct Connection {
    asker: Asker,
    target: Target,
    since: Instant,
    /// The socket's own end, once it has one.
    local: Option<SocketAddr>,
    peer: SocketAddr,
    counted: Figures,
}

/// All of them, by cookie.
pub(super) struct Direct {
    connections: Mutex<HashMap<u64, Connection>>,
    asking: Mutex<Option<OwnedFd>>,
    /// The kernel tells of ends: otherwise the last line has no figures.
    heard: bool,
}

/// How one ended.
enum End {
    /// The kernel told.
    Told(Figures),
    /// It was never made.
    Failed,
    /// Nobody told: the session ended first, or the kernel had to drop what it wanted to say.
    Unknown(&'static str),
}

impl Direct {
    /// Asks the kernel to tell of ends; what it tells is read on the runtime that is entered.
    pub(super) fn new(ends: io::Result<OwnedFd>) -> (Direct, Option<OwnedFd>) {
        let ends = ends.inspect_err(|error| {
            tracing::warn!(%error, "bytes of direct connections cannot be counted on this machine");
        });
        let ends = ends.ok();
        let asking = Mutex::new(ends.as_ref().and_then(|_| diag::asking().ok()));
        (Direct { connections: Mutex::default(), asking, heard: ends.is_some() }, ends)
    }
}

impl Shared {
    /// A socket is about to be connected directly.
    pub(super) fn begin_direct(&self, cookie: u64, asker: Asker, target: Target, peer: SocketAddr) {
        let connection = Connection {
            asker,
            target,
            since: Instant::now(),
            local: None,
            peer,
            counted: Figures::default(),
        };
        let before = lock(&self.direct.connections).insert(cookie, connection);
        self.live.fetch_add(1, Ordering::Relaxed);
        // The same socket, connected again: the one before was never told of.
        if let Some(before) = before {
            self.end_direct(before, End::Unknown("closed"));
        }
    }

    /// What became of the attempt.
    pub(super) fn attempted_direct(&self, cookie: u64, errno: i32, local: Option<SocketAddr>) {
        let mut connections = lock(&self.direct.connections);
        if matches!(errno, 0 | libc::EINPROGRESS) {
            if let Some(connection) = connections.get_mut(&cookie) {
                connection.local = local;
            }
            return;
        }
        let failed = connections.remove(&cookie);
        drop(connections);
        if let Some(failed) = failed {
            self.end_direct(failed, End::Failed);
        }
    }

    /// Counts what went over the live ones since they were last asked.
    pub(super) fn settle_direct(&self) {
        let mut connections = lock(&self.direct.connections);
        if connections.is_empty() {
            return;
        }
        let asking = lock(&self.direct.asking);
        let Some(asking) = asking.as_ref() else { return };
        for (cookie, connection) in connections.iter_mut() {
            let Some(local) = connection.local else { continue };
            if let Ok(Some(figures)) = diag::ask(asking.as_fd(), *cookie, local, connection.peer) {
                self.count_direct(connection, figures);
            }
        }
    }

    /// Every one that is left, when the session ends.
    pub(super) fn end_all_direct(&self) {
        self.settle_direct();
        let left: Vec<Connection> =
            lock(&self.direct.connections).drain().map(|(_, connection)| connection).collect();
        for connection in left {
            self.end_direct(connection, End::Unknown("session"));
        }
    }

    fn told_direct(&self, cookie: u64, figures: Figures) {
        let ended = lock(&self.direct.connections).remove(&cookie);
        if let Some(ended) = ended {
            self.end_direct(ended, End::Told(figures));
        }
    }

    fn count_direct(&self, connection: &mut Connection, figures: Figures) {
        let up = figures.up.saturating_sub(connection.counted.up);
        let down = figures.down.saturating_sub(connection.counted.down);
        connection.counted = figures;
        if up > 0 || down > 0 {
            let address = connection.target.address.ip().to_string();
            let host = connection.target.host.as_deref().unwrap_or(&address);
            let by = connection.target.leaves_this_machine().then_some(connection.asker.pid);
            self.emitter.calls().touch(Touch::Host { host, up, down, by });
        }
    }

    fn end_direct(&self, mut connection: Connection, end: End) {
        self.live.fetch_sub(1, Ordering::Relaxed);
        let (figures, cause) = match end {
            End::Told(figures) => {
                self.count_direct(&mut connection, figures);
                (Some(figures), "closed")
            }
            End::Failed => (Some(Figures::default()), "refused"),
            End::Unknown(cause) => (Some(connection.counted).filter(|_| self.direct.heard), cause),
        };
        let ending = Ending {
            host: connection.target.host.clone(),
            backend: Backend::Direct,
            up: figures.map(|figures| figures.up),
            down: figures.map(|figures| figures.down),
            duration_us: u64::try_from(connection.since.elapsed().as_micros()).unwrap_or(u64::MAX),
            cause,
        };
        Record { emitter: &self.emitter }.close(&connection.asker, &connection.target, ending);
    }
}

/// Hears of ends for as long as the runtime lives.
pub(super) fn hear(shared: &Arc<Shared>, ends: OwnedFd) {
    let shared = Arc::clone(shared);
    tokio::spawn(async move {
        #[expect(
            deprecated,
            reason = "an OwnedFd keeps its number for as long as it lives, which is what is asked for"
        )]
        let ends = AsyncFd::with_interest(ends, Interest::READABLE);
        let ends = match ends {
            Ok(ends) => ends,
            Err(error) => return tracing::warn!(%error, "ends of direct connections cannot be heard"),
        };
        loop {
            let Ok(mut ready) = ends.readable().await else { return };
            match ready.try_io(|ends| diag::read(ends.get_ref().as_fd())) {
                Ok(Ok(told)) => {
                    for (cookie, figures) in told {
                        shared.told_direct(cookie, figures);
                    }
                }
                // ENOBUFS: more ended than there was room for; their last lines come with the session's end.
                Ok(Err(error)) => tracing::debug!(%error, "ends of direct connections were missed"),
                Err(_would_block) => {}
            }
        }
    });
}
