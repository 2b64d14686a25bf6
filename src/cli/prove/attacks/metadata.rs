//! What Landlock does not know: modes, owners, times, attributes, watches.

use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{PermissionsExt as _, chown};

use nix::fcntl::AT_FDCWD;
use nix::sys::stat::{UtimensatFlags, utimensat};
use nix::sys::time::TimeSpec;

use crate::cli::prove::attacks::{Attack, EPERM, never, path};
use crate::cli::prove::mission::Mission;
use crate::policy::grant::Access::{Read, Write};
use crate::sys::hostile;

pub(super) const ATTACKS: &[Attack] = &[
    path("chmod-outside", "makes the key readable for everybody", Write, Mission::key, |it| {
        fs::set_permissions(it.key(), Permissions::from_mode(0o644)).map(|()| "mode 0644".into())
    }),
    path(
        "chown-outside",
        "gives a file outside to a group",
        Write,
        |it| it.home.join("owned"),
        |it| {
            chown(it.home.join("owned"), None, Some(nix::unistd::getgid().as_raw()))
                .map(|()| "it was given".into())
        },
    ),
    path(
        "touch-outside",
        "changes the times of a file outside",
        Write,
        |it| it.home.join("timed"),
        |it| {
            let path = it.home.join("timed");
            let now = TimeSpec::UTIME_NOW;
            utimensat(AT_FDCWD, &path, &now, &now, UtimensatFlags::FollowSymlink).map_err(io::Error::from)?;
            Ok("it is new".into())
        },
    ),
    path(
        "attribute-outside",
        "sets an attribute of a file outside",
        Write,
        |it| it.home.join("owned"),
        |it| {
            hostile::set_attribute(it.home.join("owned").as_os_str().as_bytes()).map(|()| "it is set".into())
        },
    ),
    path(
        "watch-outside",
        "watches what happens in a folder outside",
        Read,
        |it| it.home.clone(),
        |it| hostile::watch(it.home.as_os_str().as_bytes()).map(|()| "it is watched".into()),
    ),
    never("set-user-id", "sets a set-user-ID bit on its own file", EPERM, |_| {
        let own = std::env::temp_dir().join("set-user-id");
        File::create(&own)?;
        fs::set_permissions(&own, Permissions::from_mode(0o4755))?;
        match own.metadata()?.permissions().mode() & 0o4000 {
            0 => Err(io::Error::other("the bit was taken off again")),
            _ => Ok("it has the bit".into()),
        }
    }),
];
