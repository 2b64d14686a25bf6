//! What supervisor and `init` say to each other: one datagram a message, descriptors beside it.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use crate::policy::ending::{Rusage, Status};
use crate::sandbox::wire::{Damaged, Reader, Writer};
use crate::sys::socket;

/// Longest control message in bytes.
const MAX_MESSAGE: usize = 256;

/// Something of the conversation broke.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The socket.
    #[error("the control socket failed: {0}")]
    Socket(#[from] io::Error),
    /// The bytes.
    #[error(transparent)]
    Damaged(#[from] Damaged),
    /// A message without the descriptors that belong to it.
    #[error("a control message came without its descriptors")]
    Descriptors,
}

/// A step of the launch that can fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u64)]
pub enum Step {
    /// A session of its own.
    Session = 1,
    /// Adopting orphans.
    Subreaper,
    /// Giving up capabilities.
    Capabilities,
    /// `no_new_privs`.
    NoNewPrivileges,
    /// The domain that ends signals at the tree's edge.
    OuterDomain,
    /// The supervisor can still be signalled: the outer domain does not hold.
    ScopeCheck,
    /// Signals of init itself.
    Signals,
    /// The server's process.
    Fork,
    /// Resource limits.
    Limits,
    /// The working directory.
    WorkingDirectory,
    /// stdin, stdout, stderr.
    Streams,
    /// The domain with the file rules.
    InnerDomain,
    /// The seccomp program and its listener.
    Filter,
    /// Handing over the listener.
    Listener,
    /// Executing the server.
    Execute,
}

impl Step {
    const ALL: [Step; 15] = [
        Step::Session,
        Step::Subreaper,
        Step::Capabilities,
        Step::NoNewPrivileges,
        Step::OuterDomain,
        Step::ScopeCheck,
        Step::Signals,
        Step::Fork,
        Step::Limits,
        Step::WorkingDirectory,
        Step::Streams,
        Step::InnerDomain,
        Step::Filter,
        Step::Listener,
        Step::Execute,
    ];

    /// In words, for an error message: "could not …".
    pub fn doing(self) -> &'static str {
        match self {
            Step::Session => "start a session of its own",
            Step::Subreaper => "adopt orphaned processes",
            Step::Capabilities => "give up capabilities",
            Step::NoNewPrivileges => "set no_new_privs",
            Step::OuterDomain => "enter the Landlock domain that scopes signals",
            Step::ScopeCheck => "confirm that signals end at the tree's edge",
            Step::Signals => "set up signals",
            Step::Fork => "fork the server's process",
            Step::Limits => "set resource limits",
            Step::WorkingDirectory => "enter the working directory",
            Step::Streams => "connect stdin, stdout and stderr",
            Step::InnerDomain => "enter the Landlock domain with the file rules",
            Step::Filter => "install the seccomp program with its listener",
            Step::Listener => "hand over the listener",
            Step::Execute => "execute the server",
        }
    }
}

/// From the supervisor.
#[derive(Debug)]
pub enum Order {
    /// Start, with the plan and all that goes with it.
    Launch(Launch),
    /// Pass a signal on to the server's own process.
    Signal(i32),
    /// End the whole tree now.
    Kill,
}

/// The descriptors of a launch.
#[derive(Debug)]
pub struct Launch {
    /// The plan, sealed.
    pub plan: OwnedFd,
    /// The file rules.
    pub inner: OwnedFd,
    /// Becomes stdin.
    pub stdin: OwnedFd,
    /// Becomes stdout.
    pub stdout: OwnedFd,
    /// Becomes stderr.
    pub stderr: OwnedFd,
    /// The scopes, where the kernel has them.
    pub outer: Option<OwnedFd>,
}

/// From `init` or the server's process before it executes.
#[derive(Debug)]
pub enum Report {
    /// The server's process exists.
    Started {
        /// Its number.
        pid: u32,
        /// Whether the bounding set could be emptied.
        bounding_dropped: bool,
    },
    /// Its listener; from the process itself.
    Listener(OwnedFd),
    /// A step failed; nothing of the server has run.
    Failed {
        /// Which.
        step: Step,
        /// Why.
        errno: i32,
    },
    /// The server's own process ended; the rest of its tree is being ended.
    Exited {
        /// How.
        status: Status,
        /// What it used.
        rusage: Rusage,
    },
    /// Nothing of the tree is left.
    Gone,
}

/// Sends an order.
pub fn order(control: BorrowedFd<'_>, order: &Order) -> Result<(), Error> {
    let mut writer = Writer::default();
    match order {
        Order::Launch(launch) => {
            writer.number(1);
            let mut descriptors = vec![
                launch.plan.as_fd(),
                launch.inner.as_fd(),
                launch.stdin.as_fd(),
                launch.stdout.as_fd(),
                launch.stderr.as_fd(),
            ];
            descriptors.extend(launch.outer.as_ref().map(AsFd::as_fd));
            socket::send(control, &writer.finish(), &descriptors)?;
            return Ok(());
        }
        Order::Signal(signal) => writer.number(2).number(u64::from(signal.unsigned_abs())),
        Order::Kill => writer.number(3),
    };
    Ok(socket::send(control, &writer.finish(), &[])?)
}

/// Waits for an order; `None`: the supervisor is gone.
pub fn next_order(control: BorrowedFd<'_>) -> Result<Option<Order>, Error> {
    let mut buffer = [0u8; MAX_MESSAGE];
    let (len, descriptors) = match socket::receive(control, &mut buffer) {
        Ok(received) => received,
        Err(error) if error.raw_os_error() == Some(libc::ECONNRESET) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    if len == 0 {
        return Ok(None);
    }
    let mut reader = Reader::new(&buffer[..len]);
    let order = match reader.number()? {
        1 => {
            let mut given = descriptors.into_iter();
            let mut next = || given.next().ok_or(Error::Descriptors);
            Order::Launch(Launch {
                plan: next()?,
                inner: next()?,
                stdin: next()?,
                stdout: next()?,
                stderr: next()?,
                outer: next().ok(),
            })
        }
        2 => Order::Signal(reader.narrow()?),
        3 => Order::Kill,
        _ => return Err(Damaged.into()),
    };
    Ok(Some(order))
}

/// Sends a report.
pub fn report(control: BorrowedFd<'_>, report: &Report) -> Result<(), Error> {
    let mut writer = Writer::default();
    let mut descriptors = Vec::new();
    match report {
        Report::Started { pid, bounding_dropped } => {
            writer.number(1).number(u64::from(*pid)).number(u64::from(*bounding_dropped));
        }
        Report::Listener(listener) => {
            writer.number(2);
            descriptors.push(listener.as_fd());
        }
        Report::Failed { step, errno } => {
            writer.number(3).number(*step as u64).number(u64::from(errno.unsigned_abs()));
        }
        Report::Exited { status, rusage } => {
            let (kind, value) = match status {
                Status::Exit(code) => (0, code.unsigned_abs()),
                Status::Signal(signal) => (1, signal.unsigned_abs()),
            };
            writer.number(4).number(kind).number(u64::from(value));
            writer.number(rusage.user_us).number(rusage.system_us).number(rusage.max_rss_kib);
        }
        Report::Gone => {
            writer.number(5);
        }
    }
    Ok(socket::send(control, &writer.finish(), &descriptors)?)
}

/// Takes the next report; `None`: init is gone. `WouldBlock` on a socket that does not block.
pub fn next_report(control: BorrowedFd<'_>) -> Result<Option<Report>, Error> {
    let mut buffer = [0u8; MAX_MESSAGE];
    let (len, mut descriptors) = match socket::receive(control, &mut buffer) {
        Ok(received) => received,
        Err(error) if error.raw_os_error() == Some(libc::ECONNRESET) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    if len == 0 {
        return Ok(None);
    }
    let mut reader = Reader::new(&buffer[..len]);
    let report = match reader.number()? {
        1 => Report::Started { pid: reader.narrow()?, bounding_dropped: reader.number()? == 1 },
        2 => Report::Listener(descriptors.pop().ok_or(Error::Descriptors)?),
        3 => {
            let step = reader.number()?;
            let step = Step::ALL.into_iter().find(|known| *known as u64 == step).ok_or(Damaged)?;
            Report::Failed { step, errno: reader.narrow()? }
        }
        4 => {
            let (kind, value) = (reader.number()?, reader.narrow()?);
            let status = if kind == 0 { Status::Exit(value) } else { Status::Signal(value) };
            let rusage = Rusage {
                user_us: reader.number()?,
                system_us: reader.number()?,
                max_rss_kib: reader.number()?,
            };
            Report::Exited { status, rusage }
        }
        5 => Report::Gone,
        _ => return Err(Damaged.into()),
    };
    Ok(Some(report))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_and_orders_survive_the_way() {
        let (a, b) = socket::pair().unwrap();
        report(a.as_fd(), &Report::Failed { step: Step::Execute, errno: libc::ENOENT }).unwrap();
        let got = next_report(b.as_fd()).unwrap();
        assert!(matches!(got, Some(Report::Failed { step: Step::Execute, errno: libc::ENOENT })));
        let rusage = Rusage { user_us: 1, system_us: 2, max_rss_kib: 3 };
        report(a.as_fd(), &Report::Exited { status: Status::Signal(9), rusage }).unwrap();
        match next_report(b.as_fd()).unwrap() {
            Some(Report::Exited { status, rusage: got }) => {
                assert_eq!((status, got), (Status::Signal(9), rusage));
            }
            other => panic!("{other:?}"),
        }
        order(b.as_fd(), &Order::Signal(15)).unwrap();
        assert!(matches!(next_order(a.as_fd()).unwrap(), Some(Order::Signal(15))));
        drop(b);
        assert!(next_order(a.as_fd()).unwrap().is_none());
    }

    #[test]
    fn a_listener_report_without_a_descriptor_is_an_error() {
        let (a, b) = socket::pair().unwrap();
        let mut writer = Writer::default();
        writer.number(2);
        socket::send(a.as_fd(), &writer.finish(), &[]).unwrap();
        assert!(matches!(next_report(b.as_fd()), Err(Error::Descriptors)));
    }
}
