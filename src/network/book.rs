//! Which allowed names gave which addresses, and until when that is believed.
//!
//! An address is only ever entered after it was checked, so a long memory lets nothing through that was refused; it is
//! bounded because the other side chooses the addresses.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use crate::policy::host::Name;

/// How long an answer is good for connecting. Longer than what the answer says: clients keep what they looked up.
const KEPT: Duration = Duration::from_secs(30 * 60);
/// Addresses at a time; the oldest give way.
const MOST: usize = 8_192;
/// Names of one address.
const MOST_NAMES: usize = 256;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Book {
    entries: HashMap<IpAddr, Vec<(Name, Instant)>>,
}

impl Book {
    /// An allowed name led to these addresses, all of them checked.
    pub(super) fn remember(&mut self, name: &Name, addresses: &[IpAddr], now: Instant) {
        for address in addresses {
            if self.entries.len() >= MOST && !self.entries.contains_key(address) {
                self.forget(now);
            }
            let names = self.entries.entry(*address).or_default();
            names.retain(|(known, seen)| known != name && now.duration_since(*seen) < KEPT);
            if names.len() >= MOST_NAMES {
                names.remove(0);
            }
            names.push((name.clone(), now));
        }
    }

    /// The names that led to an address.
    pub(super) fn names(&self, address: IpAddr, now: Instant) -> Vec<Name> {
        let names = self.entries.get(&address).into_iter().flatten();
        names.filter(|(_, seen)| now.duration_since(*seen) < KEPT).map(|(name, _)| name.clone()).collect()
    }

    fn forget(&mut self, now: Instant) {
        self.entries.retain(|_, names| names.iter().any(|(_, seen)| now.duration_since(*seen) < KEPT));
        if self.entries.len() < MOST {
            return;
        }
        let newest = |names: &Vec<(Name, Instant)>| names.iter().map(|(_, seen)| *seen).max();
        if let Some(oldest) = self.entries.iter().min_by_key(|(_, names)| newest(names)).map(|(at, _)| *at) {
            self.entries.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Name {
        Name::parse(text).unwrap()
    }

    #[test]
    fn names_share_an_address_and_expire() {
        let now = Instant::now();
        let address: IpAddr = "93.184.216.34".parse().unwrap();
        let mut book = Book::default();
        book.remember(&name("a.com"), &[address], now);
        book.remember(&name("b.com"), &[address], now + KEPT / 2);
        book.remember(&name("b.com"), &[address], now + KEPT / 2);
        assert_eq!(book.names(address, now + KEPT / 2), [name("a.com"), name("b.com")]);
        assert_eq!(book.names(address, now + KEPT), [name("b.com")]);
        assert!(book.names("1.1.1.1".parse().unwrap(), now).is_empty());
    }

    #[test]
    fn the_book_is_bounded() {
        let now = Instant::now();
        let mut book = Book::default();
        for at in 0..MOST as u32 + 100 {
            let address = IpAddr::V4((0x0800_0000 + at).into());
            book.remember(&name("a.com"), &[address], now + Duration::from_millis(at.into()));
        }
        assert_eq!(book.entries.len(), MOST);
        let last = IpAddr::V4((0x0800_0000 + MOST as u32 + 99).into());
        assert!(!book.names(last, now + Duration::from_secs(60)).is_empty());
    }
}
