//! Byte equality: client → recorder → caponier → recorder → server, and the two records are compared.
//!
//! The recorder (`tee.rs`, an example of this package, built with the tests) writes what it passes on to two files,
//! one for each direction. The inner one runs in the pen, as the server's parent, so the profile gets a few grants
//! more than it ships with.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;

use crate::clients::Client;
use crate::peers;
use crate::servers::{Server, Stage};

/// The recorder, beside the test binaries.
fn tee() -> PathBuf {
    let deps = std::env::current_exe().unwrap();
    let tee = deps.ancestors().nth(2).unwrap().join("examples/interop-tee");
    assert!(
        tee.is_file(),
        "{} is not there: `cargo build --examples` makes it, `cargo test --test` does not",
        tee.display()
    );
    tee
}

/// Runs the pair once and asserts that neither direction was changed by a byte.
pub(crate) fn assert_same_bytes(client: Client, server: Server) {
    let stage = Stage::set(server);
    let (outer, inner) = (stage.path().join("outer"), stage.path().join("inner"));
    let bare = server.command(&stage);

    let mut penned: Vec<OsString> = vec![peers::caponier().into(), "run".into()];
    let served = if server == Server::Git { "--write" } else { "--read" };
    for (option, value) in [
        ("--profile", server.profile().into()),
        ("--exec", tee()),
        ("--exec", bare[0].clone()),
        ("--read", peers::folder()),
        ("--write", inner.clone()),
        (served, stage.workspace()),
    ] {
        penned.extend([option.into(), value.into_os_string()]);
    }
    // Relative: an absolute path would become a grant where the profile says that arguments are paths.
    penned.extend(["--".into(), tee().into(), "../inner".into()]);

    for (folder, command) in [(&outer, &penned), (&inner, &bare.into_iter().map(OsString::from).collect())] {
        fs::create_dir(folder).unwrap();
        fs::write(folder.join("command"), command.join(OsStr::new("\0")).as_bytes()).unwrap();
    }
    let command = [tee().into_os_string(), outer.clone().into()];
    client.drive(server, &stage, &command);

    for direction in ["to-server", "to-client"] {
        let outside = fs::read(outer.join(direction)).unwrap();
        let inside = fs::read(inner.join(direction)).unwrap();
        assert!(outside.ends_with(b"\n"), "{server:?} {direction}: nothing whole was recorded");
        if outside != inside {
            let at = outside.iter().zip(&inside).take_while(|(a, b)| a == b).count();
            panic!(
                "{server:?} {direction}: {} bytes outside, {} inside, different from byte {at}:\n  outside {}\n  inside  {}",
                outside.len(),
                inside.len(),
                excerpt(&outside, at),
                excerpt(&inside, at)
            );
        }
    }
}

fn excerpt(bytes: &[u8], at: usize) -> String {
    let end = bytes.len().min(at + 120);
    bytes[at.saturating_sub(40)..end].escape_ascii().to_string()
}
