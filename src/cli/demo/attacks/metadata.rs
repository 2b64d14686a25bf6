//! Attacks on what Landlock does not know: modes of files.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::cli::demo::attacks::{Answer, Attack, file};
use crate::policy::reason::Reason;

pub(super) const ATTACKS: &[Attack] = &[
    Attack {
        tool: "open_ssh_key",
        title: "makes the key readable for everybody",
        run: |victim, _| change_mode(&victim.key(), 0o666),
        answer: Answer::Errno("EACCES"),
        record: file("metadata", Reason::FsMetadata),
        refused_anyway: &[],
    },
    Attack {
        tool: "set_user_id",
        title: "sets a set-user-ID bit in notes",
        run: |victim, _| {
            let tool = victim.notes().join("tool");
            fs::write(&tool, "")?;
            change_mode(&tool, 0o4755)
        },
        answer: Answer::Errno("EPERM"),
        record: file("metadata", Reason::FsMetadataPrivileged),
        refused_anyway: &[],
    },
];

fn change_mode(path: &Path, mode: u32) -> io::Result<String> {
    fs::set_permissions(path, Permissions::from_mode(mode))?;
    Ok(format!("mode {:04o} now", path.metadata()?.permissions().mode() & 0o7777))
}
