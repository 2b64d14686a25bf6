//! C programs, compiled when a test first needs one.
//!
//! They are linked statically, so that a program needs no grant but itself. The file name carries a digest of the
//! sources: a later run finds it again, a changed source never runs in its old form.

use std::fs;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use sha2::{Digest, Sha256};

/// Attacks, and what they need around them.
pub(crate) fn attack(name: &str) -> PathBuf {
    compiled(&sources("tests/escape/attacks"), name)
}

/// Servers, clients and launchers for the other tests.
pub(crate) fn program(name: &str) -> PathBuf {
    compiled(&sources("tests/pen/programs"), name)
}

/// Clients and attackers of the network tests.
pub(crate) fn network(name: &str) -> PathBuf {
    compiled(&sources("tests/network/programs"), name)
}

/// The same, with musl as their C library.
pub(crate) fn musl(name: &str) -> PathBuf {
    compiled_by("musl-gcc", &sources("tests/network/programs"), name)
}

fn sources(folder: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)
}

/// Fails with the cure when a tool that these tests rest on is missing.
pub(crate) fn require(tool: &str) {
    let found = Command::new(tool).arg("--version").output().is_ok_and(|output| output.status.success());
    assert!(found, "`{tool}` is missing, and these tests prove nothing without it: run scripts/peers.sh");
}

fn compiled(folder: &Path, name: &str) -> PathBuf {
    compiled_by("cc", folder, name)
}

fn compiled_by(compiler: &str, folder: &Path, name: &str) -> PathBuf {
    let source = folder.join(format!("{name}.c"));
    let header = sources("tests/escape/attacks/attack.h");
    let mut digest = Sha256::new();
    for file in [&source, &header] {
        digest.update(fs::read(file).unwrap_or_else(|error| panic!("{}: {error}", file.display())));
    }
    let digest: String = digest.finalize().iter().take(6).map(|byte| format!("{byte:02x}")).collect();
    let binary = binaries().join(format!("{name}-{compiler}-{digest}"));
    if binary.exists() {
        return binary;
    }
    require(compiler);
    // Tests run side by side, in threads and in processes: each may build its own, and the first one to be linked stays.
    // It must never be replaced: a pen grants the file that it found, not the name.
    let fresh = tempfile::Builder::new().prefix(name).tempfile_in(binaries()).expect("a file for the linker");
    let output = Command::new(compiler)
        .args(["-std=gnu11", "-O1", "-Wall", "-Wextra", "-Werror", "-static", "-pthread", "-I"])
        .arg(sources("tests/escape/attacks"))
        .arg("-o")
        .arg(fresh.path())
        .arg(&source)
        .output()
        .expect("the compiler runs");
    assert!(output.status.success(), "{}:\n{}", source.display(), String::from_utf8_lossy(&output.stderr));
    fs::set_permissions(fresh.path(), fs::Permissions::from_mode(0o755)).expect("mode");
    // The file is closed before it is run: a descriptor still open for writing would be ETXTBSY.
    let fresh = fresh.into_temp_path();
    match fs::hard_link(&fresh, &binary) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
            panic!("{}: {error}", binary.display())
        }
        _ => binary,
    }
}

/// Where compiled programs are kept: with cargo's own output, or, when that belongs to somebody else (the same build
/// is tested as root and as an ordinary user), in a folder of this user's.
fn binaries() -> PathBuf {
    let uid = nix::unistd::geteuid();
    for base in [Path::new(env!("CARGO_TARGET_TMPDIR")), Path::new("/var/tmp"), &std::env::temp_dir()] {
        let folder = base.join(format!("caponier-attacks-{uid}"));
        let _ = fs::DirBuilder::new().mode(0o700).create(&folder);
        // Another user could have planted the folder: it must be ours alone.
        let ours = fs::symlink_metadata(&folder)
            .is_ok_and(|found| found.is_dir() && found.uid() == uid.as_raw() && found.mode() & 0o077 == 0);
        if ours {
            return folder;
        }
    }
    panic!("no folder for compiled programs");
}
