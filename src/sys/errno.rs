//! Names of error numbers, as `errno(3)` spells them.

use std::io;

/// `EACCES` for 13; `EUNKNOWN` for what this program has no name for.
pub fn name(errno: i32) -> &'static str {
    // nix's variants are spelt like the constants, but Debug gives no 'static str.
    macro_rules! names {
        ($($name:ident)+) => {
            match errno {
                0 => "ok",
                $(libc::$name => stringify!($name),)+
                _ => "EUNKNOWN",
            }
        };
    }
    names!(EPERM ENOENT ESRCH EINTR EIO ENXIO E2BIG ENOEXEC EBADF ECHILD EAGAIN ENOMEM EACCES EFAULT ENOTBLK EBUSY
        EEXIST EXDEV ENODEV ENOTDIR EISDIR EINVAL ENFILE EMFILE ENOTTY ETXTBSY EFBIG ENOSPC ESPIPE EROFS EMLINK
        EPIPE EDOM ERANGE EDEADLK ENAMETOOLONG ENOLCK ENOSYS ENOTEMPTY ELOOP ENODATA EOVERFLOW EILSEQ EUSERS
        ENOTSOCK EDESTADDRREQ EMSGSIZE EPROTOTYPE ENOPROTOOPT EPROTONOSUPPORT ESOCKTNOSUPPORT EOPNOTSUPP
        EAFNOSUPPORT EADDRINUSE EADDRNOTAVAIL ENETDOWN ENETUNREACH ECONNREFUSED EHOSTUNREACH EALREADY EINPROGRESS
        ESTALE EDQUOT ECANCELED)
}

/// The errno of an error, `EIO` when it has none.
pub fn of(error: &io::Error) -> i32 {
    error.raw_os_error().unwrap_or(libc::EIO)
}
