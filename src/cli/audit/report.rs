//! `caponier audit report`: one self-contained HTML page about what the filters find.
//!
//! The page is made beside its place and put there in one step (`rename(2)`), for the user alone (0600): what stands
//! there is a whole page or what stood there before.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;

use crate::audit::count::counted;
use crate::audit::report::{self, Report, page};
use crate::audit::stamp::Stamp;
use crate::cli::audit::filters::Filters;
use crate::cli::audit::{Folder, fail};
use crate::cli::diagnostic;
use crate::cli::term::escape::escape;
use crate::policy::directories::Directories;

/// Make an HTML page of the timeline: one file, that loads nothing
#[derive(Debug, Args)]
pub(super) struct ReportArgs {
    /// Where the page goes; what is there is replaced
    #[arg(long, value_name = "FILE")]
    html: PathBuf,
    #[command(flatten)]
    filters: Filters,
    /// At most this many events on the page; refusals, calls and programs come before files that were read
    #[arg(long, value_name = "N", default_value_t = 20_000, value_parser = clap::value_parser!(u32).range(1..=200_000))]
    limit: u32,
    #[command(flatten)]
    folder: Folder,
}

/// Makes the page; 1 when the log cannot be read or the page cannot be written.
pub(super) fn run(args: &ReportArgs, directories: &Directories) -> ExitCode {
    let dir = args.folder.path(directories);
    let limit = usize::try_from(args.limit).unwrap_or(usize::MAX);
    let report = match report::gather(&dir, &args.filters.filter(), limit) {
        Ok(report) => report,
        Err(error) => return fail(&error, &dir),
    };
    let made = String::from_utf8_lossy(&Stamp::now().text()).into_owned();
    match write(&args.html, |out| page::write(&report, &made, &args.filters.asked(), out)) {
        Ok(()) => {
            tell(&report, &args.html);
            ExitCode::SUCCESS
        }
        Err(error) => {
            let file = escape(&args.html.to_string_lossy()).into_owned();
            let help = "choose a file in a folder that exists and can be written";
            diagnostic::tell(&format!(
                "error: the page cannot be written to {file}: {error}\nhelp: {help}\n"
            ));
            ExitCode::FAILURE
        }
    }
}

/// What the page does not show of itself, or might be overlooked there.
fn tell(report: &Report, file: &Path) {
    let held = report.selection.lines().len();
    let sessions = report.sessions.len();
    let name = escape(&file.to_string_lossy()).into_owned();
    diagnostic::tell(&format!("{name}: {}, {}\n", counted(held, "event"), counted(sessions, "session")));
    let omitted = report.omitted();
    let left = omitted.allowed + omitted.other + omitted.frames;
    if left > 0 {
        diagnostic::tell(&format!(
            "note: {} did not fit; the page says which (--limit, or filters)\n",
            counted(left, "event")
        ));
    }
    if !report.verified.as_ref().is_ok_and(|verified| verified.ok) {
        diagnostic::tell("note: the log does not verify; the page says where (caponier audit verify)\n");
    }
}

/// Writes beside `file`, and puts it there when it is whole.
fn write(file: &Path, body: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>) -> io::Result<()> {
    let name = file.file_name().ok_or_else(|| io::Error::other("not the name of a file"))?;
    let mut beside = name.to_owned();
    beside.push(format!(".{}.part", std::process::id()));
    let beside = file.with_file_name(beside);
    let part = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
    let mut out = BufWriter::new(part);
    let written = body(&mut out).and_then(|()| out.flush()).and_then(|()| std::fs::rename(&beside, file));
    if written.is_err() {
        // What is left of it is no page.
        let _ = std::fs::remove_file(&beside);
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt;

    #[test]
    fn a_page_is_there_whole_or_not_at_all() {
        let root = tempfile::tempdir().unwrap();
        let file = root.path().join("report.html");
        write(&file, |out| out.write_all(b"one")).unwrap();
        assert_eq!(std::fs::metadata(&file).unwrap().mode() & 0o777, 0o600);
        let failed = write(&file, |out| out.write_all(b"tw").and(Err(io::Error::other("broke"))));
        assert_eq!(failed.unwrap_err().to_string(), "broke");
        assert_eq!(std::fs::read(&file).unwrap(), b"one");
        assert_eq!(std::fs::read_dir(root.path()).unwrap().count(), 1);
        assert!(write(&root.path().join(".."), |_| Ok(())).is_err());
    }

    #[test]
    fn a_link_is_replaced_and_not_followed() {
        let root = tempfile::tempdir().unwrap();
        std::fs::write(root.path().join("mine"), "mine").unwrap();
        let link = root.path().join("report.html");
        std::os::unix::fs::symlink("mine", &link).unwrap();
        write(&link, |out| out.write_all(b"page")).unwrap();
        assert_eq!(std::fs::read(root.path().join("mine")).unwrap(), b"mine");
        assert_eq!(std::fs::read(&link).unwrap(), b"page");
    }
}
