//! Looking at processes from outside the pen, through `/proc`.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

/// Processes, zombies left out, whose words or environment hold `marker`.
///
/// An environment can only be read of processes of the same user that are dumpable; the words of all.
pub(crate) fn marked(marker: &str) -> Vec<(u32, String)> {
    let own = std::process::id();
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").expect("/proc").flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        if pid == own {
            continue;
        }
        let of = |file: &str| fs::read(entry.path().join(file)).unwrap_or_default();
        let words = of("cmdline");
        let holds = |bytes: &[u8]| bytes.windows(marker.len()).any(|window| window == marker.as_bytes());
        if holds(&words) || holds(&of("environ")) {
            found.push((pid, String::from_utf8_lossy(&words).replace('\0', " ")));
        }
    }
    found
}

/// Waits until nothing is marked; what is still there at the deadline.
///
/// A tree that hops from process to process can slip between two reads of one scan, so it takes three clean scans.
pub(crate) fn gone_by(marker: &str, except: Option<u32>, deadline: Instant) -> Vec<(u32, String)> {
    let mut clean = 0;
    loop {
        let mut left = marked(marker);
        left.retain(|(pid, _)| Some(*pid) != except);
        clean = if left.is_empty() { clean + 1 } else { 0 };
        if clean == 3 || Instant::now() >= deadline && !left.is_empty() {
            return left;
        }
        thread::sleep(Duration::from_millis(5));
    }
}

/// One field of `/proc/<pid>/status`, as a number of kibibytes.
pub(crate) fn status_kib(pid: u32, field: &str) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with(field) && line[field.len()..].starts_with(':'))?;
    line[field.len() + 1..].trim().trim_end_matches("kB").trim().parse().ok()
}

/// Children of a process.
pub(crate) fn children(pid: u32) -> Vec<u32> {
    fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"))
        .unwrap_or_default()
        .split_whitespace()
        .filter_map(|word| word.parse().ok())
        .collect()
}
