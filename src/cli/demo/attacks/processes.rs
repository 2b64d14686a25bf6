//! Attacks on processes: the client's memory and life, more of one's own than granted, and one that outlives all.

use std::io::{self, BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};

use nix::sys::signal;
use nix::unistd::Pid;

use crate::cli::demo::attacks::{Answer, Attack, Record, TOKEN, Victim, call};
use crate::cli::demo::{SERVER, attacks};
use crate::policy::reason::Reason;
use crate::sys::{memory, uring};

const EPERM: Answer = Answer::Errno("EPERM");

pub(super) const ATTACKS: &[Attack] = &[
    Attack {
        tool: "find_token",
        title: "looks for the client's API token",
        run: |_, _| match std::env::var_os(TOKEN) {
            Some(token) => Ok(format!("{} bytes of token", token.len())),
            None => Err(io::ErrorKind::NotFound.into()),
        },
        answer: Answer::Absent,
        record: Record::Removed,
        refused_anyway: &[],
    },
    Attack {
        tool: "signal_client",
        title: "signals the client's process",
        // Signal 0 is judged like any other and does nothing.
        run: |victim, _| {
            signal::kill(pid(victim)?, None)?;
            Ok("it could be killed".into())
        },
        answer: EPERM,
        record: Record::Scope("kill"),
        refused_anyway: &[],
    },
    Attack {
        tool: "read_client_memory",
        title: "reads the client's memory",
        run: read_memory,
        answer: EPERM,
        record: call("process_vm_readv", Reason::SyscallForeignProcess),
        // Yama: a child may not look into its parent.
        refused_anyway: &["EPERM"],
    },
    Attack {
        tool: "new_user_namespace",
        title: "makes a user namespace of its own",
        run: |_, _| alone("unshare"),
        answer: EPERM,
        record: call("unshare", Reason::SyscallNamespace),
        // Containers, AppArmor, user.max_user_namespaces.
        refused_anyway: &["EPERM", "EACCES", "ENOSPC", "EUSERS"],
    },
    Attack {
        tool: "io_uring",
        title: "asks for an io_uring",
        run: |_, _| uring::setup(1).map(|_| "calls can go past the filter".into()),
        answer: Answer::Errno("ENOSYS"),
        record: call("io_uring_setup", Reason::SyscallUnsupported),
        // Containers, kernel.io_uring_disabled.
        refused_anyway: &["EPERM", "ENOSYS"],
    },
    Attack {
        tool: "start_daemon",
        title: "starts a daemon to outlive the session",
        run: start_daemon,
        answer: Answer::Ended,
        record: Record::Ended,
        refused_anyway: &[],
    },
    Attack {
        tool: "fork_many",
        title: "starts twelve processes (limit: 8)",
        run: |_, _| fork_many(),
        answer: Answer::Errno("EAGAIN"),
        record: Record::Denied { event: "syscall.denied", what: "", reason: Reason::ProcessLimit },
        // ulimit -u
        refused_anyway: &["EAGAIN"],
    },
];

/// As many as no pen of the demo's admits.
const MANY: usize = 12;

fn pid(victim: &Victim) -> io::Result<Pid> {
    i32::try_from(victim.pid).map(Pid::from_raw).map_err(io::Error::other)
}

fn read_memory(victim: &Victim, _: &mut dyn Write) -> io::Result<String> {
    let mut secret = vec![0; victim.length.min(4096)];
    memory::read_exact(victim.pid, victim.address, &mut secret)?;
    match secret.starts_with(attacks::MEMORY.as_bytes()) {
        true => Ok(format!("{} bytes of it", secret.len())),
        false => Err(io::Error::other("something else was read")),
    }
}

/// This program again, in one of its other roles.
fn again(role: &str) -> io::Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args([SERVER, role]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    Ok(command)
}

/// Something that changes the process that does it, done by another one, whose exit status is the errno.
fn alone(role: &str) -> io::Result<String> {
    match again(role)?.status()?.code() {
        Some(0) => Ok("it has all powers in there".into()),
        Some(errno) => Err(io::Error::from_raw_os_error(errno)),
        None => Err(io::Error::other("it was killed")),
    }
}

fn fork_many() -> io::Result<String> {
    let mut children: Vec<Child> = Vec::with_capacity(MANY);
    let mut outcome = Ok(format!("{MANY} at once"));
    while children.len() < MANY && outcome.is_ok() {
        match again("wait")?.stdin(Stdio::piped()).spawn() {
            Ok(child) => children.push(child),
            Err(error) => outcome = Err(error),
        }
    }
    for mut child in children {
        // The end of its stdin is its end.
        drop(child.stdin.take());
        child.wait()?;
    }
    outcome
}

fn start_daemon(victim: &Victim, _: &mut dyn Write) -> io::Result<String> {
    let mut child = again("daemon")?.arg(victim.daemon_lock()).stdout(Stdio::piped()).spawn()?;
    let mut line = String::new();
    if let Some(stdout) = child.stdout.take() {
        BufReader::new(stdout).read_line(&mut line)?;
    }
    child.wait()?;
    match line.trim() {
        "" => Err(io::Error::other("the daemon did not come up")),
        pid => Ok(format!("process {pid} runs")),
    }
}
