//! `caponier profile lock` and `profile trust`: decisions of the user's that are kept, each with what it is about.

use std::fmt::Write as _;
use std::path::Path;
use std::process::ExitCode;

use serde::Serialize;

use crate::cli::diagnostic::escape;
use crate::cli::profile::{fail, json, print, refused};
use crate::cli::surroundings::Surroundings;
use crate::policy::Environment;
use crate::profile::lock::{self, Lock};
use crate::profile::problem::Problems;
use crate::profile::{self, Flags, Request, repository, trust};

/// Locks a profile as it is now.
pub(super) fn lock(profile: &str, as_json: bool, around: &Surroundings) -> ExitCode {
    let request =
        Request { profile: profile.to_owned(), environment: Environment::Prod, flags: Flags::default() };
    let lock = match profile::lock(&request, &around.context(None, None, None, None)) {
        Ok(lock) => lock,
        Err(problems) => return fail(&problems),
    };
    if as_json {
        return print(&json(&lock));
    }
    let Lock { sha256, files, .. } = &lock;
    let mut text = format!("locked: {} (prod), sha256 {sha256}\n", escape(profile));
    for file in files {
        let _ = writeln!(text, "  {}  {}", file.sha256, escape(&file.file));
    }
    text.push_str("run refuses another profile in its place, and flags that add to it\n");
    print(&text)
}

/// Takes a lock away.
pub(super) fn unlock(profile: &str, as_json: bool, around: &Surroundings) -> ExitCode {
    match lock::unlock(profile, &around.directories) {
        Ok(was) => removed("lock", profile, was, as_json),
        Err(error) => stopped(format!("the lock of `{}` cannot be removed: {error}", profile.escape_debug())),
    }
}

/// Approves a workspace's own file as it is now, or takes that back.
pub(super) fn trust(
    workspace: Option<&Path>,
    remove: bool,
    as_json: bool,
    around: &Surroundings,
) -> ExitCode {
    let folder = workspace.map_or_else(|| around.cwd.clone(), |folder| around.cwd.join(folder));
    let shown = folder.display().to_string();
    if remove {
        return match trust::revoke(&around.directories, &folder) {
            Ok(was) => removed("approval", &shown, was, as_json),
            Err(error) => stopped(format!("the approval of {shown} cannot be removed: {error}")),
        };
    }
    let text = match repository::text(&folder) {
        Ok(text) => text,
        Err(problem) => return fail(&problem.into()),
    };
    let approval = match trust::approve(&around.directories, &folder, &text) {
        Ok(approval) => approval,
        Err(error) => return stopped(format!("the approval of {shown} cannot be kept: {error}")),
    };
    if as_json {
        return print(&json(&approval));
    }
    let mut report = format!(
        "approved: {}, sha256 {}\nit may now allow more than the profile that is used in this workspace:\n",
        escape(&folder.join(repository::FILE).display().to_string()),
        approval.sha256
    );
    for line in text.lines() {
        let _ = writeln!(report, "  {}", escape(line));
    }
    report.push_str("as soon as a byte of it changes, it can only narrow again\n");
    print(&report)
}

fn removed(what: &str, of: &str, was: bool, as_json: bool) -> ExitCode {
    #[derive(Serialize)]
    struct Report<'r> {
        of: &'r str,
        removed: bool,
    }
    if as_json {
        return print(&json(&Report { of, removed: was }));
    }
    let text = if was {
        format!("the {what} of {} is gone", escape(of))
    } else {
        format!("there was no {what} of {}", escape(of))
    };
    print(&(text + "\n"))
}

fn stopped(message: String) -> ExitCode {
    fail(&Problems::from(refused(message)))
}
