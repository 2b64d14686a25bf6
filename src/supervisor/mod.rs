//! One server's process tree: started through `init`, watched, signalled, ended whole.
//!
//! Theory of operation. [`Init::spawn`] re-executes this program as `init` at once, so that it comes up while the
//! plan is still being made; [`Init::launch`] sends the plan. From then on `init` reports (the server's process,
//! its listener, its end) and takes orders (a signal, the end). When this side of the control socket closes, for
//! whatever reason, `init` ends the tree. [`lifecycle`] decides *when* what is ordered; nothing here sleeps.

pub mod lifecycle;

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use nix::fcntl::OFlag;
use tokio::io::Interest;
use tokio::net::UnixDatagram;

use crate::sandbox::control::{self, Launch, Order, Report};
use crate::sandbox::plan::Plan;
use crate::sys::{descriptor, process, socket, tree};

/// The hidden subcommand that the program starts itself with.
pub const INIT: &str = "init";

/// Looks at an orphaned tree that must find nothing before it counts as ended, and the time between two.
const EMPTY_LOOKS: u32 = 3;
const BETWEEN_LOOKS: Duration = Duration::from_millis(2);

/// `init`, from the supervisor's side. Dropping it ends the tree.
pub struct Init {
    child: Child,
    control: OwnedFd,
}

/// The other ends of the server's streams.
pub struct Streams {
    /// Write end of its stdin.
    pub stdin: OwnedFd,
    /// Read end of its stdout.
    pub stdout: OwnedFd,
    /// Read end of its stderr.
    pub stderr: OwnedFd,
}

/// Something between us and `init` broke.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It could not be started.
    #[error("the sandbox's first process could not be started: {0}")]
    Spawn(io::Error),
    /// A descriptor could not be made.
    #[error("a descriptor for the launch could not be made: {0}")]
    Descriptor(#[from] io::Error),
    /// The conversation.
    #[error(transparent)]
    Control(#[from] control::Error),
}

impl Init {
    /// Starts `init`: this very program, by the kernel's name for it, with nothing of the environment.
    pub fn spawn() -> Result<Init, Error> {
        let (control, theirs) = socket::pair()?;
        descriptor::set_close_on_exec(theirs.as_fd(), false)?;
        let child = Command::new("/proc/self/exe")
            .arg(INIT)
            .arg(theirs.as_raw_fd().to_string())
            .env_clear()
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::inherit())
            .spawn()
            .map_err(Error::Spawn)?;
        Ok(Init { child, control })
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends the plan, with fresh pipes: a client's own sockets could carry descriptors in.
    pub fn launch(&self, plan: &Plan, inner: OwnedFd, outer: Option<OwnedFd>) -> Result<Streams, Error> {
        let pipe = || nix::unistd::pipe2(OFlag::O_CLOEXEC).map_err(io::Error::from);
        let (stdin, ours_in) = pipe()?;
        let (ours_out, stdout) = pipe()?;
        let (ours_err, stderr) = pipe()?;
        let plan = descriptor::sealed_memory("plan", &plan.encode())?;
        let launch = Launch { plan, inner, stdin, stdout, stderr, outer };
        control::order(self.control.as_fd(), &Order::Launch(launch))?;
        Ok(Streams { stdin: ours_in, stdout: ours_out, stderr: ours_err })
    }

    /// The conversation, for a runtime.
    pub fn conversation(&self) -> Result<Conversation, Error> {
        // To the runtime all sockets that keep message boundaries are alike.
        let ours = std::os::unix::net::UnixDatagram::from(self.control.try_clone()?);
        ours.set_nonblocking(true)?;
        Ok(Conversation { socket: UnixDatagram::from_std(ours)? })
    }

    /// Gives one order. An `init` that is gone already needs none.
    pub fn order(&self, order: &Order) {
        if let Err(error) = control::order(self.control.as_fd(), order) {
            tracing::debug!(%error, "init took no order");
        }
    }

    /// Adopts the tree if `init` should ever be killed from outside.
    pub fn adopt_orphans() -> io::Result<()> {
        Ok(nix::sys::prctl::set_child_subreaper(true)?)
    }

    /// `init` is gone without having said that nothing is left: ends what it left to us. The caller holds forks.
    pub fn end_orphans(&mut self) {
        let _ = self.child.kill();
        let me = std::process::id();
        // A fork that was let through before forks were held may show a moment later: only some empty looks in a
        // row are believed.
        let mut empty = 0;
        while empty < EMPTY_LOOKS {
            let left = tree::descendants(me).unwrap_or_default();
            empty = if left.is_empty() { empty + 1 } else { 0 };
            for pid in left {
                let _ = process::signal(pid, libc::SIGKILL);
            }
            while let Ok(Some(_)) = process::reap(false) {}
            std::thread::sleep(BETWEEN_LOOKS);
        }
    }

    /// Waits for `init` itself; its tree is gone before it is.
    pub fn join(mut self) -> io::Result<()> {
        // Whatever it still waits for, the end of the conversation ends it.
        drop(self.control);
        self.child.wait().map(drop)
    }
}

/// What `init` says.
pub struct Conversation {
    socket: UnixDatagram,
}

impl Conversation {
    /// The next report; `None` when `init` is gone. Safe to drop while it waits.
    pub async fn next(&mut self) -> Result<Option<Report>, Error> {
        loop {
            self.socket.readable().await?;
            let mut report = None;
            let tried =
                self.socket.try_io(Interest::READABLE, || match control::next_report(self.socket.as_fd()) {
                    Err(control::Error::Socket(error)) => Err(error),
                    other => {
                        report = Some(other);
                        Ok(())
                    }
                });
            match (tried, report) {
                (_, Some(report)) => return Ok(report?),
                (Err(error), None) if error.kind() != io::ErrorKind::WouldBlock => return Err(error.into()),
                _ => {}
            }
        }
    }
}
