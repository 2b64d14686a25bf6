//! Who started whom: `/proc/PID/stat`, read as `proc_pid_stat(5)` says.

use std::collections::{HashMap, HashSet};
use std::io::{self, Read as _};
use std::time::Duration;

/// What `/proc/PID/stat` says of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// Its parent.
    pub ppid: u32,
    /// Whether it has ended and waits to be reaped.
    pub zombie: bool,
    /// When it began, since the machine did; in hundredths of a second.
    pub started: Duration,
}

/// How long ago the machine began, on the clock of [`Standing::started`].
pub fn since_boot() -> Duration {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `now` is valid for writing; this clock exists since Linux 2.6.39.
    unsafe { libc::clock_gettime(libc::CLOCK_BOOTTIME, &mut now) };
    Duration::new(now.tv_sec.unsigned_abs(), u32::try_from(now.tv_nsec).unwrap_or(0))
}

/// Looks at one process; `None` when it is gone.
pub fn standing(pid: u32) -> Option<Standing> {
    let (stat, length) = head(&format!("/proc/{pid}/stat"))?;
    let stat = &stat[..length];
    // The name in parentheses may hold anything, parentheses too: the last one ends it.
    let rest = &stat[memchr::memrchr(b')', stat)? + 1..];
    let mut fields = rest.split(|byte| *byte == b' ').filter(|field| !field.is_empty());
    let state = fields.next()?;
    let ppid = std::str::from_utf8(fields.next()?).ok()?.parse().ok()?;
    // Field 22; USER_HZ is 100 on x86-64.
    let started: u64 = std::str::from_utf8(fields.nth(17)?).ok()?.parse().ok()?;
    let started = Duration::from_millis(started.saturating_mul(10));
    Some(Standing { ppid, zombie: matches!(state, b"Z" | b"X"), started })
}

/// The thread group (process) that a thread belongs to, and nothing when it is gone.
pub fn thread_group(tid: u32) -> Option<u32> {
    let (status, length) = head(&format!("/proc/{tid}/status"))?;
    let line = status[..length].split(|byte| *byte == b'\n').find_map(|line| line.strip_prefix(b"Tgid:"))?;
    std::str::from_utf8(line).ok()?.trim().parse().ok()
}

/// The beginning of a file of `/proc`, by one read: the kernel makes its text anew for each. A line of `stat` has 52 numbers and
/// a name of at most 64 bytes; `Tgid` is the fourth line of `status`, after a name of which each byte takes at most four.
fn head(path: &str) -> Option<([u8; 1536], usize)> {
    let mut head = [0u8; 1536];
    let length = std::fs::File::open(path).ok()?.read(&mut head).ok()?;
    Some((head, length))
}

/// Whether `pid` is `ancestor` or lies below it.
pub fn is_below(pid: u32, ancestor: u32) -> bool {
    let mut at = pid;
    // Deeper than any real tree: a number that was reused meanwhile must not lead in circles.
    for _ in 0..4096 {
        if at == ancestor {
            return true;
        }
        match standing(at) {
            Some(standing) if standing.ppid > 1 => at = standing.ppid,
            _ => return false,
        }
    }
    false
}

/// Every living process below `ancestor`, which is not among them.
pub fn descendants(ancestor: u32) -> io::Result<Vec<u32>> {
    let mut parents = HashMap::new();
    for entry in std::fs::read_dir("/proc")? {
        let name = entry?.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        if let Some(standing) = standing(pid) {
            parents.insert(pid, standing);
        }
    }
    let mut below = HashSet::from([ancestor]);
    loop {
        let before = below.len();
        below.extend(
            parents
                .iter()
                .filter(|(_, it)| below.contains(&it.ppid))
                .map(|(pid, _)| *pid)
                .collect::<Vec<_>>(),
        );
        if below.len() == before {
            break;
        }
    }
    Ok(below
        .into_iter()
        .filter(|pid| *pid != ancestor && parents.get(pid).is_some_and(|it| !it.zombie))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_is_below_its_parent() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let me = std::process::id();
        assert!(is_below(child.id(), me));
        assert!(!is_below(me, child.id()));
        assert!(descendants(me).unwrap().contains(&child.id()));
        assert_eq!(thread_group(child.id()), Some(child.id()));
        let age = since_boot().saturating_sub(standing(child.id()).unwrap().started);
        assert!(
            age < Duration::from_secs(600)
                && standing(child.id()).unwrap().started >= standing(me).unwrap().started
        );
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(!descendants(me).unwrap().contains(&child.id()));
    }
}
