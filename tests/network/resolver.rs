//! A name server that says what a test tells it to say, and remembers what it was asked (RFC 1035).
//!
//! UDP and TCP. A name may have several answers, given one after the other: that is how a name is rebound. What it was
//! never told about does not exist.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{IpAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::{Arc, Mutex};
use std::thread;

const A: u16 = 1;
const AAAA: u16 = 28;
const NXDOMAIN: u8 = 3;

/// The running server. It ends with the test's process.
pub(crate) struct Resolver {
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// What is left to say about a name; the last one stays.
    zone: HashMap<String, Vec<Vec<IpAddr>>>,
    asked: Vec<(String, u16)>,
    heard: Vec<Vec<u8>>,
}

impl Resolver {
    /// Listens on port 53 of an address.
    pub(crate) fn start(address: &str) -> Resolver {
        let state = Arc::<Mutex<State>>::default();
        let udp = UdpSocket::bind((address, 53)).expect("UDP port 53");
        let tcp = TcpListener::bind((address, 53)).expect("TCP port 53");
        let for_udp = Arc::clone(&state);
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok((length, from)) = udp.recv_from(&mut buffer) {
                if let Some(answer) = answer(&for_udp, &buffer[..length]) {
                    let _ = udp.send_to(&answer, from);
                }
            }
        });
        let for_tcp = Arc::clone(&state);
        thread::spawn(move || {
            for stream in tcp.incoming().flatten() {
                let state = Arc::clone(&for_tcp);
                thread::spawn(move || serve(&state, stream));
            }
        });
        Resolver { state }
    }

    /// A name with its addresses, of either family.
    pub(crate) fn answers(&self, name: &str, addresses: &[&str]) {
        self.answers_in_turn(name, &[addresses]);
    }

    /// A name with other addresses each time it is asked for, IPv4 and IPv6 counted as one question.
    pub(crate) fn answers_in_turn(&self, name: &str, turns: &[&[&str]]) {
        let parse = |addresses: &&[&str]| -> Vec<IpAddr> {
            addresses.iter().map(|address| address.parse().expect("an address")).collect()
        };
        self.lock().zone.insert(name.to_owned(), turns.iter().map(parse).collect());
    }

    /// Every name that it was asked for so far, as it was spelt.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.lock().asked.iter().map(|(name, _)| name.clone()).collect()
    }

    /// The kinds of record that it was asked for, as numbers.
    pub(crate) fn kinds(&self) -> Vec<u16> {
        self.lock().asked.iter().map(|(_, kind)| *kind).collect()
    }

    /// Every message, whether it was a question or not.
    pub(crate) fn heard(&self) -> Vec<Vec<u8>> {
        self.lock().heard.clone()
    }

    /// Forgets what it was asked.
    pub(crate) fn forget(&self) {
        let mut state = self.lock();
        state.asked.clear();
        state.heard.clear();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().expect("lock")
    }
}

/// One connection: messages with their lengths, one after the other.
fn serve(state: &Mutex<State>, mut stream: TcpStream) {
    let mut length = [0; 2];
    while stream.read_exact(&mut length).is_ok() {
        let mut question = vec![0; u16::from_be_bytes(length).into()];
        if stream.read_exact(&mut question).is_err() {
            return;
        }
        let Some(answer) = answer(state, &question) else { continue };
        let length = u16::try_from(answer.len()).expect("a short answer").to_be_bytes();
        if stream.write_all(&[&length[..], &answer].concat()).is_err() {
            return;
        }
    }
}

/// The name of the one question, its kind, and where it ends.
fn question(message: &[u8]) -> Option<(String, u16, usize)> {
    let mut labels = Vec::new();
    let mut at = 12;
    loop {
        let length = usize::from(*message.get(at)?);
        at += 1;
        if length == 0 {
            break;
        }
        labels.push(String::from_utf8_lossy(message.get(at..at + length)?).into_owned());
        at += length;
    }
    let kind = u16::from_be_bytes(message.get(at..at + 2)?.try_into().ok()?);
    Some((labels.join("."), kind, at + 4))
}

fn answer(state: &Mutex<State>, message: &[u8]) -> Option<Vec<u8>> {
    let mut state = state.lock().expect("lock");
    state.heard.push(message.to_vec());
    let (name, kind, end) = question(message)?;
    let again = state.asked.iter().filter(|(asked, of)| *asked == name && *of == kind).count();
    state.asked.push((name.clone(), kind));
    let turns = state.zone.get(&name.to_ascii_lowercase());
    let addresses = turns.map(|turns| turns[again.min(turns.len() - 1)].clone());
    let mut out = message.get(..end)?.to_vec();
    let code = if addresses.is_some() { 0 } else { NXDOMAIN };
    // A response, recursion available, nothing truncated.
    (out[2], out[3]) = (0x81, 0x80 | code);
    let data: Vec<Vec<u8>> = addresses
        .unwrap_or_default()
        .into_iter()
        .filter_map(|address| match address {
            IpAddr::V4(address) if kind == A => Some(address.octets().to_vec()),
            IpAddr::V6(address) if kind == AAAA => Some(address.octets().to_vec()),
            _ => None,
        })
        .collect();
    let count = u16::try_from(data.len()).expect("few").to_be_bytes();
    out[4..12].copy_from_slice(&[0, 1, count[0], count[1], 0, 0, 0, 0]);
    for bytes in data {
        // The question's name, class IN, for one second.
        out.extend_from_slice(&[0xc0, 0x0c]);
        out.extend_from_slice(&kind.to_be_bytes());
        out.extend_from_slice(&[0, 1, 0, 0, 0, 1, 0]);
        out.push(u8::try_from(bytes.len()).expect("4 or 16"));
        out.extend_from_slice(&bytes);
    }
    Some(out)
}
