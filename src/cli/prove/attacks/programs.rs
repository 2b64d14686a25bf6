//! Programs that the profile does not name: a shell, one that lies about, one that the server wrote itself, in a file
//! and without one.

use std::ffi::CString;
use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use nix::sys::memfd::{MFdFlags, memfd_create};

use crate::cli::demo::attacks::exit_zero;
use crate::cli::prove::attacks::files::writable;
use crate::cli::prove::attacks::{Attack, EACCES, never, path};
use crate::cli::prove::mission::Mission;
use crate::policy::grant::Access::Execute;
use crate::sys::{hostile, process};

pub(super) const ATTACKS: &[Attack] = &[
    path(
        "run-shell",
        "runs /bin/sh -c",
        Execute,
        |_| PathBuf::from("/bin/sh"),
        |_| become_program(Path::new("/bin/sh"), &["sh", "-c", "exit 0"]),
    ),
    path("run-program", "runs a program that lies about", Execute, tool, |it| {
        become_program(&tool(it), &["tool"])
    }),
    never("run-own-program", "writes a program and runs it", EACCES, |it| {
        let own = writable(it).join("own-program");
        let mut file = OpenOptions::new().create_new(true).write(true).mode(0o755).open(&own)?;
        file.write_all(&exit_zero())?;
        drop(file);
        become_program(&own, &["own"])
    }),
    never("run-from-memory", "runs a program from memory (memfd)", &["EPERM", "EACCES"], |_| {
        let memory = memfd_create(c"own", MFdFlags::MFD_CLOEXEC).map_err(io::Error::from)?;
        let mut file = std::fs::File::from(memory);
        file.write_all(&exit_zero())?;
        Err(hostile::execute_descriptor(file.as_fd()))
    }),
];

fn tool(mission: &Mission) -> PathBuf {
    mission.home.join("bin/tool")
}

/// Becomes this program; whoever waits sees how that ends.
fn become_program(path: &Path, words: &[&str]) -> io::Result<String> {
    let path = CString::new(path.as_os_str().as_bytes())?;
    let words = words.iter().map(|word| CString::new(*word)).collect::<Result<Vec<_>, _>>()?;
    Err(process::execute(&path, &words, &[]))
}
