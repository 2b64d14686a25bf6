//! The passage: a listener of ours that a server's connections are led to, and where their first bytes are judged.
//!
//! Only a connection that `notify` made is taken: it left word under the source port, in the same step. Whoever else connects
//! (another program of this machine) gets a reset. The order of a connection's life: the other side is dialled, the first bytes
//! are read and judged, the line `network.connect` is written, and only then does a byte go out.

use std::io;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;

use crate::network::crossing::{Crossing, explain, mismatch, unreadable};
use crate::network::hello::{self, Hello};
use crate::network::pump::{self, Ended};
use crate::network::record::{Asker, never};
use crate::network::requests::Requests;
use crate::network::{Shared, resolver};
use crate::policy::host::Name;
use crate::policy::reason::Reason;
use crate::policy::verdict::Denial;
use crate::sys::errno;

/// How long the first bytes may take.
const HELLO: Duration = Duration::from_secs(3);
/// How long to wait before looking for the word of a connection again, while one is being left.
const AGAIN: Duration = Duration::from_millis(1);
/// What there is to read at a time, before it was judged.
const PIECE: usize = 4096;

/// What is to become of a connection that was led to us.
pub(super) enum Pending {
    /// It asks for names.
    Resolver(Asker),
    /// It goes through.
    Verify(Box<Crossing>),
}

/// Takes connections for as long as the runtime lives.
pub(super) fn accept(shared: &Arc<Shared>, listener: TcpListener) {
    let shared = Arc::clone(shared);
    tokio::spawn(async move {
        let port = listener.local_addr().map(|address| address.port()).unwrap_or(0);
        let listener = match tokio::net::TcpListener::from_std(listener) {
            Ok(listener) => listener,
            Err(error) => return tracing::error!(%error, "a listener of the network's could not be used"),
        };
        loop {
            match listener.accept().await {
                Ok((stream, from)) => {
                    tokio::spawn(take(Arc::clone(&shared), stream, (port, from.port())));
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be taken");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        }
    });
}

async fn take(shared: Arc<Shared>, stream: TcpStream, door: (u16, u16)) {
    // Never waits for the lock: it is held while a connection is made, which is made only if we keep taking them.
    let word = loop {
        if let Ok(mut doors) = shared.doors.try_lock() {
            break doors.remove(&door);
        }
        tokio::time::sleep(AGAIN).await;
    };
    match word {
        None => reset(&stream),
        Some(Pending::Resolver(asker)) => resolver::serve(shared, stream, asker).await,
        Some(Pending::Verify(crossing)) => cross(*crossing, stream).await,
    }
}

/// Makes the other side see a reset instead of an end.
fn reset(stream: &TcpStream) {
    // The worst that can happen is an ordinary end.
    let _ = stream.set_zero_linger();
}

/// Waits until a socket has arrived where it was sent.
pub(super) async fn arrival(upstream: OwnedFd) -> io::Result<OwnedFd> {
    let stream = arrived(upstream).await?;
    Ok(stream.into_std()?.into())
}

async fn arrived(upstream: OwnedFd) -> io::Result<TcpStream> {
    let stream = TcpStream::from_std(std::net::TcpStream::from(upstream))?;
    stream.writable().await?;
    match stream.take_error()? {
        Some(error) => Err(error),
        None => Ok(stream),
    }
}

/// What a connection began with.
struct First {
    /// The bytes that may go on.
    bytes: Vec<u8>,
    /// The judge of what follows, for HTTP.
    requests: Option<Requests>,
    /// What was asked for.
    host: String,
}

async fn cross(mut crossing: Crossing, stream: TcpStream) {
    let _ = stream.set_nodelay(true);
    let port = crossing.target.address.port();
    let names = crossing.names.clone();
    let first = match tokio::time::timeout(HELLO, first(&stream, port, names)).await {
        Ok(Ok(first)) => first,
        Ok(Err((sni, denial))) => {
            crossing.refuse_hello(sni, &denial);
            return reset(&stream);
        }
        Err(_) => {
            let denial = unreadable();
            crossing.refuse_hello(None, &denial);
            return reset(&stream);
        }
    };
    let Some(upstream) = crossing.upstream.take() else { return reset(&stream) };
    let Some(first) = first else {
        // It closed without a word: a connection was made, and that is all.
        crossing.cause = "closed";
        crossing.tell(None, 0);
        return;
    };
    crossing.host = Some(first.host.clone());
    let upstream = match arrived(upstream).await {
        Ok(upstream) => upstream,
        Err(error) => {
            crossing.tell(Some(first.host), errno::of(&error));
            return reset(&stream);
        }
    };
    let _ = upstream.set_nodelay(true);
    if !crossing.tell(Some(first.host), 0) {
        // What cannot be told does not happen.
        return reset(&stream);
    }
    let ended = pump::run(&crossing, &stream, &upstream, first.bytes, first.requests).await;
    crossing.cause = match ended {
        Ended::Closed => "closed",
        Ended::Idle => "idle",
        Ended::Reset => "reset",
        Ended::Refused => "refused",
    };
    if ended != Ended::Closed {
        reset(&stream);
        reset(&upstream);
    }
}

/// Reads and judges what a connection begins with; `None`: nothing came.
async fn first(
    stream: &TcpStream,
    port: u16,
    names: Vec<Name>,
) -> Result<Option<First>, (Option<String>, Denial)> {
    let is_tls = port == 443;
    let mut reader = hello::Reader::new();
    let mut requests = Requests::new(port, names.clone());
    let (mut seen, mut out) = (Vec::new(), Vec::new());
    let mut piece = [0; PIECE];
    loop {
        let read = match read_some(stream, &mut piece).await {
            Ok(0) if seen.is_empty() => return Ok(None),
            Ok(0) | Err(_) => return Err((None, unreadable())),
            Ok(read) => read,
        };
        seen.extend_from_slice(&piece[..read]);
        if is_tls {
            match reader.take(&piece[..read]) {
                Hello::More => {}
                Hello::Unreadable => return Err((None, unreadable())),
                Hello::Nameless => {
                    let why = "without a name in the hello the other side chooses what is reached";
                    return Err((None, never(Reason::NetSniMissing, why)));
                }
                Hello::Name(text, name) => {
                    return match name.filter(|name| names.contains(name)) {
                        Some(name) => Ok(Some(First { bytes: seen, requests: None, host: name.to_string() })),
                        None => Err(mismatch(Reason::NetSniMismatch, text, port)),
                    };
                }
            }
        } else {
            requests.take(&piece[..read], &mut out).map_err(|refusal| explain(&refusal, port))?;
            if let Some(host) = requests.host() {
                let host = host.to_string();
                return Ok(Some(First { bytes: out, requests: Some(requests), host }));
            }
        }
    }
}

async fn read_some(stream: &TcpStream, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        stream.readable().await?;
        match stream.try_read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            outcome => return outcome,
        }
    }
}
