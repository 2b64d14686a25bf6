//! The fixtures, and where each lies in a home.

use std::fs;
use std::path::{Path, PathBuf};

use crate::home::Home;

/// One configuration.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fixture {
    /// What `--client` takes.
    pub(crate) client: &'static str,
    pub(crate) file: &'static str,
    /// Below the home.
    pub(crate) place: &'static str,
    /// Its servers: name, state before, state after.
    pub(crate) servers: &'static [(&'static str, &'static str, &'static str)],
}

const fn fixture(
    client: &'static str,
    file: &'static str,
    place: &'static str,
    servers: &'static [(&'static str, &'static str, &'static str)],
) -> Fixture {
    Fixture { client, file, place, servers }
}

const REMOTE: (&str, &str, &str) = ("far", "remote", "remote");

pub(crate) const FIXTURES: &[Fixture] = &[
    fixture(
        "claude-desktop",
        "claude-desktop.json",
        ".config/Claude/claude_desktop_config.json",
        &[
            ("filesystem", "bare", "wrapped"),
            ("github", "bare", "wrapped"),
            ("ours", "wrapped", "wrapped"),
            ("contained", "bare", "bare"),
            REMOTE,
        ],
    ),
    fixture(
        "claude-code",
        "claude-code-user.json",
        ".claude.json",
        &[("time", "bare", "wrapped"), REMOTE, ("db", "bare", "wrapped"), ("db", "bare", "wrapped")],
    ),
    fixture(
        "claude-code",
        "claude-code-project.json",
        "project/.mcp.json",
        &[("${weird} name", "bare", "wrapped"), ("bare", "bare", "wrapped")],
    ),
    fixture(
        "cursor",
        "cursor.json",
        ".cursor/mcp.json",
        &[
            ("git", "bare", "wrapped"),
            ("shell", "bare", "bare"),
            ("env", "bare", "bare"),
            ("remote", "remote", "remote"),
        ],
    ),
    fixture(
        "vscode",
        "vscode.json",
        "project/.vscode/mcp.json",
        &[
            ("perplexity", "bare", "wrapped"),
            ("local", "bare", "wrapped"),
            ("fetch", "bare", "wrapped"),
            REMOTE,
        ],
    ),
    // One of the profiles of VS Code, under the name that it gives the folder.
    fixture(
        "vscode",
        "vscode-profile.json",
        ".config/Code/User/profiles/-6d2f1c0a/mcp.json",
        &[("time", "bare", "wrapped"), REMOTE],
    ),
    fixture(
        "copilot-cli",
        "copilot-cli.json",
        ".copilot/mcp-config.json",
        &[("playwright", "bare", "wrapped"), REMOTE],
    ),
    fixture(
        "windsurf",
        "windsurf.json",
        ".codeium/windsurf/mcp_config.json",
        &[("a", "bare", "wrapped"), ("b", "remote", "remote"), ("c", "bare", "wrapped")],
    ),
    fixture(
        "zed",
        "zed.json",
        ".config/zed/settings.json",
        &[("flat", "bare", "wrapped"), ("nested", "bare", "wrapped"), ("extension", "odd", "odd"), REMOTE],
    ),
    fixture(
        "codex",
        "codex.toml",
        ".codex/config.toml",
        &[
            ("git", "bare", "wrapped"),
            ("bare", "bare", "wrapped"),
            ("with space", "bare", "wrapped"),
            REMOTE,
            ("inline", "bare", "wrapped"),
            ("short", "bare", "wrapped"),
        ],
    ),
    fixture(
        "codex",
        "codex-dotted.toml",
        "project/.codex/config.toml",
        &[("a", "bare", "wrapped"), ("b", "bare", "wrapped"), ("c", "bare", "wrapped")],
    ),
    fixture(
        "gemini-cli",
        "gemini-cli.json",
        ".gemini/settings.json",
        &[("files", "bare", "wrapped"), REMOTE],
    ),
    fixture(
        "cline",
        "cline.json",
        ".cline/data/settings/cline_mcp_settings.json",
        &[("flat", "bare", "wrapped"), ("nested", "bare", "wrapped"), REMOTE],
    ),
    fixture(
        "lm-studio",
        "lm-studio.json",
        ".lmstudio/mcp.json",
        &[("one", "bare", "wrapped"), ("two", "bare", "wrapped")],
    ),
    fixture("amazon-q", "amazon-q.json", ".aws/amazonq/mcp.json", &[("q", "bare", "wrapped")]),
    fixture("kiro", "kiro.json", ".kiro/settings/mcp.json", &[("k", "bare", "wrapped")]),
    fixture("junie", "junie.json", ".junie/mcp/mcp.json", &[("j", "bare", "wrapped")]),
    fixture(
        "opencode",
        "opencode.json",
        ".config/opencode/opencode.jsonc",
        &[("local", "bare", "wrapped"), ("long", "bare", "wrapped"), REMOTE],
    ),
    fixture("crush", "crush.json", ".config/crush/crush.json", &[("fs", "bare", "wrapped"), REMOTE]),
    fixture("amp", "amp.json", ".config/amp/settings.json", &[("a", "bare", "wrapped"), REMOTE]),
    fixture("continue", "continue.yaml", ".continue/config.yaml", &[("sqlite", "bare", "bare"), REMOTE]),
    fixture(
        "continue",
        "continue-block.yaml",
        "project/.continue/mcpServers/browser.yaml",
        &[("Browser search", "bare", "bare")],
    ),
    fixture(
        "continue",
        "continue-block.json",
        ".continue/mcpServers/copied.json",
        &[("memory", "bare", "wrapped")],
    ),
    fixture(
        "goose",
        "goose.yaml",
        ".config/goose/config.yaml",
        &[("developer", "odd", "odd"), ("fetch", "bare", "bare")],
    ),
];

/// The folder of the fixtures.
pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/fixtures")
}

impl Fixture {
    pub(crate) fn named(file: &str) -> Fixture {
        *FIXTURES.iter().find(|fixture| fixture.file == file).unwrap()
    }

    pub(crate) fn before(&self) -> Vec<u8> {
        fs::read(folder().join(self.file)).unwrap()
    }

    /// Whether caponier writes it.
    pub(crate) fn is_written(&self) -> bool {
        !self.file.ends_with(".yaml")
    }

    /// Puts it into a home, with what it speaks of.
    pub(crate) fn put(&self, home: &Home) {
        home.write(self.place, self.before());
        home.write(".secrets.env", "export FORGE_TOKEN=SecretOfAnEnvFile\n# NOT=SecretX\nFORGE_NAME = 'x'\n");
        home.write("project/.env", "LOCAL_KEY=\"SecretOfTheWorkspace\"\n");
    }
}
