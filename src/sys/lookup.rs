//! The system's resolver: `getaddrinfo(3)`, with its error told apart.

use std::ffi::CString;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// glibc's EAI_NODATA.
const NO_DATA: i32 = -5;

/// Why a name has no addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// There is no such name.
    NoSuchName,
    /// There is, without addresses.
    NoAddress,
    /// It could not be found out.
    Failed,
}

/// All addresses of a name, each once, in the resolver's order. Blocks.
pub fn addresses(name: &str) -> Result<Vec<IpAddr>, Failure> {
    let name = CString::new(name).map_err(|_| Failure::NoSuchName)?;
    // SAFETY: all zero is a valid addrinfo, the one that asks for everything.
    let mut hints: libc::addrinfo = unsafe { std::mem::zeroed() };
    hints.ai_socktype = libc::SOCK_STREAM;
    let mut list: *mut libc::addrinfo = std::ptr::null_mut();
    // SAFETY: the name ends in NUL, the hints and the result live through the call.
    let code = unsafe { libc::getaddrinfo(name.as_ptr(), std::ptr::null(), &hints, &mut list) };
    if code != 0 {
        return Err(match code {
            libc::EAI_NONAME => Failure::NoSuchName,
            NO_DATA => Failure::NoAddress,
            _ => Failure::Failed,
        });
    }
    let mut found = Vec::new();
    let mut next = list;
    // SAFETY: the resolver's list ends in null, and each entry lives until it is freed below.
    while let Some(entry) = unsafe { next.as_ref() } {
        let address = match entry.ai_family {
            libc::AF_INET => {
                // SAFETY: the family says what is there.
                let raw = unsafe { entry.ai_addr.cast::<libc::sockaddr_in>().read_unaligned() };
                Some(IpAddr::V4(Ipv4Addr::from(u32::from_be(raw.sin_addr.s_addr))))
            }
            libc::AF_INET6 => {
                // SAFETY: the family says what is there.
                let raw = unsafe { entry.ai_addr.cast::<libc::sockaddr_in6>().read_unaligned() };
                Some(IpAddr::V6(Ipv6Addr::from(raw.sin6_addr.s6_addr)))
            }
            _ => None,
        };
        found.extend(address.filter(|address| !found.contains(address)));
        next = entry.ai_next;
    }
    // SAFETY: it came from getaddrinfo and is freed once.
    unsafe { libc::freeaddrinfo(list) };
    Ok(found)
}

/// For a static program, before the first name of a host or a user is looked up.
///
/// It has those parts of glibc in it that read `/etc/hosts` and `/etc/passwd` and ask name servers. Whatever else nsswitch.conf(5)
/// names (systemd-resolved, mDNS, LDAP) would be loaded into it while it runs, from a glibc of another version perhaps, which
/// can crash it: it asks its own parts alone. A program that is linked dynamically asks as its system says.
pub fn own_parts_only() {
    #[cfg(all(target_env = "gnu", target_feature = "crt-static"))]
    {
        unsafe extern "C" {
            /// nss.h: `int __nss_configure_lookup(const char *dbname, const char *service_line)`.
            fn __nss_configure_lookup(
                database: *const libc::c_char,
                line: *const libc::c_char,
            ) -> libc::c_int;
        }
        for (database, line) in [(c"hosts", c"files dns"), (c"passwd", c"files")] {
            // SAFETY: both texts end in NUL and live for ever; glibc takes its own lock.
            unsafe { __nss_configure_lookup(database.as_ptr(), line.as_ptr()) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_they_are() {
        assert_eq!(addresses("93.184.216.34").unwrap(), ["93.184.216.34".parse::<IpAddr>().unwrap()]);
        assert_eq!(addresses("2606:4700::1111").unwrap(), ["2606:4700::1111".parse::<IpAddr>().unwrap()]);
        assert_eq!(addresses("a\0b"), Err(Failure::NoSuchName));
    }
}
