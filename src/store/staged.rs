//! What a probe of a staged version showed, beside the version that is in use: written when it is staged, read by whoever
//! decides.
//!
//! The record of a server says *which* tree waits; this says what was seen of it. A report that is about other trees
//! than the record's is no report.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::audit::behaviour::{Deed, Kind};
use crate::store::server::{Error, Server};
use crate::store::settings;

/// Places that every program reads at its start, or that no name of a file is worth anything in.
const USUAL: &[&str] =
    &["${package}/", "/usr/", "/lib/", "/lib64/", "/etc/", "/proc/", "/sys/", "/dev/", "/nix/store/"];
/// What stands for the package's own folder.
const PACKAGE: &str = "${package}";

/// One thing that the staged version did and the version in use did not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct New {
    /// `files`, `hosts`, `processes`, `denials`.
    pub(crate) kind: String,
    /// `read`, `connected`, a reason.
    pub(crate) how: String,
    /// To what.
    pub(crate) what: String,
    /// How often.
    pub(crate) count: u64,
}

/// What was seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Report {
    v: u32,
    /// The tree that was probed.
    pub(crate) digest: String,
    /// The tree that it was compared with.
    pub(crate) against: String,
    /// The sessions of the two probes, the version in use first.
    pub(crate) sessions: [Option<String>; 2],
    /// Why there was no answer, when there was none.
    pub(crate) failed: Option<String>,
    /// What somebody should look at.
    pub(crate) new: Vec<New>,
    /// Files of the package's own, and of the system's, that only one of the two read.
    pub(crate) usual: u64,
}

impl Report {
    /// A report about two trees.
    pub(crate) fn new(digest: &str, against: &str) -> Report {
        Report {
            v: 1,
            digest: digest.to_owned(),
            against: against.to_owned(),
            sessions: [None, None],
            failed: None,
            new: Vec::new(),
            usual: 0,
        }
    }

    /// Takes what only the staged version did.
    pub(crate) fn beyond<'d>(&mut self, deeds: impl Iterator<Item = (&'d Deed, u64)>) {
        for (deed, count) in deeds {
            let kind = match deed.kind {
                Kind::Tools => continue,
                Kind::Files if USUAL.iter().any(|place| deed.what.starts_with(place)) => {
                    self.usual += 1;
                    continue;
                }
                // The session's own folders.
                Kind::Files if deed.what.contains("${session}") => continue,
                Kind::Files => "files",
                Kind::Processes => "processes",
                Kind::Hosts => "hosts",
                Kind::Denials => "denials",
            };
            let new = New { kind: kind.to_owned(), how: deed.how.clone(), what: deed.what.clone(), count };
            self.new.push(new);
        }
    }

    fn path(server: &Server) -> PathBuf {
        server.folder().join("staged.json")
    }

    /// The report about the tree that waits, when there is one.
    ///
    /// # Errors
    /// It cannot be read, or is none of ours.
    pub(crate) fn read(server: &Server, digest: &str, against: &str) -> Result<Option<Report>, Error> {
        let path = Report::path(server);
        let text = match settings::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(Error::Unusable { path, source }),
        };
        let report: Report = serde_json::from_slice(&text)
            .map_err(|error| Error::Broken { path: path.clone(), detail: error.to_string() })?;
        let is_about = report.v == 1 && report.digest == digest && report.against == against;
        Ok(is_about.then_some(report))
    }

    /// Writes it.
    ///
    /// # Errors
    /// The disk.
    pub(crate) fn write(&self, server: &Server) -> Result<(), Error> {
        let path = Report::path(server);
        let new = path.with_extension("new");
        let write = || {
            let mut options = OpenOptions::new();
            let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&new)?;
            file.write_all(&serde_json::to_vec_pretty(self).map_err(io::Error::from)?)?;
            file.sync_all()?;
            fs::rename(&new, &path)
        };
        write().map_err(|source| Error::Unusable { path: path.clone(), source })
    }
}

/// A deed with the package's own folder made equal, so that two versions can be compared.
pub(crate) fn made_equal(deed: &Deed, tree: &str) -> Deed {
    Deed { kind: deed.kind, how: deed.how.clone(), what: deed.what.replace(tree, PACKAGE) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deed(kind: Kind, how: &str, what: &str) -> Deed {
        Deed { kind, how: how.into(), what: what.into() }
    }

    #[test]
    fn what_every_start_does_is_only_counted_and_the_rest_is_told() {
        let mut report = Report::new("b", "a");
        let deeds = [
            deed(Kind::Files, "read", "${package}/dist/new.js"),
            deed(Kind::Files, "read", "/usr/lib/x.so"),
            deed(Kind::Files, "write", "/home/me/tmp/${session}/x"),
            deed(Kind::Tools, "called", "x"),
        ];
        report.beyond(deeds.iter().map(|deed| (deed, 1)));
        assert!(report.new.is_empty() && report.usual == 2);
        for suspicious in [
            deed(Kind::Files, "read", "/home/me/notes/secret"),
            deed(Kind::Denials, "fs.read.not-granted", "/home/me/.ssh/id"),
            deed(Kind::Hosts, "connected", "evil.example:443"),
            deed(Kind::Processes, "executed", "/usr/bin/git"),
        ] {
            let mut report = Report::new("b", "a");
            report.beyond(std::iter::once((&suspicious, 1)));
            assert_eq!(report.new.len(), 1, "{suspicious:?}");
        }
    }

    #[test]
    fn a_report_is_about_its_two_trees() {
        let data = tempfile::tempdir().unwrap();
        let server = Server::new(data.path(), "a");
        fs::create_dir_all(server.folder()).unwrap();
        assert_eq!(Report::read(&server, "b", "a").unwrap(), None);
        Report::new("b", "a").write(&server).unwrap();
        assert!(Report::read(&server, "b", "a").unwrap().is_some());
        assert_eq!(Report::read(&server, "b", "c").unwrap(), None);
        assert_eq!(Report::read(&server, "c", "a").unwrap(), None);
        fs::write(server.folder().join("staged.json"), "{}").unwrap();
        assert!(Report::read(&server, "b", "a").is_err());
    }

    #[test]
    fn packages_of_two_versions_are_made_equal() {
        let one =
            made_equal(&deed(Kind::Files, "read", "/d/servers/a/1/tree/index.js"), "/d/servers/a/1/tree");
        let two =
            made_equal(&deed(Kind::Files, "read", "/d/servers/a/2/tree/index.js"), "/d/servers/a/2/tree");
        assert_eq!(one, two);
    }
}
