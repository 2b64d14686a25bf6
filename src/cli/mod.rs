//! The command line: arguments in, reports and exit status out.

pub mod diagnostic;
pub mod profile;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

use crate::policy::directories::Directories;

#[derive(Parser)]
#[command(name = "caponier", version)]
enum Command {
    /// Work with profiles
    Profile(profile::ProfileArgs),
}

/// Runs the program.
pub fn main() -> ExitCode {
    let Command::Profile(args) = Command::parse();
    let under = |variable: &str, fallback: &str| {
        let home = PathBuf::from(std::env::var_os("HOME").unwrap_or_default());
        std::env::var_os(variable).map_or_else(|| home.join(fallback), PathBuf::from).join("caponier")
    };
    let state = under("XDG_STATE_HOME", ".local/state");
    let dirs = Directories {
        config: under("XDG_CONFIG_HOME", ".config"),
        data: under("XDG_DATA_HOME", ".local/share"),
        runtime: std::env::var_os("XDG_RUNTIME_DIR")
            .map_or_else(|| state.join("run"), |dir| PathBuf::from(dir).join("caponier")),
        state,
    };
    profile::run(args, &dirs)
}
