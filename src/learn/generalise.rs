//! From many paths to few grants, by tiers; each widening is named in the grant that it made.
//!
//! 1. What was touched, exactly.
//! 2. Three files of one folder, or a folder that was listed or changed: the folder.
//! 3. Three folders of one folder, inside the workspace or an argument of the command: that folder.
//!
//! Never widened to a home or anything above one, to folders of the system or of many owners, or over anything that no
//! profile can grant: there tier 1 stays.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::learn::grants::{Claim, Claims, Given};
use crate::learn::trace::Uses;
use crate::learn::{LeftOut, Surroundings};
use crate::policy::grant::Access;

/// So many make a folder.
const SEVERAL: usize = 3;
/// Folders that hold what belongs to many: a grant on one of them says nothing.
const SHARED: &[&str] = &[
    "/",
    "/bin",
    "/boot",
    "/dev",
    "/dev/shm",
    "/etc",
    "/home",
    "/lib",
    "/lib64",
    "/media",
    "/mnt",
    "/opt",
    "/proc",
    "/root",
    "/run",
    "/run/user",
    "/sbin",
    "/srv",
    "/sys",
    "/tmp",
    "/usr",
    "/usr/bin",
    "/usr/lib",
    "/usr/local",
    "/usr/local/bin",
    "/usr/local/lib",
    "/usr/sbin",
    "/usr/share",
    "/var",
    "/var/cache",
    "/var/lib",
    "/var/log",
    "/var/tmp",
];
/// The same below a home.
const SHARED_IN_HOME: &[&str] =
    &["", ".cache", ".config", ".local", ".local/bin", ".local/lib", ".local/share", ".local/state", ".var"];

pub(super) fn generalise(claims: &mut Claims, around: &Surroundings<'_>) -> Vec<Given> {
    let mut given = Vec::new();
    let write = std::mem::take(&mut claims.write);
    let written = tiers(write, Access::Write, around, &mut claims.left_out);
    // What may be written may be read.
    let read = std::mem::take(&mut claims.read)
        .into_iter()
        .filter(|(path, _)| !written.iter().any(|grant| path.starts_with(&grant.path)))
        .collect();
    given.extend(tiers(read, Access::Read, around, &mut claims.left_out));
    given.extend(written);
    for (path, uses) in std::mem::take(&mut claims.execute) {
        let reason = reason("executed", &uses);
        given.push(Given { access: Access::Execute, path, reason, because: None, widened_from: Vec::new() });
    }
    given
}

struct Widened {
    claim: Claim,
    from: Vec<PathBuf>,
}

fn tiers(
    claims: BTreeMap<PathBuf, Claim>,
    access: Access,
    around: &Surroundings<'_>,
    left_out: &mut Vec<LeftOut>,
) -> Vec<Given> {
    let mut all = BTreeMap::new();
    for (path, claim) in claims {
        if claim.folder.is_some() && is_shared(&path, around) {
            let why = "it holds what belongs to many, or to you: a grant on it would say nothing. Grant by hand what is needed in it";
            left_out.push(LeftOut { what: format!("{} {}", access.key(), path.display()), why: why.into() });
            continue;
        }
        all.insert(path, Widened { claim, from: Vec::new() });
    }
    absorb(&mut all);
    gather(&mut all, |path, widened| widened.claim.folder.is_none() && !is_shared(path, around));
    absorb(&mut all);
    gather(&mut all, |path, widened| widened.claim.folder.is_some() && is_ours(path, around));
    absorb(&mut all);
    let verb = if access == Access::Write { "written" } else { "read" };
    all.into_iter()
        .map(|(path, Widened { claim, from })| {
            let mut reason = reason(verb, &claim.uses);
            if let Some(because) = claim.folder {
                reason.push_str(&format!("; {because}, so the folder"));
            }
            Given { access, path, reason, because: claim.folder, widened_from: from }
        })
        .collect()
}

/// What lies in a granted folder is granted with it.
fn absorb(all: &mut BTreeMap<PathBuf, Widened>) {
    let folders: Vec<PathBuf> = all
        .iter()
        .filter(|(_, widened)| widened.claim.folder.is_some())
        .map(|(path, _)| path.clone())
        .collect();
    let inside: Vec<PathBuf> = all
        .keys()
        .filter(|path| folders.iter().any(|folder| path.starts_with(folder) && *path != folder))
        .cloned()
        .collect();
    for path in inside {
        let Some(gone) = all.remove(&path) else { continue };
        // The outermost folder takes it: inner ones are absorbed themselves.
        let outer = folders
            .iter()
            .filter(|folder| path.starts_with(folder) && **folder != path)
            .min_by_key(|folder| folder.as_os_str().len());
        if let Some(taker) = outer.and_then(|folder| all.get_mut(folder)) {
            taker.claim.uses.join(&gone.claim.uses);
        }
    }
}

/// Several of one folder become the folder, where `may` lets the *folder* be one.
fn gather(all: &mut BTreeMap<PathBuf, Widened>, may: impl Fn(&Path, &Widened) -> bool) {
    let mut by_folder: BTreeMap<PathBuf, Vec<PathBuf>> = BTreeMap::new();
    for (path, widened) in all.iter() {
        if let Some(folder) = path.parent().filter(|folder| may(folder, widened)) {
            by_folder.entry(folder.to_owned()).or_default().push(path.clone());
        }
    }
    for (folder, paths) in by_folder.into_iter().filter(|(_, paths)| paths.len() >= SEVERAL) {
        let mut claim = Claim { folder: Some("several things in it were touched"), uses: Uses::default() };
        for path in &paths {
            if let Some(widened) = all.remove(path) {
                claim.uses.join(&widened.claim.uses);
            }
        }
        all.insert(folder, Widened { claim, from: paths });
    }
}

/// Whether a folder must not become a grant.
fn is_shared(path: &Path, around: &Surroundings<'_>) -> bool {
    let context = around.context;
    let homes: Vec<&Path> =
        std::iter::once(&context.home).chain(&context.other_homes).map(PathBuf::as_path).collect();
    SHARED.iter().any(|shared| path == Path::new(shared))
        || homes.iter().any(|home| home.starts_with(path))
        || homes.iter().any(|home| SHARED_IN_HOME.iter().any(|name| path == home.join(name)))
}

/// Whether a folder lies in, or is, the workspace or a folder that the command names.
fn is_ours(path: &Path, around: &Surroundings<'_>) -> bool {
    let named = around.argv.into_iter().flatten().map(Path::new).filter(|word| word.is_absolute());
    !is_shared(path, around)
        && named.chain(around.workspace).any(|ours| path.starts_with(ours) && !is_shared(ours, around))
}

fn reason(verb: &str, uses: &Uses) -> String {
    const SHOWN: usize = 3;
    let mut tools: Vec<(&String, &u64)> = uses.tools.iter().collect();
    tools.sort_by(|a, b| b.1.cmp(a.1).then(a.0.cmp(b.0)));
    let mut by: Vec<String> =
        tools.iter().take(SHOWN).map(|(tool, count)| format!("{} {count}×", plain(tool))).collect();
    if tools.len() > SHOWN {
        by.push(format!("{} more tools", tools.len() - SHOWN));
    }
    match by.as_slice() {
        [] => format!("{verb} {}×, outside of calls", uses.count),
        by => format!("{verb} by {}", by.join(", ")),
    }
}

/// A tool's name is the server's own text.
fn plain(tool: &str) -> String {
    const LONGEST: usize = 40;
    tool.chars().take(LONGEST).map(|c| if c.is_ascii_graphic() { c } else { '?' }).collect()
}
