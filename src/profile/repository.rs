//! A workspace's own `.caponier.toml`: what it says holds, as long as it allows no more than the user's profile does.
//!
//! It is a profile without `extends`. A single value takes the profile's place; a list of paths says what is left of the
//! profile's grants *in the workspace*; a list of hosts or tools says what is left of the profile's. Whatever would
//! widen the profile is an error with its line, unless the user approved the file by its digest (`trust`); under a lock, in
//! any case.
//!
//! Only the workspace itself is looked at: a folder above it may be anybody's. The file is opened without following
//! a symlink: a planted one would have its target's text in our error messages.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;
use toml::de::DeTable;

use crate::policy::grant::{Access, Grant, Origin, Stated, Taken};
use crate::policy::network::{HostGrant, LocalGrant, Network, TakenEntries, TakenEntry};
use crate::policy::tools::{TakenTools, ToolDefault, ToolPattern, Tools};
use crate::policy::{Environment, Policy};
use crate::profile::context::Context;
use crate::profile::difference::{Difference, Direction};
use crate::profile::grants::Grants;
use crate::profile::network::{settle_hosts, settle_local, settle_sockets};
use crate::profile::place::{Place, Places};
use crate::profile::problem::Problem;
use crate::profile::schema::{self, Layer};
use crate::profile::source::{self, Source};
use crate::profile::tool_keys::ArgumentKeys;
use crate::profile::tool_laws::Within;
use crate::profile::variables::Variables;
use crate::profile::{record, trust};

/// The name of the file.
pub const FILE: &str = ".caponier.toml";

/// The lists that it can hold, and that take the place of the profile's.
const LISTS: &[(&str, &str, &str)] = &[
    ("filesystem", "read", "filesystem.read"),
    ("filesystem", "write", "filesystem.write"),
    ("process", "execute", "process.execute"),
    ("network", "allow", "network.allow"),
    ("network", "local", "network.local"),
    ("network", "listen", "network.listen"),
    ("network", "unix", "network.unix"),
    ("tools", "allow", "tools.allow"),
];

/// The file that took part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Repository {
    /// Its path.
    pub file: PathBuf,
    /// The digest of its bytes.
    pub sha256: String,
    /// The user approved it: it may allow more than the profile.
    pub approved: bool,
}

/// The file, read.
#[derive(Debug, Clone)]
pub(super) struct Found {
    pub source: Source,
    /// What it says, without the lists that take the profile's place.
    pub layer: Layer,
    pub repository: Repository,
    folder: PathBuf,
    lists: Lists,
}

/// The lists, and where each begins.
#[derive(Debug, Clone, Default)]
struct Lists {
    at: BTreeMap<&'static str, Origin>,
    layer: Layer,
}

/// Reads the file of the workspace; `None` when there is none, or when nobody chose a workspace and it would be everything.
pub(super) fn find(context: &Context, env: Environment) -> Result<Option<Found>, Vec<Problem>> {
    let variables = Variables::new(context, crate::policy::Home::Session);
    let Ok(folder) = variables.workspace() else { return Ok(None) };
    let path = folder.join(FILE);
    let Some(source) = read(&path).map_err(|problem| vec![problem])? else { return Ok(None) };
    let sha256 = record::sha256(source.text.as_bytes());
    let approved = trust::is_approved(&context.directories, folder, &sha256).map_err(|error| {
        let message = format!("whether this file was approved cannot be told: {error}");
        let help = format!("look into it; caponier profile trust {} approves it again", folder.display());
        vec![Problem::new(source.origin(&(0..0)), message).help(help)]
    })?;
    let (mut layer, mut problems) = schema::parse(&source, env);
    if let Some(first) = layer.extends.first() {
        let message = "a repository's file extends nothing: it is added to the profile that the user chose";
        problems.push(Problem::new(first.origin.clone(), message).help("take the line out"));
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    let lists = Lists { at: lists(&source), layer: layer.clone() };
    for list in [&mut layer.read, &mut layer.write, &mut layer.execute] {
        list.clear();
    }
    layer.network.allow.clear();
    layer.network.local.clear();
    layer.network.listen.clear();
    layer.network.unix.clear();
    layer.tools.allow.clear();
    let repository = Repository { file: path, sha256, approved };
    Ok(Some(Found { source, layer, repository, folder: folder.to_owned(), lists }))
}

/// The text of a workspace's file, for approving it.
///
/// # Errors
/// There is none, or it cannot be read.
pub fn text(folder: &Path) -> Result<String, Problem> {
    let path = folder.join(FILE);
    match read(&path)? {
        Some(source) => Ok(source.text),
        None => {
            let message = format!("there is no {}", path.display());
            Err(Problem::new(Origin::command_line(), message).help("name the workspace: profile trust DIR"))
        }
    }
}

fn read(path: &Path) -> Result<Option<Source>, Problem> {
    let file = path.display().to_string();
    let unreadable = |error: &dyn std::fmt::Display| {
        Problem::new(Origin { file: file.clone(), line: 0, column: 0 }, format!("cannot be read: {error}"))
            .help("it narrows what servers may do in this workspace, so nothing starts without it")
    };
    match path.symlink_metadata() {
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        Err(error) => return Err(unreadable(&error)),
        Ok(_) => {}
    }
    let text = source::text_unlinked(path).map_err(|error| match error.raw_os_error() {
        Some(libc::ELOOP) => unreadable(&"it is a symbolic link"),
        _ => unreadable(&error),
    })?;
    Ok(Some(Source { id: path.to_owned(), file, folder: None, name: FILE.to_owned(), text }))
}

/// The lists that are there, also when they are empty.
fn lists(source: &Source) -> BTreeMap<&'static str, Origin> {
    let (tree, _) = DeTable::parse_recoverable(&source.text);
    let at = |section: &str, key: &str| {
        let list = tree.get_ref().get(section)?.get_ref().as_table()?.get(key)?;
        Some(source.origin(&list.span()))
    };
    LISTS.iter().filter_map(|(section, key, dotted)| Some((*dotted, at(section, key)?))).collect()
}

impl Found {
    fn has(&self, key: &str) -> bool {
        self.lists.at.contains_key(key)
    }

    /// Hosts: what the file lists is what is left.
    pub(super) fn network(&self, network: &mut Network) {
        let listed = &self.lists.layer.network;
        if self.has("network.allow") {
            network.allow = settle_hosts(listed.allow.clone());
        }
        if self.has("network.local") {
            network.local = settle_local(listed.local.clone());
        }
        if self.has("network.listen") {
            network.listen = settle_local(listed.listen.clone());
        }
        if self.has("network.unix") {
            network.unix = settle_sockets(listed.unix.clone());
        }
    }

    /// Tools and arguments: what the file lists is what is left.
    pub(super) fn tools(&self, tools: &mut Tools, within: &mut [Within]) {
        let listed = &self.lists.layer.tools;
        if self.has("tools.allow") {
            tools.allow = listed
                .allow
                .iter()
                .map(|glob| ToolPattern { glob: glob.value.clone(), origin: glob.origin.clone() })
                .collect();
        }
        for (tool, rule) in &listed.rule {
            for (at, keys) in &rule.argument {
                let at = at.to_string();
                let ArgumentKeys { within: folders, extensions, one_of, hosts, .. } = keys;
                if let Some(folders) = folders
                    && let Some(own) = within.iter_mut().find(|own| own.tool == *tool && own.argument == at)
                {
                    own.entries.clone_from(&folders.value);
                }
                let rule = tools.rule.get_mut(tool).and_then(|rule| rule.argument.get_mut(&at));
                let Some(rule) = rule else { continue };
                take(&mut rule.extensions, extensions.as_ref());
                take(&mut rule.one_of, one_of.as_ref());
                take(&mut rule.hosts, hosts.as_ref());
            }
        }
    }

    /// Paths: what the file lists is what is left of the grants in the workspace.
    pub(super) fn grants(&self, grants: &mut Grants, variables: &Variables<'_>, context: &Context) {
        if !["filesystem.read", "filesystem.write", "process.execute"].iter().any(|key| self.has(key)) {
            return;
        }
        let places = Places::default();
        let workspace = match places.find(&self.folder) {
            Ok(workspace) => workspace,
            Err(error) => {
                let message = format!("the workspace cannot be looked at: {error}");
                grants.problems.push(Problem::new(self.source.origin(&(0..0)), message));
                return;
            }
        };
        let mut listed = Grants::default();
        listed.entries(Access::Read, &self.lists.layer.read, variables, context);
        listed.entries(Access::Write, &self.lists.layer.write, variables, context);
        listed.entries(Access::Execute, &self.lists.layer.execute, variables, context);
        grants.problems.append(&mut listed.problems);
        Narrowing { found: self, places: &places, workspace: &workspace }.apply(grants, listed);
    }

    /// Grants of the profile's that are not left, each with the line that takes it away.
    pub(super) fn taken(&self, own: &Policy, less: &Policy) -> Vec<Taken> {
        let of = |policy: &Policy, access: Access| match access {
            Access::Read => policy.filesystem.read.clone(),
            Access::Write => policy.filesystem.write.clone(),
            Access::Execute => policy.process.execute.clone(),
        };
        let mut taken = Vec::new();
        for access in [Access::Read, Access::Write, Access::Execute] {
            let own_line = self.lists.at.get(access.key());
            // A list for reading takes away writing as well.
            let other = self.lists.at.get("filesystem.read").filter(|_| access == Access::Write);
            let Some(by) = own_line.or(other) else { continue };
            let left = of(less, access);
            let gone =
                of(own, access).into_iter().filter(|grant| left.iter().all(|left| left.path != grant.path));
            taken.extend(gone.map(|grant| Taken { access, grant, by: by.clone() }));
        }
        taken
    }

    /// The same, of hosts and of ports of this machine.
    pub(super) fn taken_entries(&self, own: &Network, less: &Network) -> TakenEntries {
        let host = |one: &HostGrant, other: &HostGrant| (&one.host, one.port) == (&other.host, other.port);
        let local = |one: &LocalGrant, other: &LocalGrant| (one.host, one.port) == (other.host, other.port);
        TakenEntries {
            allow: self.gone("network.allow", &own.allow, &less.allow, host),
            local: self.gone("network.local", &own.local, &less.local, local),
            listen: self.gone("network.listen", &own.listen, &less.listen, local),
        }
    }

    fn gone<G: Clone>(
        &self,
        key: &str,
        own: &[G],
        less: &[G],
        is_same: impl Fn(&G, &G) -> bool,
    ) -> Vec<TakenEntry<G>> {
        let Some(by) = self.lists.at.get(key) else { return Vec::new() };
        let gone = own.iter().filter(|grant| !less.iter().any(|left| is_same(left, grant)));
        gone.map(|grant| TakenEntry { grant: grant.clone(), by: by.clone() }).collect()
    }

    /// What lets tools be called in the profile, where the file says which of them are left.
    pub(super) fn taken_tools(&self, own: &Policy) -> Option<TakenTools> {
        let by = self.lists.at.get("tools.allow")?.clone();
        let file = || Origin { file: own.profile.file.display().to_string(), line: 0, column: 0 };
        let tools = &own.tools;
        let open = tools.default != ToolDefault::Deny;
        let default = open.then(|| tools.default_origin.clone().unwrap_or_else(file));
        Some(TakenTools { default, allow: tools.allow.clone(), by })
    }

    /// What the file would widen, as problems; none when the user approved it.
    pub(super) fn widenings(&self, differences: &[Difference], locked: bool) -> Vec<Problem> {
        if self.repository.approved && !locked {
            return Vec::new();
        }
        let folder = self.folder.display();
        let help = match locked {
            true => "the profile is locked, so nothing widens it: take the line out".to_owned(),
            false => format!(
                "take it out, or look at the whole file and approve it as it is: caponier profile trust {folder}"
            ),
        };
        let is_wider = |difference: &&Difference| difference.direction != Direction::Narrower;
        let problem = |Difference { key, to, from, .. }: &Difference| {
            let stated = to.as_ref().or(from.as_ref());
            let line = to.as_ref().and_then(|side| side.line.clone());
            let value = stated.map(|side| side.value.as_str()).unwrap_or_default();
            let line = line.filter(|line| line.file == self.source.file);
            let message = match line {
                Some(_) => format!("`{key}`: {value} is more than the profile allows"),
                None => format!("it would widen `{key}`: {value}"),
            };
            let origin = line.unwrap_or_else(|| self.source.origin(&(0..0)));
            Problem::new(origin, message).help(help.clone())
        };
        differences.iter().filter(is_wider).map(problem).collect()
    }
}

/// A list takes the place of another.
fn take<T: Clone + Ord>(
    held: &mut Option<Stated<Vec<T>>>,
    listed: Option<&crate::profile::tree::Sourced<Vec<T>>>,
) {
    if let Some(listed) = listed {
        let mut value = listed.value.clone();
        value.sort();
        value.dedup();
        *held = Some(Stated { value, origin: listed.origin.clone() });
    }
}

/// The grants of a profile, and what a workspace's file leaves of them.
struct Narrowing<'n> {
    found: &'n Found,
    places: &'n Places,
    workspace: &'n Place,
}

impl Narrowing<'_> {
    fn apply(&self, grants: &mut Grants, mut listed: Grants) {
        self.refuse_above(grants);
        for access in [Access::Read, Access::Write, Access::Execute] {
            let list = std::mem::take(listed.of(access));
            *listed.of(access) =
                list.into_iter().filter_map(|grant| self.settled(access, grant, grants)).collect();
        }
        let reads = self.found.has("filesystem.read");
        let writes = self.found.has("filesystem.write");
        if reads {
            self.take_inside(&mut grants.read);
        }
        if reads || writes {
            let written = self.take_inside(&mut grants.write);
            match (writes, reads) {
                (true, true) => {}
                // Nothing is said of reading: what could be written can still be read.
                (true, false) => grants.read.extend(written),
                (false, _) => {
                    let left = written.iter().flat_map(|grant| self.cut(grant, &listed.read));
                    grants.write.extend(left);
                }
            }
        }
        if self.found.has("process.execute") {
            self.take_inside(&mut grants.execute);
        }
        for access in [Access::Read, Access::Write, Access::Execute] {
            let list = std::mem::take(listed.of(access));
            grants.of(access).extend(list);
        }
    }

    /// Takes the grants in the workspace out of a list. What the command itself needs is no grant of the profile's.
    fn take_inside(&self, list: &mut Vec<Grant>) -> Vec<Grant> {
        let is_inside = |grant: &mut Grant| {
            grant.origin != Origin::caponier()
                && self.place(grant).is_some_and(|place| self.workspace.covers(&place))
        };
        list.extract_if(.., is_inside).collect()
    }

    fn place(&self, grant: &Grant) -> Option<Place> {
        // What is relative still has a variable in it: the profile is only shown.
        grant.path.is_absolute().then(|| self.places.find(&grant.path).ok()).flatten()
    }

    /// A grant that lies above the workspace cannot be cut: Landlock knows no exceptions.
    fn refuse_above(&self, grants: &mut Grants) {
        let concerned = |access: Access| match access {
            Access::Read => &["filesystem.read"][..],
            Access::Write => &["filesystem.read", "filesystem.write"],
            Access::Execute => &["process.execute"],
        };
        let mut problems = Vec::new();
        for (access, grant) in grants.iter() {
            let Some(line) = concerned(access).iter().find_map(|key| self.found.lists.at.get(key)) else {
                continue;
            };
            let above = self
                .place(grant)
                .is_some_and(|place| place.covers(self.workspace) && !self.workspace.covers(&place));
            if above {
                let message = format!(
                    "`{}` of {} ({}) lies above this workspace, so this list cannot narrow it",
                    access.key(),
                    grant.path.display(),
                    grant.origin
                );
                let help = "grant folders in it instead, as deep as possible; or take the list out";
                problems.push(Problem::new(line.clone(), message).help(help));
            }
        }
        grants.problems.extend(problems);
    }

    /// A listed grant, with the reason of the one that it is a part of. One that is `optional` is left out where the
    /// profile does not give it.
    fn settled(&self, access: Access, mut grant: Grant, grants: &Grants) -> Option<Grant> {
        let Some(place) = self.place(&grant) else { return Some(grant) };
        let giving = grants.iter().find(|(given, wide)| {
            (*given == access || access == Access::Read)
                && self.place(wide).is_some_and(|wide| wide.covers(&place))
        });
        match giving {
            Some((_, wide)) => {
                grant.reason = grant.reason.or_else(|| wide.reason.clone());
                Some(grant)
            }
            None if grant.optional && !self.found.repository.approved => None,
            None => Some(grant),
        }
    }

    /// What is left of a grant where only `read` can be read.
    fn cut(&self, grant: &Grant, read: &[Grant]) -> Vec<Grant> {
        let Some(place) = self.place(grant) else { return vec![grant.clone()] };
        let within = |left: &Grant| self.place(left).is_some_and(|left| left.covers(&place));
        if read.iter().any(within) {
            return vec![grant.clone()];
        }
        let inside = |left: &&Grant| self.place(left).is_some_and(|left| place.covers(&left));
        read.iter().filter(inside).cloned().collect()
    }
}
