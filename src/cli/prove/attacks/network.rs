//! Sockets: TCP by several names of this machine, a listener, datagrams, questions for names, Unix sockets by path, by
//! link and by an abstract name, and kinds that pass by every rule. All of them lead to the doctor's own listeners.

use std::io::{self, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsFd as _;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::fs::symlink;
use std::os::unix::net::{SocketAddr, UnixDatagram, UnixStream};

use crate::cli::prove::attacks::{Attack, EACCES, On, Wants, never};
use crate::cli::prove::mission::{Answered, Mission};
use crate::sys::hostile;

/// A name that nobody has (RFC 2606), asked for in a question that carries something out.
const QUESTION: &[u8] = b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x06stolen\x07invalid\0\0\x01\0\x01";
/// `IPPROTO_MPTCP`.
const MPTCP: i32 = 262;

pub(super) const ATTACKS: &[Attack] = &[
    never("connect", "connects to a port of 127.0.0.1", EACCES, |it| tcp(Ipv4Addr::LOCALHOST.into(), it))
        .wants(Wants::Port),
    never("connect-any", "connects to the same port of 0.0.0.0", EACCES, |it| {
        tcp(Ipv4Addr::UNSPECIFIED.into(), it)
    })
    .wants(Wants::Port),
    never("connect-mapped", "connects to it as ::ffff:127.0.0.1", EACCES, |it| {
        tcp(Ipv6Addr::from_bits(0xffff_7f00_0001).into(), it)
    })
    .wants(Wants::Port),
    never("connect-fast-open", "connects by sending (MSG_FASTOPEN)", EACCES, |it| {
        let socket = hostile::socket(libc::AF_INET, libc::SOCK_STREAM, 0)?;
        hostile::fast_open(socket.as_fd(), it.tcp, b"stolen").map(|()| "it was sent".into())
    }),
    never("listen", "listens on a port of 127.0.0.1", EACCES, |_| {
        Ok(format!("port {}", TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port()))
    })
    .wants(Wants::Listen),
    never("listen-anywhere", "listens without a port of its own", EACCES, |_| {
        let socket = hostile::socket(libc::AF_INET, libc::SOCK_STREAM, 0)?;
        crate::sys::tcp::listen(socket.as_fd(), 1).map(|()| "everybody can connect".into())
    }),
    never("send-datagram", "sends a datagram (UDP)", EACCES, |it| datagram(b"stolen", it)),
    never("ask-for-name", "asks a server of its own for a name (DNS)", EACCES, |it| datagram(QUESTION, it)),
    never("ask-resolver", "asks the resolver for a name not listed", &["NXDOMAIN"], ask_resolver)
        .on(On::Network),
    never("agent-socket", "connects to a key agent's socket", EACCES, |it| {
        UnixStream::connect(it.agent()).map(|_| "the agent answered".into())
    })
    .wants(Wants::Socket(Mission::agent)),
    never("docker-socket", "connects to a docker.sock", EACCES, |it| {
        UnixStream::connect(it.docker()).map(|_| "the engine answered".into())
    })
    .wants(Wants::Socket(Mission::docker)),
    never("linked-socket", "connects to the agent's socket by a link", EACCES, |it| {
        let link = std::env::temp_dir().join("agent");
        symlink(it.agent(), &link)?;
        UnixStream::connect(link).map(|_| "the agent answered".into())
    })
    .wants(Wants::Socket(Mission::agent)),
    never("abstract-socket", "connects to an abstract Unix socket", EACCES, |it| {
        let address = SocketAddr::from_abstract_name(it.name.as_bytes())?;
        UnixStream::connect_addr(&address).map(|_| "somebody answered".into())
    })
    .refused_by(&["EACCES", "EPERM"]),
    never("unix-datagram", "sends a datagram to a Unix socket", EACCES, |it| {
        UnixDatagram::unbound()?.send_to(b"stolen", it.home.join("log.sock")).map(|_| "it was sent".into())
    }),
    never("multipath", "opens a multipath TCP socket", EACCES, |_| {
        hostile::socket(libc::AF_INET, libc::SOCK_STREAM, MPTCP).map(|_| "it is open".into())
    }),
    never("raw-socket", "opens a raw socket", EACCES, |_| {
        hostile::socket(libc::AF_INET, libc::SOCK_RAW, libc::IPPROTO_ICMP).map(|_| "it is open".into())
    })
    .refused_by(&["EACCES", "EPERM"]),
    never("packet-socket", "opens a packet socket", EACCES, |_| {
        hostile::socket(libc::AF_PACKET, libc::SOCK_RAW, 0).map(|_| "it is open".into())
    })
    .refused_by(&["EACCES", "EPERM"]),
    never("netlink-socket", "opens a netlink socket for events", EACCES, |_| {
        hostile::socket(libc::AF_NETLINK, libc::SOCK_RAW, libc::NETLINK_KOBJECT_UEVENT)
            .map(|_| "it is open".into())
    }),
    never("vsock-socket", "opens a socket to the machine's host", EACCES, |_| {
        hostile::socket(libc::AF_VSOCK, libc::SOCK_STREAM, 0).map(|_| "it is open".into())
    }),
];

fn tcp(address: IpAddr, mission: &Mission) -> io::Result<String> {
    TcpStream::connect((address, mission.tcp))?.write_all(b"stolen")?;
    Ok(format!("port {} answered", mission.tcp))
}

fn datagram(bytes: &[u8], mission: &Mission) -> io::Result<String> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    Ok(format!("{} bytes sent", socket.send_to(bytes, (Ipv4Addr::LOCALHOST, mission.udp))?))
}

/// By TCP, as libraries do that are told to (`use-vc`, resolv.conf(5)).
fn ask_resolver(mission: &Mission) -> io::Result<String> {
    let mut resolver = TcpStream::connect(mission.resolver)?;
    let length = u16::try_from(QUESTION.len()).map_err(io::Error::other)?;
    resolver.write_all(&[&length.to_be_bytes()[..], QUESTION].concat())?;
    let mut length = [0; 2];
    resolver.read_exact(&mut length)?;
    let mut answer = vec![0; usize::from(u16::from_be_bytes(length))];
    resolver.read_exact(&mut answer)?;
    // The code is in the lower half of the fourth byte, the number of answers in the seventh and eighth.
    match (answer.get(3).map(|flags| flags & 0xf), answer.get(6..8)) {
        (Some(0), Some(count)) if count != [0, 0] => Ok("it was told an address".into()),
        (Some(3), _) => Err(io::Error::other(Answered("NXDOMAIN"))),
        _ => Err(io::Error::other("the resolver said neither")),
    }
}
