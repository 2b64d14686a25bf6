//! What kind of place an address is. A name that is allowed does not make every address behind it allowed.
//!
//! Forms that carry an IPv4 address (mapped, NAT64, 6to4, Teredo, IPv4-compatible) are what they carry: the strictest of
//! the two readings counts. RFC 6890, 6052, 3056, 4380, 6598, 4193.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde::Serialize;

/// A kind of place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Place {
    /// On the internet.
    Public,
    /// RFC 1918, unique local, carrier-grade NAT: a `private = true` of the profile's is needed.
    Private,
    /// This machine: `network.local` is needed.
    Loopback,
    /// Cloud metadata, link-local, multicast, reserved, unspecified: nothing makes it allowed.
    Never,
}

/// Metadata services of clouds that stand in otherwise private, or public, ranges.
const METADATA: &[IpAddr] = &[
    IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254)),
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
    IpAddr::V4(Ipv4Addr::new(168, 63, 129, 16)),
    IpAddr::V4(Ipv4Addr::new(192, 0, 0, 192)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
    IpAddr::V6(Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254)),
];

/// The one form of an address: a mapped one is the IPv4 address that the kernel speaks to.
pub fn canonical(address: IpAddr) -> IpAddr {
    address.to_canonical()
}

/// What kind of place it is.
pub fn place(address: IpAddr) -> Place {
    let address = canonical(address);
    if METADATA.contains(&address) {
        return Place::Never;
    }
    match address {
        IpAddr::V4(four) => place4(four),
        IpAddr::V6(six) => {
            let inner = carried(six).map(|four| place(four.into()));
            inner.map_or(place6(six), |inner| inner.max(place6(six)))
        }
    }
}

fn place4(address: Ipv4Addr) -> Place {
    let [a, b, c, _] = address.octets();
    match (a, b, c) {
        (127, ..) => Place::Loopback,
        (10, ..) | (172, 16..=31, _) | (192, 168, _) | (100, 64..=127, _) => Place::Private,
        // Documentation and benchmarks: routed nowhere, and so what laboratories, appliances and proxies that answer
        // for others use as their own.
        (192, 0, 2) | (198, 51, 100) | (203, 0, 113) | (198, 18..=19, _) => Place::Private,
        // "This network", link-local, protocol assignments, 6to4 relays, multicast, reserved, broadcast.
        (0, ..) | (169, 254, _) | (192, 0, 0) | (192, 88, 99) | (224.., ..) => Place::Never,
        _ => Place::Public,
    }
}

fn place6(address: Ipv6Addr) -> Place {
    let segments = address.segments();
    match segments {
        [0, 0, 0, 0, 0, 0, 0, 1] => Place::Loopback,
        // Unspecified, and the long dead IPv4-compatible form.
        [0, 0, 0, 0, 0, 0, ..] => Place::Never,
        // NAT64, well known and local: what is behind it was judged by what it carries.
        [0x64, 0xff9b, 0, 0, 0, 0, ..] => Place::Public,
        [0x64, 0xff9b, 1, ..] => Place::Private,
        // Discard only, documentation, benchmarks, ORCHID.
        [0x100, 0, 0, 0, ..] | [0x2001, 0xdb8, ..] | [0x2001, 2, 0, ..] => Place::Never,
        [0x2001, 0x10..=0x2f, ..] | [0x3fff, 0..=0xfff, ..] => Place::Never,
        [0xfc00..=0xfdff, ..] => Place::Private,
        // Only 2000::/3 is given out.
        [0x2000..=0x3fff, ..] => Place::Public,
        _ => Place::Never,
    }
}

/// The IPv4 address that an IPv6 address carries.
fn carried(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let octets = address.octets();
    let four = |at: usize| Ipv4Addr::new(octets[at], octets[at + 1], octets[at + 2], octets[at + 3]);
    match address.segments() {
        // NAT64 with the well-known prefix, and with the local one as it is used in practice (/96).
        [0x64, 0xff9b, 0, 0, 0, 0, ..] | [0x64, 0xff9b, 1, ..] => Some(four(12)),
        // 6to4.
        [0x2002, ..] => Some(four(2)),
        // Teredo: the client's address is inverted.
        [0x2001, 0, ..] => Some(Ipv4Addr::from(!u32::from(four(12)))),
        // ISATAP, behind any prefix.
        [_, _, _, _, 0 | 0x200, 0x5efe, ..] => Some(four(12)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(text: &str) -> Place {
        place(text.parse().unwrap())
    }

    #[test]
    fn places_are_told_apart() {
        for (kind, addresses) in [
            (
                Place::Public,
                &[
                    "93.184.216.34",
                    "1.1.1.1",
                    "100.63.255.255",
                    "100.128.0.0",
                    "172.15.0.1",
                    "172.32.0.1",
                    "192.169.0.1",
                    "2606:4700::1111",
                    "64:ff9b::101:101",
                    "2002:101:101::1",
                    "::ffff:1.1.1.1",
                ][..],
            ),
            (
                Place::Private,
                &[
                    "198.18.0.1",
                    "203.0.113.1",
                    "192.0.2.1",
                    "10.0.0.1",
                    "172.16.0.1",
                    "172.31.255.255",
                    "192.168.1.1",
                    "100.64.0.1",
                    "100.127.255.255",
                    "fd12::1",
                    "fc00::1",
                    "64:ff9b::a00:1",
                    "64:ff9b:1::101:101",
                    "2002:c0a8:101::1",
                    "::ffff:10.0.0.1",
                ],
            ),
            (
                Place::Loopback,
                &[
                    "127.0.0.1",
                    "127.255.255.254",
                    "::1",
                    "::ffff:127.0.0.1",
                    "64:ff9b::7f00:1",
                    "2002:7f00:1::1",
                ],
            ),
            (
                Place::Never,
                &[
                    "169.254.169.254",
                    "169.254.0.1",
                    "100.100.100.200",
                    "168.63.129.16",
                    "192.0.0.192",
                    "fd00:ec2::254",
                    "fe80::1",
                    "fec0::1",
                    "0.0.0.0",
                    "0.1.2.3",
                    "::",
                    "::127.0.0.1",
                    "255.255.255.255",
                    "224.0.0.1",
                    "240.0.0.1",
                    "ff02::1",
                    "64:ff9b::a9fe:a9fe",
                    "64:ff9b:1::a9fe:a9fe",
                    "::ffff:169.254.169.254",
                    "::ffff:0.0.0.0",
                    "2002:a9fe:a9fe::1",
                    "2001:0:1:2:3:4:5601:5601",
                    "fe80::5efe:127.0.0.1",
                    "2001:db8::1",
                    "100::1",
                    "4000::1",
                ],
            ),
        ] {
            for address in addresses {
                assert_eq!(of(address), kind, "{address}");
            }
        }
    }

    proptest! {
        #[test]
        fn whatever_dress_an_address_wears_it_is_not_freer(four: u32) {
            let four = Ipv4Addr::from(four);
            let [a, b, c, d] = four.octets();
            let (hi, lo) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
            let bare = place(four.into());
            prop_assert_eq!(place(four.to_ipv6_mapped().into()), bare);
            for six in [
                Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, hi, lo),
                Ipv6Addr::new(0x64, 0xff9b, 1, 0, 0, 0, hi, lo),
                Ipv6Addr::new(0x2002, hi, lo, 0, 0, 0, 0, 1),
                Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, !hi, !lo),
                Ipv6Addr::new(0x2606, 0, 0, 0, 0, 0x5efe, hi, lo),
                Ipv6Addr::new(0, 0, 0, 0, 0, 0, hi, lo),
            ] {
                prop_assert!(place(six.into()) >= bare || bare == Place::Public, "{six} {four}");
            }
        }
    }
}
