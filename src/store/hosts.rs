//! From the URLs of a user's own configuration to the hosts that the install phase may reach, and to no other.
//!
//! Whoever wrote the URL meant that host, on whichever address it is: registries of companies are on private addresses.
//! Loopback is allowed by port and only where the URL says so. User names and passwords in a URL are never part of what
//! comes out.

use std::net::IpAddr;

use crate::policy::address::{Place, place};
use crate::policy::grant::Origin;
use crate::policy::host::{Host, Pattern};
use crate::policy::network::{HostGrant, LocalGrant, LocalHost, Network};

/// A host and a port that a URL names; `None` for what is no `http` or `https` URL.
pub(crate) fn of_url(url: &str) -> Option<(String, u16)> {
    let (scheme, rest) = url.trim().split_once("://")?;
    let default = match scheme.to_ascii_lowercase().as_str() {
        "https" => 443,
        "http" => 80,
        _ => return None,
    };
    let authority = rest.split(['/', '?', '#']).next()?;
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let (host, port) = match host.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, port.parse().ok()?),
        _ => (host, default),
    };
    (!host.is_empty()).then(|| (host.to_ascii_lowercase(), port))
}

/// The password in a URL, to be taken out of what is shown.
pub(crate) fn password(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once("://")?;
    let (user, _) = rest.split(['/', '?', '#']).next()?.rsplit_once('@')?;
    Some(user.split_once(':').map_or(user, |(_, password)| password)).filter(|password| !password.is_empty())
}

/// The network of an install phase; `Err` is the host that cannot be one.
pub(crate) fn network(hosts: &[(String, u16)]) -> Result<Network, String> {
    let mut network = Network::default();
    for (host, port) in hosts {
        let reason = Some("the package manager's own configuration names it".to_owned());
        let parsed = Host::parse(host).map_err(|error| format!("{host}: {error}"))?;
        let local = match &parsed {
            Host::Name(name) if name.is_localhost() => Some(LocalHost::Localhost),
            Host::Address(address) if place(*address) == Place::Loopback => Some(of_loopback(*address)),
            _ => None,
        };
        match local {
            Some(host) => {
                network.local.push(LocalGrant { host, port: *port, reason, origin: Origin::caponier() })
            }
            None => network.allow.push(HostGrant {
                host: Pattern::Exact(parsed),
                port: *port,
                private: true,
                reason,
                origin: Origin::caponier(),
            }),
        }
    }
    network.allow.sort();
    network.allow.dedup();
    network.local.sort();
    network.local.dedup();
    Ok(network)
}

fn of_loopback(address: IpAddr) -> LocalHost {
    match LocalHost::Localhost.is(address) {
        true => LocalHost::Localhost,
        false => LocalHost::Address(address),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_name_a_host_and_a_port() {
        for (url, host, port) in [
            ("https://r.example/", "r.example", 443),
            ("https://R.example:8443/npm/@x?y", "r.example", 8443),
            ("http://me:p@ss@r.example", "r.example", 80),
            ("http://localhost:4873/", "localhost", 4873),
            ("https://[2001:db8::1]/x", "[2001:db8::1]", 443),
            ("https://[2001:db8::1]:8080/x", "[2001:db8::1]", 8080),
        ] {
            assert_eq!(of_url(url), Some((host.to_owned(), port)), "{url}");
        }
        for url in ["", "/opt/wheels", "file:///x", "r.example", "https://", "ssh://git@h/x", "https://h:x/"]
        {
            assert_eq!(of_url(url), None, "{url}");
        }
    }

    #[test]
    fn passwords_are_found() {
        assert_eq!(password("https://me:pw@r.example/x"), Some("pw"));
        assert_eq!(password("https://token@r.example/x"), Some("token"));
        assert_eq!(password("https://r.example/@scope"), None);
    }

    #[test]
    fn nothing_but_those_hosts_is_reached() {
        let hosts =
            [("r.example".to_owned(), 443), ("localhost".to_owned(), 4873), ("127.0.0.2".to_owned(), 1)];
        let network = network(&hosts).unwrap();
        assert_eq!((network.allow.len(), network.local.len()), (1, 2));
        assert!(network.allow[0].private && network.allow[0].port == 443);
        assert!(super::network(&[("0x7f.1".to_owned(), 443)]).is_err());
        assert!(super::network(&[]).unwrap().is_empty());
    }
}
