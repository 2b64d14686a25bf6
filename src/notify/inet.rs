//! Internet sockets: `connect`, `bind`, `listen`, `getpeername`, done by us on our copy of the server's socket.
//!
//! The address is copied once; the copy is judged by `network` and used. The socket is copied too (`pidfd_getfd(2)`: the same
//! open file description), asked what it is, and acted on, so that descriptors swapped meanwhile, epoll registrations and
//! duplicates see what they would see of a call of their own. A call that has to wait is answered from another thread; this one
//! never waits for a network. `connect(2)`, `seccomp_unotify(2)`.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::event::Backend;
use crate::network::{self, Asker, Caller, Connected, Refused, Target, Way};
use crate::notify::denial::never;
use crate::notify::{Broker, Reply, target};
use crate::policy::address::canonical;
use crate::policy::network::Network;
use crate::policy::reason::Reason;
use crate::policy::verdict::{Denial, Layer, Remedy};
use crate::sys::seccomp::{self, Answer, Notification};
use crate::sys::{errno, memory, tcp};

/// Calls that may wait for an address at a time, each on a thread.
const MOST_WAITING: u32 = 512;
/// The stack of such a thread: it makes one system call.
const STACK: usize = 64 * 1024;

/// A socket of the server's that was looked at.
struct Socket {
    copy: OwnedFd,
    domain: i32,
}

impl Broker {
    pub(super) fn connect_internet(&mut self, notification: &Notification, asked: SocketAddr) -> Reply {
        let Some(asker) = self.asking(notification) else { return Reply::Gone };
        let Some(network) = self.network.clone() else { return self.no_network(&asker, asked) };
        let socket = match self.socket(notification, &asker, asked) {
            Ok(socket) => socket,
            Err(reply) => return reply,
        };
        if (socket.domain == libc::AF_INET6) != asked.is_ipv6() {
            return Reply::errno(libc::EAFNOSUPPORT);
        }
        // A connection is on its way, there, or has just failed: the kernel says which. Should the socket be free by
        // now, it is led to where nobody listens.
        if !tcp::is_idle(socket.copy.as_fd()).unwrap_or(false) {
            let at = network.nowhere(socket.copy.as_fd());
            return self.connect_itself(notification, socket.copy, move |copy| {
                tcp::connect(copy.as_fd(), at).map_or_else(|error| errno::of(&error), |()| 0)
            });
        }
        match network.judge(asked) {
            Err(refused) => self.refuse_connection(&network, &asker, asked, &refused),
            Ok(Way::Resolver) => self.connected(network.to_resolver(Caller { socket: socket.copy, asker })),
            Ok(Way::Direct(target)) => {
                if let Err(refused) = network.admit(&target) {
                    return self.refuse_connection(&network, &asker, asked, &refused);
                }
                if network.record().connect(&asker, &target, Backend::Direct, None, 0).is_err() {
                    return Reply::errno(libc::EIO);
                }
                let at = as_known(socket.domain, target.address);
                self.connect_itself(notification, socket.copy, move |copy| {
                    network.connect_directly(copy.as_fd(), asker, target, at)
                })
            }
            Ok(Way::Verify(target, names)) => {
                if let Err(refused) = network.admit(&target) {
                    return self.refuse_connection(&network, &asker, asked, &refused);
                }
                let answer = self.answering(notification);
                let caller = Caller { socket: socket.copy, asker };
                self.connected(network.verify(caller, target, names, answer))
            }
        }
    }

    /// `connect` with `AF_UNSPEC`: undoes a connection.
    pub(super) fn disconnect(&mut self, notification: &Notification) -> Reply {
        let Some(asker) = self.asking(notification) else { return Reply::Gone };
        let copy = match target::duplicate(asker.pid, notification.args[0] as i32) {
            Ok(copy) => copy,
            Err(error) => return Reply::errno(errno::of(&error)),
        };
        match tcp::kind(copy.as_fd()) {
            Ok((libc::AF_INET | libc::AF_INET6, libc::SOCK_STREAM, libc::IPPROTO_TCP)) => {
                tcp::disconnect(copy.as_fd()).map_or_else(|error| Reply::errno(errno::of(&error)), |()| DONE)
            }
            _ => self.refuse_kind(notification),
        }
    }

    pub(super) fn bind_internet(&mut self, notification: &Notification, asked: SocketAddr) -> Reply {
        let Some(asker) = self.asking(notification) else { return Reply::Gone };
        let Some(network) = self.network.clone() else { return self.no_network(&asker, asked) };
        let socket = match self.socket(notification, &asker, asked) {
            Ok(socket) => socket,
            Err(reply) => return reply,
        };
        if (socket.domain == libc::AF_INET6) != asked.is_ipv6() {
            return Reply::errno(libc::EAFNOSUPPORT);
        }
        if network.policy().listens(asked.ip(), asked.port()).is_none() {
            let refused = not_to_listen_on(network.policy(), asked);
            return self.refuse_connection(&network, &asker, asked, &refused);
        }
        let target = Target { host: None, asked, address: asked };
        if network.record().connect(&asker, &target, Backend::Listen, None, 0).is_err() {
            return Reply::errno(libc::EIO);
        }
        tcp::bind(socket.copy.as_fd(), asked).map_or_else(|error| Reply::errno(errno::of(&error)), |()| DONE)
    }

    /// `listen`. A socket that nobody bound would be given a port of the kernel's, open to all.
    pub(super) fn listen(&mut self, notification: &Notification) -> Reply {
        let Some(network) = self.network.clone() else {
            return self.refuse_call(notification, libc::EACCES, &self.context.no_network());
        };
        let Some(asker) = self.asking(notification) else { return Reply::Gone };
        let nowhere = SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), 0);
        let socket = match self.socket(notification, &asker, nowhere) {
            Ok(socket) => socket,
            Err(reply) => return reply,
        };
        let own = match tcp::local(socket.copy.as_fd()) {
            Ok(own) => own,
            Err(error) => return Reply::errno(errno::of(&error)),
        };
        let policy = network.policy();
        let granted = policy.listens(own.ip(), own.port()).or_else(|| policy.listens(own.ip(), 0));
        if own.port() == 0 || granted.is_none() {
            let denial = not_to_listen_on(policy, own).denial;
            return self.refuse_call(notification, libc::EACCES, &denial);
        }
        let backlog = notification.args[1] as i32;
        tcp::listen(socket.copy.as_fd(), backlog)
            .map_or_else(|error| Reply::errno(errno::of(&error)), |()| DONE)
    }

    /// `getpeername`: what the server connected to, not what of ours it was led through.
    pub(super) fn peer_name(&mut self, notification: &Notification) -> Reply {
        let Some(network) = self.network.clone() else { return Reply::CONTINUE };
        let [fd, address, len, ..] = notification.args;
        let Some(asker) = self.asking(notification) else { return Reply::Gone };
        // Whatever is not led through us, the kernel may say itself: it tells only what the process has.
        let Ok(copy) = target::duplicate(asker.pid, fd as i32) else { return Reply::CONTINUE };
        let Some(peer) = tcp::cookie(copy.as_fd()).ok().and_then(|cookie| network.peer(cookie)) else {
            return Reply::CONTINUE;
        };
        let mut room = [0; 4];
        let read = memory::read_exact(notification.tid, len, &mut room);
        if self.still_waits(notification).is_err() {
            return Reply::Gone;
        }
        let Ok(room) = read.map(|()| i32::from_ne_bytes(room)) else { return Reply::errno(libc::EFAULT) };
        let Ok(room) = usize::try_from(room) else { return Reply::errno(libc::EINVAL) };
        let bytes = raw(peer);
        let written = memory::write(notification.tid, address, &bytes[..room.min(bytes.len())])
            .and_then(|()| memory::write(notification.tid, len, &(bytes.len() as u32).to_ne_bytes()));
        written.map_or(Reply::errno(libc::EFAULT), |()| DONE)
    }

    fn asking(&mut self, notification: &Notification) -> Option<Asker> {
        let asker = self.asker(notification)?;
        Some(Asker { pid: asker.pid, exe: asker.exe })
    }

    /// Our copy of the caller's socket, if it is one for TCP.
    fn socket(
        &mut self,
        notification: &Notification,
        asker: &Asker,
        asked: SocketAddr,
    ) -> Result<Socket, Reply> {
        let copy = match target::duplicate(asker.pid, notification.args[0] as i32) {
            Ok(copy) => copy,
            Err(error) if error.raw_os_error() == Some(libc::EPERM) => {
                return Err(self.unavailable(asker, asked));
            }
            Err(error) => return Err(Reply::errno(errno::of(&error))),
        };
        if self.still_waits(notification).is_err() {
            return Err(Reply::Gone);
        }
        match tcp::kind(copy.as_fd()) {
            Ok((domain @ (libc::AF_INET | libc::AF_INET6), libc::SOCK_STREAM, libc::IPPROTO_TCP)) => {
                Ok(Socket { copy, domain })
            }
            // The kernel's own answer to an address of another family.
            Ok((libc::AF_UNIX, ..)) if notification.nr != libc::SYS_listen as i32 => {
                Err(Reply::errno(libc::EINVAL))
            }
            Ok(_) => Err(self.refuse_kind(notification)),
            Err(error) => Err(Reply::errno(errno::of(&error))),
        }
    }

    fn no_network(&mut self, asker: &Asker, asked: SocketAddr) -> Reply {
        if self.has_network {
            return self.unavailable(asker, asked);
        }
        let refused = Refused { host: None, denial: self.context.no_network(), errno: libc::EACCES };
        self.refuse_address(asker, asked, &refused)
    }

    fn unavailable(&mut self, asker: &Asker, asked: SocketAddr) -> Reply {
        let why = "pidfd_getfd is refused here, so the broker cannot act on the server's sockets";
        let denial = Denial { layer: Layer::Network, ..never(Reason::NetUnavailable, why) };
        self.refuse_address(asker, asked, &Refused { host: None, denial, errno: libc::EACCES })
    }

    fn refuse_connection(
        &mut self,
        network: &network::Broker,
        asker: &Asker,
        asked: SocketAddr,
        refused: &Refused,
    ) -> Reply {
        // A refusal stays one, written or not.
        let _ = network.record().refuse(asker, canonical(asked.ip()), asked.port(), refused);
        Reply::errno(refused.errno)
    }

    fn refuse_address(&mut self, asker: &Asker, asked: SocketAddr, refused: &Refused) -> Reply {
        let _ = network::record(&self.emitter).refuse(asker, asked.ip(), asked.port(), refused);
        Reply::errno(refused.errno)
    }

    fn connected(&self, connected: Connected) -> Reply {
        match connected {
            Connected::Now(0) => DONE,
            Connected::Now(errno) => Reply::errno(errno),
            Connected::Later => Reply::Handed,
        }
    }

    /// Answers a call from wherever it is known how.
    fn answering(&self, notification: &Notification) -> network::Answer {
        let (listener, id) = (Arc::clone(&self.listener), notification.id);
        Box::new(move |errno| {
            let answer = if errno == 0 { Answer::Value(0) } else { Answer::Errno(errno) };
            // ENOENT: the caller died meanwhile.
            let _ = seccomp::respond(listener.as_fd(), id, answer);
        })
    }

    /// Connects the server's socket itself: at once when it does not wait, on a thread of its own when it does.
    fn connect_itself(
        &mut self,
        notification: &Notification,
        copy: OwnedFd,
        connect: impl FnOnce(&OwnedFd) -> i32 + Send + 'static,
    ) -> Reply {
        if tcp::is_nonblocking(copy.as_fd()).unwrap_or(false) {
            return self.connected(Connected::Now(connect(&copy)));
        }
        if self.connecting.fetch_add(1, Ordering::Relaxed) >= MOST_WAITING {
            self.connecting.fetch_sub(1, Ordering::Relaxed);
            return Reply::errno(libc::EAGAIN);
        }
        let (answer, waiting) = (self.answering(notification), Arc::clone(&self.connecting));
        let wait = move || {
            answer(connect(&copy));
            waiting.fetch_sub(1, Ordering::Relaxed);
        };
        match std::thread::Builder::new().name("connect".into()).stack_size(STACK).spawn(wait) {
            Ok(_) => Reply::Handed,
            Err(_) => {
                self.connecting.fetch_sub(1, Ordering::Relaxed);
                Reply::errno(libc::EAGAIN)
            }
        }
    }
}

/// The call succeeded.
const DONE: Reply = Reply::Answer(Answer::Value(0));

fn not_to_listen_on(policy: &Network, address: SocketAddr) -> Refused {
    let port = address.port();
    let line = match canonical(address.ip()) {
        IpAddr::V4(four) if !four.is_loopback() && !four.is_unspecified() => format!("{four}:{port}"),
        _ => format!("localhost:{port}"),
    };
    let remedy = match policy.why_listen_taken(address.ip(), port) {
        Some(why) => Remedy::WhyNot(why),
        None => Remedy::Line(format!("network.listen = [\"{line}\"]")),
    };
    let denial = Denial { reason: Reason::NetListenNotListed, layer: Layer::Network, remedy };
    Refused { host: None, denial, errno: libc::EACCES }
}

/// An IPv4 address in IPv6 dress, for a socket that knows no other.
fn as_known(domain: i32, address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(four) if domain == libc::AF_INET6 => {
            SocketAddr::new(four.to_ipv6_mapped().into(), address.port())
        }
        _ => address,
    }
}

/// `struct sockaddr_in` or `sockaddr_in6`.
fn raw(address: SocketAddr) -> Vec<u8> {
    let port = address.port().to_be_bytes();
    match address.ip() {
        IpAddr::V4(four) => {
            [&(libc::AF_INET as u16).to_ne_bytes()[..], &port, &four.octets(), &[0; 8]].concat()
        }
        IpAddr::V6(six) => {
            [&(libc::AF_INET6 as u16).to_ne_bytes()[..], &port, &[0; 4], &six.octets(), &[0; 4]].concat()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_written_as_the_kernel_writes_them() {
        let four = raw("93.184.216.34:443".parse().unwrap());
        assert_eq!(four, [2, 0, 1, 187, 93, 184, 216, 34, 0, 0, 0, 0, 0, 0, 0, 0]);
        let six = raw("[2606:4700::1111]:80".parse().unwrap());
        assert_eq!((six.len(), &six[..4], &six[8..12]), (28, &[10, 0, 0, 80][..], &[0x26, 6, 0x47, 0][..]));
    }

    #[test]
    fn a_remedy_names_what_would_be_listed() {
        let policy = Network::default();
        let line = |address: &str| match not_to_listen_on(&policy, address.parse().unwrap()).denial.remedy {
            Remedy::Line(line) => line,
            Remedy::WhyNot(why) => panic!("{why}"),
        };
        assert_eq!(line("0.0.0.0:80"), "network.listen = [\"localhost:80\"]");
        assert_eq!(line("[::1]:80"), "network.listen = [\"localhost:80\"]");
        assert_eq!(line("10.0.0.1:80"), "network.listen = [\"10.0.0.1:80\"]");
    }
}
