//! What there is to attack, twice alike: once for the attacks without a pen, once for those in it.
//!
//! ```text
//! bare/, pen/   home/   .ssh/id_ed25519 .bashrc bin/tool, files to spoil, agent.sock docker.sock log.sock
//!               work/   file other sub/ .git/{config,hooks/} .vscode/
//!               tmp/    TMPDIR of the attacks without a pen
//! ```
//!
//! Listeners on 127.0.0.1 and by an abstract name are this side's own too. What they got, and what of the files is no
//! longer as it was, is a witness beside what the attacker says.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write as _};
use std::net::{self, Ipv4Addr, TcpListener, UdpSocket};
use std::os::fd::AsFd as _;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::os::unix::net::{SocketAddr, UnixDatagram, UnixListener};
use std::path::{Path, PathBuf};

use crate::cli::demo::attacks::plant;
use crate::cli::diagnostic;
use crate::sys::path;

const TEXT: &str = "planted by caponier doctor\n";
/// Bytes of the folder for temporary files, so that what lies below still fits into the address of a Unix socket.
const LONGEST_PARENT: usize = 64;
/// Files of a home, the key apart.
const FILES: &[&str] = &[".bashrc", "cut", "old", "owned", "timed", "race", "movable", "profile"];

/// The folder of both; removed when it is dropped.
#[derive(Debug)]
pub(super) struct Stage {
    root: PathBuf,
    pub(super) bare: Side,
    pub(super) pen: Side,
}

/// Something that shows.
#[derive(Debug)]
pub(super) struct Noticed {
    /// The attacks, one of which did it.
    pub(super) by: &'static [&'static str],
    /// What shows.
    pub(super) what: String,
}

/// One of the two.
#[derive(Debug)]
pub(super) struct Side {
    root: PathBuf,
    tcp: TcpListener,
    udp: UdpSocket,
    dns: TcpListener,
    agent: UnixListener,
    docker: UnixListener,
    log: UnixDatagram,
    named: UnixListener,
    /// The name of the abstract socket.
    pub(super) name: String,
}

impl Stage {
    /// Makes the folder, for nobody but this user.
    pub(super) fn set() -> io::Result<Stage> {
        let parent = std::env::temp_dir();
        let short = parent.to_str().is_some_and(|parent| parent.len() <= LONGEST_PARENT);
        let parent = if short { parent } else { "/tmp".into() };
        // By the kernel's name for it, as the log will have it.
        let parent = path::look_through(parent.as_os_str().as_encoded_bytes())
            .and_then(|parent| path::path_of(parent.as_fd()))?;
        let root = nix::unistd::mkdtemp(&parent.join("caponier-doctor-XXXXXX"))?;
        let sides = Side::plant(&root, "bare").and_then(|bare| Ok((bare, Side::plant(&root, "pen")?)));
        match sides {
            Ok((bare, pen)) => Ok(Stage { root, bare, pen }),
            Err(error) => {
                let _ = fs::remove_dir_all(&root);
                Err(error)
            }
        }
    }

    /// Where everything is.
    pub(super) fn root(&self) -> &Path {
        &self.root
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.root) {
            let root = diagnostic::escape(&self.root.to_string_lossy()).into_owned();
            diagnostic::note(&format!("{root} could not be removed: {error}"));
        }
    }
}

impl Side {
    fn plant(root: &Path, which: &str) -> io::Result<Side> {
        let name = root.file_name().unwrap_or_default().to_string_lossy();
        let name = format!("{name}-{which}");
        let root = root.join(which);
        for folder in [
            "",
            "home",
            "home/.ssh",
            "home/bin",
            "work",
            "work/sub",
            "work/.git",
            "work/.git/hooks",
            "work/.vscode",
            "tmp",
        ] {
            DirBuilder::new().mode(0o700).create(root.join(folder))?;
        }
        let home = FILES.iter().map(|name| format!("home/{name}"));
        let others =
            ["home/.ssh/id_ed25519", "work/file", "work/other", "work/.git/config"].map(str::to_owned);
        for name in home.chain(others) {
            let path = root.join(name);
            OpenOptions::new()
                .create_new(true)
                .write(true)
                .mode(0o600)
                .open(path)?
                .write_all(TEXT.as_bytes())?;
        }
        plant(&root.join("home/bin/tool"))?;
        let tcp = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        tcp.set_nonblocking(true)?;
        let udp = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        udp.set_nonblocking(true)?;
        let dns = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        dns.set_nonblocking(true)?;
        let listen = |name: &str| {
            let listener = UnixListener::bind(root.join("home").join(name))?;
            listener.set_nonblocking(true)?;
            Ok::<_, io::Error>(listener)
        };
        let (agent, docker) = (listen("agent.sock")?, listen("docker.sock")?);
        let log = UnixDatagram::bind(root.join("home/log.sock"))?;
        log.set_nonblocking(true)?;
        let named = UnixListener::bind_addr(&SocketAddr::from_abstract_name(name.as_bytes())?)?;
        named.set_nonblocking(true)?;
        Ok(Side { root, tcp, udp, dns, agent, docker, log, named, name })
    }

    pub(super) fn home(&self) -> PathBuf {
        self.root.join("home")
    }

    pub(super) fn work(&self) -> PathBuf {
        self.root.join("work")
    }

    pub(super) fn tmp(&self) -> PathBuf {
        self.root.join("tmp")
    }

    pub(super) fn tcp(&self) -> io::Result<u16> {
        Ok(self.tcp.local_addr()?.port())
    }

    pub(super) fn udp(&self) -> io::Result<u16> {
        Ok(self.udp.local_addr()?.port())
    }

    /// A resolver of its own.
    pub(super) fn dns(&self) -> io::Result<(net::SocketAddr, TcpListener)> {
        Ok((self.dns.local_addr()?, self.dns.try_clone()?))
    }

    /// What shows from outside that one of some attacks worked.
    pub(super) fn noticed(&self) -> Vec<Noticed> {
        let mut noticed = Vec::new();
        self.listeners(&mut noticed);
        self.files(&mut noticed);
        noticed
    }

    fn listeners(&self, noticed: &mut Vec<Noticed>) {
        let mut bytes = [0; 512];
        let heard: [(&'static [&'static str], bool); 6] = [
            (&["connect", "connect-any", "connect-mapped", "connect-fast-open"], self.tcp.accept().is_ok()),
            (&["send-datagram", "ask-for-name"], self.udp.recv(&mut bytes).is_ok()),
            (&["agent-socket", "linked-socket"], self.agent.accept().is_ok()),
            (&["docker-socket"], self.docker.accept().is_ok()),
            (&["unix-datagram"], self.log.recv(&mut bytes).is_ok()),
            (&["abstract-socket"], self.named.accept().is_ok()),
        ];
        let heard = heard.into_iter().filter(|(_, heard)| *heard);
        noticed.extend(heard.map(|(by, _)| Noticed { by, what: "its listener heard of it".to_owned() }));
    }

    fn files(&self, noticed: &mut Vec<Noticed>) {
        let at = |name: &str| self.root.join(name);
        let holds = |name: &str| fs::read_to_string(at(name)).is_ok_and(|found| found == TEXT);
        let mut notice = |by: &'static [&'static str], what: String| noticed.push(Noticed { by, what });
        let spoilt: [(&'static [&'static str], &str); 8] = [
            (&["write-outside"], "home/.bashrc"),
            (&["truncate-outside"], "home/cut"),
            (&["delete-outside"], "home/old"),
            (&["move-in"], "home/movable"),
            (&["move-out"], "home/profile"),
            (&["change-read-only"], "work/file"),
            (&["delete-read-only"], "work/other"),
            (&["write-git-config"], "work/.git/config"),
        ];
        for (by, name) in spoilt.into_iter().filter(|(_, name)| !holds(name)) {
            notice(by, format!("{name} is not what it was"));
        }
        let planted: [(&'static [&'static str], &str); 7] = [
            (&["create-outside"], "home/new"),
            (&["folder-outside"], "home/folder"),
            (&["link-outside"], "home/arrow"),
            (&["pipe-outside"], "home/pipe"),
            (&["write-hook"], "work/.git/hooks/post-commit"),
            (&["write-client-settings"], "work/.mcp.json"),
            (&["rename-client-settings"], "work/.vscode/tasks.json"),
        ];
        for (by, name) in planted.into_iter().filter(|(_, name)| at(name).symlink_metadata().is_ok()) {
            notice(by, format!("{name} is there"));
        }
        match at("home/.ssh/id_ed25519").symlink_metadata() {
            Ok(key) if key.mode() & 0o7777 != 0o600 => {
                notice(&["chmod-outside"], format!("the key has mode {:04o}", key.mode() & 0o7777));
            }
            Ok(key) if key.nlink() != 1 => notice(&["second-name"], "the key has a second name".into()),
            Ok(_) => {}
            Err(_) => notice(&["move-in"], "the key is gone".into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_done_is_noticed_and_nothing_else() {
        let stage = Stage::set().unwrap();
        assert!(stage.pen.noticed().is_empty());
        let at = |name: &str| stage.pen.root.join(name);
        fs::write(at("home/.bashrc"), "x").unwrap();
        fs::remove_file(at("home/old")).unwrap();
        fs::hard_link(at("home/.ssh/id_ed25519"), at("work/key")).unwrap();
        net::TcpStream::connect((Ipv4Addr::LOCALHOST, stage.pen.tcp().unwrap())).unwrap();
        let noticed: Vec<&str> = stage.pen.noticed().into_iter().map(|noticed| noticed.by[0]).collect();
        assert_eq!(noticed, ["connect", "write-outside", "delete-outside", "second-name"]);
        assert!(stage.bare.noticed().is_empty());
        let root = stage.root().to_owned();
        drop(stage);
        assert!(!root.exists());
    }
}
