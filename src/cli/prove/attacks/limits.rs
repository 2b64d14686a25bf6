//! Limits that the profile sets: one more than it allows.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt as _;

use crate::cli::prove::attacks::{Attack, On, Silent, never};
use crate::cli::prove::mission::Mission;
use crate::sys::hostile;
use crate::sys::process::{self, Fork};

/// Limits beyond these take longer than a moment to reach, and are not tried.
pub(super) const MOST_PROCESSES: u32 = 256;
pub(super) const MOST_FILES: u64 = 16_384;

pub(super) const ATTACKS: &[Attack] = &[
    never("many-files", "opens more files than its limit", &["EMFILE"], many_files)
        .on(On::Limit(|it| it.limits.open_files.is_some_and(|most| most <= MOST_FILES)))
        .silent(Silent::Limit),
    never("long-file", "writes a longer file than its limit", &["EFBIG"], long_file)
        .on(On::Limit(|it| it.limits.file_size.is_some()))
        .silent(Silent::Limit),
    never("much-memory", "takes more memory than its limit", &["ENOMEM"], |it| {
        let most = it.limits.memory.unwrap_or_default();
        let most = usize::try_from(most).map_err(io::Error::other)?;
        hostile::map(most.saturating_add(1 << 20)).map(|()| "it has it".into())
    })
    .on(On::Limit(|it| it.limits.memory.is_some()))
    .silent(Silent::Limit),
    never("many-processes", "starts more processes than its limit", &["EAGAIN"], many_processes)
        .on(On::Limit(|it| it.limits.processes.is_some_and(|most| most <= MOST_PROCESSES))),
];

fn many_files(mission: &Mission) -> io::Result<String> {
    hostile::raise_limit(libc::RLIMIT_NOFILE)?;
    let most = usize::try_from(mission.limits.open_files.unwrap_or_default()).map_err(io::Error::other)?;
    let (one, _) = io::pipe()?;
    let one = OwnedFd::from(one);
    let files = (0..=most).map(|_| one.try_clone()).collect::<io::Result<Vec<_>>>()?;
    Ok(format!("{} at once", files.len()))
}

fn long_file(mission: &Mission) -> io::Result<String> {
    hostile::ignore(libc::SIGXFSZ);
    let most = mission.limits.file_size.unwrap_or_default();
    let path = std::env::temp_dir().join("long-file");
    let file = File::create(&path)?;
    let written = file.write_at(&[0], most);
    let _ = std::fs::remove_file(path);
    written.map(|_| format!("{} bytes", most.saturating_add(1)))
}

fn many_processes(mission: &Mission) -> io::Result<String> {
    let most = mission.limits.processes.unwrap_or_default();
    let mut children = Vec::new();
    let mut outcome = Ok(format!("{} at once", most.saturating_add(1)));
    for _ in 0..=most {
        match process::fork() {
            Ok(Fork::Child) => loop {
                nix::unistd::pause();
            },
            Ok(Fork::Parent(pid)) => children.push(pid),
            Err(error) => {
                outcome = Err(error);
                break;
            }
        }
    }
    for pid in children {
        process::signal(pid, libc::SIGKILL)?;
    }
    while process::reap(true).is_ok() {}
    outcome
}
