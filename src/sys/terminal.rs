//! The size of a terminal (`ioctl_tty(2)`, TIOCGWINSZ).

use std::os::fd::{AsFd, AsRawFd};

/// Columns of the terminal behind `fd`; `None` when it is not one, or does not know.
pub fn columns(fd: impl AsFd) -> Option<u16> {
    let mut size = libc::winsize { ws_row: 0, ws_col: 0, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: the descriptor is open for as long as `fd` is borrowed, and the kernel writes one `winsize` to a place
    // that is one.
    #[allow(unsafe_code)]
    let answer = unsafe { libc::ioctl(fd.as_fd().as_raw_fd(), libc::TIOCGWINSZ, &raw mut size) };
    (answer == 0 && size.ws_col > 0).then_some(size.ws_col)
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_file_has_no_columns() {
        assert_eq!(super::columns(std::fs::File::open("/dev/null").unwrap()), None);
    }
}
