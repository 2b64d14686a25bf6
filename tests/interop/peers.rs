//! Where the real servers and clients are that `scripts/peers.sh` installs.
//!
//! `CAPONIER_PEERS` names their folder; the default is `.peers` beside Cargo.toml. A test that needs them fails when
//! they are not there: an interoperability that was not tried is not one.

use std::path::{Path, PathBuf};

/// The folder of the peers, checked to be complete.
pub(crate) fn folder() -> PathBuf {
    let folder = std::env::var_os("CAPONIER_PEERS")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join(".peers"), PathBuf::from);
    let stamp = folder.join("stamp");
    assert!(stamp.is_file(), "{} is not there: run scripts/peers.sh first", stamp.display());
    folder
}

/// The program under test: `CAPONIER_BIN`, or the one that cargo built with these tests.
pub(crate) fn caponier() -> PathBuf {
    std::env::var_os("CAPONIER_BIN")
        .map_or_else(|| PathBuf::from(env!("CARGO_BIN_EXE_caponier")), PathBuf::from)
}

/// The first `name` on PATH, as a client would find it.
pub(crate) fn program(name: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file());
    found.unwrap_or_else(|| panic!("{name} is not on PATH"))
}

/// The entry point of an npm server, by the part of its name after `server-`.
pub(crate) fn npm_server(name: &str) -> PathBuf {
    folder().join(format!("npm/servers/node_modules/@modelcontextprotocol/server-{name}/dist/index.js"))
}

/// The python of the environment that holds the PyPI servers.
pub(crate) fn python_of_servers() -> PathBuf {
    folder().join("python/servers/bin/python")
}
