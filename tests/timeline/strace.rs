//! What `strace -f` saw: every path that was opened, made, moved or removed, with the moment at which it was.

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use crate::witness::Touch;

/// The words that run `server` under strace.
pub(crate) fn words(server: &[OsString], output: &Path) -> Vec<OsString> {
    const CALLS: &str = "trace=open,openat,openat2,creat,rename,renameat,renameat2,unlink,unlinkat,mkdir,mkdirat,rmdir,\
                         link,linkat,symlink,symlinkat,truncate,chdir,fchdir";
    let mut words: Vec<OsString> =
        ["strace", "-f", "-y", "-qq", "-ttt", "-s", "4096", "-e", CALLS, "-e", "signal=none", "-o"]
            .map(OsString::from)
            .into();
    words.push(output.as_os_str().to_owned());
    words.push("--".into());
    words.extend_from_slice(server);
    words
}

/// Successful touches below `root`, each with the moment at which it began.
pub(crate) fn touches(trace: &str, root: &Path, started_in: &Path) -> Vec<(Duration, Touch)> {
    let mut unfinished: HashMap<&str, (Duration, String)> = HashMap::new();
    let mut folders: HashMap<String, PathBuf> = HashMap::new();
    let mut all = Vec::new();
    for line in trace.lines() {
        let Some((pid, rest)) = line.split_once(' ') else { continue };
        let Some((moment, call)) = rest.trim_start().split_once(' ') else { continue };
        let moment = seconds(moment);
        if let Some(begun) = call.strip_suffix(" <unfinished ...>") {
            unfinished.insert(pid, (moment, begun.to_owned()));
            continue;
        }
        let (moment, call) = match call.strip_prefix("<... ") {
            None => (moment, call.to_owned()),
            Some(resumed) => {
                let (Some((begun, first)), Some((_, last))) =
                    (unfinished.remove(pid), resumed.split_once("resumed>"))
                else {
                    continue;
                };
                (begun, first + last)
            }
        };
        let folder = folders.entry(pid.to_owned()).or_insert_with(|| started_in.to_owned());
        for touch in of_call(&call, folder) {
            if touch.path().starts_with(root) {
                all.push((moment, touch));
            }
        }
    }
    all
}

fn seconds(text: &str) -> Duration {
    Duration::from_secs_f64(text.parse().unwrap_or_else(|_| panic!("no time: {text}")))
}

/// The touches of one line `name(arguments) = result`.
fn of_call(call: &str, folder: &mut PathBuf) -> Vec<Touch> {
    let Some((name, rest)) = call.split_once('(') else { return Vec::new() };
    let Some((arguments, result)) = rest.rsplit_once(" = ") else { return Vec::new() };
    if result.starts_with('-') || result.starts_with('?') {
        return Vec::new();
    }
    let paths: Vec<PathBuf> =
        strings(arguments).iter().map(|(base, path)| absolute(base, path, folder)).collect();
    match name {
        "open" | "openat" | "openat2" | "creat" => {
            // The descriptor says where it really is.
            let real =
                result.split_once('<').and_then(|(_, path)| path.rsplit_once('>')).map(|(path, _)| path);
            let path = real.map_or_else(|| paths.first().cloned().unwrap_or_default(), PathBuf::from);
            let writes =
                ["O_WRONLY", "O_RDWR", "O_CREAT", "O_TRUNC"].iter().any(|flag| arguments.contains(flag));
            if arguments.contains("O_PATH") {
                return Vec::new();
            }
            vec![if writes || name == "creat" { Touch::Write(path) } else { Touch::Read(path) }]
        }
        "chdir" => {
            *folder = paths.first().cloned().unwrap_or_else(|| folder.clone());
            Vec::new()
        }
        "symlink" | "symlinkat" => paths.into_iter().skip(1).map(Touch::Write).collect(),
        "link" | "linkat" => paths.into_iter().skip(1).map(Touch::Write).collect(),
        _ => paths.into_iter().map(Touch::Write).collect(),
    }
}

/// Quoted strings with the folder that stands before each: `AT_FDCWD</repo>, "name"`.
fn strings(arguments: &str) -> Vec<(Option<&str>, &str)> {
    let mut found = Vec::new();
    let mut rest = arguments;
    let mut base = None;
    while let Some(start) = rest.find('"') {
        let before = &rest[..start];
        if let Some(end) = before.rfind('>') {
            base = before[..end].rfind('<').map(|open| &before[open + 1..end]);
        }
        let after = &rest[start + 1..];
        let Some(end) = after.find('"') else { break };
        found.push((base, &after[..end]));
        rest = &after[end + 1..];
    }
    found
}

fn absolute(base: &Option<&str>, path: &str, folder: &Path) -> PathBuf {
    let joined = base.map_or_else(|| folder.to_owned(), PathBuf::from).join(path);
    let mut whole = PathBuf::new();
    for part in joined.components() {
        match part {
            Component::ParentDir => {
                whole.pop();
            }
            Component::CurDir => {}
            part => whole.push(part),
        }
    }
    whole
}
