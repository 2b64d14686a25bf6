//! scripts/release.sh, from a program that is there: the same bytes twice, from two folders; a Debian package that dpkg
//! installs, with a program that runs, man pages that man reads and completions that bash takes, and of which nothing is left
//! when it is removed; and what it does not release.

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

/// Packs what is in `sources` into a folder, and gives the checksums.
fn packed(sources: &Path, output: &Path, umask: &str) -> String {
    let mut command = Command::new("/bin/sh");
    command.arg("-c").arg(format!("umask {umask}; exec \"$@\"")).arg("sh");
    command.arg(sources.join("scripts/release.sh"));
    command.arg("--program").arg(launch::binary()).arg("--pages").arg(pages()).arg("--output").arg(output);
    // 1 January 2026: nothing in a package is younger.
    command.env("SOURCE_DATE_EPOCH", "1767225600").current_dir("/");
    run(&mut command)
}

/// All that is packed, elsewhere, as another user's hands leave it: other times, other modes.
fn copied(to: &Path) {
    fs::create_dir(to).unwrap();
    let all = [
        "CHANGELOG.md",
        "Cargo.toml",
        "LICENSE-APACHE",
        "LICENSE-MIT",
        "README.md",
        "SECURITY.md",
        "docs",
        "profiles",
        "scripts",
    ];
    for name in all {
        run(Command::new("cp").arg("-R").arg(repository().join(name)).arg(to));
    }
    run(Command::new("chmod").args(["-R", "g+w,o-r"]).arg(to.join("docs")));
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
    for tool in ["dpkg", "dpkg-deb", "man", "strip", "gzip", "xz"] {
        require(tool);
    }
    let scratch = tempfile::tempdir().unwrap();
    let at = |path: &str| scratch.path().join(path);
    copied(&at("elsewhere"));
    let first = packed(repository(), &at("first"), "022");
    let second = packed(&at("elsewhere"), &at("second"), "077");
    assert_eq!(first, second, "two packings of one program");
    run(Command::new("sha256sum").args(["--check", "--strict", "SHA256SUMS"]).current_dir(at("second")));
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

    it_is_installed_and_removed(&deb, &at("system"));

    let tarball = at(&format!("first/caponier-{version}-x86_64-linux.tar.gz"));
    let members = run(Command::new("tar").args(["--numeric-owner", "--utc", "-tvzf"]).arg(&tarball));
    for line in members.lines() {
        assert!(line.contains(" 0/0 ") && line.contains(" 2026-01-01 00:00 "), "{line}");
    }
    let order: Vec<&str> = members.lines().filter_map(|line| line.split(' ').next_back()).collect();
    assert!(order.is_sorted_by_key(|name| name.trim_end_matches('/').replace('/', "\0")), "{order:#?}");
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

/// dpkg itself, into a system of its own.
fn it_is_installed_and_removed(deb: &Path, system: &Path) {
    let admin = system.join("var/lib/dpkg");
    for folder in ["updates", "info"] {
        fs::create_dir_all(admin.join(folder)).unwrap();
    }
    for file in ["status", "available"] {
        fs::write(admin.join(file), "").unwrap();
    }
    let dpkg = |words: &[&str]| {
        let mut command = Command::new("dpkg");
        command.arg(format!("--root={}", system.display())).arg("--log=/dev/null");
        // The dynamically linked program of the tests names libraries that this system has not.
        command.args(["--force-not-root", "--force-depends"]).args(words);
        command.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        run(&mut command)
    };
    dpkg(&["--install", deb.to_str().unwrap()]);
    let status = dpkg(&["--status", "caponier"]);
    assert!(status.contains("\nStatus: install ok installed\n"), "{status}");
    let listed = dpkg(&["--listfiles", "caponier"]);
    let installed = |system: &Path| {
        let mut found = BTreeSet::new();
        names(system, "/", &mut found);
        found.retain(|name| !name.starts_with("/var/lib/dpkg/"));
        found
    };
    let there = installed(system);
    for file in [
        "/usr/bin/caponier",
        "/usr/share/man/man1/caponier.1.gz",
        "/usr/share/man/man1/caponier-client-wrap.1.gz",
        "/usr/share/bash-completion/completions/caponier",
        "/usr/share/zsh/vendor-completions/_caponier",
        "/usr/share/fish/vendor_completions.d/caponier.fish",
        "/usr/share/doc/caponier/changelog.Debian.gz",
    ] {
        assert!(there.contains(file) && listed.lines().any(|line| line == file), "{file}: {there:#?}");
    }
    assert!(there.iter().all(|file| file.starts_with("/usr/")), "{there:#?}");
    // What was packed is what lies there.
    dpkg(&["--verify", "caponier"]);
    let program = system.join("usr/bin/caponier");
    assert!(run(Command::new(program).arg("doctor")).starts_with("caponier "));
    dpkg(&["--purge", "caponier"]);
    assert_eq!(installed(system), BTreeSet::new());
    assert!(!system.join("usr/share/doc/caponier").exists() && !system.join("usr/bin/caponier").exists());
}

/// What is released is a commit: not what somebody was working on.
#[test]
fn what_is_not_committed_is_not_released() {
    require("git");
    let scratch = tempfile::tempdir().unwrap();
    let sources = scratch.path().join("sources");
    copied(&sources);
    let git = |words: &[&str]| {
        let mut command = Command::new("git");
        command.args(["-c", "user.name=nobody", "-c", "user.email=nobody@localhost"]).args(words);
        command.current_dir(&sources).env("HOME", scratch.path()).env("GIT_CONFIG_NOSYSTEM", "1");
        run(&mut command)
    };
    git(&["init", "--quiet"]);
    git(&["add", "--all"]);
    git(&["commit", "--quiet", "--message", "all"]);
    let tools = scratch.path().join("tools");
    fs::create_dir(&tools).unwrap();
    std::os::unix::fs::symlink("/bin/false", tools.join("cargo")).unwrap();
    let release = || {
        let mut command = Command::new(sources.join("scripts/release.sh"));
        // It does not come to a build: this cargo does none.
        command
            .env("PATH", format!("{}:/usr/bin:/bin", tools.display()))
            .env("HOME", scratch.path())
            .env("GIT_CONFIG_NOSYSTEM", "1");
        let done = command.output().unwrap();
        assert!(!done.status.success(), "{done:?}");
        String::from_utf8(done.stderr).unwrap()
    };
    assert!(!release().contains("committed"), "{}", release());
    fs::write(sources.join("docs/draft.md"), "").unwrap();
    let said = release();
    assert!(said.contains("not committed") && said.contains("docs/draft.md"), "{said}");
    assert!(!sources.join("target").exists());
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
    for word in [
        "--profile",
        "--pass-env",
        "\nEXAMPLES\n",
        "\nEXIT STATUS\n",
        "127",
        "caponier run --profile filesystem",
    ] {
        assert!(text.contains(word), "no {word:?} in\n{text}");
    }
}
