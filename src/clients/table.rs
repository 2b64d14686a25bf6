//! The clients, the files in which each keeps its servers, and where in those files.
//!
//! From the clients' own documentation, as of November 2026. A file that is not listed here is not looked at. A `*` in a path
//! stands for every name in that folder, hidden ones aside: the profiles of an editor, a folder with a file for each server.

use std::io;
use std::path::{Path, PathBuf};

use crate::clients::Format;

/// Where a file's path begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Root {
    Home,
    /// `$XDG_CONFIG_HOME`.
    Config,
    /// `$CLAUDE_CONFIG_DIR`, or the home.
    Claude,
    /// `$CODEX_HOME`, or `.codex` in the home.
    Codex,
    /// `$COPILOT_HOME`, or `.copilot` in the home.
    Copilot,
    /// The folder of the project.
    Project,
}

/// How the entry of one server looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// `command`, `args`, `env`.
    Plain,
    /// The same, or all of it in `transport`.
    Cline,
    /// The same, or `command` is an object with `path`, `args`, `env`; or it comes with an extension.
    Zed,
    /// The same, with `env_vars`: names that are passed on.
    Codex,
    /// `command` is the list of all words; `environment`.
    Words,
    /// A list of entries with `name`, `command`, `args`, `env`.
    Continue,
    /// `cmd`, `args`, `envs`, `env_keys`.
    Goose,
}

/// The keys that lead to an object of servers; `*` stands for every key.
pub(super) type Keys = &'static [&'static str];

/// One file of a client's.
#[derive(Debug, Clone, Copy)]
pub(super) struct Listed {
    pub(super) root: Root,
    pub(super) path: &'static str,
    pub(super) format: Format,
    pub(super) shape: Shape,
    pub(super) servers: &'static [Keys],
}

/// One client.
#[derive(Debug)]
pub struct Client {
    /// What `--client` takes.
    pub id: &'static str,
    /// What it calls itself.
    pub name: &'static str,
    pub(super) files: &'static [Listed],
}

impl PartialEq for Client {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

const MCP_SERVERS: &[Keys] = &[&["mcpServers"]];

const fn json(root: Root, path: &'static str) -> Listed {
    Listed { root, path, format: Format::Json, shape: Shape::Plain, servers: MCP_SERVERS }
}

const fn servers(listed: Listed, servers: &'static [Keys]) -> Listed {
    Listed { servers, ..listed }
}

const fn shape(listed: Listed, shape: Shape) -> Listed {
    Listed { shape, ..listed }
}

const VS_CODE: &[Keys] = &[&["servers"]];
const ZED: &[Keys] = &[&["context_servers"]];
const OPENCODE: &[Keys] = &[&["mcp"]];
const CODEX: &[Keys] = &[&["mcp_servers"]];
const AMP: &[Keys] = &[&["amp.mcpServers"]];

const fn vs_code(root: Root, path: &'static str) -> Listed {
    servers(json(root, path), VS_CODE)
}

const fn listed_continue(root: Root, path: &'static str) -> Listed {
    Listed { root, path, format: Format::Yaml, shape: Shape::Continue, servers: MCP_SERVERS }
}

const fn codex(root: Root, path: &'static str) -> Listed {
    Listed { root, path, format: Format::Toml, shape: Shape::Codex, servers: CODEX }
}

const fn opencode(root: Root, path: &'static str) -> Listed {
    shape(servers(json(root, path), OPENCODE), Shape::Words)
}

/// Every client that is known.
pub static CLIENTS: &[Client] = &[
    Client {
        id: "claude-desktop",
        name: "Claude Desktop",
        files: &[json(Root::Config, "Claude/claude_desktop_config.json")],
    },
    Client {
        id: "claude-code",
        name: "Claude Code",
        files: &[
            servers(json(Root::Claude, ".claude.json"), &[&["mcpServers"], &["projects", "*", "mcpServers"]]),
            json(Root::Project, ".mcp.json"),
        ],
    },
    Client {
        id: "cursor",
        name: "Cursor",
        files: &[json(Root::Home, ".cursor/mcp.json"), json(Root::Project, ".cursor/mcp.json")],
    },
    Client {
        id: "vscode",
        name: "VS Code",
        files: &[
            vs_code(Root::Config, "Code/User/mcp.json"),
            vs_code(Root::Config, "Code/User/profiles/*/mcp.json"),
            vs_code(Root::Config, "Code - Insiders/User/mcp.json"),
            vs_code(Root::Config, "Code - Insiders/User/profiles/*/mcp.json"),
            vs_code(Root::Config, "VSCodium/User/mcp.json"),
            vs_code(Root::Config, "VSCodium/User/profiles/*/mcp.json"),
            vs_code(Root::Project, ".vscode/mcp.json"),
        ],
    },
    Client { id: "copilot-cli", name: "Copilot CLI", files: &[json(Root::Copilot, "mcp-config.json")] },
    Client {
        id: "windsurf",
        name: "Windsurf",
        files: &[json(Root::Home, ".codeium/windsurf/mcp_config.json")],
    },
    Client {
        id: "zed",
        name: "Zed",
        files: &[
            shape(servers(json(Root::Config, "zed/settings.json"), ZED), Shape::Zed),
            shape(servers(json(Root::Project, ".zed/settings.json"), ZED), Shape::Zed),
        ],
    },
    Client {
        id: "codex",
        name: "Codex",
        files: &[codex(Root::Codex, "config.toml"), codex(Root::Project, ".codex/config.toml")],
    },
    Client {
        id: "gemini-cli",
        name: "Gemini CLI",
        files: &[json(Root::Home, ".gemini/settings.json"), json(Root::Project, ".gemini/settings.json")],
    },
    Client {
        id: "cline",
        name: "Cline",
        files: &[shape(json(Root::Home, ".cline/data/settings/cline_mcp_settings.json"), Shape::Cline)],
    },
    Client { id: "lm-studio", name: "LM Studio", files: &[json(Root::Home, ".lmstudio/mcp.json")] },
    Client {
        id: "amazon-q",
        name: "Amazon Q",
        files: &[json(Root::Home, ".aws/amazonq/mcp.json"), json(Root::Project, ".amazonq/mcp.json")],
    },
    Client {
        id: "kiro",
        name: "Kiro",
        files: &[json(Root::Home, ".kiro/settings/mcp.json"), json(Root::Project, ".kiro/settings/mcp.json")],
    },
    Client {
        id: "junie",
        name: "Junie",
        files: &[json(Root::Home, ".junie/mcp/mcp.json"), json(Root::Project, ".junie/mcp/mcp.json")],
    },
    Client {
        id: "opencode",
        name: "opencode",
        files: &[
            opencode(Root::Config, "opencode/opencode.json"),
            opencode(Root::Config, "opencode/opencode.jsonc"),
            opencode(Root::Project, "opencode.json"),
            opencode(Root::Project, "opencode.jsonc"),
        ],
    },
    Client {
        id: "crush",
        name: "Crush",
        files: &[
            servers(json(Root::Config, "crush/crush.json"), OPENCODE),
            servers(json(Root::Project, ".crush.json"), OPENCODE),
            servers(json(Root::Project, "crush.json"), OPENCODE),
        ],
    },
    Client {
        id: "amp",
        name: "Amp",
        files: &[
            servers(json(Root::Config, "amp/settings.json"), AMP),
            servers(json(Root::Project, ".amp/settings.json"), AMP),
        ],
    },
    Client {
        id: "continue",
        name: "Continue",
        files: &[
            listed_continue(Root::Home, ".continue/config.yaml"),
            listed_continue(Root::Home, ".continue/mcpServers/*.yaml"),
            listed_continue(Root::Home, ".continue/mcpServers/*.yml"),
            json(Root::Home, ".continue/mcpServers/*.json"),
            listed_continue(Root::Project, ".continue/mcpServers/*.yaml"),
            listed_continue(Root::Project, ".continue/mcpServers/*.yml"),
            json(Root::Project, ".continue/mcpServers/*.json"),
        ],
    },
    Client {
        id: "goose",
        name: "Goose",
        files: &[Listed {
            root: Root::Config,
            path: "goose/config.yaml",
            format: Format::Yaml,
            shape: Shape::Goose,
            servers: &[&["extensions"]],
        }],
    },
];

/// The client of this name.
pub fn client(id: &str) -> Option<&'static Client> {
    CLIENTS.iter().find(|client| client.id == id)
}

/// Where files are looked for. A folder that is `None` has its usual place in the home.
#[derive(Debug, Clone, Default)]
pub struct Folders {
    /// The user's home.
    pub home: PathBuf,
    /// `$XDG_CONFIG_HOME`.
    pub config: Option<PathBuf>,
    /// `$CLAUDE_CONFIG_DIR`.
    pub claude: Option<PathBuf>,
    /// `$CODEX_HOME`.
    pub codex: Option<PathBuf>,
    /// `$COPILOT_HOME`.
    pub copilot: Option<PathBuf>,
    /// The folders of the project, the nearest first.
    pub projects: Vec<PathBuf>,
}

impl Folders {
    fn of(&self, root: Root) -> Vec<PathBuf> {
        let or = |folder: &Option<PathBuf>, usual: &str| {
            vec![folder.clone().unwrap_or_else(|| self.home.join(usual))]
        };
        match root {
            Root::Home => vec![self.home.clone()],
            Root::Config => or(&self.config, ".config"),
            Root::Claude => or(&self.claude, ""),
            Root::Codex => or(&self.codex, ".codex"),
            Root::Copilot => or(&self.copilot, ".copilot"),
            Root::Project => self.projects.clone(),
        }
    }
}

/// Whom a file is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// The user, everywhere.
    User,
    /// One project.
    Project,
}

impl Scope {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Scope::User => "user",
            Scope::Project => "project",
        }
    }
}

/// A file that a client would read, whether it is there or not.
#[derive(Debug, Clone)]
pub struct Place {
    /// Whose.
    pub client: &'static Client,
    /// For whom.
    pub scope: Scope,
    /// Where.
    pub path: PathBuf,
    pub(super) listed: Listed,
}

impl Place {
    /// How it is written.
    pub fn format(&self) -> Format {
        self.listed.format
    }
}

/// Every file that would be read, in the order of the table.
pub fn places(folders: &Folders) -> Vec<Place> {
    let mut places: Vec<Place> = Vec::new();
    for client in CLIENTS {
        for listed in client.files {
            let scope = if listed.root == Root::Project { Scope::Project } else { Scope::User };
            for root in folders.of(listed.root) {
                for path in found(&root, listed.path) {
                    // A project in the home: its file is the user's.
                    if !places.iter().any(|place| place.client == client && place.path == path) {
                        places.push(Place { client, scope, path, listed: *listed });
                    }
                }
            }
        }
    }
    places
}

/// Most names that a `*` stands for: a repository's own folder could hold up whoever lists it.
const MOST_NAMES: usize = 1000;

/// The paths that a listed one stands for. A folder that cannot be listed, or that has too many names in it, stands for itself:
/// whoever reads it says so.
fn found(root: &Path, listed: &str) -> Vec<PathBuf> {
    let Some((folder, rest)) = listed.split_once('*') else { return vec![root.join(listed)] };
    let folder = root.join(folder);
    let names = |folder: &Path| -> io::Result<Vec<std::ffi::OsString>> {
        let entries = folder.read_dir()?.take(MOST_NAMES + 1);
        entries.map(|entry| entry.map(|entry| entry.file_name())).collect()
    };
    let mut names = match names(&folder) {
        Ok(names) if names.len() <= MOST_NAMES => names,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Vec::new();
        }
        _ => return vec![folder],
    };
    names.sort();
    let shown = names.iter().filter(|name| !name.as_encoded_bytes().starts_with(b"."));
    match rest.strip_prefix('/') {
        Some(inner) => shown.map(|name| folder.join(name).join(inner)).collect(),
        None => {
            let ends = |name: &&std::ffi::OsString| name.as_encoded_bytes().ends_with(rest.as_bytes());
            shown.filter(ends).map(|name| folder.join(name)).collect()
        }
    }
}

/// A listed path, or the folder above its `*`.
fn fixed(listed: &Listed) -> &'static str {
    listed.path.split_once('*').map_or(listed.path, |(folder, _)| folder.trim_end_matches('/'))
}

/// The paths in a project of every file or folder of such files, for whoever keeps servers from writing them.
pub fn project_files() -> impl Iterator<Item = &'static str> {
    let files = CLIENTS.iter().flat_map(|client| client.files);
    files.filter(|listed| listed.root == Root::Project).map(fixed)
}

/// The paths below a home of every user's file or folder of such files, for whoever keeps servers out of them.
pub fn user_files() -> impl Iterator<Item = String> {
    CLIENTS.iter().flat_map(|client| client.files).filter_map(|listed| {
        let folder = match listed.root {
            Root::Home | Root::Claude => "",
            Root::Config => ".config/",
            Root::Codex => ".codex/",
            Root::Copilot => ".copilot/",
            Root::Project => return None,
        };
        Some(format!("{folder}{}", fixed(listed)))
    })
}
