//! The kernel's audit records of what Landlock refuses, as root: netlink(7), `include/uapi/linux/audit.h`,
//! `Documentation/admin-guide/LSM/landlock.rst`.

use std::collections::BTreeSet;
use std::os::fd::{AsRawFd, OwnedFd};

use nix::poll::{PollFd, PollFlags, poll};
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recv, send, setsockopt,
    socket, sockopt,
};
use std::os::fd::AsFd;

const AUDIT_GET: u16 = 1000;
const AUDIT_SET: u16 = 1001;
const AUDIT_LANDLOCK_ACCESS: u16 = 1423;
/// The multicast group of those who only read.
const READ_LOG: u32 = 1;
/// `AUDIT_STATUS_ENABLED`.
const ENABLED: u32 = 1;
/// How long a record may take, in milliseconds.
const PATIENCE: u16 = 30_000;

/// A reader of records. Auditing is as it was before when this is dropped.
pub(crate) struct Listening {
    records: OwnedFd,
    control: OwnedFd,
    was_enabled: bool,
}

fn netlink(groups: u32) -> nix::Result<OwnedFd> {
    let socket =
        socket(AddressFamily::Netlink, SockType::Raw, SockFlag::SOCK_CLOEXEC, SockProtocol::NetlinkAudit)?;
    bind(socket.as_raw_fd(), &NetlinkAddr::new(0, groups))?;
    Ok(socket)
}

/// One netlink message: length, type, flags, number, port, then the payload.
fn message(kind: u16, payload: &[u8]) -> Vec<u8> {
    const REQUEST: u16 = 1;
    let length = u32::try_from(16 + payload.len()).expect("short");
    let mut bytes = length.to_ne_bytes().to_vec();
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(REQUEST.to_ne_bytes());
    bytes.extend([0; 8]);
    bytes.extend(payload);
    bytes
}

fn set_enabled(control: &OwnedFd, enabled: bool) {
    // `struct audit_status`: mask, enabled, and seven numbers that the mask leaves alone.
    let words = [ENABLED, u32::from(enabled), 0, 0, 0, 0, 0, 0, 0, 0];
    let payload: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
    send(control.as_raw_fd(), &message(AUDIT_SET, &payload), MsgFlags::empty()).expect("AUDIT_SET");
}

fn is_enabled(control: &OwnedFd) -> bool {
    send(control.as_raw_fd(), &message(AUDIT_GET, &[]), MsgFlags::empty()).expect("AUDIT_GET");
    let mut buffer = [0; 4096];
    loop {
        let length = recv(control.as_raw_fd(), &mut buffer, MsgFlags::empty()).expect("an answer");
        let word = |at: usize| u32::from_ne_bytes(buffer[at..at + 4].try_into().expect("four bytes"));
        if length >= 24 && u16::from_ne_bytes([buffer[4], buffer[5]]) == AUDIT_GET {
            return word(20) != 0;
        }
    }
}

/// Begins to listen; `None` for whoever may not. Root of the machine itself has to be able to.
pub(crate) fn listen() -> Option<Listening> {
    if !nix::unistd::geteuid().is_root() {
        return None;
    }
    let records = netlink(READ_LOG).expect("audit records: CONFIG_AUDIT, CAP_AUDIT_READ");
    setsockopt(&records, sockopt::RcvBuf, &(4 << 20)).expect("room");
    let control = netlink(0).expect("audit");
    let was_enabled = is_enabled(&control);
    set_enabled(&control, true);
    assert!(is_enabled(&control), "auditing could not be turned on");
    Some(Listening { records, control, was_enabled })
}

impl Drop for Listening {
    fn drop(&mut self) {
        set_enabled(&self.control, self.was_enabled);
    }
}

impl Listening {
    /// The next record of a Landlock refusal: its domain and its text.
    fn next(&self) -> (String, String) {
        let mut buffer = [0; 16_384];
        loop {
            let mut fds = [PollFd::new(self.records.as_fd(), PollFlags::POLLIN)];
            assert!(poll(&mut fds, PATIENCE).expect("poll") > 0, "an audit record did not come");
            let length = recv(self.records.as_raw_fd(), &mut buffer, MsgFlags::empty()).expect("a record");
            let kind = u16::from_ne_bytes([buffer[4], buffer[5]]);
            let text = String::from_utf8_lossy(&buffer[16.min(length)..length]).into_owned();
            if kind == AUDIT_LANDLOCK_ACCESS
                && let Some((_, rest)) = text.split_once("domain=")
            {
                let domain = rest.split(' ').next().unwrap_or_default().to_owned();
                return (domain, text);
            }
        }
    }

    /// The cases that were refused: each one's records stand before that of its mark.
    pub(crate) fn refused(&self, cases: &[String]) -> BTreeSet<String> {
        let mut refused = BTreeSet::new();
        let own = loop {
            let (domain, text) = self.next();
            if text.contains("/outside/marks/ready\"") {
                break domain;
            }
        };
        for case in cases {
            let mark = format!("/outside/marks/{case}\"");
            loop {
                let (domain, text) = self.next();
                if domain != own {
                    continue;
                }
                if text.contains(&mark) {
                    break;
                }
                assert!(!text.contains("/outside/marks/"), "records are missing: {text}");
                refused.insert(case.clone());
            }
        }
        refused
    }
}
