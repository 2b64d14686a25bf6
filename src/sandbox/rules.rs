//! File rules: every grant opened once, as an inode with rights; and the Landlock ruleset made of them.
//!
//! The same opened inodes serve twice: the kernel enforces them, and the broker predicts with them. A rule is what
//! was opened, not what it is called: names are kept for the record only. `landlock(7)`.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use landlock::{
    ABI, Access as _, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, PathBeneath, Ruleset,
    RulesetAttr, RulesetCreated, RulesetCreatedAttr, Scope,
};

use nix::fcntl::ResolveFlag;

use crate::policy::grant::{Access, Grant, Origin};
use crate::sys::path::{self, Follow, Inode, Stat};

/// Landlock's file rights, with the kernel's bits (`LANDLOCK_ACCESS_FS_*`).
#[derive(Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct Rights(pub u32);

impl Rights {
    /// Execute a file.
    pub const EXECUTE: Rights = Rights(1);
    /// Open a file for writing.
    pub const WRITE_FILE: Rights = Rights(1 << 1);
    /// Open a file for reading.
    pub const READ_FILE: Rights = Rights(1 << 2);
    /// List a folder.
    pub const READ_DIR: Rights = Rights(1 << 3);
    /// Remove a folder, or rename it away.
    pub const REMOVE_DIR: Rights = Rights(1 << 4);
    /// Remove anything else, or rename it away.
    pub const REMOVE_FILE: Rights = Rights(1 << 5);
    /// Create a character device.
    pub const MAKE_CHAR: Rights = Rights(1 << 6);
    /// Create a folder.
    pub const MAKE_DIR: Rights = Rights(1 << 7);
    /// Create a file.
    pub const MAKE_REG: Rights = Rights(1 << 8);
    /// Create a socket.
    pub const MAKE_SOCK: Rights = Rights(1 << 9);
    /// Create a named pipe.
    pub const MAKE_FIFO: Rights = Rights(1 << 10);
    /// Create a block device.
    pub const MAKE_BLOCK: Rights = Rights(1 << 11);
    /// Create a symbolic link.
    pub const MAKE_SYM: Rights = Rights(1 << 12);
    /// Rename or link between folders.
    pub const REFER: Rights = Rights(1 << 13);
    /// Cut a file.
    pub const TRUNCATE: Rights = Rights(1 << 14);
    /// Device commands.
    pub const IOCTL_DEV: Rights = Rights(1 << 15);

    /// Both.
    pub const fn and(self, other: Rights) -> Rights {
        Rights(self.0 | other.0)
    }

    /// Whether all of `wanted` are here.
    pub const fn cover(self, wanted: Rights) -> bool {
        self.0 & wanted.0 == wanted.0
    }
}

impl fmt::Debug for Rights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Rights({:#x})", self.0)
    }
}

/// What a grant of this kind means for what it was opened as.
pub fn rights_of(access: Access, stat: &Stat) -> Rights {
    const READ_DIR: Rights = Rights::READ_FILE.and(Rights::READ_DIR);
    const WRITE_FILE: Rights = Rights::READ_FILE.and(Rights::WRITE_FILE).and(Rights::TRUNCATE);
    const WRITE_DIR: Rights = READ_DIR
        .and(WRITE_FILE)
        .and(Rights::REMOVE_DIR)
        .and(Rights::REMOVE_FILE)
        .and(Rights::MAKE_DIR)
        .and(Rights::MAKE_REG)
        .and(Rights::MAKE_SOCK)
        .and(Rights::MAKE_FIFO)
        .and(Rights::MAKE_SYM)
        .and(Rights::REFER);
    let device = matches!(stat.mode & libc::S_IFMT, libc::S_IFCHR);
    match (access, stat.is_dir()) {
        (Access::Read, true) => READ_DIR,
        (Access::Read, false) => Rights::READ_FILE,
        (Access::Write, true) => WRITE_DIR,
        (Access::Write, false) if device => WRITE_FILE.and(Rights::IOCTL_DEV),
        (Access::Write, false) => WRITE_FILE,
        (Access::Execute, true) => READ_DIR.and(Rights::EXECUTE),
        (Access::Execute, false) => Rights::READ_FILE.and(Rights::EXECUTE),
    }
}

/// What may be done, and what of it the kernel allows by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Held {
    /// What the grants say.
    pub granted: Rights,
    /// What Landlock was told. The rest of `granted` is performed by the broker.
    pub kernel: Rights,
}

impl Held {
    /// Both.
    pub const fn and(self, other: Held) -> Held {
        Held { granted: self.granted.and(other.granted), kernel: self.kernel.and(other.kernel) }
    }
}

/// One opened grant.
#[derive(Debug)]
pub struct Rule {
    /// What was granted.
    pub access: Access,
    /// As granted.
    pub path: PathBuf,
    /// What it is.
    pub inode: Inode,
    /// The rights that follow, and those that the kernel is told.
    pub held: Held,
    /// The line that gave it.
    pub origin: Origin,
    fd: OwnedFd,
}

/// All rules of a run.
#[derive(Debug, Default)]
pub struct Rules {
    list: Vec<Rule>,
    by_inode: HashMap<Inode, Held>,
    /// The folders whose changes the broker performs.
    guarded: HashSet<Inode>,
}

/// Why there is no ruleset.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A granted path could not be opened.
    #[error("{}: the granted path {} cannot be opened: {source}", .grant.origin, .grant.path.display())]
    Open {
        /// Which.
        grant: Box<Grant>,
        /// Why.
        source: io::Error,
    },
    /// The root folder could not be opened.
    #[error("the root folder cannot be opened: {0}")]
    Root(io::Error),
    /// The kernel refused.
    #[error("Landlock refused the rules: {0}")]
    Ruleset(#[from] landlock::RulesetError),
    /// The crate made no ruleset although all was required.
    #[error("Landlock made no ruleset")]
    Nothing,
}

impl Rules {
    /// Opens every grant. One that is `optional` and missing is left out.
    pub fn open<'a>(grants: impl IntoIterator<Item = (Access, &'a Grant)>) -> Result<Rules, Error> {
        Rules::default().and(grants, ResolveFlag::empty())
    }

    /// The same with grants that lie where the server could have put a symbolic link: each is opened as it is written,
    /// and a link anywhere on it is an error.
    pub fn and_exactly<'a>(
        self,
        grants: impl IntoIterator<Item = (Access, &'a Grant)>,
    ) -> Result<Rules, Error> {
        self.and(grants, ResolveFlag::RESOLVE_NO_SYMLINKS)
    }

    fn and<'a>(
        self,
        grants: impl IntoIterator<Item = (Access, &'a Grant)>,
        resolve: ResolveFlag,
    ) -> Result<Rules, Error> {
        let mut rules = self;
        let failed = |grant: &Grant, source| Error::Open { grant: Box::new(grant.clone()), source };
        let here = path::open(b"/", libc::O_PATH | libc::O_DIRECTORY);
        for (access, grant) in grants {
            let here = here.as_ref().map_err(|error| {
                failed(grant, io::Error::from_raw_os_error(error.raw_os_error().unwrap_or(libc::EIO)))
            })?;
            let fd = match path::look(here.as_fd(), grant.path.as_os_str().as_bytes(), Follow::Links, resolve)
            {
                Ok(fd) => fd,
                Err(error) if grant.optional && error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(failed(grant, error)),
            };
            let stat = path::stat(fd.as_fd()).map_err(|error| failed(grant, error))?;
            let held = held_by(access, grant, &stat);
            let known = rules.by_inode.entry(stat.inode).or_default();
            *known = known.and(held);
            if held.kernel != held.granted && stat.is_dir() {
                rules.guarded.insert(stat.inode);
            }
            rules.list.push(Rule {
                access,
                path: grant.path.clone(),
                inode: stat.inode,
                held,
                origin: grant.origin.clone(),
                fd,
            });
        }
        Ok(rules)
    }

    /// The rights that rules give at exactly this inode.
    pub fn at(&self, inode: Inode) -> Held {
        self.by_inode.get(&inode).copied().unwrap_or_default()
    }

    /// Whether this is a folder whose changes the broker performs.
    pub fn guards(&self, inode: Inode) -> bool {
        self.guarded.contains(&inode)
    }

    /// Every rule, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Rule> {
        self.list.iter()
    }

    /// The file rules as a Landlock ruleset: every right that the kernel knows is handled, TCP is handled without
    /// a rule, signals and abstract sockets are scoped where the kernel can.
    pub fn ruleset(&self, abi: u32) -> Result<OwnedFd, Error> {
        let abi = known(abi);
        let mut created = domain(abi, true)?;
        for (fd, rights) in self.merged() {
            let rights =
                BitFlags::<AccessFs>::from_bits_truncate(u64::from(rights.0)) & AccessFs::from_all(abi);
            created = created.add_rule(PathBeneath::new(fd, rights))?;
        }
        Option::<OwnedFd>::from(created).ok_or(Error::Nothing)
    }

    /// One entry an inode: adding a rule costs a system call.
    fn merged(&self) -> impl Iterator<Item = (&OwnedFd, Rights)> {
        let mut done = HashSet::new();
        self.list
            .iter()
            .filter(move |rule| done.insert(rule.inode))
            .map(|rule| (&rule.fd, self.at(rule.inode).kernel))
    }
}

/// What a grant holds. Devices have no names below them; the server's own folders are nobody's project.
fn held_by(access: Access, grant: &Grant, stat: &Stat) -> Held {
    const READING: Rights = Rights::READ_FILE.and(Rights::READ_DIR);
    let granted = rights_of(access, stat);
    let is_own = grant.origin == Origin::caponier();
    let guarded = access == Access::Write && !is_own && (stat.is_dir() || stat.is_file());
    let kernel = if guarded { Rights(granted.0 & READING.0) } else { granted };
    Held { granted, kernel }
}

/// The domain around `init` and the server: scopes, and nothing that is refused. `None` where the kernel has none.
///
/// Renaming and linking between folders is refused by *every* domain that does not grant it, handled or not
/// (`landlock(7)`, `LANDLOCK_ACCESS_FS_REFER`): it is granted here everywhere, and decided by the inner domain.
pub fn scopes(abi: u32) -> Result<Option<OwnedFd>, Error> {
    if abi < 6 {
        return Ok(None);
    }
    let root = path::open(b"/", libc::O_PATH | libc::O_DIRECTORY).map_err(Error::Root)?;
    let created = domain(known(abi), false)?.add_rule(PathBeneath::new(root, AccessFs::Refer))?;
    Ok(Some(Option::<OwnedFd>::from(created).ok_or(Error::Nothing)?))
}

fn domain(abi: ABI, rights: bool) -> Result<RulesetCreated, Error> {
    let mut ruleset = Ruleset::default().set_compatibility(CompatLevel::HardRequirement);
    if rights {
        ruleset = ruleset.handle_access(AccessFs::from_all(abi))?;
        let net = AccessNet::from_all(abi);
        if !net.is_empty() {
            ruleset = ruleset.handle_access(net)?;
        }
    } else {
        ruleset = ruleset.handle_access(AccessFs::Refer)?;
    }
    let scopes = Scope::from_all(abi);
    if !scopes.is_empty() {
        ruleset = ruleset.scope(scopes)?;
    }
    Ok(ruleset.create()?)
}

/// The newest ABI that both the kernel and the crate know.
fn known(abi: u32) -> ABI {
    ABI::from(i32::try_from(abi).unwrap_or(i32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grant(path: &std::path::Path, optional: bool) -> Grant {
        Grant { path: path.to_owned(), reason: None, optional, origin: Origin::command_line() }
    }

    #[test]
    fn rights_unite_at_one_inode() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("f");
        std::fs::write(&file, "").unwrap();
        let (read, write) = (grant(&file, false), grant(&file, false));
        let rules = Rules::open([(Access::Read, &read), (Access::Write, &write)]).unwrap();
        let inode = rules.iter().next().unwrap().inode;
        assert!(rules.at(inode).granted.cover(Rights::WRITE_FILE.and(Rights::READ_FILE)));
        assert!(!rules.at(inode).granted.cover(Rights::EXECUTE));
        assert_eq!(rules.merged().count(), 1);
    }

    #[test]
    fn the_kernel_is_told_reading_alone_where_names_are_protected() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("f");
        std::fs::write(&file, "").unwrap();
        let own = Grant { origin: Origin::caponier(), ..grant(dir.path(), false) };
        let held = |grant: &Grant| {
            let rules = Rules::open([(Access::Write, grant)]).unwrap();
            let rule = rules.iter().next().unwrap();
            (rule.held, rules.guards(rule.inode))
        };
        let (project, guarded) = held(&grant(dir.path(), false));
        assert!(guarded && project.granted.cover(Rights::MAKE_REG));
        assert_eq!(project.kernel, Rights::READ_FILE.and(Rights::READ_DIR));
        let (one, guarded) = held(&grant(&file, false));
        assert!(!guarded && one.granted.cover(Rights::WRITE_FILE));
        assert_eq!(one.kernel, Rights::READ_FILE);
        let (own, guarded) = held(&own);
        assert!(!guarded && own.kernel == own.granted);
        let (device, _) = held(&grant(std::path::Path::new("/dev/null"), false));
        assert!(device.kernel.cover(Rights::WRITE_FILE));
    }

    #[test]
    fn a_missing_path_is_an_error_unless_optional() {
        let missing = std::path::Path::new("/no/such/path");
        assert!(matches!(Rules::open([(Access::Read, &grant(missing, false))]), Err(Error::Open { .. })));
        assert_eq!(Rules::open([(Access::Read, &grant(missing, true))]).unwrap().iter().count(), 0);
    }

    #[test]
    fn writable_is_never_executable() {
        let stat = path::stat(path::open(b"/", libc::O_PATH).unwrap().as_fd()).unwrap();
        assert!(!rights_of(Access::Write, &stat).cover(Rights::EXECUTE));
        assert!(!rights_of(Access::Execute, &stat).cover(Rights::WRITE_FILE));
        assert!(!rights_of(Access::Read, &stat).cover(Rights::EXECUTE));
    }
}
