//! What only we can have made: the `requestState` of a question, and the names of questions.
//!
//! A state is `caponier-1.ID.EXPIRY.MAC`: the name of the held call, milliseconds since the session began, and an
//! HMAC-SHA-256 (RFC 2104) under the session's key over all of it and over the method, the tool and the digest of the
//! arguments. So it is good for one call in one session until its time is over; that it is good once is known by
//! whether the call is still held. What does not begin like one is the server's own.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::mcp::pending::Digest;

/// How a state of ours begins.
const HEAD: &str = "caponier-1.";
/// Bytes of a name, and of the prefix of our questions' ids.
const NAME: usize = 4;
const PREFIX: usize = 16;

/// What a `requestState` is to a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// It is the server's.
    Theirs,
    /// The state of this held call.
    Ours(String),
    /// It looks like one of ours and is none, or not for this call.
    Forged,
    /// Its time is over.
    Expired,
    /// The call is held no longer.
    Replayed,
}

/// The session's key.
pub(super) struct Seal {
    mac: Hmac<Sha256>,
    began: Instant,
    prefix: String,
}

impl std::fmt::Debug for Seal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Seal")
    }
}

impl Seal {
    pub(super) fn new(key: &[u8; 32], began: Instant) -> Self {
        // A MAC of this kind takes keys of any length.
        #[allow(clippy::expect_used, reason = "HMAC takes a key of any length")]
        let mac = Hmac::new_from_slice(key).expect("a key");
        let mut seal = Seal { mac, began, prefix: String::new() };
        seal.prefix = format!("caponier-{}-", seal.hex(&[b"prefix"], PREFIX));
        seal
    }

    /// How the ids of our questions begin. No server can guess it.
    pub(super) fn prefix(&self) -> &str {
        &self.prefix
    }

    /// A name for the held call with this number.
    pub(super) fn name(&self, number: u64) -> String {
        self.hex(&[b"name", &number.to_le_bytes()], NAME)
    }

    /// The state for a call.
    pub(super) fn state(&self, id: &str, deadline: Instant, tool: &str, digest: &Digest) -> String {
        let expiry = deadline.saturating_duration_since(self.began).as_millis().to_string();
        let mut state = format!("{HEAD}{id}.{expiry}.");
        let mac = self.mac(&Self::sealed(id, &expiry, tool, digest));
        for byte in mac.finalize().into_bytes() {
            // Writing to a String cannot fail.
            let _ = write!(state, "{byte:02x}");
        }
        state
    }

    /// Whether it is one for this call, at `now`.
    pub(super) fn open(&self, state: &str, tool: &str, digest: &Digest, now: Instant) -> State {
        let Some(rest) = state.strip_prefix(HEAD) else { return State::Theirs };
        let mut parts = rest.split('.');
        let (Some(id), Some(expiry), Some(mac), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return State::Forged;
        };
        let Some(mac) = bytes(mac) else { return State::Forged };
        if self.mac(&Self::sealed(id, expiry, tool, digest)).verify_slice(&mac).is_err() {
            return State::Forged;
        }
        match expiry.parse().map(Duration::from_millis) {
            Ok(expiry) if now.saturating_duration_since(self.began) < expiry => State::Ours(id.to_owned()),
            _ => State::Expired,
        }
    }

    fn sealed<'a>(id: &'a str, expiry: &'a str, tool: &'a str, digest: &'a Digest) -> [&'a [u8]; 6] {
        [b"state", b"tools/call", tool.as_bytes(), digest, expiry.as_bytes(), id.as_bytes()]
    }

    /// Each part with its length, so that no two lists are the same bytes.
    fn mac(&self, parts: &[&[u8]]) -> Hmac<Sha256> {
        let mut mac = self.mac.clone();
        for part in parts {
            mac.update(&(part.len() as u64).to_le_bytes());
            mac.update(part);
        }
        mac
    }

    fn hex(&self, parts: &[&[u8]], count: usize) -> String {
        let mut text = String::with_capacity(count * 2);
        for byte in self.mac(parts).finalize().into_bytes().iter().take(count) {
            let _ = write!(text, "{byte:02x}");
        }
        text
    }
}

/// The bytes that a text of 64 lower-case hexadecimal digits stands for.
fn bytes(hex: &str) -> Option<Vec<u8>> {
    let is_hex = hex.len() == 64 && hex.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let pair = |at: usize| u8::from_str_radix(hex.get(at..at + 2)?, 16).ok();
    is_hex.then(|| (0..hex.len()).step_by(2).map_while(pair).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: [u8; 32] = [7; 32];

    #[test]
    fn a_state_is_for_one_call_in_one_session_for_a_time() {
        let began = Instant::now();
        let at = |seconds| began + Duration::from_secs(seconds);
        let seal = Seal::new(&KEY, began);
        let state = seal.state("ab12", at(60), "write_file", &[1; 32]);
        let opened = |tool: &str, digest, now| seal.open(&state, tool, &digest, now);
        assert_eq!(opened("write_file", [1; 32], at(59)), State::Ours("ab12".into()));
        assert_eq!(opened("write_file", [1; 32], at(60)), State::Expired);
        assert_eq!(opened("write_file", [2; 32], at(1)), State::Forged);
        assert_eq!(opened("move_file", [1; 32], at(1)), State::Forged);
        let other = Seal::new(&[8; 32], began);
        assert_eq!(other.open(&state, "write_file", &[1; 32], at(1)), State::Forged);
        assert_ne!(other.prefix(), seal.prefix());
    }

    #[test]
    fn every_change_of_a_state_shows() {
        let began = Instant::now();
        let seal = Seal::new(&KEY, began);
        let state = seal.state("ab12", began + Duration::from_secs(60), "t", &[1; 32]);
        for at in HEAD.len()..state.len() {
            let mut bytes = state.clone().into_bytes();
            bytes[at] = if bytes[at] == b'0' { b'1' } else { b'0' };
            let forged = String::from_utf8(bytes).unwrap();
            assert_eq!(seal.open(&forged, "t", &[1; 32], began), State::Forged, "{forged}");
        }
        for forged in [HEAD.to_owned(), format!("{state}."), state.to_uppercase(), format!("{state}00")] {
            assert_ne!(seal.open(&forged, "t", &[1; 32], began), State::Ours("ab12".into()), "{forged}");
        }
        assert_eq!(seal.open("a server's own", "t", &[1; 32], began), State::Theirs);
    }
}
