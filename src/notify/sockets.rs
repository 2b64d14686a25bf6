//! Sockets: which kinds may exist is decided on registers; to what they connect is decided here, on one copy of the
//! address, and never by going on. What is said of internet addresses is `inet`'s.
//!
//! A caller that asks the name service cache is told that there is none, which is what it expects on most machines.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::AsFd;

use crate::notify::denial::never;
use crate::notify::{Broker, Reply, target};
use crate::policy::reason::Reason;
use crate::sys::seccomp::{Answer, Notification};
use crate::sys::{errno, memory, socket};

/// `struct sockaddr_storage`.
const LONGEST_ADDRESS: usize = 128;
/// Asked by libc before every look-up of a user or host; absent on most machines.
const CACHES: &[&[u8]] = &[
    b"/var/run/nscd/socket",
    b"/run/nscd/socket",
    b"/run/systemd/resolve/io.systemd.Resolve",
    b"/run/systemd/userdb/io.systemd.DynamicUser",
    b"/run/avahi-daemon/socket",
];

/// An address of the caller's, copied once.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Address {
    Unix(Vec<u8>),
    Abstract(Vec<u8>),
    Internet(SocketAddr),
    Unspecified,
    /// Too short for what its family says.
    Short,
    Netlink(Vec<u8>),
    Other(u16),
}

impl Broker {
    pub(super) fn connect(&mut self, notification: &Notification) -> Reply {
        let address = match self.read_address(notification) {
            Ok(address) => address,
            Err(reply) => return reply,
        };
        match address {
            Address::Unix(path) if CACHES.contains(&path.as_slice()) => Reply::errno(libc::ENOENT),
            Address::Unix(path) => self.connect_unix(notification, &path),
            Address::Abstract(name) => self.refuse_abstract(notification, &name),
            Address::Internet(address) => self.connect_internet(notification, address),
            Address::Unspecified if self.network.is_some() => self.disconnect(notification),
            // The kernel's own answer.
            Address::Short => Reply::errno(libc::EINVAL),
            Address::Netlink(_) | Address::Unspecified | Address::Other(_) => {
                self.refuse_call(notification, libc::EACCES, &self.context.no_network())
            }
        }
    }

    pub(super) fn bind(&mut self, notification: &Notification) -> Reply {
        let address = match self.read_address(notification) {
            Ok(address) => address,
            Err(reply) => return reply,
        };
        match address {
            Address::Netlink(bytes) => self.bind_netlink(notification, &bytes),
            Address::Unix(path) => self.bind_unix(notification, &path),
            Address::Abstract(name) => self.refuse_abstract(notification, &name),
            Address::Internet(address) => self.bind_internet(notification, address),
            Address::Short => Reply::errno(libc::EINVAL),
            Address::Unspecified | Address::Other(_) => {
                self.refuse_call(notification, libc::EACCES, &self.context.no_network())
            }
        }
    }

    /// `listen`: of a Unix socket, or of another one.
    pub(super) fn listen_any(&mut self, notification: &Notification) -> Reply {
        match self.listen_unix(notification) {
            Some(reply) => reply,
            None => self.listen(notification),
        }
    }

    /// Sends that would connect.
    pub(super) fn refuse_fast_open(&mut self, notification: &Notification) -> Reply {
        if !self.has_network {
            return self.refuse_call(notification, libc::EACCES, &self.context.no_network());
        }
        let why = "the address lies in memory that the server can change; connect is judged";
        self.refuse_call(notification, libc::EACCES, &never(Reason::NetFastOpen, why))
    }

    /// `socket`, `socketpair` of a kind that is not on the list.
    pub(super) fn refuse_kind(&mut self, notification: &Notification) -> Reply {
        let why = "only TCP, and Unix streams within the server's own tree, can be judged; other kinds of socket \
                   pass by the rules";
        self.refuse_call(notification, libc::EACCES, &never(Reason::SocketKind, why))
    }

    /// The kernel's own lists of interfaces: bound on our copy, with our copy of the address.
    fn bind_netlink(&mut self, notification: &Notification, address: &[u8]) -> Reply {
        let Some(asker) = self.asker(notification) else { return Reply::Gone };
        let bound = target::duplicate(asker.pid, notification.args[0] as i32).and_then(|copy| {
            match socket::domain(copy.as_fd())? {
                libc::AF_NETLINK => socket::bind(copy.as_fd(), address),
                // The descriptor was changed meanwhile, or the address lies about it.
                _ => Err(std::io::Error::from_raw_os_error(libc::EACCES)),
            }
        });
        match bound {
            Ok(()) => Reply::Answer(Answer::Value(0)),
            Err(error) => Reply::errno(errno::of(&error)),
        }
    }

    fn read_address(&self, notification: &Notification) -> Result<Address, Reply> {
        let [_, address, len, ..] = notification.args;
        let len = usize::try_from(len as u32).unwrap_or(usize::MAX);
        if !(2..=LONGEST_ADDRESS).contains(&len) {
            return Err(Reply::errno(libc::EINVAL));
        }
        let mut bytes = [0u8; LONGEST_ADDRESS];
        let read = memory::read_exact(notification.tid, address, &mut bytes[..len]);
        if self.still_waits(notification).is_err() {
            return Err(Reply::Gone);
        }
        read.map_err(|error| Reply::errno(errno::of(&error)))?;
        Ok(parse(&bytes[..len]))
    }
}

fn parse(bytes: &[u8]) -> Address {
    let family = u16::from_ne_bytes([bytes[0], bytes[1]]);
    let rest = &bytes[2..];
    let port = |rest: &[u8]| rest.first_chunk::<2>().map_or(0, |port| u16::from_be_bytes(*port));
    match i32::from(family) {
        libc::AF_UNIX => match rest.split_first() {
            Some((0, name)) => Address::Abstract(name.to_vec()),
            _ => Address::Unix(rest.split(|byte| *byte == 0).next().unwrap_or_default().to_vec()),
        },
        libc::AF_INET if bytes.len() >= 16 => {
            let address = Ipv4Addr::new(rest[2], rest[3], rest[4], rest[5]);
            Address::Internet(SocketAddr::new(address.into(), port(rest)))
        }
        libc::AF_INET6 if bytes.len() >= 24 => {
            let mut octets = [0u8; 16];
            octets.copy_from_slice(&rest[6..22]);
            Address::Internet(SocketAddr::new(Ipv6Addr::from(octets).into(), port(rest)))
        }
        libc::AF_NETLINK => Address::Netlink(bytes.to_vec()),
        libc::AF_INET | libc::AF_INET6 => Address::Short,
        libc::AF_UNSPEC => Address::Unspecified,
        _ => Address::Other(family),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_the_kernel_reads_them() {
        let unix = [&(libc::AF_UNIX as u16).to_ne_bytes()[..], b"/run/x\0junk"].concat();
        assert_eq!(parse(&unix), Address::Unix(b"/run/x".to_vec()));
        let named = [&(libc::AF_UNIX as u16).to_ne_bytes()[..], b"\0bus"].concat();
        assert_eq!(parse(&named), Address::Abstract(b"bus".to_vec()));
        let four = [&(libc::AF_INET as u16).to_ne_bytes()[..], &[1, 187, 127, 0, 0, 1], &[0; 8]].concat();
        assert_eq!(parse(&four), Address::Internet("127.0.0.1:443".parse().unwrap()));
        assert_eq!(parse(&(libc::AF_INET as u16).to_ne_bytes()), Address::Short);
        assert_eq!(parse(&[0, 0]), Address::Unspecified);
    }
}
