//! scripts/release.sh, from a program that is there: the same bytes twice, a Debian package that unpacks to a program that
//! runs, man pages that man reads, and completions that bash takes.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod pen;

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use pen::launch;
use pen::program::require;

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The writer of the man pages, beside the test binaries.
fn pages() -> PathBuf {
    let own = std::env::current_exe().unwrap();
    let pages = own.ancestors().nth(2).unwrap().join("examples/packaging-pages");
    assert!(pages.is_file(), "{} is not there: `cargo build --examples` makes it", pages.display());
    pages
}

fn run(command: &mut Command) -> String {
    let done = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let (out, err) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    assert!(done.status.success(), "{command:?}: {}\n{out}{err}", done.status);
    out.into_owned()
}

/// Packs into a folder, and gives the checksums.
fn packed(output: &Path, umask: &str) -> String {
    let mut command = Command::new("/bin/sh");
    command.arg("-c").arg(format!("umask {umask}; exec \"$@\"")).arg("sh");
    command.arg(repository().join("scripts/release.sh"));
    command.arg("--program").arg(launch::binary()).arg("--pages").arg(pages()).arg("--output").arg(output);
    // 1 January 2026: nothing in a package is younger.
    command.env("SOURCE_DATE_EPOCH", "1767225600").current_dir("/");
    run(&mut command)
}

/// Names below a folder, relative to it.
fn names(folder: &Path, prefix: &str, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let name = format!("{prefix}{}", entry.file_name().to_str().unwrap());
        if entry.file_type().unwrap().is_dir() {
            names(&entry.path(), &format!("{name}/"), found);
        } else {
            found.insert(name);
        }
    }
}

/// Every page that there must be: one for each command that is shown.
fn wanted_pages(command: &clap::Command, name: &str, found: &mut BTreeSet<String>) {
    found.insert(name.to_owned());
    for below in command.get_subcommands().filter(|below| !below.is_hide_set()) {
        wanted_pages(below, &format!("{name}-{}", below.get_name()), found);
    }
}

#[test]
fn the_packages_are_the_same_twice_and_work() {
    for tool in ["dpkg-deb", "man", "strip", "gzip", "xz"] {
        require(tool);
    }
    let scratch = tempfile::tempdir().unwrap();
    let at = |path: &str| scratch.path().join(path);
    let (first, second) = (packed(&at("first"), "022"), packed(&at("second"), "077"));
    assert_eq!(first, second, "two packings of one program");
    assert_eq!(first.lines().count(), 2, "{first}");

    let version = env!("CARGO_PKG_VERSION");
    let deb = at(&format!("first/caponier_{version}-1_amd64.deb"));
    run(Command::new("dpkg-deb").arg("--extract").arg(&deb).arg(at("root")));
    let root = at("root");
    let shown = run(Command::new("dpkg-deb").arg("--field").arg(&deb));
    for line in ["Package: caponier", &format!("Version: {version}-1"), "Architecture: amd64"] {
        assert!(shown.lines().any(|found| found == line), "no {line:?} in\n{shown}");
    }
    let contents = run(Command::new("dpkg-deb").arg("--contents").arg(&deb));
    for line in contents.lines() {
        assert!(line.contains(" root/root "), "{line}");
        assert!(line.contains("2026-01-01"), "{line}");
        let mode = line.split(' ').next().unwrap();
        assert!(["drwxr-xr-x", "-rwxr-xr-x", "-rw-r--r--"].contains(&mode), "{line}");
    }

    let program = root.join("usr/bin/caponier");
    assert_eq!(run(Command::new(&program).arg("--version")), format!("caponier {version}\n"));
    assert!(run(Command::new(&program).args(["profile", "list"])).contains("filesystem"));

    the_man_pages_are_read(&root.join("usr/share/man/man1"));
    let script = root.join("usr/share/bash-completion/completions/caponier");
    run(Command::new("bash").arg("-c").arg("source \"$0\" && complete -p caponier").arg(script));

    let doc = root.join("usr/share/doc/caponier");
    for file in ["copyright", "LICENSE-MIT", "LICENSE-APACHE", "README.md", "CHANGELOG.md", "docs/CLI.md"] {
        assert!(fs::metadata(doc.join(file)).unwrap().size() > 0, "{file}");
    }
    // A profile's first line leads to the schema in the package, too.
    let profile = doc.join("profiles/runtime/node.toml");
    let text = fs::read_to_string(&profile).unwrap();
    let schema = text.lines().next().unwrap().strip_prefix("#:schema ").unwrap();
    assert!(profile.parent().unwrap().join(schema).is_file(), "{schema}");

    let tarball = at(&format!("first/caponier-{version}-x86_64-linux.tar.gz"));
    run(Command::new("tar")
        .arg("--extract")
        .arg("--file")
        .arg(tarball)
        .arg("--directory")
        .arg(scratch.path()));
    let tree = at(&format!("caponier-{version}-x86_64-linux"));
    assert_eq!(run(Command::new(tree.join("caponier")).arg("--version")), format!("caponier {version}\n"));
    assert_eq!(fs::metadata(tree.join("caponier")).unwrap().permissions().mode() & 0o777, 0o755);
    let (mut found, mut pages) = (BTreeSet::new(), BTreeSet::new());
    names(&tree, "", &mut found);
    for file in [
        "LICENSE-MIT",
        "LICENSE-APACHE",
        "completions/_caponier",
        "docs/profile.schema.json",
        "profiles/git.toml",
    ] {
        assert!(found.contains(file), "{file}: {found:#?}");
    }
    wanted_pages(&caponier::cli::command(), "caponier", &mut pages);
    for page in pages {
        assert!(found.contains(&format!("man/{page}.1")), "{page}: {found:#?}");
    }
}

/// Each page formats without a complaint, and says what `--help` says.
fn the_man_pages_are_read(folder: &Path) {
    let mut pages = BTreeSet::new();
    names(folder, "", &mut pages);
    assert!(pages.len() > 20, "{pages:?}");
    let read = |page: &str| {
        let mut command = Command::new("man");
        command.args(["--warnings", "--encoding=UTF-8", "--local-file"]).arg(folder.join(page));
        command.env_clear().env("PATH", "/usr/bin:/bin").env("LANG", "C.UTF-8").env("MANWIDTH", "100");
        command.env("MAN_KEEP_FORMATTING", "").env("HOME", folder);
        let done = command.output().unwrap();
        let complaints = String::from_utf8_lossy(&done.stderr).into_owned();
        assert!(done.status.success() && complaints.is_empty(), "{page}: {}\n{complaints}", done.status);
        String::from_utf8(done.stdout).unwrap()
    };
    for page in &pages {
        let text = read(page);
        let name = page.strip_suffix(".1.gz").unwrap();
        assert!(text.contains(name), "{page}:\n{text}");
    }
    let text = read("caponier-run.1.gz");
    for word in
        ["--profile", "--pass-env", "Examples:", "Exit status:", "127", "caponier run --profile filesystem"]
    {
        assert!(text.contains(word), "no {word:?} in\n{text}");
    }
}
