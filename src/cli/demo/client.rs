//! The client of the demo and of probes: starts a server, sends one request at a time, and keeps what else it hears.
//!
//! Whatever happens, the process that it started is gone when it is dropped. A line has a cap, every wait has an end,
//! and stderr is read on so that nobody waits for us.

use std::io;
use std::os::fd::AsFd;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, poll};
use nix::sys::signal::{self, Signal};
use nix::unistd::Pid;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::sys::descriptor;

/// Longest line that is read: more than the longest that any attack sends.
const LONGEST: u64 = 4 << 20;
/// Longest wait for an answer, and for the end.
const PATIENCE: Duration = Duration::from_secs(30);
/// Milliseconds that it has to end when it is told to; `run` needs fewer than two seconds.
const GRACE: u16 = 5000;
/// Bytes of stderr that are kept.
const KEPT: usize = 64 << 10;
/// Lines that may come before an answer.
const MOST_STRAYS: usize = 100_000;

/// Why there is no session, or no more.
#[derive(Debug, thiserror::Error)]
pub(in crate::cli) enum Error {
    /// It could not be started, or its pipes broke.
    #[error("the server cannot be talked to: {0}")]
    Io(#[from] io::Error),
    /// It ended while an answer was due, or not with status 0.
    #[error("the server ended ({status})")]
    Ended {
        /// How.
        status: ExitStatus,
        /// What it said on stderr.
        stderr: String,
    },
    /// It says nothing any more, or too much.
    #[error("the server did not answer {method} within {} s", PATIENCE.as_secs())]
    Silent {
        /// What was asked.
        method: String,
    },
}

/// An answer, and how many lines that nobody asked for came before it.
#[derive(Debug)]
pub(in crate::cli) struct Heard {
    pub(in crate::cli) answer: Value,
    pub(in crate::cli) strays: usize,
}

/// One session with one server.
#[derive(Debug)]
pub(in crate::cli) struct Client {
    child: Child,
    /// Closed by [`Client::close`].
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
    stderr: JoinHandle<String>,
    requests: u64,
}

impl Client {
    /// Starts the server and shakes hands.
    ///
    /// # Errors
    /// Nothing of it is left then.
    pub(in crate::cli) async fn start(mut command: Command) -> Result<Client, Error> {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn()?;
        let broken = || io::Error::from(io::ErrorKind::BrokenPipe);
        let stdin = child.stdin.take().ok_or_else(broken)?;
        let stdout = BufReader::new(child.stdout.take().ok_or_else(broken)?);
        let mut stderr = child.stderr.take().ok_or_else(broken)?;
        let stderr = tokio::spawn(async move {
            let (mut kept, mut buffer) = (Vec::new(), [0; 4096]);
            while let Ok(read @ 1..) = stderr.read(&mut buffer).await {
                let room = KEPT.saturating_sub(kept.len());
                kept.extend_from_slice(buffer.get(..read.min(room)).unwrap_or_default());
            }
            String::from_utf8_lossy(&kept).into_owned()
        });
        let mut client = Client { child, stdin: Some(stdin), stdout, stderr, requests: 0 };
        let us = json!({"name": "caponier-demo", "version": env!("CARGO_PKG_VERSION")});
        let offer = json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": us});
        client.request("initialize", offer).await?;
        client.send(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"})).await?;
        Ok(client)
    }

    /// Calls a tool.
    ///
    /// # Errors
    /// The session is over then.
    pub(super) async fn call(&mut self, tool: &str, arguments: Value) -> Result<Heard, Error> {
        self.request("tools/call", json!({"name": tool, "arguments": arguments})).await
    }

    /// Asks something.
    ///
    /// # Errors
    /// The session is over then.
    pub(in crate::cli) async fn request(&mut self, method: &str, params: Value) -> Result<Heard, Error> {
        self.requests += 1;
        let id = self.requests;
        let request = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
        let silent = || Error::Silent { method: method.to_owned() };
        let exchange = async {
            // A server that ended already is told by the end of its stdout.
            let sent = self.send(&request).await;
            let heard = self.answer_to(id).await?;
            sent.map(|()| heard)
        };
        match timeout(PATIENCE, exchange).await.map_err(|_| silent())?? {
            Some(Some(heard)) => Ok(heard),
            Some(None) => Err(silent()),
            None => Err(self.ended_early().await?),
        }
    }

    async fn send(&mut self, message: &Value) -> io::Result<()> {
        let closed = || io::Error::from(io::ErrorKind::BrokenPipe);
        self.stdin.as_mut().ok_or_else(closed)?.write_all(format!("{message}\n").as_bytes()).await
    }

    /// `None` at the end of stdout; `Some(None)` when there is no end to what nobody asked for.
    async fn answer_to(&mut self, id: u64) -> io::Result<Option<Option<Heard>>> {
        let mut line = Vec::new();
        for strays in 0..MOST_STRAYS {
            line.clear();
            (&mut self.stdout).take(LONGEST).read_until(b'\n', &mut line).await?;
            if line.is_empty() {
                return Ok(None);
            }
            // A real client reads a message with a key twice in one of two ways; either way it is no answer here.
            match serde_json::from_slice::<Value>(&line) {
                Ok(answer) if answer["id"] == id && answer.get("method").is_none() => {
                    return Ok(Some(Some(Heard { answer, strays })));
                }
                _ => {}
            }
        }
        Ok(Some(None))
    }

    async fn ended_early(&mut self) -> Result<Error, Error> {
        let silent = |_| Error::Silent { method: "the end of the session".into() };
        let status = timeout(PATIENCE, self.child.wait()).await.map_err(silent)??;
        let stderr = timeout(PATIENCE, &mut self.stderr).await.ok().and_then(Result::ok).unwrap_or_default();
        Ok(Error::Ended { status, stderr })
    }

    /// Closes its stdin and waits for its end.
    ///
    /// # Errors
    /// It does not end by itself, and is killed then; or it ends with another status than 0.
    pub(in crate::cli) async fn close(mut self) -> Result<(), Error> {
        drop(self.stdin.take());
        let silent = |_| Error::Silent { method: "the end of its stdin".into() };
        let end = async {
            tokio::io::copy(&mut self.stdout, &mut tokio::io::sink()).await?;
            self.child.wait().await
        };
        let status = timeout(PATIENCE, end).await.map_err(silent)??;
        let stderr = timeout(PATIENCE, &mut self.stderr).await.map_err(silent)?.unwrap_or_default();
        if status.success() { Ok(()) } else { Err(Error::Ended { status, stderr }) }
    }
}

impl Drop for Client {
    /// Ends what is still there, and waits for it: whoever removes the folder after us must be alone with it. `run` is
    /// asked first, because it takes its whole tree along.
    fn drop(&mut self) {
        let Some(pid) = self.child.id().and_then(|pid| i32::try_from(pid).ok()) else { return };
        // It was not waited for yet, so the number is its own.
        let Ok(process) = descriptor::pidfd_open(pid.unsigned_abs()) else { return };
        for end in [Signal::SIGTERM, Signal::SIGKILL] {
            let _ = signal::kill(Pid::from_raw(pid), end);
            let mut ended = [PollFd::new(process.as_fd(), PollFlags::POLLIN)];
            if matches!(poll(&mut ended, GRACE), Ok(1..)) {
                return;
            }
        }
    }
}
