//! The notification broker: every call outside the allow-list is predicted, performed or refused here, and recorded.
//!
//! Theory of operation. The server's seccomp program turns what it does not allow into notifications, which one
//! thread of ours receives, one at a time. For opens, execs and changes of names the broker says what Landlock
//! will say, records it, and lets the kernel go on ([`Answer::Continue`]) or refuses itself; Landlock decides again,
//! so a racing thread can make the *path in the log* wrong, never the access. What Landlock does not know (mode,
//! owner, times, attributes, watches, files of `/proc`, names that are protected inside a write grant) is
//! **performed** here, on descriptors of ours. A number that is not in the broker's table is never continued. Rests on `seccomp_unotify(2)`, `landlock(7)`, `proc(5)`.
//!
//! Absent on purpose: no decision that lets something through rests on memory that the server can change
//! afterwards, unless the kernel decides the same thing again.

mod births;
mod denial;
mod entry;
mod exec;
mod exits;
mod folders;
mod inet;
mod injected;
mod judge;
mod listen;
mod lookup;
mod metadata;
mod moves;
mod names;
mod observe;
mod open;
mod perform;
mod place;
mod processes;
mod procfs;
mod protection;
mod record;
mod refuse;
mod sockets;
mod table;
mod target;
mod unix;
mod watch;

use std::collections::BTreeMap;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize};

use crate::event::{Emitter, SyscallDenied, Unwritable};
use crate::network;
use crate::notify::births::Births;
use crate::notify::exits::Exits;
use crate::notify::folders::Folders;
use crate::notify::judge::{Readable, Surveyed};
use crate::notify::processes::Population;
use crate::notify::target::Targets;
use crate::notify::unix::Sockets;
use crate::policy::grant::Taken;
use crate::sandbox::rules::Rules;
use crate::sys::path::{self, Inode};
use crate::sys::seccomp::{Answer, Notification};

/// What the broker needs to know of a run.
pub struct Settings {
    /// The opened grants.
    pub rules: Arc<Rules>,
    /// Under `--observe`: the profile's own grants, by which nothing is decided.
    pub narrow: Option<Arc<Rules>>,
    /// What explains a denial.
    pub context: Context,
    /// `network.unix`.
    pub sockets: Vec<PathBuf>,
    /// `limits.processes`.
    pub processes: Option<u32>,
    /// The process of `init`: everything below it is the tree.
    pub init: u32,
    /// The server's own process.
    pub server: u32,
    /// Landlock scopes signals (ABI 6): otherwise the broker looks at them.
    pub scopes: bool,
    /// Set by the session while it ends a tree that no scope holds together: no more forks.
    pub hold_forks: Arc<AtomicBool>,
    /// The way out; `None`: there is none.
    pub network: Option<Arc<network::Broker>>,
    /// Whether the profile has hosts.
    pub has_network: bool,
    /// `process.nested_seccomp`: browsers hold a descriptor of `/proc` itself, and find by it what is theirs; it can be listed.
    pub lists_proc: bool,
    /// Written before the server's first program runs: `session.start`.
    pub first: Box<dyn FnOnce() -> Result<(), Unwritable> + Send>,
}

/// What a denial is explained with.
#[derive(Debug, Clone, Default)]
pub struct Context {
    /// Folders and files that are never granted (secret stores, client configurations, our own), and why.
    pub never: Vec<(PathBuf, String)>,
    /// Protected names that the profile gave up.
    pub unprotected: Vec<String>,
    /// Grants that the workspace's own file takes away, by their real paths.
    pub taken: Vec<Taken>,
    /// Why there is no network, when the profile has one.
    pub no_network: Option<String>,
}

/// One run's broker. Lives on its own thread.
pub struct Broker {
    listener: Arc<OwnedFd>,
    emitter: Emitter,
    rules: Arc<Rules>,
    narrow: Option<Arc<Rules>>,
    context: Context,
    targets: Targets,
    /// This thread's own, since it was last set.
    umask: Option<u32>,
    births: Births,
    readable: Readable,
    surveyed: Surveyed,
    folders: Folders,
    population: Population,
    exits: Exits,
    init: u32,
    server: u32,
    scopes: bool,
    root: Arc<OwnedFd>,
    /// The device number of `/proc`.
    proc_device: u64,
    /// Calls that programs try and do without, by number: the first of each is told at once, how often at the end.
    fallbacks: BTreeMap<i32, SyscallDenied>,
    first: Option<Box<dyn FnOnce() -> Result<(), Unwritable> + Send>>,
    sockets: Sockets,
    /// Callers that wait for a reader of their pipe, or for a listener.
    waiting: Arc<AtomicUsize>,
    network: Option<Arc<network::Broker>>,
    has_network: bool,
    lists_proc: bool,
    /// Calls that wait for an address, each on a thread of its own.
    connecting: Arc<AtomicU32>,
    /// The real `/etc/resolv.conf` and `/etc/hosts`, wherever links lead.
    own_files: injected::Files,
}

/// How a notification ends.
#[derive(Debug)]
enum Reply {
    /// With this answer.
    Answer(Answer),
    /// With a descriptor of ours, copied into the caller.
    Descriptor { fd: OwnedFd, close_on_exec: bool },
    /// By another thread, later.
    Handed,
    /// Not at all: the caller died meanwhile.
    Gone,
}

impl Reply {
    const CONTINUE: Reply = Reply::Answer(Answer::Continue);

    fn errno(errno: i32) -> Reply {
        Reply::Answer(Answer::Errno(errno))
    }
}

/// Why a look-up ended early.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Stop {
    /// The caller died meanwhile.
    Gone,
    /// The kernel would answer this errno by itself, before any rule is asked.
    Natural(i32),
    /// The caller's memory could not be read.
    Unreadable(i32),
    /// `/proc` of a process outside the tree: this path, as far as it was followed.
    Foreign(PathBuf),
}

impl Broker {
    /// Takes over a listener.
    pub fn new(listener: OwnedFd, emitter: Emitter, settings: Settings) -> std::io::Result<Broker> {
        // Before Linux 6.6 there is no such flag: slower, not weaker.
        let _ = crate::sys::seccomp::set_sync_wake_up(listener.as_fd());
        let root = path::open(b"/", libc::O_PATH | libc::O_DIRECTORY)?;
        let proc = path::open(b"/proc", libc::O_PATH | libc::O_DIRECTORY)?;
        let Inode { dev, .. } = path::stat(proc.as_fd())?.inode;
        Ok(Broker {
            listener: Arc::new(listener),
            emitter,
            rules: settings.rules,
            narrow: settings.narrow,
            context: settings.context,
            targets: Targets::default(),
            umask: None,
            births: Births::default(),
            readable: Readable::default(),
            surveyed: Surveyed::default(),
            folders: Folders::default(),
            population: Population::new(settings.processes, settings.init, settings.hold_forks),
            exits: Exits::new()?,
            init: settings.init,
            server: settings.server,
            scopes: settings.scopes,
            root: Arc::new(root),
            proc_device: dev,
            fallbacks: BTreeMap::new(),
            first: Some(settings.first),
            sockets: Sockets::listed(settings.sockets),
            waiting: Arc::default(),
            network: settings.network,
            has_network: settings.has_network,
            lists_proc: settings.lists_proc,
            connecting: Arc::default(),
            own_files: injected::Files::find(),
        })
    }

    /// Whether the call still waits for us. Ask after every look at the caller.
    fn still_waits(&self, notification: &Notification) -> Result<(), Stop> {
        if crate::sys::seccomp::is_valid(self.listener.as_fd(), notification.id) {
            Ok(())
        } else {
            Err(Stop::Gone)
        }
    }
}
