//! All files of all clients: read, their servers told, and changes to them planned.

use std::ops::Range;
use std::path::PathBuf;

use crate::clients::Format;
use crate::clients::argv::launch;
use crate::clients::change::{self, Unchanged, Undo};
use crate::clients::diff::{Line, Side, difference};
use crate::clients::file::{self, Opened};
use crate::clients::kept::Record;
use crate::clients::parse::parse;
use crate::clients::secret::{Hidden, hidden, shown};
use crate::clients::server::{Server, State, servers};
use crate::clients::splice::Splice;
use crate::clients::table::{Place, Shape};
use crate::clients::tree::{Node, position};
use crate::clients::undo;

/// Most servers in one file: a repository's own could hold up whoever lists it.
const MOST_SERVERS: usize = 1000;

/// A file that was read.
#[derive(Debug)]
pub struct Config {
    /// Whose, and where.
    pub place: Place,
    /// As it was read.
    pub file: Opened,
    /// Its servers.
    pub servers: Vec<Server>,
    tree: Node,
    hidden: Hidden,
}

/// A file that was not.
#[derive(Debug)]
pub struct Troubled {
    /// Whose, and where.
    pub place: Place,
    /// Why.
    pub trouble: Trouble,
}

/// Why a file is left alone.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// It cannot be read, or is not ours.
    #[error(transparent)]
    File(#[from] file::Error),
    /// It was read, and not understood.
    #[error("{detail} (line {line}, column {column})")]
    Text {
        /// In words.
        detail: String,
        /// From 1.
        line: usize,
        /// From 1, in characters.
        column: usize,
    },
}

/// Everything that was found.
#[derive(Debug, Default)]
pub struct Survey {
    /// Files with their servers.
    pub configs: Vec<Config>,
    /// Files that are there, and are left alone.
    pub troubled: Vec<Troubled>,
    /// Places that lead to a file that another place led to before: the other one's client and path.
    pub same: Vec<(Place, &'static str, PathBuf)>,
}

/// Reads what is there.
pub fn survey(places: impl IntoIterator<Item = Place>) -> Survey {
    let mut survey = Survey::default();
    for place in places {
        match read(place.clone()) {
            Ok(None) => {}
            Ok(Some(config)) => {
                let same = |other: &&Config| {
                    other.file.is_same_file(&config.file)
                        && other.place.listed.servers == config.place.listed.servers
                };
                match survey.configs.iter().find(same) {
                    Some(other) => {
                        let other = (other.place.client.name, other.place.path.clone());
                        survey.same.push((config.place, other.0, other.1));
                    }
                    None => survey.configs.push(config),
                }
            }
            Err(trouble) => survey.troubled.push(Troubled { place, trouble }),
        }
    }
    survey
}

/// Reads one file; `None` when it is not there.
///
/// # Errors
/// It cannot be read or understood.
pub fn read(place: Place) -> Result<Option<Config>, Trouble> {
    let Some(file) = file::read(&place.path)? else { return Ok(None) };
    let tree = parse(&file.text, place.format()).map_err(|fault| {
        let (line, column) = position(&file.text, fault.at);
        Trouble::Text { detail: fault.detail, line, column }
    })?;
    let servers = servers(&tree, &place.listed);
    if servers.len() > MOST_SERVERS {
        let detail = format!("it names more than {MOST_SERVERS} servers");
        return Err(Trouble::Text { detail, line: 1, column: 1 });
    }
    let hidden = hidden(&tree, &file.text);
    Ok(Some(Config { place, file, servers, tree, hidden }))
}

/// Words to put in front of a server's.
#[derive(Debug, Clone)]
pub struct Words {
    /// The keys that lead to the entry.
    pub path: Vec<String>,
    /// The program.
    pub program: String,
    /// What stands between it and `--`.
    pub words: Vec<String>,
}

/// A change that was not made yet.
#[derive(Debug)]
pub struct Planned {
    /// The file's new text.
    pub text: String,
    /// What undoes it.
    pub undo: Vec<Undo>,
    /// The difference, not escaped.
    pub lines: Vec<Line>,
}

impl Config {
    fn kind(&self) -> (Format, Shape) {
        (self.place.listed.format, self.place.listed.shape)
    }

    /// Secrets that stand in it: the name and the value of each.
    pub fn secrets(&self) -> &[(String, String)] {
        &self.hidden.values
    }

    /// The words that the client would start, with marks for those that are hidden.
    pub fn shown_words(&self, server: &Server) -> Vec<String> {
        let Some(launch) = self.entry(server).and_then(|entry| launch(entry, self.place.listed.shape).ok())
        else {
            return Vec::new();
        };
        let word = |node: &Node| {
            let spans = &self.hidden.spans;
            let next = spans.get(spans.partition_point(|span| span.end <= node.span.start));
            match next.is_some_and(|span| span.start < node.span.end) {
                true => {
                    self.shown(node.span.start + 1..node.span.end.saturating_sub(1).max(node.span.start + 1))
                }
                false => node.text().unwrap_or_default().to_owned(),
            }
        };
        launch.nodes().into_iter().map(word).collect()
    }

    /// Puts words in front of servers'.
    ///
    /// # Errors
    /// One of them cannot be changed.
    pub fn wrap(&self, servers: &[Words]) -> Result<Planned, Unchanged> {
        let (mut splices, mut undo, mut expected) = (Vec::new(), Vec::new(), Vec::new());
        for Words { path, program, words } in servers {
            let (more, one) = change::wrap(&self.file.text, &self.tree, self.kind(), path, program, words)?;
            let server = self.servers.iter().find(|server| server.path == *path);
            let old = server.map(|server| server.words.clone()).unwrap_or_default();
            let new = [program.clone()]
                .into_iter()
                .chain(words.iter().cloned())
                .chain(["--".to_owned()])
                .chain(old);
            expected.push((path.clone(), new.collect()));
            splices.extend(more);
            undo.push(one);
        }
        self.planned(&splices, &expected, undo)
    }

    /// Takes our words away from servers. Which could not be, and why, comes with it.
    ///
    /// # Errors
    /// The result would not be what it should be.
    pub fn unwrap(
        &self,
        paths: &[Vec<String>],
        record: Option<&Record>,
    ) -> Result<(Planned, Vec<Failed>), Unchanged> {
        let (mut splices, mut undone, mut expected, mut failed) =
            (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for path in paths {
            let kept = record.and_then(|record| record.entries.iter().find(|kept| kept.path == *path));
            match undo::unwrap(&self.file.text, &self.tree, self.kind(), path, kept) {
                Ok((more, words)) => {
                    splices.extend(more);
                    undone.extend(kept.cloned());
                    expected.push((path.clone(), words));
                }
                Err(why) => failed.push(Failed { path: path.clone(), why }),
            }
        }
        Ok((self.planned(&splices, &expected, undone)?, failed))
    }

    fn planned(
        &self,
        splices: &[Splice],
        expected: &[(Vec<String>, Vec<String>)],
        undo: Vec<Undo>,
    ) -> Result<Planned, Unchanged> {
        let old = &self.file.text;
        let (text, tree) = change::made(old, &self.tree, self.kind(), splices, expected)?;
        let after = hidden(&tree, &text);
        let sides =
            (Side { text: old, hidden: &self.hidden.spans }, Side { text: &text, hidden: &after.spans });
        let lines = difference(sides.0, sides.1, splices);
        Ok(Planned { text, undo, lines })
    }

    /// The servers whose commands caponier stands in front of.
    pub fn wrapped(&self) -> impl Iterator<Item = &Server> {
        self.servers.iter().filter(|server| matches!(server.state, State::Wrapped(_)))
    }

    /// The lines of a range of it, with marks for what is hidden.
    pub(super) fn shown(&self, range: Range<usize>) -> String {
        shown(&self.file.text, range, &self.hidden.spans)
    }

    pub(super) fn entry(&self, server: &Server) -> Option<&Node> {
        match self.tree.at(&server.path) {
            Some(entry) => Some(entry),
            // A list of entries with names.
            None => {
                let (name, path) = server.path.split_last()?;
                let list = self.tree.at(path)?.elements()?;
                list.iter().find(|entry| entry.get("name").and_then(Node::text) == Some(name))
            }
        }
    }
}

/// A server whose words stay.
#[derive(Debug)]
pub struct Failed {
    /// The keys that lead to its entry.
    pub path: Vec<String>,
    /// Why.
    pub why: Unchanged,
}
