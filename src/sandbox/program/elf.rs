//! The few fields of an ELF file that decide whether this machine can run it, and which loader it names.
//!
//! The file is outside input: every offset is checked, every length has a cap, and what does not fit is `Malformed`.
//! Rests on `elf(5)` and `load_elf_binary` of `fs/binfmt_elf.c`. Only 64-bit little-endian machines are supported;
//! anything else is `Foreign`, and the seccomp program would kill it at its first system call.

use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

const MAGIC: &[u8] = b"\x7fELF";
const CLASS_64: u8 = 2;
const LITTLE_ENDIAN: u8 = 1;
const ET_EXEC: u16 = 2;
const ET_DYN: u16 = 3;
const PT_INTERP: u32 = 3;
const HEADER: usize = 64;
const PROGRAM_HEADER: usize = 56;
/// The kernel refuses a larger table of program headers.
const MAX_TABLE: usize = 65_536;
/// `PATH_MAX`, with the NUL.
const MAX_LOADER: u64 = 4096;

/// The machine that this program was built for.
const NATIVE: u16 = if cfg!(target_arch = "x86_64") {
    62
} else if cfg!(target_arch = "aarch64") {
    183
} else if cfg!(target_arch = "riscv64") {
    243
} else {
    0
};

/// What an ELF file is to this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Elf {
    /// It can run.
    Native {
        /// The dynamic loader; `None` for a static program.
        loader: Option<PathBuf>,
    },
    /// It is for another machine.
    Foreign {
        /// `e_machine`.
        machine: u16,
    },
    /// It is no program (an object file, a core dump, or broken).
    Malformed,
}

/// Reads an ELF file, whose first bytes are `head`; `None` when it is not ELF at all.
pub fn read(file: &File, head: &[u8]) -> Option<Elf> {
    if !head.starts_with(MAGIC) {
        return None;
    }
    Some(examine(file, head).unwrap_or(Elf::Malformed))
}

fn examine(file: &File, head: &[u8]) -> Option<Elf> {
    let machine = u16_at(head, 18)?;
    if head.get(4) != Some(&CLASS_64) || head.get(5) != Some(&LITTLE_ENDIAN) || machine != NATIVE {
        return Some(Elf::Foreign { machine });
    }
    if head.len() < HEADER || !matches!(u16_at(head, 16)?, ET_EXEC | ET_DYN) {
        return None;
    }
    let offset = u64_at(head, 32)?;
    let length = usize::from(u16_at(head, 56)?) * PROGRAM_HEADER;
    if usize::from(u16_at(head, 54)?) != PROGRAM_HEADER || length == 0 || length > MAX_TABLE {
        return None;
    }
    let mut table = vec![0; length];
    file.read_exact_at(&mut table, offset).ok()?;
    for header in table.chunks_exact(PROGRAM_HEADER) {
        if u32_at(header, 0)? == PT_INTERP {
            return Some(Elf::Native { loader: Some(loader(file, header)?) });
        }
    }
    Some(Elf::Native { loader: None })
}

fn loader(file: &File, header: &[u8]) -> Option<PathBuf> {
    let (offset, length) = (u64_at(header, 8)?, u64_at(header, 32)?);
    if !(2..=MAX_LOADER).contains(&length) {
        return None;
    }
    let mut path = vec![0; usize::try_from(length).ok()?];
    file.read_exact_at(&mut path, offset).ok()?;
    let end = path.iter().position(|byte| *byte == 0)?;
    Some(PathBuf::from(OsStr::from_bytes(&path[..end])))
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use proptest::prelude::*;

    use super::*;

    fn read_bytes(content: &[u8]) -> Option<Elf> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(content).unwrap();
        read(&file, &content[..content.len().min(256)])
    }

    /// A header, one program header of this type, and a loader's path.
    fn program(kind: u32, path: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0; HEADER + PROGRAM_HEADER];
        bytes[..4].copy_from_slice(MAGIC);
        bytes[4] = CLASS_64;
        bytes[5] = LITTLE_ENDIAN;
        bytes[16..18].copy_from_slice(&ET_DYN.to_le_bytes());
        bytes[18..20].copy_from_slice(&NATIVE.to_le_bytes());
        bytes[32..40].copy_from_slice(&(HEADER as u64).to_le_bytes());
        bytes[54..56].copy_from_slice(&(PROGRAM_HEADER as u16).to_le_bytes());
        bytes[56..58].copy_from_slice(&1u16.to_le_bytes());
        bytes[HEADER..HEADER + 4].copy_from_slice(&kind.to_le_bytes());
        let offset = bytes.len() as u64;
        bytes[HEADER + 8..HEADER + 16].copy_from_slice(&offset.to_le_bytes());
        bytes[HEADER + 32..HEADER + 40].copy_from_slice(&(path.len() as u64).to_le_bytes());
        bytes.extend_from_slice(path);
        bytes
    }

    #[test]
    fn the_loader_is_found() {
        let native = Elf::Native { loader: Some("/lib/ld.so".into()) };
        assert_eq!(read_bytes(&program(PT_INTERP, b"/lib/ld.so\0")), Some(native));
        assert_eq!(read_bytes(&program(1, b"")), Some(Elf::Native { loader: None }));
    }

    #[test]
    fn another_machine_is_foreign() {
        let mut arm = program(1, b"");
        arm[18..20].copy_from_slice(&40u16.to_le_bytes());
        assert_eq!(read_bytes(&arm), Some(Elf::Foreign { machine: 40 }));
        let mut x32 = program(1, b"");
        x32[4] = 1;
        assert_eq!(
            read_bytes(&x32),
            Some(Elf::Foreign { machine: NATIVE }),
            "x32: our machine, half the words"
        );
    }

    #[test]
    fn what_is_no_program_is_malformed() {
        let mut object = program(1, b"");
        object[16] = 1;
        assert_eq!(read_bytes(&object), Some(Elf::Malformed));
        assert_eq!(read_bytes(&program(PT_INTERP, b"/lib/no-end")), Some(Elf::Malformed));
        assert_eq!(read_bytes(MAGIC), Some(Elf::Malformed));
        assert_eq!(read_bytes(b"#!/bin/x\n"), None);
    }

    proptest! {
        #[test]
        fn no_header_makes_it_fall_over(at in 4usize..120, bytes in prop::collection::vec(any::<u8>(), 1..16)) {
            let mut content = program(PT_INTERP, b"/lib/ld.so\0");
            let end = (at + bytes.len()).min(content.len());
            content[at..end].copy_from_slice(&bytes[..end - at]);
            prop_assert!(read_bytes(&content).is_some());
        }
    }
}
