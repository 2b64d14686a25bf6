//! Bounded reads from, and writes to, another process's memory: `process_vm_readv(2)`.

use std::io::{self, IoSlice, IoSliceMut};

use nix::sys::uio::{RemoteIoVec, process_vm_readv, process_vm_writev};
use nix::unistd::Pid;

const PAGE: usize = 4096;

/// Reads exactly `buffer.len()` bytes at `address`; anything less is `EFAULT`.
pub fn read_exact(tid: u32, address: u64, buffer: &mut [u8]) -> io::Result<()> {
    let want = buffer.len();
    let got = read_some(tid, address, buffer)?;
    if got == want { Ok(()) } else { Err(io::Error::from_raw_os_error(libc::EFAULT)) }
}

/// Writes all of `bytes` at `address`; anything less is `EFAULT`.
pub fn write(tid: u32, address: u64, bytes: &[u8]) -> io::Result<()> {
    let fault = || io::Error::from_raw_os_error(libc::EFAULT);
    let base = usize::try_from(address).map_err(|_| fault())?;
    let remote = [RemoteIoVec { base, len: bytes.len() }];
    let pid = Pid::from_raw(i32::try_from(tid).map_err(|_| io::Error::from_raw_os_error(libc::ESRCH))?);
    let written = process_vm_writev(pid, &[IoSlice::new(bytes)], &remote)?;
    if written == bytes.len() { Ok(()) } else { Err(fault()) }
}

/// Reads the bytes before the first NUL, at most `cap` of them. `ENAMETOOLONG` when there is no NUL within `cap`;
/// `EFAULT` when memory ends first. Reads stop at page ends, so a string that ends just before an unmapped page is
/// read like any other.
pub fn read_c_string(tid: u32, address: u64, cap: usize) -> io::Result<Vec<u8>> {
    if address == 0 {
        return Err(io::Error::from_raw_os_error(libc::EFAULT));
    }
    let mut bytes = Vec::with_capacity(256);
    // Most paths are short: the first look takes little.
    let mut ended = take(tid, address, &mut [0u8; 256], &mut bytes)?;
    if !ended {
        let mut page = [0u8; PAGE];
        while !ended && bytes.len() <= cap {
            ended = take(tid, address, &mut page, &mut bytes)?;
        }
    }
    if ended && bytes.len() <= cap { Ok(bytes) } else { Err(too_long()) }
}

/// Appends what follows `bytes` of the string at `address`, up to the end of a page or of the buffer; whether its NUL was met.
fn take(tid: u32, address: u64, buffer: &mut [u8], bytes: &mut Vec<u8>) -> io::Result<bool> {
    let fault = || io::Error::from_raw_os_error(libc::EFAULT);
    let at = address.checked_add(bytes.len() as u64).ok_or_else(fault)?;
    let want = (PAGE - (at as usize & (PAGE - 1))).min(buffer.len());
    let got = read_some(tid, at, &mut buffer[..want])?;
    if got == 0 {
        return Err(fault());
    }
    let end = memchr::memchr(0, &buffer[..got]);
    bytes.extend_from_slice(&buffer[..end.unwrap_or(got)]);
    Ok(end.is_some())
}

/// Gives memory that was freed back to the kernel: a supervisor idles for hours after it has read profiles.
pub fn give_back() {
    // SAFETY: malloc_trim touches only memory that nobody owns.
    unsafe { libc::malloc_trim(0) };
}

fn too_long() -> io::Error {
    io::Error::from_raw_os_error(libc::ENAMETOOLONG)
}

fn read_some(tid: u32, address: u64, buffer: &mut [u8]) -> io::Result<usize> {
    let base = usize::try_from(address).map_err(|_| io::Error::from_raw_os_error(libc::EFAULT))?;
    let remote = [RemoteIoVec { base, len: buffer.len() }];
    let pid = Pid::from_raw(i32::try_from(tid).map_err(|_| io::Error::from_raw_os_error(libc::ESRCH))?);
    Ok(process_vm_readv(pid, &mut [IoSliceMut::new(buffer)], &remote)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn me() -> u32 {
        std::process::id()
    }

    #[test]
    fn reads_up_to_the_nul() {
        let text = b"hello\0world\0";
        assert_eq!(read_c_string(me(), text.as_ptr() as u64, 100).unwrap(), b"hello");
        let long = [b'x'; 9000];
        let error = read_c_string(me(), long.as_ptr() as u64, 4096).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ENAMETOOLONG));
    }

    #[test]
    fn unmapped_memory_is_a_fault() {
        for address in [0, 8, u64::MAX - 3] {
            assert_eq!(read_c_string(me(), address, 10).unwrap_err().raw_os_error(), Some(libc::EFAULT));
        }
    }
}
