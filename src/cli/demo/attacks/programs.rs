//! Attacks by starting programs: a shell, one that is there, one that the server wrote itself.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::cli::demo::attacks::{Answer, Attack, Victim, file};
use crate::policy::reason::Reason;

const EACCES: Answer = Answer::Errno("EACCES");

pub(super) const ATTACKS: &[Attack] = &[
    Attack {
        tool: "run_shell",
        title: "runs /bin/sh -c",
        run: |_, _| run(Command::new("/bin/sh").args(["-c", "exit 0"])),
        answer: EACCES,
        record: file("execute", Reason::ExecShell),
        // A machine without any shell.
        refused_anyway: &["ENOENT"],
    },
    Attack {
        tool: "run_program",
        title: "runs ~/bin/tool",
        run: |victim, _| run(&mut Command::new(victim.home.join("bin/tool"))),
        answer: EACCES,
        record: file("execute", Reason::ExecNotGranted),
        // The folder for temporary files may not hold programs (noexec).
        refused_anyway: &["EACCES"],
    },
    Attack {
        tool: "run_own_program",
        title: "writes a program into notes, runs it",
        run: run_own,
        answer: EACCES,
        record: file("execute", Reason::ExecNotGranted),
        refused_anyway: &["EACCES"],
    },
];

fn run_own(victim: &Victim, _: &mut dyn Write) -> io::Result<String> {
    let program = victim.notes().join("helper.bin");
    plant(&program)?;
    run(&mut Command::new(program))
}

fn run(command: &mut Command) -> io::Result<String> {
    let command = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    match command.status()? {
        status if status.success() => Ok("it ran".into()),
        status => Err(io::Error::other(format!("it ended with {status}"))),
    }
}

/// Writes the smallest program there is: it ends with status 0.
///
/// # Errors
/// As `open(2)` and `write(2)`.
pub(in crate::cli) fn plant(path: &Path) -> io::Result<()> {
    let mut file = OpenOptions::new().create_new(true).write(true).mode(0o755).open(path)?;
    file.write_all(&exit_zero())
}

/// An ELF executable for x86-64 (`elf(5)`): one header, one segment, `exit(0)`.
pub(in crate::cli) fn exit_zero() -> Vec<u8> {
    const BASE: u64 = 0x40_0000;
    const HEADERS: u64 = 64 + 56;
    // xor edi, edi; mov eax, 60; syscall
    const CODE: [u8; 9] = [0x31, 0xff, 0xb8, 60, 0, 0, 0, 0x0f, 0x05];
    let size = HEADERS + CODE.len() as u64;
    let mut elf = b"\x7fELF\x02\x01\x01".to_vec();
    elf.resize(16, 0);
    for half in [2u16, 62] {
        elf.extend(half.to_le_bytes()); // ET_EXEC, EM_X86_64
    }
    elf.extend(1u32.to_le_bytes());
    for word in [BASE + HEADERS, 64, 0] {
        elf.extend(word.to_le_bytes()); // entry, program headers, no section headers
    }
    elf.extend(0u32.to_le_bytes());
    for half in [64u16, 56, 1, 64, 0, 0] {
        elf.extend(half.to_le_bytes());
    }
    for word in [1u32, 5] {
        elf.extend(word.to_le_bytes()); // PT_LOAD, readable and executable
    }
    for word in [0, BASE, BASE, size, size, 0x1000] {
        elf.extend(word.to_le_bytes());
    }
    elf.extend(CODE);
    elf
}
