//! The checks that every grant passes before a policy exists: it is there, nothing refuses it, no server could have
//! planted the way to it, and nothing that is writable can be executed.

use std::io;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::Path;

use crate::policy::grant::{Access, Grant, Origin};
use crate::profile::context::Context;
use crate::profile::grants::Grants;
use crate::profile::place::{Place, Places};
use crate::profile::problem::{Code, Problem, Warning};
use crate::profile::refusal::{DEVICES, Refusals};

/// A grant, and where it really is.
#[derive(Debug)]
struct Placed<'g> {
    access: Access,
    grant: &'g Grant,
    place: Place,
}

impl Placed<'_> {
    fn problem(&self, message: String) -> Problem {
        Problem::new(self.grant.origin.clone(), message)
    }

    /// `filesystem.read of /a/b`, with the real path when it is another.
    fn named(&self) -> String {
        let written = self.grant.path.display();
        let real = self.place.path.display();
        if self.grant.path == self.place.path {
            format!("`{}` of {written}", self.access.key())
        } else {
            format!("`{}` of {written} (which is {real})", self.access.key())
        }
    }
}

/// Checks all grants of a policy. `private_home` is writable although no grant says so.
pub(super) fn check(
    grants: &Grants,
    private_home: Option<&Path>,
    context: &Context,
) -> (Vec<Problem>, Vec<Warning>) {
    let places = Places::default();
    let refusals = match Refusals::new(context, &places) {
        Ok(refusals) => refusals,
        Err((path, error)) => {
            let message = format!("cannot look at {}, so no grant can be checked: {error}", path.display());
            return (vec![Problem::new(Origin::caponier(), message)], Vec::new());
        }
    };
    let mut problems = Vec::new();
    let mut placed = Vec::new();
    // What is relative still has a variable in it: the profile is only shown.
    for (access, grant) in grants.iter().filter(|(_, grant)| grant.path.is_absolute()) {
        match find(access, grant, &places) {
            Ok(found) => placed.extend(found),
            Err(problem) => problems.push(problem),
        }
    }
    for found in &placed {
        problems.extend(refused(found, &refusals, &places));
        problems.extend(special(found));
    }
    let writable: Vec<Place> = own_writable(private_home, context, &places);
    problems.extend(planted(&placed, &writable, &places));
    problems.extend(written_and_executed(&placed, &writable));
    let warnings = placed.iter().flat_map(stale).collect();
    (problems, warnings)
}

/// Looks at one grant; a missing one is an error unless it is optional.
fn find<'g>(access: Access, grant: &'g Grant, places: &Places) -> Result<Option<Placed<'g>>, Problem> {
    let problem = |message: String| Problem::new(grant.origin.clone(), message);
    let path = grant.path.display();
    let place = match places.find(&grant.path) {
        Ok(place) => place,
        Err(error) if grant.optional && error.kind() == io::ErrorKind::NotADirectory => return Ok(None),
        Err(error) => return Err(problem(format!("`{}` of {path}: {error}", access.key()))),
    };
    if !place.exists() && !grant.optional {
        let message = format!("`{}` of {path}: it does not exist", access.key());
        return Err(problem(message).help("create it, or mark the entry `optional = true`"));
    }
    Ok(Some(Placed { access, grant, place }))
}

fn refused(found: &Placed<'_>, refusals: &Refusals, places: &Places) -> Option<Problem> {
    let reasons = refusals.of(found.access, &found.place);
    let Some(first) = reasons.first() else {
        // A link of /proc's own, which is not followed when the grant is opened.
        let by_proc = found.grant.path.starts_with("/proc");
        let message = || format!("{} leads through /proc, of which nothing is granted", found.named());
        let help = format!("name the target itself (\"{}\")", found.place.path.display());
        return by_proc.then(|| found.problem(message()).help(help));
    };
    let place = first.place.display();
    let what = first.what;
    let message = if first.inside {
        format!("{} lies in {place}: {what}", found.named())
    } else if first.place == found.place.path {
        format!("{} is never granted: {what}", found.named())
    } else {
        let more = match reasons.len() - 1 {
            0 => String::new(),
            more => format!(", and {more} more such places"),
        };
        format!("{} would reach {place} ({what}){more}", found.named())
    };
    let problem = found.problem(message);
    if found.place.path.starts_with("/proc") {
        return Some(problem.help("leave it out: the broker serves what a server may see of /proc"));
    }
    if first.inside || !found.place.is_folder() {
        return Some(problem);
    }
    let split = refusals.split(found.access, &found.place, places);
    let lines: Vec<String> = split.iter().map(|path| format!("\"{}\"", path.display())).collect();
    Some(match lines.is_empty() {
        true => problem.help("grant the folder that is needed instead, as deep as possible"),
        false => problem.help(format!("grant what is needed instead, out of: {}", lines.join(", "))),
    })
}

/// A device, socket or FIFO is no file: five devices aside, it cannot be granted.
fn special(found: &Placed<'_>) -> Option<Problem> {
    let kind = found.place.metadata.as_ref()?.file_type();
    let what = if kind.is_block_device() || kind.is_char_device() {
        if DEVICES.iter().any(|device| found.place.path == Path::new(device))
            && found.access != Access::Execute
        {
            return None;
        }
        "a device"
    } else if kind.is_socket() {
        "a socket"
    } else if kind.is_fifo() {
        "a FIFO"
    } else {
        return None;
    };
    let problem = found.problem(format!("{} is {what}, not a file or folder", found.named()));
    Some(problem.help(format!("the only devices that can be granted are {}", DEVICES.join(", "))))
}

/// The folders that the server can always write.
fn own_writable(private_home: Option<&Path>, context: &Context, places: &Places) -> Vec<Place> {
    let session = context.session.as_ref();
    let own = session.map(|session| [session.tmp.as_path(), session.cache.as_path()]);
    own.into_iter().flatten().chain(private_home).filter_map(|path| places.find(path).ok()).collect()
}

/// A symlink inside something writable may be the server's own work of an earlier run: a grant never goes through.
fn planted(placed: &[Placed<'_>], own: &[Place], places: &Places) -> Vec<Problem> {
    let mut problems = Vec::new();
    for found in placed {
        for folder in &found.place.links {
            let Ok(folder) = places.find(folder) else { continue };
            let writer =
                placed.iter().find(|other| other.access == Access::Write && other.place.covers(&folder));
            let by = match writer {
                Some(writer) => {
                    format!("{} can be written ({})", writer.grant.path.display(), writer.grant.origin)
                }
                None if own.iter().any(|own| own.covers(&folder)) => {
                    "the server's own folders can be written".into()
                }
                None => continue,
            };
            let message = format!(
                "{} goes through a symlink in {} that a server could have planted: {by}",
                found.named(),
                folder.path.display()
            );
            let help = in_venv(&folder.path).unwrap_or_else(|| {
                format!(
                    "name the target itself (\"{}\"), or let the server write somewhere else",
                    found.place.path.display()
                )
            });
            problems.push(found.problem(message).help(help));
            break;
        }
    }
    problems
}

/// Landlock adds up the rules along a path, so a writable folder and an executable file in it (or the other way
/// round) would make what the server writes executable.
fn written_and_executed(placed: &[Placed<'_>], own: &[Place]) -> Vec<Problem> {
    let executable = placed.iter().filter(|found| found.access == Access::Execute);
    let mut problems = Vec::new();
    for program in executable {
        let overlaps = |place: &Place| place.covers(&program.place) || program.place.covers(place);
        let writer = placed.iter().find(|other| other.access == Access::Write && overlaps(&other.place));
        if let Some(writer) = writer {
            let message = format!(
                "{} and {} overlap ({}): what can be written is never executed",
                writer.named(),
                program.named(),
                program.grant.origin
            );
            let beside = "move the program out of what the server writes, or write to a folder beside it";
            let help = program.place.path.parent().and_then(in_venv).unwrap_or_else(|| beside.to_owned());
            problems.push(writer.problem(message).help(help));
        } else if own.iter().any(overlaps) {
            let message = format!("{} lies in a folder that the server can write by itself", program.named());
            problems.push(program.problem(message).help("install the program somewhere else"));
        }
    }
    problems
}

/// What helps when a server may write the folder that its own virtual environment lies in.
fn in_venv(bin: &Path) -> Option<String> {
    let venv = bin.parent().filter(|venv| venv.join("pyvenv.cfg").is_file())?;
    Some(format!(
        "the environment {} lies in what the server may write, and it could change what it is started with: let it write \
         a folder of the project alone; or have the environment elsewhere (UV_PROJECT_ENVIRONMENT=/elsewhere uv sync, with \
         the same variable set for caponier)",
        venv.display()
    ))
}

/// A rule on a file follows the inode: an editor that writes a new file and renames it over the old one ends it.
fn stale(found: &Placed<'_>) -> Vec<Warning> {
    let is_shipped = found.grant.origin.file.starts_with("<shipped>");
    let Some(metadata) = found.place.metadata.as_ref().filter(|metadata| metadata.is_file()) else {
        return Vec::new();
    };
    if found.access == Access::Execute || is_shipped {
        return Vec::new();
    }
    let origin = || found.grant.origin.clone();
    let message = format!("{} is lost when the file is replaced", found.named());
    let stale = Warning::new(origin(), Code::StaleFileGrant, message).help("grant the folder that holds it");
    let links = metadata.nlink();
    if found.access != Access::Write || links < 2 {
        return vec![stale];
    }
    let message = format!("{} has {links} names: writing it writes the others too", found.named());
    vec![stale, Warning::new(origin(), Code::HardLinkedFile, message)]
}
