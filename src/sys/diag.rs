//! What went over a TCP socket, asked of the kernel without holding the socket: `sock_diag(7)`.
//!
//! A copy of a socket keeps its connection open after the owner closed it; a cookie does not. The kernel answers for a live
//! socket, and tells whoever listens of each one that ends, with its last figures.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

const SOCK_DIAG_BY_FAMILY: u16 = 20;
/// `SKNLGRP_INET_TCP_DESTROY` and `SKNLGRP_INET6_TCP_DESTROY`, as bits.
const ENDS: u32 = 1 | 1 << 2;
const INET_DIAG_INFO: u16 = 2;
/// `struct nlmsghdr`.
const HEADER: usize = 16;
/// `struct inet_diag_msg`.
const MESSAGE: usize = 72;
/// Where its `struct inet_diag_sockid` has the cookie.
const COOKIE: usize = 4 + 40;

/// Bytes of data, without what was sent again. The end of a stream may count as one byte received.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Figures {
    /// Sent.
    pub up: u64,
    /// Received.
    pub down: u64,
}

/// A socket that hears of the end of every TCP socket of this network namespace.
pub fn ends() -> io::Result<OwnedFd> {
    open(ENDS, libc::SOCK_NONBLOCK)
}

/// A socket to ask with.
pub fn asking() -> io::Result<OwnedFd> {
    open(0, 0)
}

fn open(groups: u32, flags: i32) -> io::Result<OwnedFd> {
    const NETLINK_SOCK_DIAG: i32 = 4;
    let kind = libc::SOCK_RAW | libc::SOCK_CLOEXEC | flags;
    // SAFETY: plain integers.
    let raw = unsafe { libc::socket(libc::AF_NETLINK, kind, NETLINK_SOCK_DIAG) };
    if raw < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel just made it for us.
    let socket = unsafe { OwnedFd::from_raw_fd(raw) };
    // SAFETY: all zero is a valid address.
    let mut address: libc::sockaddr_nl = unsafe { std::mem::zeroed() };
    address.nl_family = libc::AF_NETLINK as libc::sa_family_t;
    address.nl_groups = groups;
    let len = size_of::<libc::sockaddr_nl>() as libc::socklen_t;
    // SAFETY: the address lives through the call and has the length that is told.
    let done = unsafe { libc::bind(raw, std::ptr::from_ref(&address).cast(), len) };
    if done == 0 { Ok(socket) } else { Err(io::Error::last_os_error()) }
}

/// The sockets of one datagram of a socket of [`ends`], by cookie.
pub fn read(socket: BorrowedFd<'_>) -> io::Result<Vec<(u64, Figures)>> {
    let mut buffer = [0u8; 8192];
    let len = receive(socket, &mut buffer)?;
    Ok(parse(&buffer[..len]))
}

/// Figures of one live socket; `None`: it is gone.
pub fn ask(
    socket: BorrowedFd<'_>,
    cookie: u64,
    local: SocketAddr,
    peer: SocketAddr,
) -> io::Result<Option<Figures>> {
    let request = request(cookie, local, peer);
    // SAFETY: the buffer lives through the call and has the length that is told.
    let sent = unsafe { libc::send(socket.as_raw_fd(), request.as_ptr().cast(), request.len(), 0) };
    if sent < 0 {
        return Err(io::Error::last_os_error());
    }
    let mut buffer = [0u8; 4096];
    let len = receive(socket, &mut buffer)?;
    Ok(parse(&buffer[..len]).into_iter().find(|(of, _)| *of == cookie).map(|(_, figures)| figures))
}

fn receive(socket: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<usize> {
    // SAFETY: the buffer lives through the call and has the length that is told.
    let len = unsafe { libc::recv(socket.as_raw_fd(), buffer.as_mut_ptr().cast(), buffer.len(), 0) };
    usize::try_from(len).map_err(|_| io::Error::last_os_error())
}

/// `struct nlmsghdr` and `struct inet_diag_req_v2`.
fn request(cookie: u64, local: SocketAddr, peer: SocketAddr) -> Vec<u8> {
    const NLM_F_REQUEST: u16 = 1;
    let family = if local.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 } as u8;
    let address = |ip: IpAddr| {
        let mut octets = [0u8; 16];
        match ip {
            IpAddr::V4(four) => octets[..4].copy_from_slice(&four.octets()),
            IpAddr::V6(six) => octets = six.octets(),
        }
        octets
    };
    let body = [
        &[family, libc::IPPROTO_TCP as u8, 1 << (INET_DIAG_INFO - 1), 0][..],
        &u32::MAX.to_ne_bytes(),
        &local.port().to_be_bytes(),
        &peer.port().to_be_bytes(),
        &address(local.ip()),
        &address(peer.ip()),
        &0u32.to_ne_bytes(),
        &cookie.to_ne_bytes(),
    ]
    .concat();
    let header = [
        &((HEADER + body.len()) as u32).to_ne_bytes()[..],
        &SOCK_DIAG_BY_FAMILY.to_ne_bytes(),
        &NLM_F_REQUEST.to_ne_bytes(),
        &[0; 8],
    ]
    .concat();
    [header, body].concat()
}

fn parse(mut datagram: &[u8]) -> Vec<(u64, Figures)> {
    let mut found = Vec::new();
    while let Some(len) = number::<4>(datagram, 0).map(u32::from_ne_bytes) {
        let len = len as usize;
        if len < HEADER || len > datagram.len() {
            break;
        }
        if number::<2>(datagram, 4).map(u16::from_ne_bytes) == Some(SOCK_DIAG_BY_FAMILY) {
            found.extend(message(&datagram[HEADER..len]));
        }
        datagram = &datagram[len.next_multiple_of(4).min(datagram.len())..];
    }
    found
}

fn message(body: &[u8]) -> Option<(u64, Figures)> {
    let cookie = u64::from_ne_bytes(number(body, COOKIE)?);
    let mut attributes = body.get(MESSAGE..)?;
    while let Some(len) = number::<2>(attributes, 0).map(u16::from_ne_bytes) {
        let (len, kind) = (usize::from(len), u16::from_ne_bytes(number(attributes, 2)?));
        if len < 4 || len > attributes.len() {
            return None;
        }
        if kind == INET_DIAG_INFO {
            // `struct tcp_info`: tcpi_bytes_received, tcpi_bytes_sent (Linux 4.19), tcpi_bytes_retrans.
            let info = &attributes[4..len];
            let sent = u64::from_ne_bytes(number(info, 200)?);
            let again = u64::from_ne_bytes(number(info, 208)?);
            let down = u64::from_ne_bytes(number(info, 128)?);
            return Some((cookie, Figures { up: sent.saturating_sub(again), down }));
        }
        attributes = attributes.get(len.next_multiple_of(4)..)?;
    }
    None
}

fn number<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::{Ipv4Addr, TcpListener, TcpStream};
    use std::os::fd::AsFd as _;

    use super::*;
    use crate::sys::tcp;

    #[test]
    fn a_live_socket_is_asked_about_and_its_end_is_heard() {
        let (ends, asking) = (ends().unwrap(), asking().unwrap());
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let mut one = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut other, _) = listener.accept().unwrap();
        one.write_all(&[1; 1000]).unwrap();
        other.read_exact(&mut [0; 1000]).unwrap();
        other.write_all(&[1; 77]).unwrap();
        one.read_exact(&mut [0; 77]).unwrap();
        let cookie = tcp::cookie(one.as_fd()).unwrap();
        let (local, peer) = (one.local_addr().unwrap(), one.peer_addr().unwrap());
        let live = ask(asking.as_fd(), cookie, local, peer).unwrap().unwrap();
        assert_eq!((live.up, live.down), (1000, 77));
        assert_eq!(ask(asking.as_fd(), cookie + 1, local, peer).unwrap(), None);
        drop(other);
        assert_eq!(one.read(&mut [0; 1]).unwrap(), 0);
        drop(one);
        loop {
            let mut fds = [nix::poll::PollFd::new(ends.as_fd(), nix::poll::PollFlags::POLLIN)];
            assert!(nix::poll::poll(&mut fds, 10_000u16).unwrap() > 0, "the end was not heard");
            if let Some((_, last)) = read(ends.as_fd()).unwrap().into_iter().find(|(of, _)| *of == cookie) {
                assert_eq!(last.up, 1000);
                assert!(matches!(last.down, 77 | 78));
                break;
            }
        }
    }

    #[test]
    fn broken_messages_say_nothing() {
        for bytes in [&[][..], &[1], &[255; 16], &[16, 0, 0, 0, 20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]] {
            assert_eq!(parse(bytes), Vec::new());
        }
    }
}
