//! From what was touched to what a grant has to give.
//!
//! What the base covers is dropped, what nobody may have is left out, and what came and went within a session is
//! traced up to the folder that was there before. Whether something is covered is asked of `profile::why`: by inode, as
//! the kernel does.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::learn::trace::{Trace, Uses, Way};
use crate::learn::{Error, LeftOut, Surroundings, path_of};
use crate::policy::grant::Access;
use crate::policy::shells::is_shell_name;
use crate::policy::verdict::Ruling;
use crate::profile::{self, Resolved, why};

/// One grant of a proposal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Given {
    /// What kind.
    pub access: Access,
    /// To what: a real path.
    pub path: PathBuf,
    /// Why, in words: it becomes the grant's `reason`.
    pub reason: String,
    /// Why a folder is granted with all that lies in it, when it is one.
    pub because: Option<&'static str>,
    /// What it was widened from: files, or folders, that are now one folder.
    pub widened_from: Vec<PathBuf>,
}

impl Given {
    /// For people.
    pub fn shown(&self) -> String {
        format!("{} {}", self.access.key(), self.path.display())
    }
}

/// One thing that has to be granted.
#[derive(Debug, Clone, Default)]
pub(super) struct Claim {
    /// Why it is a folder, with all that lies in it; `None`: one file.
    pub folder: Option<&'static str>,
    pub uses: Uses,
}

/// Everything that has to be granted.
#[derive(Debug, Default)]
pub(super) struct Claims {
    pub read: BTreeMap<PathBuf, Claim>,
    pub write: BTreeMap<PathBuf, Claim>,
    pub execute: BTreeMap<PathBuf, Uses>,
    pub left_out: Vec<LeftOut>,
}

impl Claims {
    pub(super) fn of(trace: &Trace, base: &Resolved, around: &Surroundings<'_>) -> Result<Claims, Error> {
        let never =
            profile::never_granted(around.context).map_err(|problem| Error::Never(problem.message))?;
        let mut claims = Claims::default();
        let created: BTreeSet<&Path> = trace.created.iter().map(Path::new).collect();
        let mut homes = 0;
        for ((text, way), uses) in &trace.paths {
            let Some(path) = path_of(text) else { continue };
            if is_served(&path) {
                continue;
            }
            // The session's own folders come and go with it, and every server has them.
            if path.starts_with(&around.context.directories.data) {
                homes += u64::from(!matches!(way, Way::Read | Way::List));
                continue;
            }
            if let Some((place, what)) = never.iter().find(|(place, _)| path.starts_with(place)) {
                let why = format!("{} is {what}", place.display());
                claims.left_out.push(LeftOut { what: text.clone(), why });
                continue;
            }
            let access = if matches!(way, Way::Read | Way::List) { Access::Read } else { Access::Write };
            if covered(base, around, access, &path)? {
                continue;
            }
            claims.claim(*way, &path, uses, &created);
        }
        if homes > 0 && !keeps_home(around) {
            claims.left_out.push(LeftOut {
                what: format!("{homes} files written in its own HOME or TMPDIR"),
                why: "they go with the session; if they are to last, write process.home = \"private\"".into(),
            });
        }
        for (text, uses) in &trace.programs {
            let Some(path) = path_of(text) else { continue };
            if covered(base, around, Access::Execute, &path)? {
                continue;
            }
            if path.file_name().is_some_and(is_shell_name) {
                let why = "a shell runs anything that its arguments say: name the program that is needed, or the shell, by hand";
                claims.left_out.push(LeftOut { what: format!("process.execute {text}"), why: why.into() });
                continue;
            }
            claims.execute.insert(path, uses.clone());
        }
        Ok(claims)
    }

    fn claim(&mut self, way: Way, path: &Path, uses: &Uses, created: &BTreeSet<&Path>) {
        let (all, target, folder) = match way {
            Way::Read => (&mut self.read, path, None),
            Way::List => (&mut self.read, path, Some("it was listed")),
            Way::Write => (&mut self.write, path, None),
            Way::Change => (&mut self.write, path.parent().unwrap_or(path), Some("names in it came or went")),
        };
        // A grant is opened before the server runs: what came into being in the session, or is gone, cannot be one.
        let lasting = target.ancestors().find(|above| !created.contains(above) && above.exists());
        let Some(lasting) = lasting else { return };
        let moved_up = (lasting != target).then_some("what was touched in it came and went");
        if moved_up.is_some() && matches!(way, Way::Read) {
            // A file that only this session had: whoever made it was granted its folder.
            return;
        }
        let claim = all.entry(lasting.to_owned()).or_default();
        claim.folder = claim.folder.or(folder).or(moved_up);
        claim.uses.join(uses);
    }
}

/// `/proc` is the broker's, devices are the base's.
fn is_served(path: &Path) -> bool {
    path.starts_with("/proc") || path.starts_with("/dev")
}

fn keeps_home(around: &Surroundings<'_>) -> bool {
    around.current.is_some_and(|current| current.policy.process.home == crate::policy::Home::Private)
}

pub(super) fn covered(
    resolved: &Resolved,
    around: &Surroundings<'_>,
    access: Access,
    path: &Path,
) -> Result<bool, why::Error> {
    Ok(why::path(resolved, around.context, access, path)?.verdict == Ruling::Allow)
}

/// What was refused teaches nothing, and is told.
pub(super) fn refused(trace: &Trace) -> Vec<LeftOut> {
    let told = trace.refused.iter().filter(|((reason, _), _)| reason != "syscall.unsupported");
    told.map(|((reason, what), count)| LeftOut {
        what: what.clone(),
        why: format!("it was refused ({reason}, {count}×): nothing is learned from a refusal"),
    })
    .collect()
}
