//! The `#!` line, read exactly as the kernel reads it.
//!
//! Rests on `load_script` of `fs/binfmt_script.c` (5.1 and later: 256 bytes, a cut-off interpreter is refused, a
//! cut-off argument is not) and on "Interpreter scripts" of `execve(2)`. A test compares with the running kernel.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

/// What the kernel reads of a file before it decides (`BINPRM_BUF_SIZE`).
pub const HEAD: usize = 256;

/// The most scripts in a row that the kernel goes through in one `execve` (`exec_binprm`); the next is `ELOOP`.
pub const MAX_NESTED: usize = 5;

/// An interpreter and its one optional argument, as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The interpreter; relative paths are relative to the working directory of the caller.
    pub interpreter: PathBuf,
    /// Everything after it, as one word.
    pub argument: Option<OsString>,
}

/// What the head of a file says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hashbang {
    /// No `#!`.
    None,
    /// `#!`, and no interpreter that the kernel would take.
    Broken,
    /// A script.
    Line(Line),
}

/// Reads the first 256 bytes of a file; a shorter file is followed by NULs, as in the kernel's buffer.
pub fn parse(head: &[u8; HEAD]) -> Hashbang {
    let Some(rest) = head.strip_prefix(b"#!") else {
        return Hashbang::None;
    };
    // A NUL ends the search for the end of the line, as it does in the kernel's strnchr.
    let line = match rest.iter().position(|byte| matches!(byte, b'\n' | 0)) {
        Some(end) if rest[end] == b'\n' => &rest[..end],
        _ => {
            // No end of the line: the last byte of the buffer does not count, and the interpreter must be whole.
            let rest = &rest[..rest.len() - 1];
            let name = trim_start(rest);
            if name.is_empty() || !name.iter().copied().any(is_terminator) {
                return Hashbang::Broken;
            }
            rest
        }
    };
    let line = trim_start(trim_end(line));
    let name = &line[..line.iter().copied().position(is_terminator).unwrap_or(line.len())];
    if name.is_empty() {
        return Hashbang::Broken;
    }
    // A blank and then a NUL (a short file that ends in blanks) is an argument of no bytes: the kernel passes it on.
    let argument = match line.get(name.len()) {
        Some(b' ' | b'\t') => Some(trim_start(&line[name.len()..])).filter(|argument| !argument.is_empty()),
        _ => None,
    };
    let argument =
        argument.map(|bytes| &bytes[..bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len())]);
    Hashbang::Line(Line {
        interpreter: PathBuf::from(OsStr::from_bytes(name)),
        argument: argument.map(|argument| OsStr::from_bytes(argument).to_owned()),
    })
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

fn is_terminator(byte: u8) -> bool {
    is_blank(byte) || byte == 0
}

fn trim_start(bytes: &[u8]) -> &[u8] {
    let start = bytes.iter().position(|byte| !is_blank(*byte)).unwrap_or(bytes.len());
    &bytes[start..]
}

fn trim_end(bytes: &[u8]) -> &[u8] {
    let end = bytes.iter().rposition(|byte| !is_blank(*byte)).map_or(0, |last| last + 1);
    &bytes[..end]
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use std::path::Path;
    use std::process::{Command, Output};

    use proptest::prelude::*;

    use super::*;

    fn head(content: &[u8]) -> [u8; HEAD] {
        let mut head = [0; HEAD];
        let length = content.len().min(HEAD);
        head[..length].copy_from_slice(&content[..length]);
        head
    }

    fn line(interpreter: &str, argument: Option<&str>) -> Hashbang {
        Hashbang::Line(Line { interpreter: interpreter.into(), argument: argument.map(Into::into) })
    }

    #[test]
    fn one_interpreter_and_one_argument() {
        assert_eq!(parse(&head(b"#!/bin/x\n")), line("/bin/x", None));
        assert_eq!(parse(&head(b"#! \t/bin/x  a b \t\nrest")), line("/bin/x", Some("a b")));
        assert_eq!(parse(&head(b"#!/usr/bin/env node\r\n")), line("/usr/bin/env", Some("node\r")));
        assert_eq!(parse(&head(b"#!/bin/x")), line("/bin/x", None), "a file without an end of the line");
        assert_eq!(parse(&head(b"#!/bin/x ")), line("/bin/x", Some("")), "and with a blank at the end");
    }

    #[test]
    fn what_is_no_script() {
        assert_eq!(parse(&head(b"")), Hashbang::None);
        assert_eq!(parse(&head(b"#")), Hashbang::None);
        assert_eq!(parse(&head(b"# !/bin/x\n")), Hashbang::None);
        assert_eq!(parse(&head(b"#!\n")), Hashbang::Broken);
        assert_eq!(parse(&head(b"#!")), Hashbang::Broken);
        assert_eq!(parse(&head(&[b"#!/".as_slice(), &[b'a'; 300]].concat())), Hashbang::Broken, "cut off");
    }

    #[test]
    fn a_long_argument_is_cut_off() {
        let Hashbang::Line(line) = parse(&head(&[b"#!/bin/x ".as_slice(), &[b'a'; 300]].concat())) else {
            panic!()
        };
        assert_eq!(line.argument.unwrap().len(), HEAD - 1 - b"#!/bin/x ".len());
    }

    /// Runs a fresh file. Another thread's fork may hold it open for writing for a moment: ETXTBSY is no answer.
    fn execute(path: &Path) -> std::io::Result<Output> {
        loop {
            match Command::new(path).output() {
                Err(error) if error.raw_os_error() == Some(libc::ETXTBSY) => std::thread::yield_now(),
                answer => return answer,
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

        /// `/bin/echo` as the interpreter prints its argument and the script's path: the kernel's own reading.
        #[test]
        fn the_kernel_reads_it_the_same_way(
            lead in "[ \t]{0,3}",
            gap in "[ \t]{0,3}",
            argument in prop_oneof!["[a-z \t\r]{0,20}", "[a-z ]{230,260}"],
            end in prop_oneof![Just("\n"), Just(""), Just("\nmore\n"), Just("\0")],
        ) {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("script");
            let content = format!("#!{lead}/bin/echo{gap}{argument}{end}");
            fs::write(&path, &content).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
            let answer = execute(&path);
            match parse(&head(content.as_bytes())) {
                Hashbang::Line(line) if line.interpreter == Path::new("/bin/echo") => {
                    let mut expected = line.argument.map_or(Vec::new(), |mut argument| {
                        argument.push(" ");
                        argument.into_encoded_bytes()
                    });
                    expected.extend_from_slice(path.as_os_str().as_bytes());
                    expected.push(b'\n');
                    prop_assert_eq!(answer.unwrap().stdout, expected);
                }
                // Another interpreter, which does not exist, or none at all.
                _ => prop_assert!(answer.is_err()),
            }
        }
    }

    #[test]
    fn the_kernel_nests_as_deep_as_we_say() {
        let folder = tempfile::tempdir().unwrap();
        let mut interpreter = PathBuf::from("/bin/echo");
        for depth in 1..=MAX_NESTED + 2 {
            let path = folder.path().join(format!("script{depth}"));
            fs::write(&path, format!("#!{}\n", interpreter.display())).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
            assert_eq!(execute(&path).is_ok(), depth <= MAX_NESTED, "{depth} scripts in a row");
            interpreter = path;
        }
    }
}
