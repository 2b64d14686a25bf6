//! `packaging-pages FOLDER`: writes the man pages of every command into FOLDER.
//!
//! They are made of the command line's own definition, which is also what `--help` prints. Only scripts/release.sh runs
//! this: the program itself carries no man pages and no crate for them.

#![allow(clippy::print_stderr, reason = "a program of the packaging tells its errors there")]

use std::path::PathBuf;
use std::process::ExitCode;
use std::{env, fs, io};

use clap::Command;

fn main() -> ExitCode {
    let [Some(folder), None] = [env::args_os().nth(1), env::args_os().nth(2)] else {
        eprintln!("usage: packaging-pages FOLDER");
        return ExitCode::from(64);
    };
    match write(PathBuf::from(folder)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("packaging-pages: {error}");
            ExitCode::FAILURE
        }
    }
}

fn write(folder: PathBuf) -> io::Result<()> {
    fs::create_dir_all(&folder)?;
    // What is built knows its whole name, which its page bears.
    let mut root = caponier::cli::command().disable_help_subcommand(true);
    root.build();
    let mut ahead = vec![("caponier".to_owned(), root)];
    while let Some((name, command)) = ahead.pop() {
        for below in command.get_subcommands().filter(|below| !below.is_hide_set()) {
            ahead.push((format!("{name}-{}", below.get_name()), below.clone()));
        }
        fs::write(folder.join(format!("{name}.1")), page(&name, command)?)?;
    }
    Ok(())
}

fn page(name: &str, command: Command) -> io::Result<Vec<u8>> {
    let mut page = Vec::new();
    let source = format!("caponier {}", env!("CARGO_PKG_VERSION"));
    let title = name.to_uppercase();
    clap_mangen::Man::new(command).title(title).source(source).manual("caponier").render(&mut page)?;
    Ok(page)
}
