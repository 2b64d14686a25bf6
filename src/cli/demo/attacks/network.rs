//! Attacks by sockets: on the client's own listeners, nothing leaves the machine.

use std::net::{Ipv4Addr, TcpListener, TcpStream, UdpSocket};
use std::os::unix::net::UnixStream;

use crate::cli::demo::attacks::{Answer, Attack, Record, call};
use crate::policy::reason::Reason;

const EACCES: Answer = Answer::Errno("EACCES");
const LOCAL: Ipv4Addr = Ipv4Addr::LOCALHOST;

pub(super) const ATTACKS: &[Attack] = &[
    Attack {
        tool: "connect",
        title: "connects to a port of 127.0.0.1",
        run: |victim, _| {
            TcpStream::connect((LOCAL, victim.port)).map(|_| format!("port {} answered", victim.port))
        },
        answer: EACCES,
        record: Record::Denied { event: "network.connect", what: "", reason: Reason::NetNone },
        refused_anyway: &[],
    },
    Attack {
        tool: "listen",
        title: "listens on a port",
        run: |_, _| Ok(format!("port {} is open", TcpListener::bind((LOCAL, 0))?.local_addr()?.port())),
        answer: EACCES,
        record: Record::Denied { event: "network.connect", what: "", reason: Reason::NetNone },
        refused_anyway: &[],
    },
    Attack {
        tool: "send_datagram",
        title: "opens a UDP socket",
        run: |victim, _| {
            let socket = UdpSocket::bind((LOCAL, 0))?;
            Ok(format!("{} bytes sent", socket.send_to(b"secret", (LOCAL, victim.port))?))
        },
        answer: EACCES,
        record: call("socket", Reason::SocketKind),
        refused_anyway: &[],
    },
    Attack {
        tool: "ask_agent",
        title: "connects to the agent's Unix socket",
        run: |victim, _| UnixStream::connect(victim.agent()).map(|_| "the agent answered".into()),
        answer: EACCES,
        record: Record::Denied { event: "socket.unix", what: "", reason: Reason::UnixNotListed },
        refused_anyway: &[],
    },
];
