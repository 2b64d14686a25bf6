//! Memory of our own processes below one of them: `Pss` of `/proc/PID/smaps_rollup` (proc_pid_smaps_rollup(5)), so
//! that what two of them share counts once.

use std::io;
use std::thread;
use std::time::{Duration, Instant};
use std::{collections::BTreeMap, fs};

/// The figure has to stay the same for this long, and may take at most [`PATIENCE`] to do so.
const STILL: Duration = Duration::from_millis(500);
const PATIENCE: Duration = Duration::from_secs(10);

/// MiB of `root` and of its descendants that run the same program, once that has stopped changing.
pub(crate) fn of_program(root: u32) -> io::Result<f64> {
    let begin = Instant::now();
    let mut last = 0;
    loop {
        thread::sleep(STILL);
        let now = kibibytes(root)?;
        if now == last || begin.elapsed() > PATIENCE {
            return Ok(f64::from(now) / 1024.0);
        }
        last = now;
    }
}

fn kibibytes(root: u32) -> io::Result<u32> {
    let program = fs::read_link(format!("/proc/{root}/exe"))?;
    let parents = parents()?;
    let mut sum = 0;
    for pid in parents.keys() {
        let line = std::iter::successors(Some(*pid), |pid| parents.get(pid).copied());
        let same = fs::read_link(format!("/proc/{pid}/exe")).is_ok_and(|exe| exe == program);
        if same && line.into_iter().any(|ancestor| ancestor == root) {
            sum += pss(*pid)?;
        }
    }
    Ok(sum)
}

/// Every process with its parent.
fn parents() -> io::Result<BTreeMap<u32, u32>> {
    let mut parents = BTreeMap::new();
    for entry in fs::read_dir("/proc")? {
        let Ok(pid) = entry?.file_name().to_string_lossy().parse() else { continue };
        // Gone since the listing: not one of ours.
        let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat")) else { continue };
        // The name stands in parentheses and may contain anything; behind it: state, parent.
        let after = stat.rsplit(')').next().unwrap_or_default();
        let parent = after.split_whitespace().nth(1).and_then(|parent| parent.parse().ok()).unwrap_or(0);
        parents.insert(pid, parent);
    }
    Ok(parents)
}

fn pss(pid: u32) -> io::Result<u32> {
    let file = format!("/proc/{pid}/smaps_rollup");
    let rollup = fs::read_to_string(&file).map_err(|error| {
        io::Error::new(
            error.kind(),
            format!("{file}: {error}; a process that is not dumpable is measured as root"),
        )
    })?;
    let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:")).unwrap_or_default();
    line.trim_end_matches("kB").trim().parse().map_err(|_| io::Error::other(format!("{file} has no Pss")))
}
