//! Configuration files of MCP clients: found, read, changed by splices, and put back.
//!
//! The invariant: a byte that is not part of a server's command or arguments is never written anew. A change is a list
//! of splices into the text as it stands; what each one replaced is kept in our own state folder, so that it can be
//! undone exactly, also when the file was edited elsewhere meanwhile. A file that is not fully understood (not UTF-8,
//! broken, with a key that stands twice, larger than [`file::LARGEST`]) is not changed at all.
//!
//! Values of `env` blocks are secrets: they are in no error and in no difference that is shown ([`secret`]).

mod argv;
pub mod change;
pub mod diff;
pub mod file;
mod json;
pub mod kept;
mod parse;
pub mod paste;
pub mod secret;
pub mod server;
pub mod splice;
pub mod survey;
pub mod table;
#[cfg(test)]
mod tests;
mod toml;
mod tree;
pub mod undo;
mod yaml;

/// How a configuration file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// JSON, with comments and commas at the end where the client takes them.
    Json,
    /// TOML.
    Toml,
    /// YAML: read, never written.
    Yaml,
}

impl Format {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Format::Json => "json",
            Format::Toml => "toml",
            Format::Yaml => "yaml",
        }
    }
}

/// What is wrong with a text, and where. Never shows any of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Byte in the text.
    pub at: usize,
    /// In words.
    pub detail: String,
}

impl Fault {
    fn new(at: usize, detail: impl Into<String>) -> Self {
        Fault { at, detail: detail.into() }
    }
}
