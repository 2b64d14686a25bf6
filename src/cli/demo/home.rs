//! What plays a user's home: secrets, a folder of notes, a program, an agent's socket, a port, and something that only
//! the client's memory holds.
//!
//! After a run [`Home::damage`] compares it with what was planted: what the server says of itself is one thing, what
//! is on the disk another.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::os::unix::net::UnixListener;
use std::path::Path;

use crate::cli::demo::attacks::{self, Victim};

const KEY: &str = "-----BEGIN OPENSSH PRIVATE KEY-----\nnot a key: planted by caponier demo\n";
const BASHRC: &str = "# planted by caponier demo\n";
const DIARY: &str = "Dear diary, nobody reads this.\n";
const NOTE: &str = "Call home.\n";

/// One home, and what the client keeps open around it.
#[derive(Debug)]
pub(super) struct Home {
    /// What attacks are told of it.
    pub(super) victim: Victim,
    port: TcpListener,
    agent: UnixListener,
    /// Never read by us: it is here to be found.
    _memory: Box<str>,
}

impl Home {
    /// Makes a home at `path`.
    ///
    /// # Errors
    /// As `mkdir(2)`, `open(2)`, `bind(2)`.
    pub(super) fn plant(path: &Path) -> io::Result<Home> {
        for folder in ["", ".ssh", "bin", "notes", "notes/.git", "notes/.git/hooks", "notes-private"] {
            DirBuilder::new().mode(0o700).create(path.join(folder))?;
        }
        for (name, text) in [
            (".ssh/id_ed25519", KEY),
            (".bashrc", BASHRC),
            ("notes/monday.md", NOTE),
            ("notes-private/diary.md", DIARY),
        ] {
            let mut file =
                OpenOptions::new().create_new(true).write(true).mode(0o600).open(path.join(name))?;
            file.write_all(text.as_bytes())?;
        }
        attacks::plant(&path.join("bin/tool"))?;
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        port.set_nonblocking(true)?;
        let agent = UnixListener::bind(path.join("agent.sock"))?;
        agent.set_nonblocking(true)?;
        let memory: Box<str> = format!("{}{}", attacks::MEMORY, path.display()).into();
        let victim = Victim {
            home: path.to_owned(),
            pid: std::process::id(),
            address: memory.as_ptr().addr() as u64,
            length: memory.len(),
            port: port.local_addr()?.port(),
        };
        Ok(Home { victim, port, agent, _memory: memory })
    }

    /// What is no longer as it was planted, and should be, in words. Notes may come and change: that is what the
    /// server is for.
    pub(super) fn damage(&self) -> Vec<String> {
        let home = &self.victim.home;
        let mut damage = Vec::new();
        for (name, text) in [
            (".ssh/id_ed25519", KEY),
            (".bashrc", BASHRC),
            ("notes/monday.md", NOTE),
            ("notes-private/diary.md", DIARY),
        ] {
            let path = home.join(name);
            match (fs::read_to_string(&path), path.symlink_metadata()) {
                (Ok(found), _) if found != text => damage.push(format!("~/{name} was changed")),
                (Ok(_), Ok(metadata)) if metadata.mode() & 0o7777 != 0o600 => {
                    damage.push(format!("~/{name} has mode {:04o} now", metadata.mode() & 0o7777));
                }
                (Ok(_), Ok(metadata)) if metadata.nlink() != 1 => {
                    damage.push(format!("~/{name} has a second name now"));
                }
                (Ok(_), Ok(_)) => {}
                (Err(error), _) | (_, Err(error)) => damage.push(format!("~/{name}: {error}")),
            }
        }
        for name in ["notes/.git/hooks/post-commit", "notes/.mcp.json"] {
            if home.join(name).symlink_metadata().is_ok() {
                damage.push(format!("~/{name} is there"));
            }
        }
        let has_set_id = |path: &Path| path.metadata().is_ok_and(|metadata| metadata.mode() & 0o6000 != 0);
        if has_set_id(&self.victim.notes().join("tool")) {
            damage.push("~/notes/tool has a set-user-ID bit now".into());
        }
        if self.port.accept().is_ok() {
            damage.push(format!("somebody connected to port {}", self.victim.port));
        }
        if self.agent.accept().is_ok() {
            damage.push("somebody connected to ~/agent.sock".into());
        }
        damage
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpStream;
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn whatever_an_attack_does_shows() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::plant(&folder.path().join("home")).unwrap();
        assert_eq!(home.damage(), Vec::<String>::new());
        let at = |name: &str| home.victim.home.join(name);
        fs::write(at(".bashrc"), "echo owned").unwrap();
        fs::set_permissions(at(".ssh/id_ed25519"), fs::Permissions::from_mode(0o666)).unwrap();
        fs::hard_link(at("notes-private/diary.md"), at("notes/copy")).unwrap();
        fs::remove_file(at("notes/monday.md")).unwrap();
        fs::write(at("notes/.git/hooks/post-commit"), "").unwrap();
        fs::write(at("notes/tool"), "").unwrap();
        fs::set_permissions(at("notes/tool"), fs::Permissions::from_mode(0o4755)).unwrap();
        let _port = TcpStream::connect((Ipv4Addr::LOCALHOST, home.victim.port)).unwrap();
        let _agent = UnixStream::connect(home.victim.agent()).unwrap();
        let damage = home.damage();
        for (told, word) in damage.iter().zip([
            "mode 0666",
            ".bashrc was changed",
            "monday.md: ",
            "second name",
            "post-commit is there",
            "set-user-ID",
            "port",
            "agent.sock",
        ]) {
            assert!(told.contains(word), "{told}");
        }
        assert_eq!(damage.len(), 8, "{damage:?}");
    }
}
