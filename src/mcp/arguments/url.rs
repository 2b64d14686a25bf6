//! `hosts`: the argument is a URL, and its host is one of these.
//!
//! Only URLs that all parsers take apart alike (RFC 3986; the WHATWG URL standard forgives more): a scheme, `://`, no user,
//! a host in its plain form, a port in digits. Where the URL leads in the end, through a redirect or an address behind the
//! name, is the network's to judge.

use crate::policy::argument::HostRule;
use crate::policy::host::{self, Host};
use crate::policy::network::Network;

fn covers(entry: &HostRule, host: &Host, port: Option<u16>, network: &Network) -> bool {
    match (entry, host) {
        (HostRule::Network, Host::Name(name)) => {
            port.is_some_and(|port| network.allows(name, port).is_some())
        }
        (HostRule::Network, Host::Address(address)) => {
            port.is_some_and(|port| network.literal(*address, port).is_some())
        }
        (HostRule::Host(pattern, only), host) => {
            let is_host = match host {
                Host::Name(name) => pattern.covers(name),
                Host::Address(address) => pattern.is(*address),
            };
            is_host && only.is_none_or(|only| port == Some(only))
        }
    }
}

/// Why a text is refused, in words that follow the argument's name.
pub(super) fn refuse(text: &str, entries: &[HostRule], network: &Network) -> Option<&'static str> {
    let Some((host, port)) = take_apart(text) else { return Some("is no URL with a plain host") };
    let covered = entries.iter().any(|entry| covers(entry, &host, port, network));
    (!covered).then_some("leads to a host that is not listed")
}

/// The host of a URL, and its port or the one that its scheme has.
pub(in crate::mcp) fn take_apart(url: &str) -> Option<(Host, Option<u16>)> {
    if url.contains(|c: char| c.is_whitespace() || c.is_control() || c == '\\') {
        return None;
    }
    let (scheme, rest) = url.split_once("://")?;
    if !scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        || !scheme.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'))
    {
        return None;
    }
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if authority.contains('@') {
        return None;
    }
    let has_port = authority.rsplit_once(']').map_or(authority, |(_, after)| after).contains(':');
    let (host, port) = if has_port {
        let (host, port) = host::split_port(authority, 1).ok()?;
        (host, Some(port))
    } else {
        (authority, default_port(scheme))
    };
    Some((Host::parse(host).ok()?, port))
}

fn default_port(scheme: &str) -> Option<u16> {
    match &*scheme.to_ascii_lowercase() {
        "http" | "ws" => Some(80),
        "https" | "wss" => Some(443),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::grant::Origin;
    use crate::policy::host::Pattern;
    use crate::policy::network::HostGrant;

    const NETWORK: &str = "network.allow";

    fn refused(url: &str, entries: &[&str]) -> Option<&'static str> {
        let entries: Vec<HostRule> = entries.iter().map(|entry| HostRule::parse(entry).unwrap()).collect();
        let allow = vec![HostGrant {
            host: Pattern::parse("*.example.com").unwrap(),
            port: 443,
            private: false,
            reason: None,
            origin: Origin::caponier(),
        }];
        refuse(url, &entries, &Network { allow, ..Network::default() })
    }

    #[test]
    fn a_listed_host_passes_whatever_else_the_url_has() {
        for (url, entry) in [
            ("https://api.github.com/repos?x=1#y", "api.github.com"),
            ("HTTPS://API.GitHub.com", "api.github.com:443"),
            ("https://a.b.github.com./x", "*.github.com"),
            ("http://192.0.2.1:8080/", "192.0.2.1:8080"),
            ("http://[2001:db8::1]/", "[2001:db8::1]"),
            ("wss://x.example.com/socket", NETWORK),
            ("ssh://git@host", "host"),
        ] {
            let expected = url.contains('@').then_some("is no URL with a plain host");
            assert_eq!(refused(url, &[entry]), expected, "{url} {entry}");
        }
    }

    #[test]
    fn everything_else_is_refused() {
        for (url, entry) in [
            ("https://github.com.evil.io/", "github.com"),
            ("https://notgithub.com/", "*.github.com"),
            ("https://github.com/", "*.github.com"),
            ("https://github.com@evil.io/", "github.com"),
            ("https://evil.io#@github.com/", "github.com"),
            ("https://evil.io\\.github.com/", "*.github.com"),
            ("https://evil.io/.github.com/", "*.github.com"),
            ("https:github.com", "github.com"),
            ("https:/github.com", "github.com"),
            ("//github.com", "github.com"),
            ("github.com", "github.com"),
            ("http://github.com/", "github.com:443"),
            ("https://github.com:8443/", "github.com:443"),
            ("https://github.com:0443/", "github.com"),
            ("https://github%2ecom/", "github.com"),
            ("https://ｇithub.com/", "github.com"),
            ("https://2130706433/", "127.0.0.1"),
            ("https://0x7f.1/", "127.0.0.1"),
            ("https://[::ffff:127.0.0.1]/", "127.0.0.1"),
            ("https://github.com /", "github.com"),
            ("https://x.example.com:8443/", NETWORK),
            ("ftp://x.example.com/", NETWORK),
            ("https://example.com/", NETWORK),
            ("file:///etc/passwd", "github.com"),
            ("", "github.com"),
        ] {
            assert!(refused(url, &[entry]).is_some(), "{url} passes {entry}");
        }
        assert!(refused("https://github.com/", &[]).is_some());
    }
}
