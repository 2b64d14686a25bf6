//! Two directions of one connection: bytes go on as they came, half-closes and resets go on too.
//!
//! One buffer serves all connections of the thread; what the slower side does not take yet is kept with its direction, at
//! most one buffer of it, and then the faster side is no longer read. So a thousand idle connections cost nothing, and none is
//! ever ahead by more than [`BUFFER`].

use std::cell::RefCell;
use std::io;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use tokio::net::TcpStream;

use crate::network::crossing::Crossing;
use crate::network::lock;
use crate::network::requests::Requests;

/// What is read at a time.
const BUFFER: usize = 128 * 1024;

thread_local! {
    static SCRATCH: RefCell<Vec<u8>> = RefCell::new(vec![0; BUFFER]);
}

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    /// Both sides closed.
    Closed,
    /// Nothing moved for too long.
    Idle,
    /// One side was reset.
    Reset,
    /// A request was for another host.
    Refused,
}

/// One connection, while it runs.
struct Pump<'a> {
    crossing: &'a Crossing,
    moved: Mutex<Instant>,
    requests: Mutex<Option<Requests>>,
    /// What an answer set free, for the direction of the requests.
    freed: Mutex<Vec<u8>>,
}

/// Carries bytes until both sides have closed, or one broke.
pub(super) async fn run(
    crossing: &Crossing,
    server: &TcpStream,
    host: &TcpStream,
    first: Vec<u8>,
    requests: Option<Requests>,
) -> Ended {
    let pump = Pump {
        crossing,
        moved: Mutex::new(Instant::now()),
        requests: Mutex::new(requests),
        freed: Mutex::default(),
    };
    let both = async {
        let up = pump.up(server, host, first);
        let down = pump.down(host, server);
        tokio::try_join!(up, down)
    };
    tokio::select! {
        outcome = both => match outcome {
            Ok(_) => Ended::Closed,
            Err(ended) => ended,
        },
        () = pump.idle(crossing.idle_timeout()) => Ended::Idle,
    }
}

impl Pump<'_> {
    /// What the server sends.
    async fn up(&self, from: &TcpStream, to: &TcpStream, first: Vec<u8>) -> Result<(), Ended> {
        self.send(to, &first, true).await?;
        loop {
            let freed = std::mem::take(&mut *lock(&self.freed));
            self.send(to, &freed, true).await?;
            let held = lock(&self.requests).as_ref().is_some_and(Requests::waits);
            if held {
                // As much is held as may be: until the answer comes, nothing more is read.
                tokio::time::sleep(Duration::from_millis(5)).await;
                continue;
            }
            let outcome = self.step(from, to, true).await?;
            let Some(rest) = outcome else { break };
            self.send(to, &rest, true).await?;
        }
        shut(to).await;
        Ok(())
    }

    /// What the host sends.
    async fn down(&self, from: &TcpStream, to: &TcpStream) -> Result<(), Ended> {
        while let Some(rest) = self.step(from, to, false).await? {
            self.send(to, &rest, false).await?;
            let freed = std::mem::take(&mut *lock(&self.freed));
            self.send(from, &freed, true).await?;
        }
        shut(to).await;
        Ok(())
    }

    /// Reads once, and writes what can be written at once. What is left comes back; `None`: the end.
    async fn step(&self, from: &TcpStream, to: &TcpStream, up: bool) -> Result<Option<Vec<u8>>, Ended> {
        loop {
            from.readable().await.map_err(broke)?;
            let outcome = SCRATCH.with_borrow_mut(|scratch| match from.try_read(scratch) {
                Ok(0) => Ok(None),
                Ok(read) => self.forward(&scratch[..read], to, up).map(Some),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => Err(None),
                Err(_) => Err(Some(Ended::Reset)),
            });
            match outcome {
                Ok(rest) => return Ok(rest),
                Err(None) => {}
                Err(Some(ended)) => return Err(ended),
            }
        }
    }

    fn forward(&self, bytes: &[u8], to: &TcpStream, up: bool) -> Result<Vec<u8>, Option<Ended>> {
        *lock(&self.moved) = Instant::now();
        let mut judged = Vec::new();
        let bytes = match lock(&self.requests).as_mut() {
            None => bytes,
            Some(requests) => {
                let outcome = if up {
                    requests.take(bytes, &mut judged)
                } else {
                    requests.answered(bytes, &mut lock(&self.freed))
                };
                if let Err(refusal) = outcome {
                    self.crossing.refuse_request(&refusal);
                    return Err(Some(Ended::Refused));
                }
                if up { &judged } else { bytes }
            }
        };
        let written = match to.try_write(bytes) {
            Ok(written) => written,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
            Err(_) => return Err(Some(Ended::Reset)),
        };
        self.count(written, up);
        Ok(bytes[written..].to_vec())
    }

    /// Writes all of it, however slow the other side is.
    async fn send(&self, to: &TcpStream, mut bytes: &[u8], up: bool) -> Result<(), Ended> {
        while !bytes.is_empty() {
            to.writable().await.map_err(broke)?;
            match to.try_write(bytes) {
                Ok(written) => {
                    *lock(&self.moved) = Instant::now();
                    self.count(written, up);
                    bytes = &bytes[written..];
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => return Err(Ended::Reset),
            }
        }
        Ok(())
    }

    fn count(&self, bytes: usize, up: bool) {
        if bytes > 0 {
            let bytes = bytes as u64;
            self.crossing.flowed(if up { bytes } else { 0 }, if up { 0 } else { bytes });
        }
    }

    async fn idle(&self, timeout: Option<Duration>) {
        let Some(timeout) = timeout else { return std::future::pending().await };
        loop {
            let at = *lock(&self.moved) + timeout;
            if at <= Instant::now() {
                return;
            }
            tokio::time::sleep_until(at.into()).await;
        }
    }
}

/// Tells the other side that nothing more comes.
async fn shut(to: &TcpStream) {
    // A side that is gone needs no telling.
    let _ =
        nix::sys::socket::shutdown(std::os::fd::AsRawFd::as_raw_fd(to), nix::sys::socket::Shutdown::Write);
}

fn broke(_: io::Error) -> Ended {
    Ended::Reset
}
