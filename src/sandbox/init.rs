//! The child side: a fresh, single-threaded process that gives up its rights, starts the server and ends its tree.
//!
//! Theory of operation. The supervisor re-executes itself as `init` and sends one [`Order::Launch`]. Init closes
//! what it does not need, starts a session of its own, adopts orphans, drops capabilities, sets no_new_privs and
//! enters the **outer** Landlock domain, which ends signals at the tree's edge; then it forks the server's process,
//! which enters the inner domain, installs the filter, hands over its listener and executes. Init stays as reaper
//! and killer: when the server ends, when it is told to, or when the supervisor is gone (end of file on the control
//! socket, also after SIGKILL), it ends everything that is left. The order of steps is the security; see
//! `capabilities(7)`, `landlock(7)`, `prctl(2)`.

use std::ffi::CString;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

use caps::{CapSet, Capability};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::policy::ending::{Rusage, Status};
use crate::policy::limits::LEAST_OPEN_FILES;
use crate::sandbox::control::{self, Launch, Order, Report, Step};
use crate::sandbox::filter::{self, Choices};
use crate::sandbox::plan::Plan;
use crate::sys::process::{Ended, Fork};
use crate::sys::seccomp::Instruction;
use crate::sys::{descriptor, errno, landlock, process, seccomp};

/// Largest plan that is read; argument lists are limited to 2 MiB by the kernel.
const MAX_PLAN: u64 = 16 << 20;
/// Numbers of prepared descriptors start here, so that connecting 0–2 cannot clobber one.
const ABOVE_STREAMS: RawFd = 100;
// The limit on open files holds when they are prepared.
const _: () = assert!((ABOVE_STREAMS as u32) < LEAST_OPEN_FILES);

/// A step that failed.
struct Failure {
    step: Step,
    errno: i32,
}

trait During<T> {
    fn during(self, step: Step) -> Result<T, Failure>;
}

impl<T> During<T> for io::Result<T> {
    fn during(self, step: Step) -> Result<T, Failure> {
        self.map_err(|error| Failure { step, errno: errno::of(&error) })
    }
}

/// Runs as `init` on the control socket with this number; never returns to the caller's program.
pub fn run(control: RawFd) -> ! {
    let Ok(control) = descriptor::take_inherited(control) else { process::exit_now(125) };
    if descriptor::close_all_but(&[control.as_raw_fd()]).is_err() {
        process::exit_now(125);
    }
    if let Err(failure) = lead(&control) {
        // If even this cannot be sent, the supervisor sees the end of the socket and refuses all the same.
        let _ =
            control::report(control.as_fd(), &Report::Failed { step: failure.step, errno: failure.errno });
        process::exit_now(125);
    }
    process::exit_now(0)
}

fn lead(control: &OwnedFd) -> Result<(), Failure> {
    nix::unistd::setsid().map_err(io::Error::from).during(Step::Session)?;
    nix::sys::prctl::set_child_subreaper(true).map_err(io::Error::from).during(Step::Subreaper)?;
    let bounding_dropped = drop_capabilities().during(Step::Capabilities)?;
    nix::sys::prctl::set_no_new_privs().map_err(io::Error::from).during(Step::NoNewPrivileges)?;
    // While the supervisor still makes the plan.
    let usual = filter::compile(Choices::USUAL);
    let (plan, mut launch) = match control::next_order(control.as_fd()) {
        Ok(Some(Order::Launch(launch))) => (read_plan(&launch), launch),
        // The supervisor found a reason not to start anything, or is gone.
        _ => return Ok(()),
    };
    let plan = plan.during(Step::Session)?;
    let program = if plan.filter == Choices::USUAL { usual } else { filter::compile(plan.filter) };
    let program = program.map_err(|error| {
        tracing::error!(%error, "no seccomp program");
        Failure { step: Step::Filter, errno: libc::EINVAL }
    })?;
    if let Some(outer) = launch.outer.take() {
        landlock::restrict_self(outer.as_fd(), 0).during(Step::OuterDomain)?;
        check_scope(plan.supervisor)?;
    }
    let children = process::signal_descriptor(&[
        libc::SIGCHLD,
        libc::SIGTERM,
        libc::SIGINT,
        libc::SIGHUP,
        libc::SIGQUIT,
        libc::SIGPIPE,
    ])
    .during(Step::Signals)?;
    match process::fork().during(Step::Fork)? {
        Fork::Child => serve(&plan, &program, &launch, control.as_fd()),
        Fork::Parent(server) => {
            drop(launch);
            // A supervisor that is gone is noticed in the loop.
            let _ = control::report(control.as_fd(), &Report::Started { pid: server, bounding_dropped });
            Tree { control, children, server: Some(server), scoped: plan.scopes }.watch();
            Ok(())
        }
    }
}

/// Empties every set. `Ok(false)`: the bounding set stays, for want of CAP_SETPCAP.
fn drop_capabilities() -> io::Result<bool> {
    let broken = |_| io::Error::from_raw_os_error(libc::EPERM);
    let may_drop = caps::has_cap(None, CapSet::Effective, Capability::CAP_SETPCAP).map_err(broken)?;
    if may_drop {
        // What the kernel does not know is not in the set.
        for capability in caps::runtime::thread_all_supported() {
            caps::drop(None, CapSet::Bounding, capability).map_err(broken)?;
        }
        process::lock_secure_bits()?;
    }
    give_up_capabilities()?;
    Ok(may_drop)
}

/// Clears the ambient, inheritable, permitted and effective sets of the calling thread, in this order.
pub fn give_up_capabilities() -> io::Result<()> {
    for set in [CapSet::Ambient, CapSet::Inheritable, CapSet::Effective, CapSet::Permitted] {
        caps::clear(None, set).map_err(|_| io::Error::from_raw_os_error(libc::EPERM))?;
    }
    Ok(())
}

fn read_plan(launch: &Launch) -> io::Result<Plan> {
    let mut file = File::from(launch.plan.try_clone()?);
    io::Seek::rewind(&mut file)?;
    let mut bytes = Vec::new();
    file.take(MAX_PLAN).read_to_end(&mut bytes)?;
    Plan::decode(&bytes).map_err(|_| io::Error::from_raw_os_error(libc::EBADMSG))
}

/// `kill(-1)` below is only ours to call when the supervisor, and so the user's session, is out of reach.
fn check_scope(supervisor: u32) -> Result<(), Failure> {
    match process::signal(supervisor, 0) {
        Err(error) if matches!(error.raw_os_error(), Some(libc::EPERM | libc::ESRCH)) => Ok(()),
        _ => Err(Failure { step: Step::ScopeCheck, errno: libc::EBUSY }),
    }
}

/// In the server's process, from fork to execve.
fn serve(plan: &Plan, program: &[Instruction], launch: &Launch, control: BorrowedFd<'_>) -> ! {
    let failure = become_server(plan, program, launch, control);
    let _ = control::report(control, &Report::Failed { step: failure.step, errno: failure.errno });
    process::exit_now(125)
}

/// Returns only when something failed.
fn become_server(plan: &Plan, program: &[Instruction], launch: &Launch, control: BorrowedFd<'_>) -> Failure {
    match prepare(plan, program, launch, control) {
        Ok((program, argv, environment)) => {
            let error = process::execute(&program, &argv, &environment);
            Failure { step: Step::Execute, errno: errno::of(&error) }
        }
        Err(failure) => failure,
    }
}

type Executable = (CString, Vec<CString>, Vec<CString>);

fn prepare(
    plan: &Plan,
    filter: &[Instruction],
    launch: &Launch,
    control: BorrowedFd<'_>,
) -> Result<Executable, Failure> {
    // All memory is allocated before the filter holds.
    let program = c_string(&plan.program).during(Step::Execute)?;
    let argv =
        plan.argv.iter().map(|word| c_string(word)).collect::<io::Result<Vec<_>>>().during(Step::Execute)?;
    let environment = plan
        .environment
        .iter()
        .map(|word| c_string(word))
        .collect::<io::Result<Vec<_>>>()
        .during(Step::Execute)?;
    process::reset_signals().during(Step::Signals)?;
    limit(plan).during(Step::Limits)?;
    let cwd = nix::fcntl::open(
        plan.cwd.as_slice(),
        nix::fcntl::OFlag::O_PATH | nix::fcntl::OFlag::O_DIRECTORY | nix::fcntl::OFlag::O_CLOEXEC,
        nix::sys::stat::Mode::empty(),
    )
    .map_err(io::Error::from)
    .during(Step::WorkingDirectory)?;
    nix::unistd::fchdir(&cwd).map_err(io::Error::from).during(Step::WorkingDirectory)?;
    drop(cwd);
    for (stream, fd) in [(0, &launch.stdin), (1, &launch.stdout), (2, &launch.stderr)] {
        let fd = descriptor::duplicate_above(fd.as_fd(), ABOVE_STREAMS).during(Step::Streams)?;
        descriptor::become_standard_stream(fd.as_fd(), stream).during(Step::Streams)?;
    }
    let flags = if plan.log_new_exec { landlock::LOG_NEW_EXEC_ON } else { 0 };
    landlock::restrict_self(launch.inner.as_fd(), flags).during(Step::InnerDomain)?;
    let listener = seccomp::install_with_listener(filter).during(Step::Filter)?;
    control::report(control, &Report::Listener(listener))
        .map_err(|_| Failure { step: Step::Listener, errno: libc::EPIPE })?;
    Ok((program, argv, environment))
}

fn c_string(bytes: &[u8]) -> io::Result<CString> {
    CString::new(bytes).map_err(|_| io::Error::from_raw_os_error(libc::EINVAL))
}

fn limit(plan: &Plan) -> io::Result<()> {
    // A core file would hold the server's secrets.
    process::lower_limit(libc::RLIMIT_CORE, 0)?;
    for (resource, value) in [
        (libc::RLIMIT_DATA, plan.memory),
        (libc::RLIMIT_NOFILE, plan.open_files),
        (libc::RLIMIT_FSIZE, plan.file_size),
        (libc::RLIMIT_CPU, plan.cpu_time),
    ] {
        if let Some(value) = value {
            process::lower_limit(resource, value)?;
        }
    }
    Ok(())
}

/// The running tree, as init sees it.
struct Tree<'a> {
    control: &'a OwnedFd,
    children: OwnedFd,
    /// The server's own process, until it was reaped.
    server: Option<u32>,
    scoped: bool,
}

impl Tree<'_> {
    /// Until nothing is left.
    fn watch(mut self) {
        while self.server.is_some() {
            if self.wait(PollTimeout::NONE) == Wake::End {
                break;
            }
            self.reap();
        }
        self.end();
        let _ = control::report(self.control.as_fd(), &Report::Gone);
    }

    /// Waits for a child or an order, and carries the order out.
    fn wait(&mut self, timeout: PollTimeout) -> Wake {
        let mut fds = [
            PollFd::new(self.control.as_fd(), PollFlags::POLLIN),
            PollFd::new(self.children.as_fd(), PollFlags::POLLIN),
        ];
        match poll(&mut fds, timeout) {
            Ok(_) | Err(nix::errno::Errno::EINTR) => {}
            Err(_) => return Wake::End,
        }
        let ordered = fds[0].revents().is_none_or(|events| !events.is_empty());
        process::drain_signals(self.children.as_fd());
        if !ordered {
            return Wake::Child;
        }
        match control::next_order(self.control.as_fd()) {
            Ok(Some(Order::Signal(signal))) => {
                // The server is our own child and was not reaped, so its number is still its own.
                if let Some(server) = self.server {
                    let _ = process::signal(server, signal);
                }
                Wake::Child
            }
            _ => Wake::End,
        }
    }

    /// Takes every child that has ended. `false`: there are no children at all.
    fn reap(&mut self) -> bool {
        loop {
            match process::reap(false) {
                Ok(Some(ended)) => self.ended(&ended),
                Ok(None) => return true,
                Err(_) => return false,
            }
        }
    }

    fn ended(&mut self, ended: &Ended) {
        if self.server != Some(ended.pid) {
            return;
        }
        self.server = None;
        let report = Report::Exited { status: Status::of_wait(ended.status), rusage: usage(&ended.rusage) };
        let _ = control::report(self.control.as_fd(), &report);
    }

    /// Ends what is left, however often it forks.
    fn end(&mut self) {
        loop {
            let _ = if self.scoped { process::kill_everything_in_scope() } else { kill_descendants() };
            if !self.reap() {
                return;
            }
            // Woken by the next child; the time-out is for one that was adopted between the two lines above.
            let mut fds = [PollFd::new(self.children.as_fd(), PollFlags::POLLIN)];
            let _ = poll(&mut fds, PollTimeout::from(20u8));
            process::drain_signals(self.children.as_fd());
            if !self.reap() {
                return;
            }
        }
    }
}

#[derive(PartialEq, Eq)]
enum Wake {
    Child,
    End,
}

/// Below Landlock ABI 6: SIGKILL to everything whose chain of parents leads here. Called again until no child is
/// left; the supervisor refuses forks meanwhile.
fn kill_descendants() -> io::Result<()> {
    for pid in crate::sys::tree::descendants(std::process::id())? {
        // ESRCH: it ended by itself.
        let _ = process::signal(pid, libc::SIGKILL);
    }
    Ok(())
}

fn usage(raw: &libc::rusage) -> Rusage {
    let micros = |time: libc::timeval| (time.tv_sec as u64).saturating_mul(1_000_000) + time.tv_usec as u64;
    Rusage {
        user_us: micros(raw.ru_utime),
        system_us: micros(raw.ru_stime),
        max_rss_kib: u64::try_from(raw.ru_maxrss).unwrap_or(0),
    }
}
