//! `extends`: from one file to all files that take part, each once, bases before what extends them.
//!
//! The order depends on the files alone, never on the order in which `extends` names them, so the digest and the
//! result of the composition do not either. A circle is reported as the chain that closes it.

use std::collections::BTreeSet;

use crate::policy::Environment;
use crate::policy::directories::Directories;
use crate::profile::problem::Problem;
use crate::profile::schema::{self, Layer};
use crate::profile::source::{self, Source};

/// Files of one profile at most: a chain longer than anyone can review.
const MOST_FILES: usize = 64;

/// One file, read, with the files that it extends.
#[derive(Debug, Clone)]
pub(super) struct Member {
    /// The file.
    pub source: Source,
    /// What it says.
    pub layer: Layer,
    /// Every file below it, directly or through others, as indices of the list it is in.
    pub below: BTreeSet<usize>,
}

/// Reads `root` and everything that it extends: bases first, `root` last. Files `beside` it take part as if somebody
/// extended both: neither stands above the other, so of two single values the stricter holds.
pub(super) fn load(
    root: Source,
    beside: Vec<Source>,
    env: Environment,
    dirs: &Directories,
) -> (Vec<Member>, Vec<Problem>) {
    let mut loading = Loading { env, dirs, members: Vec::new(), open: Vec::new(), problems: Vec::new() };
    let index = loading.visit(root);
    for other in beside {
        if !loading.members.iter().any(|member| member.source.id == other.id) {
            loading.visit(other);
        }
    }
    let mut members = loading.members;
    to_the_end(&mut members, index);
    (members, loading.problems)
}

/// The member at `index` becomes the last one.
fn to_the_end(members: &mut Vec<Member>, index: usize) {
    let last = members.len() - 1;
    let moved = members.remove(index);
    members.push(moved);
    for member in members {
        member.below = std::mem::take(&mut member.below)
            .into_iter()
            .map(|below| match below {
                below if below == index => last,
                below if below > index => below - 1,
                below => below,
            })
            .collect();
    }
}

struct Loading<'d> {
    env: Environment,
    dirs: &'d Directories,
    members: Vec<Member>,
    /// The files between the root and here: what a circle would close.
    open: Vec<Source>,
    problems: Vec<Problem>,
}

impl Loading<'_> {
    fn visit(&mut self, source: Source) -> usize {
        let (layer, problems) = schema::parse(&source, self.env);
        self.problems.extend(problems);
        let mut bases = Vec::new();
        for entry in &layer.extends {
            match source::extended(&entry.value, &entry.origin, &source, self.env, self.dirs) {
                Ok(base) => bases.push((base, &entry.origin)),
                Err(problem) => self.problems.push(problem),
            }
        }
        bases.sort_by(|(a, _), (b, _)| a.id.cmp(&b.id));
        self.open.push(source.clone());
        let mut below = BTreeSet::new();
        for (base, origin) in bases {
            if let Some(start) = self.open.iter().position(|open| open.id == base.id) {
                let chain: Vec<&str> =
                    self.open[start..].iter().chain([&base]).map(|s| s.file.as_str()).collect();
                let message = format!("`extends` goes in a circle: {}", chain.join(" → "));
                self.problems.push(Problem::new(origin.clone(), message).help("take one of the links out"));
                continue;
            }
            let known = self.members.iter().position(|member| member.source.id == base.id);
            let index = match known {
                Some(index) => index,
                None if self.members.len() + self.open.len() >= MOST_FILES => {
                    let message = format!("the profile is made of more than {MOST_FILES} files");
                    self.problems.push(Problem::new(origin.clone(), message));
                    continue;
                }
                None => self.visit(base),
            };
            below.extend(self.members[index].below.iter().copied());
            below.insert(index);
        }
        self.open.pop();
        self.members.push(Member { source, layer, below });
        self.members.len() - 1
    }
}
