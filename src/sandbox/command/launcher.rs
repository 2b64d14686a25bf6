//! Commands that do not start a server but something that fetches and starts one.
//!
//! Package managers download code at every start, go through a shell, and share a cache that any server could poison;
//! container clients hand the work to a daemon that no sandbox of ours reaches. They are told apart here, so that the
//! refusal can say what to write instead.

use std::ffi::{OsStr, OsString};

use crate::sandbox::program::Program;

/// What would start the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Launcher {
    /// `npx`, `npm exec`.
    Npx,
    /// `pnpm dlx`, `pnpx`.
    PnpmDlx,
    /// `yarn dlx`.
    YarnDlx,
    /// `bunx`, `bun x`.
    Bunx,
    /// `uvx`, `uv tool run`.
    Uvx,
    /// `uv run`.
    UvRun,
    /// `pipx run`.
    PipxRun,
    /// `docker` and its like.
    Docker,
}

impl Launcher {
    /// By the name of the program or of the file behind it, and by its arguments where it has other uses.
    pub(super) fn detect(program: &Program, arguments: &[OsString]) -> Option<Launcher> {
        [&program.path, &program.target]
            .into_iter()
            .find_map(|path| Launcher::named(path.file_name()?.to_str()?, arguments))
    }

    /// Whether a program of this name hands its work to a container daemon.
    pub(super) fn is_container(name: &OsStr) -> bool {
        name.to_str().is_some_and(|name| Launcher::named(name, &[]) == Some(Launcher::Docker))
    }

    fn named(name: &str, arguments: &[OsString]) -> Option<Launcher> {
        // Options may come first, some with a value (`uv --directory DIR run`): the first word that is one of these.
        let subcommand = |words: &[&'static str]| {
            let before = arguments.iter().take_while(|argument| *argument != "--");
            before.filter_map(|argument| words.iter().copied().find(|word| argument == word)).next()
        };
        match name {
            "npx" | "npx-cli.js" => Some(Launcher::Npx),
            "npm" | "npm-cli.js" => subcommand(&["exec", "x"]).map(|_| Launcher::Npx),
            "pnpx" => Some(Launcher::PnpmDlx),
            "pnpm" | "pnpm.cjs" => subcommand(&["dlx"]).map(|_| Launcher::PnpmDlx),
            "yarn" | "yarnpkg" | "yarn.js" => subcommand(&["dlx"]).map(|_| Launcher::YarnDlx),
            "bunx" => Some(Launcher::Bunx),
            "bun" => subcommand(&["x", "run", "test"]).filter(|word| *word == "x").map(|_| Launcher::Bunx),
            "uvx" => Some(Launcher::Uvx),
            "uv" => subcommand(&["run", "tool", "pip", "sync"]).and_then(|word| match word {
                "run" => Some(Launcher::UvRun),
                "tool" => Some(Launcher::Uvx),
                _ => None,
            }),
            "pipx" => {
                subcommand(&["run", "install"]).filter(|word| *word == "run").map(|_| Launcher::PipxRun)
            }
            "docker" | "podman" | "nerdctl" => Some(Launcher::Docker),
            _ => None,
        }
    }

    /// What it is called.
    pub fn name(self) -> &'static str {
        match self {
            Launcher::Npx => "npx",
            Launcher::PnpmDlx => "pnpm dlx",
            Launcher::YarnDlx => "yarn dlx",
            Launcher::Bunx => "bunx",
            Launcher::Uvx => "uvx",
            Launcher::UvRun => "uv run",
            Launcher::PipxRun => "pipx run",
            Launcher::Docker => "docker",
        }
    }

    /// Why it is not started in a pen.
    pub fn why_not(self) -> &'static str {
        match self {
            Launcher::Docker => {
                "whoever can speak to a container daemon's socket is root on this machine, and the daemon starts the \
                 server outside of any pen"
            }
            _ => {
                "a package manager needs the network and a shell at every start, and would run inside the pen with both"
            }
        }
    }

    /// What to write instead.
    pub fn help(self) -> &'static str {
        match self {
            Launcher::Npx | Launcher::PnpmDlx | Launcher::YarnDlx | Launcher::Bunx => {
                "install the package once (`npm install --ignore-scripts PACKAGE@VERSION` in a folder of its own) and \
                 run its entry point: `node FOLDER/node_modules/PACKAGE/dist/index.js`"
            }
            Launcher::Uvx | Launcher::PipxRun => {
                "install the package once (`uv venv FOLDER`, then `uv pip install --python FOLDER/bin/python \
                 PACKAGE==VERSION`) and run `FOLDER/bin/NAME`"
            }
            Launcher::UvRun => {
                "create the project's environment once (`uv sync`) and run `.venv/bin/NAME`, or \
                 `.venv/bin/python SCRIPT`"
            }
            Launcher::Docker => "install the server on this machine and run it directly",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(line: &str) -> Option<Launcher> {
        let mut words = line.split(' ');
        let name = words.next().unwrap();
        let arguments: Vec<OsString> = words.map(Into::into).collect();
        Launcher::named(name, &arguments)
    }

    #[test]
    fn launchers_are_told_from_other_uses() {
        for (line, expected) in [
            ("npx -y @scope/server", Some(Launcher::Npx)),
            ("npm exec server", Some(Launcher::Npx)),
            ("npm start", None),
            ("pnpm --silent dlx server", Some(Launcher::PnpmDlx)),
            ("yarn dlx server", Some(Launcher::YarnDlx)),
            ("bun x server", Some(Launcher::Bunx)),
            ("bun run x", None),
            ("uvx mcp-server-git", Some(Launcher::Uvx)),
            ("uv tool run mcp-server-git", Some(Launcher::Uvx)),
            ("uv --directory /srv/x run server.py", Some(Launcher::UvRun)),
            ("uv pip run", None),
            ("pipx run server", Some(Launcher::PipxRun)),
            ("docker run -i --rm image", Some(Launcher::Docker)),
            ("node x", None),
            ("node npx", None),
        ] {
            assert_eq!(named(line), expected, "{line}");
        }
    }

    #[test]
    fn each_says_what_to_do() {
        assert!(Launcher::Npx.help().contains("node "));
        assert!(Launcher::Uvx.help().contains("/bin/NAME"));
        assert!(Launcher::Docker.why_not().contains("root"));
    }
}
