//! The one seccomp program: an allow-list whose default is a notification. `seccomp(2)`, `seccomp_unotify(2)`.
//!
//! seccompiler has no action for notifications. The list is compiled with "mismatch = trace, with a number of
//! ours", and every such return is rewritten; the count of rewritten returns is checked, so a change in how
//! seccompiler lays out programs is an error and never a hole. A foreign architecture is killed; x32 numbers match
//! nothing and fall to the default.

use std::collections::BTreeMap;

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    TargetArch,
};

use crate::sandbox::allowlist::{ALWAYS, CONDITIONAL, NESTED_SECCOMP, SIGNALS, Test, UNRECORDED_READS};
use crate::sys::seccomp::{Instruction, RET_TRACE, RET_USER_NOTIF};
use crate::sys::syscall;

/// Marks the returns that are to become notifications.
const MAGIC: u32 = 0x0cab;

/// What a policy changes about the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Choices {
    /// Landlock's signal scope holds (ABI 6): signals need not be looked at.
    pub signal_scope: bool,
    /// `process.nested_seccomp`.
    pub nested_seccomp: bool,
    /// `audit.file_reads`.
    pub file_reads: bool,
    /// There is a network: connections lead through us, and `getpeername` would tell it.
    pub network: bool,
}

impl Choices {
    /// What most policies choose, on a kernel with scopes.
    pub const USUAL: Choices =
        Choices { signal_scope: true, nested_seccomp: false, file_reads: true, network: false };
}

/// Why no program could be made. Each of these is a defect of this program, found before anything is started.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A table names a call that does not exist.
    #[error("the allow-list names an unknown system call {0}")]
    UnknownCall(&'static str),
    /// seccompiler refused the rules.
    #[error("the seccomp program could not be compiled: {0}")]
    Compile(#[from] seccompiler::BackendError),
    /// The layout is not the one that is rewritten here.
    #[error("the seccomp program has {found} default returns, {expected} were expected")]
    Layout {
        /// Counted.
        found: usize,
        /// One for each call in the list, and the last.
        expected: usize,
    },
}

/// Compiles the program.
pub fn compile(choices: Choices) -> Result<Vec<Instruction>, Error> {
    let rules = rules(choices)?;
    let expected = rules.len() + 1;
    let filter =
        SeccompFilter::new(rules, SeccompAction::Trace(MAGIC), SeccompAction::Allow, TargetArch::x86_64)?;
    let program: BpfProgram = filter.try_into()?;
    let mut found = 0;
    let program: Vec<Instruction> = program
        .into_iter()
        .map(|step| {
            let is_return = step.code == (libc::BPF_RET | libc::BPF_K) as u16;
            let k = if is_return && step.k == RET_TRACE | MAGIC {
                found += 1;
                RET_USER_NOTIF
            } else {
                step.k
            };
            Instruction { code: step.code, jt: step.jt, jf: step.jf, k }
        })
        .collect();
    if found == expected { Ok(tightened(program)) } else { Err(Error::Layout { found, expected }) }
}

/// The calls of the program that are allowed, always and by their arguments, each list sorted: for showing it.
///
/// # Errors
/// As [`compile`].
pub fn names(choices: Choices) -> Result<(Vec<&'static str>, Vec<&'static str>), Error> {
    let (mut always, mut conditional) = (Vec::new(), Vec::new());
    for (number, rows) in rules(choices)? {
        let name = i32::try_from(number).ok().and_then(syscall::name).unwrap_or("?");
        let list = if rows.is_empty() { &mut always } else { &mut conditional };
        list.push(name);
    }
    always.sort_unstable();
    conditional.sort_unstable();
    Ok((always, conditional))
}

/// The same program with fewer steps. For a call without conditions seccompiler compares, jumps to a jump, and
/// returns; two steps do. The kernel runs the program once for every number when it is installed, and translates it:
/// that is the greater part of its cost at a start.
fn tightened(program: Vec<Instruction>) -> Vec<Instruction> {
    const JUMP: u16 = (libc::BPF_JMP | libc::BPF_JA) as u16;
    const IF_EQUAL: u16 = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
    const RETURN: u16 = (libc::BPF_RET | libc::BPF_K) as u16;
    let mut tight = Vec::with_capacity(program.len());
    let mut rest = program.as_slice();
    while let Some((first, after)) = rest.split_first() {
        match rest {
            // No other step jumps into these five: a chain is entered at its comparison alone.
            [compare, to_allow, to_default, allow, default, after @ ..]
                if (compare.code, compare.jt, compare.jf) == (IF_EQUAL, 0, 1)
                    && (to_allow.code, to_allow.k) == (JUMP, 1)
                    && (to_default.code, to_default.k) == (JUMP, 2)
                    && (allow.code, default.code) == (RETURN, RETURN) =>
            {
                tight.extend([*compare, *allow]);
                rest = after;
            }
            _ => {
                tight.push(*first);
                rest = after;
            }
        }
    }
    tight
}

fn rules(choices: Choices) -> Result<BTreeMap<i64, Vec<SeccompRule>>, Error> {
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = BTreeMap::new();
    let signals = if choices.signal_scope { SIGNALS } else { &[] };
    for name in ALWAYS.iter().chain(signals) {
        rules.insert(number(name)?, Vec::new());
    }
    if choices.network {
        rules.remove(&number("getpeername")?);
    }
    let nested = if choices.nested_seccomp { NESTED_SECCOMP } else { &[] };
    let unrecorded = if choices.file_reads { &[] } else { UNRECORDED_READS };
    for (name, rows) in CONDITIONAL.iter().chain(nested).chain(unrecorded) {
        let entry = rules.entry(number(name)?).or_default();
        for row in *rows {
            entry.push(rule(row)?);
        }
    }
    if choices.nested_seccomp {
        // PR_SET_SECCOMP
        rules.entry(number("prctl")?).or_default().push(rule(&[Test::Is(0, 22)])?);
    }
    Ok(rules)
}

fn number(name: &'static str) -> Result<i64, Error> {
    syscall::number(name).map(i64::from).ok_or(Error::UnknownCall(name))
}

fn rule(tests: &[Test]) -> Result<SeccompRule, Error> {
    let conditions = tests
        .iter()
        .map(|test| {
            let (register, operator, value) = match *test {
                Test::Is(register, value) => (register, SeccompCmpOp::Eq, value),
                Test::Not(register, value) => (register, SeccompCmpOp::Ne, value),
                Test::Bits(register, mask, value) => {
                    (register, SeccompCmpOp::MaskedEq(u64::from(mask)), value)
                }
            };
            SeccompCondition::new(register, SeccompCmpArgLen::Dword, operator, u64::from(value))
        })
        .collect::<Result<Vec<_>, _>>()?;
    Ok(SeccompRule::new(conditions)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    const STRICT: Choices = Choices::USUAL;

    /// What the program answers, by running it: a small interpreter of the instructions that seccompiler emits.
    fn run(program: &[Instruction], arch: u32, nr: u32, args: [u64; 6]) -> u32 {
        let word = |offset: u32| -> u32 {
            match offset {
                0 => nr,
                4 => arch,
                16.. => {
                    let arg = args[((offset - 16) / 8) as usize];
                    if offset.is_multiple_of(8) { arg as u32 } else { (arg >> 32) as u32 }
                }
                _ => 0,
            }
        };
        let (mut at, mut a) = (0usize, 0u32);
        loop {
            let step = program[at];
            at += 1;
            match step.code {
                0x20 => a = word(step.k),
                0x54 => a &= step.k,
                0x05 => at += step.k as usize,
                0x15 => at += usize::from(if a == step.k { step.jt } else { step.jf }),
                0x25 => at += usize::from(if a > step.k { step.jt } else { step.jf }),
                0x35 => at += usize::from(if a >= step.k { step.jt } else { step.jf }),
                0x06 => return step.k,
                other => panic!("unexpected instruction {other:#x}"),
            }
        }
    }

    const NATIVE: u32 = 0xc000_003e;
    const ALLOW: u32 = 0x7fff_0000;

    fn answer(choices: Choices, name: &str, args: [u64; 6]) -> u32 {
        let nr = syscall::number(name).unwrap();
        run(&compile(choices).unwrap(), NATIVE, nr as u32, args)
    }

    #[test]
    fn every_name_exists_and_stands_once() {
        let mut seen = std::collections::BTreeSet::new();
        for name in ALWAYS.iter().chain(SIGNALS).chain(CONDITIONAL.iter().map(|(name, _)| name)) {
            assert!(syscall::number(name).is_some(), "{name}");
            assert!(seen.insert(*name), "{name} twice");
        }
    }

    #[test]
    fn the_default_is_a_notification() {
        for name in
            ["openat", "execve", "clone3", "io_uring_setup", "ptrace", "mount", "seccomp", "fork", "connect"]
        {
            assert_eq!(answer(STRICT, name, [0; 6]), RET_USER_NOTIF, "{name}");
        }
        let program = compile(STRICT).unwrap();
        for nr in [335, 470, 100_000, syscall::X32_BIT as u32, syscall::X32_BIT as u32 + 1, u32::MAX] {
            assert_eq!(run(&program, NATIVE, nr, [0; 6]), RET_USER_NOTIF, "{nr}");
        }
        for name in ["read", "write", "close", "mmap", "futex"] {
            assert_eq!(answer(STRICT, name, [u64::MAX; 6]), ALLOW, "{name}");
        }
    }

    #[test]
    fn fewer_steps_answer_alike() {
        let filter = SeccompFilter::new(
            rules(STRICT).unwrap(),
            SeccompAction::Trace(MAGIC),
            SeccompAction::Allow,
            TargetArch::x86_64,
        );
        let loose: BpfProgram = filter.unwrap().try_into().unwrap();
        let loose: Vec<Instruction> = loose
            .into_iter()
            .map(|step| Instruction { code: step.code, jt: step.jt, jf: step.jf, k: step.k })
            .collect();
        let tight = tightened(loose.clone());
        assert!(tight.len() < loose.len() * 2 / 3, "{} of {}", tight.len(), loose.len());
        let values =
            [0, 1, 2, 4, 5, 8, 16, 38, 262, 0x5401, 0x5412, 0x10000, 0x1001_0000, 0x2000_0000, u64::MAX];
        for nr in (0..500).chain([syscall::X32_BIT as u32, u32::MAX]) {
            for first in values {
                for second in values {
                    let args = [first, second, first, second, 0, 0];
                    assert_eq!(
                        run(&tight, NATIVE, nr, args),
                        run(&loose, NATIVE, nr, args),
                        "{nr} {args:x?}"
                    );
                }
            }
        }
    }

    #[test]
    fn a_foreign_architecture_is_killed() {
        let program = compile(STRICT).unwrap();
        assert_eq!(run(&program, 0x4000_0003, 5, [0; 6]), 0x8000_0000);
    }

    #[test]
    fn high_halves_do_not_count() {
        // TIOCSTI with a bit above: the kernel sees TIOCSTI, and so must the program.
        assert_eq!(answer(STRICT, "ioctl", [0, 0x5412 | 1 << 32, 0, 0, 0, 0]), RET_USER_NOTIF);
        assert_eq!(answer(STRICT, "ioctl", [0, 0x5401 | 1 << 32, 0, 0, 0, 0]), ALLOW);
        assert_eq!(answer(STRICT, "fcntl", [0, 8 | 1 << 40, 0, 0, 0, 0]), RET_USER_NOTIF);
    }

    #[test]
    fn sockets_are_decided_on_registers() {
        let socket = |family: i32, kind: i32, protocol: i32| {
            answer(STRICT, "socket", [family as u64, kind as u64, protocol as u64, 0, 0, 0])
        };
        let stream = libc::SOCK_STREAM | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
        assert_eq!(socket(libc::AF_UNIX, stream, 0), ALLOW);
        assert_eq!(socket(libc::AF_INET6, stream, libc::IPPROTO_TCP), ALLOW);
        assert_eq!(socket(libc::AF_UNIX, libc::SOCK_DGRAM, 0), RET_USER_NOTIF);
        assert_eq!(socket(libc::AF_INET, libc::SOCK_DGRAM, 0), RET_USER_NOTIF);
        assert_eq!(socket(libc::AF_INET, stream, 262), RET_USER_NOTIF);
        assert_eq!(socket(libc::AF_VSOCK, stream, 0), RET_USER_NOTIF);
        assert_eq!(socket(libc::AF_NETLINK, libc::SOCK_RAW, 0), ALLOW);
        assert_eq!(socket(libc::AF_NETLINK, libc::SOCK_RAW, 12), RET_USER_NOTIF);
    }

    #[test]
    fn choices_change_only_what_they_name() {
        let loose = Choices { signal_scope: false, nested_seccomp: true, file_reads: false, network: true };
        assert_eq!(answer(STRICT, "getpeername", [0; 6]), ALLOW);
        assert_eq!(answer(loose, "getpeername", [0; 6]), RET_USER_NOTIF);
        assert_eq!(answer(STRICT, "kill", [0; 6]), ALLOW);
        assert_eq!(answer(loose, "kill", [0; 6]), RET_USER_NOTIF);
        assert_eq!(answer(loose, "seccomp", [1, 0, 0, 0, 0, 0]), ALLOW);
        assert_eq!(answer(STRICT, "prctl", [22, 2, 0, 0, 0, 0]), RET_USER_NOTIF);
        assert_eq!(answer(loose, "openat", [0, 0, 0, 0, 0, 0]), ALLOW);
        assert_eq!(answer(loose, "openat", [0, 0, 0o1, 0, 0, 0]), RET_USER_NOTIF);
        assert_eq!(answer(loose, "openat", [0, 0, 0o100, 0, 0, 0]), RET_USER_NOTIF);
    }
}
