//! Where the program under test and its peers are.

use std::path::{Path, PathBuf};

/// The folder that `scripts/peers.sh` fills: `CAPONIER_PEERS`, or `.peers` beside Cargo.toml.
pub(crate) fn folder() -> PathBuf {
    let folder = std::env::var_os("CAPONIER_PEERS")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join(".peers"), PathBuf::from);
    let stamp = folder.join("stamp");
    assert!(stamp.is_file(), "{} is not there: run scripts/peers.sh first", stamp.display());
    folder
}

/// A script of these tests.
pub(crate) fn driver(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/investigation/drivers").join(name)
}

/// The program under test: `CAPONIER_BIN`, or the one that cargo built with these tests.
pub(crate) fn caponier() -> PathBuf {
    std::env::var_os("CAPONIER_BIN")
        .map_or_else(|| PathBuf::from(env!("CARGO_BIN_EXE_caponier")), PathBuf::from)
}
