//! `packaging-pages FOLDER`: writes the man pages of every command into FOLDER.
//! `packaging-pages --licences < METADATA`: prints the licences of every crate that the program is made of, from what
//! `cargo metadata` says.
//!
//! The pages are made of the command line's own definition, which is also what `--help` prints. Only scripts/release.sh runs
//! this: the program itself carries no man pages and no crate for them.

#![allow(clippy::print_stderr, clippy::print_stdout, reason = "a program of the packaging")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::{env, fs, io};

use clap::Command;
use serde_json::Value;

fn main() -> ExitCode {
    let [Some(what), None] = [env::args_os().nth(1), env::args_os().nth(2)] else {
        eprintln!("usage: packaging-pages FOLDER | --licences");
        return ExitCode::from(64);
    };
    let done = if what == "--licences" { licences() } else { write(PathBuf::from(what)) };
    match done {
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
    let lesson = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    // It would stand under the heading EXTRA.
    let command = command.after_help(None::<&str>);
    clap_mangen::Man::new(command).title(title).source(source).manual("caponier").render(&mut page)?;
    page.extend(sections(&lesson).into_bytes());
    Ok(page)
}

/// `Examples:` and what follows as a section of a page, its lines as they are (man(7)); and so for each heading.
fn sections(lesson: &str) -> String {
    let mut roff = String::new();
    for line in lesson.lines() {
        let heading = line.strip_suffix(':').filter(|heading| !heading.starts_with(' '));
        if let Some(heading) = heading {
            let end = if roff.is_empty() { "" } else { ".fi\n" };
            roff.push_str(&format!("{end}.SH {}\n.nf\n", heading.to_uppercase()));
        } else if !line.is_empty() {
            // `\&`: no line is a request, whatever it begins with.
            roff.push_str(&format!("\\&{}\n", line.replace('\\', "\\e").replace('-', "\\-")));
        }
    }
    if !roff.is_empty() {
        roff.push_str(".fi\n");
    }
    roff
}

/// The texts as the crates bring them; a crate without one is named with where it comes from.
fn licences() -> io::Result<()> {
    let metadata: Value = serde_json::from_reader(io::stdin().lock())?;
    let packages: BTreeMap<&str, &Value> =
        list(&metadata["packages"]).iter().map(|package| (text(&package["id"]), package)).collect();
    for id in built(&metadata) {
        let package = packages[id];
        let (name, version) = (text(&package["name"]), text(&package["version"]));
        println!("{}\n{name} {version}: {}\n", "=".repeat(80), text(&package["license"]));
        let folder = Path::new(text(&package["manifest_path"])).parent().unwrap_or(Path::new("/"));
        let mut files: Vec<PathBuf> = fs::read_dir(folder)?.flatten().map(|entry| entry.path()).collect();
        files.retain(|file| is_licence(file));
        files.sort();
        if files.is_empty() {
            println!("(no text comes with it: {})\n", text(&package["repository"]));
        }
        for file in files {
            println!("{}\n", String::from_utf8_lossy(&fs::read(file)?).trim_end());
        }
    }
    Ok(())
}

fn is_licence(file: &Path) -> bool {
    let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_uppercase();
    file.is_file()
        && ["LICENSE", "LICENCE", "COPYING", "COPYRIGHT", "NOTICE", "UNLICENSE"]
            .iter()
            .any(|start| name.starts_with(start))
}

/// What the program is built of and with, ourselves not counted.
fn built(metadata: &Value) -> BTreeSet<&str> {
    let nodes: BTreeMap<&str, &Value> =
        list(&metadata["resolve"]["nodes"]).iter().map(|node| (text(&node["id"]), node)).collect();
    let root = text(&metadata["resolve"]["root"]);
    let (mut reached, mut ahead) = (BTreeSet::from([root]), vec![root]);
    while let Some(id) = ahead.pop() {
        for edge in list(&nodes[id]["deps"]) {
            let is_built = list(&edge["dep_kinds"]).iter().any(|kind| kind["kind"] != "dev");
            if is_built && reached.insert(text(&edge["pkg"])) {
                ahead.push(text(&edge["pkg"]));
            }
        }
    }
    reached.remove(root);
    reached
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
