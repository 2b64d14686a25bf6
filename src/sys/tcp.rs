//! TCP sockets of others, held by a copy: what they are, and acting on them. `tcp(7)`, `socket(7)`, `connect(2)`.
//!
//! A copy is the same open file description, so what is done here is done to the owner's socket, and what is not done (flags)
//! stays as the owner wants it.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockProtocol, SockType, SockaddrIn, SockaddrIn6, SockaddrStorage,
    getsockname, socket,
};

/// Domain, type and protocol.
pub fn kind(socket: BorrowedFd<'_>) -> io::Result<(i32, i32, i32)> {
    let option = |name| option::<libc::c_int>(socket, libc::SOL_SOCKET, name);
    Ok((option(libc::SO_DOMAIN)?, option(libc::SO_TYPE)?, option(libc::SO_PROTOCOL)?))
}

/// The kernel's number of this socket, never given to another while the machine runs.
pub fn cookie(socket: BorrowedFd<'_>) -> io::Result<u64> {
    option(socket, libc::SOL_SOCKET, libc::SO_COOKIE)
}

/// Whether nothing was begun with it, or everything has ended: `TCP_CLOSE`.
pub fn is_idle(socket: BorrowedFd<'_>) -> io::Result<bool> {
    const TCP_CLOSE: u8 = 7;
    // The first byte of `struct tcp_info` is the state.
    Ok(option::<u8>(socket, libc::IPPROTO_TCP, libc::TCP_INFO)? == TCP_CLOSE)
}

/// Whether calls on it return at once.
pub fn is_nonblocking(socket: BorrowedFd<'_>) -> io::Result<bool> {
    Ok(OFlag::from_bits_retain(fcntl(socket, FcntlArg::F_GETFL)?).contains(OFlag::O_NONBLOCK))
}

fn option<T: Default + Copy>(socket: BorrowedFd<'_>, level: i32, name: i32) -> io::Result<T> {
    let mut value = T::default();
    let mut len = size_of::<T>() as libc::socklen_t;
    // SAFETY: both addresses are valid for writing, and the length is told; T is a plain integer.
    let done = unsafe {
        libc::getsockopt(socket.as_raw_fd(), level, name, std::ptr::from_mut(&mut value).cast(), &mut len)
    };
    if done == 0 { Ok(value) } else { Err(io::Error::last_os_error()) }
}

/// `connect(2)`.
pub fn connect(socket: BorrowedFd<'_>, address: SocketAddr) -> io::Result<()> {
    let raw = socket.as_raw_fd();
    match address {
        SocketAddr::V4(address) => nix::sys::socket::connect(raw, &SockaddrIn::from(address))?,
        SocketAddr::V6(address) => nix::sys::socket::connect(raw, &SockaddrIn6::from(address))?,
    }
    Ok(())
}

/// `connect(2)` with `AF_UNSPEC`: back to a socket that is connected to nothing.
pub fn disconnect(socket: BorrowedFd<'_>) -> io::Result<()> {
    let address = libc::sockaddr { sa_family: libc::AF_UNSPEC as libc::sa_family_t, sa_data: [0; 14] };
    let len = size_of::<libc::sockaddr>() as libc::socklen_t;
    // SAFETY: the address lives through the call and has the length that is told.
    let done = unsafe { libc::connect(socket.as_raw_fd(), &address, len) };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// `bind(2)`.
pub fn bind(socket: BorrowedFd<'_>, address: SocketAddr) -> io::Result<()> {
    let raw = socket.as_raw_fd();
    match address {
        SocketAddr::V4(address) => nix::sys::socket::bind(raw, &SockaddrIn::from(address))?,
        SocketAddr::V6(address) => nix::sys::socket::bind(raw, &SockaddrIn6::from(address))?,
    }
    Ok(())
}

/// `listen(2)`.
pub fn listen(socket: BorrowedFd<'_>, backlog: i32) -> io::Result<()> {
    // SAFETY: plain integers.
    let done = unsafe { libc::listen(socket.as_raw_fd(), backlog) };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Its own address.
pub fn local(socket: BorrowedFd<'_>) -> io::Result<SocketAddr> {
    let address: SockaddrStorage = getsockname(socket.as_raw_fd())?;
    if let Some(four) = address.as_sockaddr_in() {
        return Ok(SocketAddr::new(four.ip().into(), four.port()));
    }
    match address.as_sockaddr_in6() {
        Some(six) => Ok(SocketAddr::new(six.ip().into(), six.port())),
        None => Err(io::Error::from_raw_os_error(libc::EAFNOSUPPORT)),
    }
}

/// A socket of our own on its way to an address. What becomes of it is [`settled`].
pub fn start(address: SocketAddr) -> io::Result<OwnedFd> {
    let family = if address.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let own = socket(family, SockType::Stream, flags, SockProtocol::Tcp)?;
    match connect(own.as_fd(), address) {
        Err(error) if error.raw_os_error() != Some(libc::EINPROGRESS) => Err(error),
        _ => Ok(own),
    }
}

/// Whether a socket of [`start`] has arrived, or why not; `None`: it is still on its way.
pub fn settled(own: BorrowedFd<'_>) -> Option<io::Result<()>> {
    let mut fds = [PollFd::new(own, PollFlags::POLLOUT)];
    match poll(&mut fds, PollTimeout::ZERO) {
        Ok(0) | Err(nix::errno::Errno::EINTR) => None,
        Err(error) => Some(Err(error.into())),
        Ok(_) => Some(match option::<libc::c_int>(own, libc::SOL_SOCKET, libc::SO_ERROR) {
            Ok(0) => Ok(()),
            Ok(errno) => Err(io::Error::from_raw_os_error(errno)),
            Err(error) => Err(error),
        }),
    }
}

/// A port of this machine at which nobody listens, and nobody can while the socket lives.
pub fn refusing() -> io::Result<(OwnedFd, SocketAddr)> {
    let own = socket(AddressFamily::Inet, SockType::Stream, SockFlag::SOCK_CLOEXEC, SockProtocol::Tcp)?;
    bind(own.as_fd(), SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 0))?;
    let address = local(own.as_fd())?;
    Ok((own, address))
}

/// The longest queue that the kernel allows.
pub fn longest_backlog() -> i32 {
    Backlog::MAXCONN.into()
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn a_copy_says_what_the_socket_is() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let own = start(address).unwrap();
        assert_eq!(kind(own.as_fd()).unwrap(), (libc::AF_INET, libc::SOCK_STREAM, libc::IPPROTO_TCP));
        assert!(is_nonblocking(own.as_fd()).unwrap() && !is_idle(own.as_fd()).unwrap());
        assert!(matches!(settled(own.as_fd()), Some(Ok(()))));
        assert_eq!(cookie(own.as_fd()).unwrap(), cookie(own.try_clone().unwrap().as_fd()).unwrap());
        let (_keep, nobody) = refusing().unwrap();
        let error = TcpStream::connect(nobody).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ECONNREFUSED));
    }

    #[test]
    fn a_socket_can_be_disconnected() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let own = start(listener.local_addr().unwrap()).unwrap();
        assert!(matches!(settled(own.as_fd()), Some(Ok(()))));
        disconnect(own.as_fd()).unwrap();
        assert!(is_idle(own.as_fd()).unwrap());
    }
}
