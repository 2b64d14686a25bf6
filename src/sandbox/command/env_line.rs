//! What `env` is told by a `#!` line: `#!/usr/bin/env NAME`, `#!/usr/bin/env -S [VARIABLE=VALUE…] NAME [ARG…]`.
//!
//! The name is what matters: it is a program that has to be granted. A line that would change how the name is looked
//! up, or that holds an expansion, is refused rather than guessed at. Rests on `env(1)` of GNU coreutils.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

/// Why the name cannot be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unclear {
    /// No program is named.
    #[error("names no program")]
    NoProgram,
    /// An option other than `-S`.
    #[error("has an option of env that changes more than the arguments")]
    Option,
    /// A variable that decides where the program is found.
    #[error("sets PATH")]
    Path,
    /// `$`, a backslash, a comment, a quote without its end, or `=VALUE`.
    #[error("has an expansion, an escape, an open quote or a variable without a name")]
    Expansion,
}

/// The program that `env` executes for the argument of a `#!` line.
///
/// # Errors
/// When the line names none, or what it names cannot be told without running it.
pub(super) fn program(argument: Option<&OsStr>) -> Result<OsString, Unclear> {
    let argument = argument.ok_or(Unclear::NoProgram)?.as_bytes();
    let split = [b"-S".as_slice(), b"--split-string=", b"-vS"]
        .iter()
        .find_map(|option| argument.strip_prefix(*option));
    let words = match split {
        Some(string) => split_string(string)?,
        // Without -S, all of it is one word, blanks and all.
        None => vec![argument.to_vec()],
    };
    for word in words {
        if word.starts_with(b"-") {
            return Err(Unclear::Option);
        }
        match word.iter().position(|byte| *byte == b'=') {
            None => return Ok(OsString::from_vec(word)),
            Some(0) => return Err(Unclear::Expansion),
            Some(4) if word.starts_with(b"PATH") => return Err(Unclear::Path),
            Some(_) => {}
        }
    }
    Err(Unclear::NoProgram)
}

/// Words between blanks, with quotes and without expansion.
fn split_string(string: &[u8]) -> Result<Vec<Vec<u8>>, Unclear> {
    let mut words = Vec::new();
    let mut word: Option<Vec<u8>> = None;
    let mut quote = None;
    for &byte in string {
        match (quote, byte) {
            (_, b'\\') => return Err(Unclear::Expansion),
            (Some(open), _) if byte == open => quote = None,
            (None, b'$') | (Some(b'"'), b'$') => return Err(Unclear::Expansion),
            (Some(_), _) => word.get_or_insert_default().push(byte),
            (None, b'#') if word.is_none() => return Err(Unclear::Expansion),
            (None, b' ' | b'\t' | b'\r' | 0x0b | 0x0c) => words.extend(word.take()),
            (None, b'"' | b'\'') => {
                quote = Some(byte);
                word.get_or_insert_default();
            }
            (None, _) => word.get_or_insert_default().push(byte),
        }
    }
    if quote.is_some() {
        return Err(Unclear::Expansion);
    }
    words.extend(word);
    Ok(words)
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use proptest::prelude::*;

    use super::*;

    fn name(argument: &str) -> Result<String, Unclear> {
        program(Some(OsStr::new(argument))).map(|name| name.into_string().unwrap())
    }

    #[test]
    fn the_name_is_the_first_word_that_is_not_env_s() {
        for (argument, expected) in [
            ("node", "node"),
            ("node --flag", "node --flag"),
            ("-S node --flag", "node"),
            ("-Snode", "node"),
            ("--split-string=uv run --script", "uv"),
            ("-S  NODE_OPTIONS=--x A=  'my node' -e", "my node"),
            ("-S \"no\"'de'", "node"),
        ] {
            assert_eq!(name(argument).as_deref(), Ok(expected), "{argument}");
        }
    }

    #[test]
    fn what_cannot_be_told_is_refused() {
        assert_eq!(program(None), Err(Unclear::NoProgram));
        for (argument, expected) in [
            ("A=B", Unclear::NoProgram),
            ("-S", Unclear::NoProgram),
            ("-i", Unclear::Option),
            ("-S -i node", Unclear::Option),
            ("-S -u HOME node", Unclear::Option),
            ("-S PATH=/evil node", Unclear::Path),
            ("-S ${HOME}/node", Unclear::Expansion),
            ("-S \"$X\"", Unclear::Expansion),
            ("-S no\\c", Unclear::Expansion),
            ("-S 'node", Unclear::Expansion),
            ("-S # node", Unclear::Expansion),
        ] {
            assert_eq!(name(argument), Err(expected), "{argument}");
        }
        assert_eq!(name("-S PATHS=x node").as_deref(), Ok("node"));
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

        /// The letters are such that no word is a program: env executes `echo`, or finds nothing.
        #[test]
        fn env_splits_the_same_way(string in "[ZQ\"' \t=$#-]{0,12}") {
            let argument = format!("-SA=B {string} /bin/echo END");
            let output = Command::new("/usr/bin/env").arg(&argument).env("PATH", "/usr/bin:/bin").output().unwrap();
            match name(&argument) {
                Ok(found) if found == "/bin/echo" => {
                    prop_assert!(output.status.success());
                    prop_assert!(output.stdout.ends_with(b"END\n"));
                }
                Ok(_) => prop_assert_eq!(output.status.code(), Some(127)),
                Err(_) => {}
            }
        }
    }
}
