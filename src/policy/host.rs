//! Names of hosts, and the entries of `network.allow`: one spelling for each name, everything else refused.
//!
//! A name is compared label by label, so `*.github.com` is neither `github.com`, nor `notgithub.com`, nor
//! `github.com.evil.io`. What another reader could take for an address (`0x7f.1`, `2130706433`, `127.1`) is no name, and what
//! is no plain spelling of an address is no address. RFC 1123, RFC 5890 (A-labels), RFC 3986 for `[…]`.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde::{Serialize, Serializer};

/// Longest name, in characters.
const LONGEST_NAME: usize = 253;
/// Longest label.
const LONGEST_LABEL: usize = 63;

/// A host's name: lower case, no dot at the end, A-labels only.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct Name(String);

/// What is wrong with a host.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// No port.
    #[error("has no port; write HOST:PORT")]
    NoPort,
    /// A port that is none.
    #[error("has no port between 1 and 65535 after its last colon")]
    Port,
    /// Nothing before the port.
    #[error("has no host")]
    Empty,
    /// Longer than any name.
    #[error("has a name of more than {LONGEST_NAME} characters, or a label of more than {LONGEST_LABEL}")]
    TooLong,
    /// A dot at the start, or two in a row.
    #[error("has an empty label")]
    EmptyLabel,
    /// Not ASCII.
    #[error("is not ASCII; write the A-label (xn--…)")]
    NotAscii,
    /// A character that no name has.
    #[error("has a character in it that no host name has")]
    Character,
    /// A hyphen at an edge of a label.
    #[error("has a label that begins or ends with a hyphen")]
    Hyphen,
    /// Something that resolvers take for an address.
    #[error("would be taken for an address; write the address in its plain form")]
    LooksLikeAddress,
    /// `[fe80::1%eth0]`, or brackets around something else.
    #[error("is no address in brackets, without a zone")]
    Brackets,
    /// `::ffff:127.0.0.1`.
    #[error("is an IPv4 address in IPv6 dress; write the IPv4 address")]
    Mapped,
    /// A star where none may be.
    #[error("has a star that is not the whole first label")]
    Star,
    /// `*.com`.
    #[error("covers a whole top-level domain")]
    TooWide,
}

impl Name {
    /// Reads a name: one dot at the end is dropped, capitals become small.
    ///
    /// # Errors
    /// Everything that could be read in two ways.
    pub fn parse(text: &str) -> Result<Name, Error> {
        let text = text.strip_suffix('.').unwrap_or(text);
        if text.is_empty() {
            return Err(Error::Empty);
        }
        if !text.is_ascii() {
            return Err(Error::NotAscii);
        }
        if text.len() > LONGEST_NAME {
            return Err(Error::TooLong);
        }
        for label in text.split('.') {
            check_label(label)?;
        }
        // What ends in a number is an address to many readers: `1.2.3.4`, `127.1`, `0x7f.1`, `2130706433`.
        let last = text.rsplit('.').next().unwrap_or_default();
        if last.bytes().all(|b| b.is_ascii_digit()) || is_hexadecimal(last) {
            return Err(Error::LooksLikeAddress);
        }
        Ok(Name(text.to_ascii_lowercase()))
    }

    /// The name, as it is compared and recorded.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// `localhost`, and what ends in `.localhost` (RFC 6761).
    pub fn is_localhost(&self) -> bool {
        self.0 == "localhost" || self.0.ends_with(".localhost")
    }
}

fn check_label(label: &str) -> Result<(), Error> {
    match label.as_bytes() {
        [] => Err(Error::EmptyLabel),
        bytes if bytes.len() > LONGEST_LABEL => Err(Error::TooLong),
        bytes if bytes.contains(&b'*') => Err(Error::Star),
        bytes if !bytes.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_')) => {
            Err(Error::Character)
        }
        [b'-', ..] | [.., b'-'] => Err(Error::Hyphen),
        _ => Ok(()),
    }
}

fn is_hexadecimal(label: &str) -> bool {
    let digits = label.strip_prefix("0x").or_else(|| label.strip_prefix("0X"));
    digits.is_some_and(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()))
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A host as it stands in a URL, a header, a question: a name, or an address in its plain form.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Host {
    /// By name.
    Name(Name),
    /// By address.
    Address(IpAddr),
}

impl Host {
    /// Reads `example.com`, `192.0.2.1` or `[2001:db8::1]`.
    ///
    /// # Errors
    /// Everything that could be read in two ways.
    pub fn parse(text: &str) -> Result<Host, Error> {
        if let Some(inside) = text.strip_prefix('[') {
            let inside = inside.strip_suffix(']').ok_or(Error::Brackets)?;
            let address: Ipv6Addr = inside.parse().map_err(|_| Error::Brackets)?;
            return match address.to_ipv4_mapped() {
                Some(_) => Err(Error::Mapped),
                None => Ok(Host::Address(address.into())),
            };
        }
        // Strict: four decimal numbers, no zero in front.
        match text.parse::<Ipv4Addr>() {
            Ok(address) => Ok(Host::Address(address.into())),
            Err(_) => Name::parse(text).map(Host::Name),
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Host::Name(name) => name.fmt(f),
            Host::Address(IpAddr::V6(address)) => write!(f, "[{address}]"),
            Host::Address(address) => address.fmt(f),
        }
    }
}

/// The two halves of `HOST:PORT`.
///
/// # Errors
/// No port, or none between `least` and 65535.
pub fn split_port(text: &str, least: u16) -> Result<(&str, u16), Error> {
    let (host, port) = text.rsplit_once(':').ok_or(Error::NoPort)?;
    // `+443` and `0443` are no ports, though `parse` would take them.
    let plain = port == "0" || (!port.starts_with('0') && port.bytes().all(|b| b.is_ascii_digit()));
    let port = port.parse().ok().filter(|port| plain && *port >= least).ok_or(Error::Port)?;
    Ok((host, port))
}

/// One entry of `network.allow`, without what else the profile says of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Pattern {
    /// This host.
    Exact(Host),
    /// `*.example.com`: one or more labels in front of this name, never the name itself.
    Below(Name),
}

impl Pattern {
    /// Reads `example.com`, `*.example.com`, `192.0.2.1` or `[2001:db8::1]`.
    ///
    /// # Errors
    /// Everything that could be read in two ways, and what covers a whole top-level domain.
    pub fn parse(text: &str) -> Result<Pattern, Error> {
        let Some(suffix) = text.strip_prefix("*.") else { return Host::parse(text).map(Pattern::Exact) };
        let name = Name::parse(suffix)?;
        // What counts as a public suffix is a list that is never finished; a single label always is one.
        if name.as_str().contains('.') { Ok(Pattern::Below(name)) } else { Err(Error::TooWide) }
    }

    /// Whether the entry covers a name. By labels: both are in their one spelling.
    pub fn covers(&self, name: &Name) -> bool {
        match self {
            Pattern::Exact(Host::Name(exact)) => exact == name,
            Pattern::Exact(Host::Address(_)) => false,
            Pattern::Below(suffix) => {
                name.0.strip_suffix(&suffix.0).is_some_and(|front| front.len() > 1 && front.ends_with('.'))
            }
        }
    }

    /// Whether the entry is this very address.
    pub fn is(&self, address: IpAddr) -> bool {
        matches!(self, Pattern::Exact(Host::Address(exact)) if *exact == address)
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Pattern::Exact(host) => host.fmt(f),
            Pattern::Below(name) => write!(f, "*.{name}"),
        }
    }
}

impl Serialize for Pattern {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn name(text: &str) -> Name {
        Name::parse(text).unwrap()
    }

    #[test]
    fn a_name_has_one_spelling() {
        assert_eq!(name("API.GitHub.com.").as_str(), "api.github.com");
        assert_eq!(name("xn--bcher-kva.example").as_str(), "xn--bcher-kva.example");
        assert_eq!(name("a_b.example").as_str(), "a_b.example");
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_no_host() {
        for (text, error) in [
            ("", Error::Empty),
            (".", Error::Empty),
            ("a..b", Error::EmptyLabel),
            (".a.com", Error::EmptyLabel),
            ("a.com..", Error::EmptyLabel),
            ("b\u{fc}cher.example", Error::NotAscii),
            ("evil.com\0.github.com", Error::Character),
            ("a.com\r\nHost: b", Error::Character),
            ("a.com%00.b", Error::Character),
            ("a b.com", Error::Character),
            ("a.com/", Error::Character),
            ("user@a.com", Error::Character),
            ("a:b", Error::Character),
            ("fe80::1", Error::Character),
            ("-a.com", Error::Hyphen),
            ("a-.com", Error::Hyphen),
            ("a.*.com", Error::Star),
            ("*", Error::Star),
            ("127.1", Error::LooksLikeAddress),
            ("0x7f.1", Error::LooksLikeAddress),
            ("0x7f.0.0.0x1", Error::LooksLikeAddress),
            ("0x7F000001", Error::LooksLikeAddress),
            ("2130706433", Error::LooksLikeAddress),
            ("0177.0.0.1", Error::LooksLikeAddress),
            ("1.2.3.4.5", Error::LooksLikeAddress),
            ("256.1.1.1", Error::LooksLikeAddress),
            ("a.0x", Error::LooksLikeAddress),
            ("1.2.3.4.", Error::LooksLikeAddress),
            ("[fe80::1%eth0]", Error::Brackets),
            ("[127.0.0.1]", Error::Brackets),
            ("[::1", Error::Brackets),
            ("[::ffff:127.0.0.1]", Error::Mapped),
        ] {
            assert_eq!(Host::parse(text), Err(error), "{text:?}");
        }
        let long = format!("{}.com", "a".repeat(64));
        assert_eq!(Name::parse(&long), Err(Error::TooLong));
        let long = vec!["a".repeat(60); 5].join(".");
        assert_eq!(Name::parse(&long), Err(Error::TooLong));
    }

    #[test]
    fn a_star_covers_labels() {
        let pattern = Pattern::parse("*.GitHub.com").unwrap();
        for covered in ["api.github.com", "a.b.github.com", "API.github.com."] {
            assert!(pattern.covers(&name(covered)), "{covered}");
        }
        for other in
            ["github.com", "notgithub.com", "github.com.evil.io", "api.github.com.evil.io", "x.github.co"]
        {
            assert!(!pattern.covers(&name(other)), "{other}");
        }
        assert_eq!(Pattern::parse("*.com"), Err(Error::TooWide));
        assert_eq!(Pattern::parse("*."), Err(Error::Empty));
        assert_eq!(Pattern::parse("*"), Err(Error::Star));
        assert_eq!(Pattern::parse("a*.example.com"), Err(Error::Star));
        assert_eq!(Pattern::parse("*.*.example.com"), Err(Error::Star));
        assert_eq!(Pattern::parse("*.1.2.3"), Err(Error::LooksLikeAddress));
    }

    #[test]
    fn ports_are_plain_numbers() {
        assert_eq!(split_port("a.com:443", 1), Ok(("a.com", 443)));
        assert_eq!(split_port("[::1]:0", 0), Ok(("[::1]", 0)));
        assert_eq!(split_port("a.com", 1), Err(Error::NoPort));
        for text in ["a:", "a:0", "a:+443", "a:0443", "a:65536", "a: 443", "a:443 ", "a:http", "a:-1"] {
            assert_eq!(split_port(text, 1), Err(Error::Port), "{text}");
        }
    }

    #[test]
    fn localhost_is_known() {
        assert!(name("localhost").is_localhost() && name("db.LOCALHOST.").is_localhost());
        assert!(!name("localhost.example").is_localhost() && !name("notlocalhost").is_localhost());
    }

    proptest! {
        #[test]
        fn nothing_panics_and_what_is_read_is_canonical(text in ".{0,40}") {
            if let Ok(pattern) = Pattern::parse(&text) {
                let shown = pattern.to_string();
                prop_assert_eq!(Pattern::parse(&shown), Ok(pattern));
                prop_assert_eq!(shown.to_ascii_lowercase(), shown);
            }
        }

        #[test]
        fn a_star_covers_exactly_what_lies_below(
            front in prop::collection::vec("[a-z]{1,4}", 0..4),
            suffix in prop::collection::vec("[a-z]{1,4}", 2..4),
        ) {
            let suffix = suffix.join(".");
            let pattern = Pattern::parse(&format!("*.{suffix}")).unwrap();
            let whole = front.iter().map(String::as_str).chain([suffix.as_str()]).collect::<Vec<_>>().join(".");
            prop_assert_eq!(pattern.covers(&Name::parse(&whole).unwrap()), !front.is_empty());
            let glued = format!("x{suffix}");
            prop_assert!(!pattern.covers(&Name::parse(&glued).unwrap()));
            let longer = format!("{whole}.evil.io");
            prop_assert!(!pattern.covers(&Name::parse(&longer).unwrap()));
        }
    }
}
