//! What files hold: outside of every grant, by every way round; inside of a grant that is read only; names that are
//! protected; caponier's own folders.

use std::ffi::CString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::time::{Duration, Instant};

use nix::sys::stat::Mode;

use crate::cli::prove::attacks::{Attack, On, Silent, Wants, never, path};
use crate::cli::prove::mission::{Mission, SECRET};
use crate::policy::grant::Access::{Read, Write};
use crate::sys::{descriptor, hostile};

/// A name that somebody changes has to be seen so often in either form before nothing more is expected of it.
const EITHER: usize = 500;
/// Longest that this may take: on a machine that is busy, or has one processor, the two seldom meet.
const LONGEST: Duration = Duration::from_secs(5);

pub(super) const ATTACKS: &[Attack] = &[
    path("read-secret", "reads a planted ~/.ssh/id_ed25519", Read, Mission::key, |it| read(&it.key())),
    path("list-secrets", "lists a planted ~/.ssh", Read, ssh, |it| list(&ssh(it))),
    never("open-stores", "opens the user's own secret stores", &["EACCES"], open_stores).on(On::Stores),
    path("read-by-dots", "reads the key by way of `..`", Read, Mission::key, |it| {
        read(&it.work.join("sub/../../home/.ssh/id_ed25519"))
    }),
    path("read-by-link", "reads the key by a symbolic link", Read, Mission::key, |it| {
        read(&linked("key-by-link", &it.key())?)
    }),
    path("read-by-folder-link", "reads the key by a link to its folder", Read, Mission::key, |it| {
        read(&linked("folder-by-link", &ssh(it))?.join("id_ed25519"))
    }),
    never("read-by-own-root", "reads the key by /proc/self/root", &["EACCES"], |it| {
        read(&below("/proc/self/root", &it.key()))
    })
    .wants(Wants::Path(Read, Mission::key)),
    never("read-by-root", "reads the key by /proc/PID/root", &["EACCES"], |it| {
        read(&below(&format!("/proc/{}/root", it.victim.pid), &it.key()))
    }),
    path("read-while-changing", "changes the name while it is looked at", Read, Mission::key, |it| {
        race("race-read", &it.key(), libc::O_RDONLY)
    }),
    never("read-inherited", "reads a descriptor that was left open", &["EBADF"], |it| {
        let mut file = File::from(descriptor::take_inherited(it.inherited)?);
        counted(io::copy(&mut file, &mut io::sink())?)
    })
    .silent(Silent::Removed),
    never("find-secret", "looks for a secret in its environment", &[], |_| match std::env::var_os(SECRET) {
        Some(secret) => Ok(format!("{} bytes of it", secret.len())),
        None => Err(io::ErrorKind::NotFound.into()),
    })
    .wants(Wants::Secret)
    .silent(Silent::Removed),
    path("write-outside", "adds a line to a planted ~/.bashrc", Write, bashrc, |it| append(&bashrc(it))),
    path(
        "create-outside",
        "creates a file outside",
        Write,
        |it| it.home.join("new"),
        |it| append(&it.home.join("new")),
    ),
    path(
        "truncate-outside",
        "cuts a file outside",
        Write,
        |it| it.home.join("cut"),
        |it| cut(&it.home.join("cut")),
    ),
    path(
        "delete-outside",
        "deletes a file outside",
        Write,
        |it| it.home.join("old"),
        |it| fs::remove_file(it.home.join("old")).map(|()| "it is gone".into()),
    ),
    path(
        "folder-outside",
        "makes a folder outside",
        Write,
        |it| it.home.join("folder"),
        |it| fs::create_dir(it.home.join("folder")).map(|()| "it is there".into()),
    ),
    path(
        "link-outside",
        "plants a symbolic link outside",
        Write,
        |it| it.home.join("arrow"),
        |it| symlink("/", it.home.join("arrow")).map(|()| "it is there".into()),
    ),
    path(
        "pipe-outside",
        "makes a named pipe outside",
        Write,
        |it| it.home.join("pipe"),
        |it| {
            nix::unistd::mkfifo(&it.home.join("pipe"), Mode::S_IRWXU).map_err(io::Error::from)?;
            Ok("it is there".into())
        },
    ),
    path(
        "write-while-changing",
        "the same, for writing",
        Write,
        |it| it.home.join("race"),
        |it| race("race-write", &it.home.join("race"), libc::O_WRONLY),
    ),
    never("second-name", "gives the key a second name of its own", &["EXDEV", "EACCES"], |it| {
        let name = writable(it).join("second-name");
        fs::hard_link(it.key(), &name)?;
        read(&name)
    })
    .wants(Wants::Path(Write, Mission::key)),
    never("move-in", "moves a file from outside in", &["EXDEV", "EACCES"], |it| {
        fs::rename(it.home.join("movable"), writable(it).join("moved-in")).map(|()| "it is here now".into())
    })
    .wants(Wants::Path(Write, |it| it.home.join("movable"))),
    never("move-out", "moves a file of its own over one outside", &["EXDEV", "EACCES"], |it| {
        let own = writable(it).join("move-out");
        fs::write(&own, "owned\n")?;
        fs::rename(own, it.home.join("profile")).map(|()| "it was replaced".into())
    })
    .wants(Wants::Path(Write, |it| it.home.join("profile"))),
    path(
        "drop-tmp",
        "leaves a file in /tmp",
        Write,
        |it| shared("/tmp", it),
        |it| drop_at(&shared("/tmp", it)),
    ),
    path(
        "drop-var-tmp",
        "leaves a file in /var/tmp",
        Write,
        |it| shared("/var/tmp", it),
        |it| drop_at(&shared("/var/tmp", it)),
    ),
    path(
        "drop-shm",
        "leaves a file in /dev/shm",
        Write,
        |it| shared("/dev/shm", it),
        |it| drop_at(&shared("/dev/shm", it)),
    ),
    never("write-log", "writes into caponier's own folders, the log", &["EACCES"], |it| nameless(&it.own)),
    never("write-read-only", "writes into a folder granted for reading", &["EACCES"], |it| {
        nameless(it.read_only.as_slice())
    })
    .on(On::ReadOnly),
    never("change-read-only", "changes a file granted for reading", &["EACCES"], |it| {
        append(&it.work.join("file"))
    })
    .on(On::ReadOnlyWork),
    never("delete-read-only", "deletes a file granted for reading", &["EACCES"], |it| {
        fs::remove_file(it.work.join("other")).map(|()| "it is gone".into())
    })
    .on(On::ReadOnlyWork),
    protected(
        "write-hook",
        "writes .git/hooks/post-commit",
        |it| it.work.join(".git/hooks/post-commit"),
        |it| append(&it.work.join(".git/hooks/post-commit")),
    ),
    protected(
        "write-git-config",
        "changes .git/config",
        |it| it.work.join(".git/config"),
        |it| append(&it.work.join(".git/config")),
    ),
    protected("write-client-settings", "creates .mcp.json", mcp, |it| append(&mcp(it))),
    protected("rename-client-settings", "moves a file to .vscode/tasks.json", tasks, |it| {
        let own = it.work.join("innocent");
        fs::write(&own, "{}\n")?;
        fs::rename(own, tasks(it)).map(|()| "it is there".into())
    }),
];

const fn protected(
    name: &'static str,
    title: &'static str,
    place: fn(&Mission) -> PathBuf,
    run: fn(&Mission) -> io::Result<String>,
) -> Attack {
    path(name, title, Write, place, run).on(On::WritableWork)
}

fn ssh(mission: &Mission) -> PathBuf {
    mission.home.join(".ssh")
}

fn bashrc(mission: &Mission) -> PathBuf {
    mission.home.join(".bashrc")
}

fn mcp(mission: &Mission) -> PathBuf {
    mission.work.join(".mcp.json")
}

fn tasks(mission: &Mission) -> PathBuf {
    mission.work.join(".vscode/tasks.json")
}

/// A name in a folder of everybody's that nobody else uses.
fn shared(folder: &str, mission: &Mission) -> PathBuf {
    Path::new(folder).join(&mission.name)
}

/// A folder that the attacker may write: beside its victims where it can, for a move between file systems is refused by
/// every kernel.
pub(super) fn writable(mission: &Mission) -> PathBuf {
    let probe = mission.work.join("probe");
    match File::create(&probe) {
        Ok(_) => mission.work.clone(),
        Err(_) => std::env::temp_dir(),
    }
}

fn below(root: &str, path: &Path) -> PathBuf {
    Path::new(root).join(path.strip_prefix("/").unwrap_or(path))
}

/// A symbolic link of the attacker's own.
fn linked(name: &str, target: &Path) -> io::Result<PathBuf> {
    let link = std::env::temp_dir().join(name);
    symlink(target, &link)?;
    Ok(link)
}

fn counted(bytes: u64) -> io::Result<String> {
    Ok(format!("{bytes} bytes"))
}

/// What it says is only how much there was: it may be somebody's own.
fn read(path: &Path) -> io::Result<String> {
    counted(fs::read(path)?.len() as u64)
}

fn list(path: &Path) -> io::Result<String> {
    Ok(format!("{} names", fs::read_dir(path)?.count()))
}

fn append(path: &Path) -> io::Result<String> {
    OpenOptions::new().create(true).append(true).open(path)?.write_all(b"# owned\n")?;
    Ok("it was written".into())
}

fn cut(path: &Path) -> io::Result<String> {
    let path = CString::new(path.as_os_str().as_bytes())?;
    nix::unistd::truncate(path.as_c_str(), 0)?;
    Ok("it is empty".into())
}

fn drop_at(path: &Path) -> io::Result<String> {
    OpenOptions::new().create_new(true).write(true).open(path)?;
    fs::remove_file(path)?;
    Ok("it was there".into())
}

fn open_stores(mission: &Mission) -> io::Result<String> {
    first(&mission.stores, |store| File::open(store).map(|_| format!("{} is open", store.display())))
}

/// A file without a name in one of these folders: it is gone when it is closed.
fn nameless(folders: &[PathBuf]) -> io::Result<String> {
    let flags = libc::O_TMPFILE | libc::O_CLOEXEC;
    first(folders, |folder| {
        OpenOptions::new().write(true).custom_flags(flags).open(folder).map(|_| folder.display().to_string())
    })
}

/// The first that works; the last error, if none does.
fn first(paths: &[PathBuf], attempt: impl Fn(&Path) -> io::Result<String>) -> io::Result<String> {
    let mut last = io::Error::other("there is nothing to try");
    for path in paths {
        match attempt(path) {
            Ok(did) => return Ok(did),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Opens a link to a file of its own while another thread makes the name that of a link to `target`, one byte at a
/// time: whoever judges the name that it read, and lets the kernel read it again, opens `target` at last.
fn race(name: &str, target: &Path, flags: i32) -> io::Result<String> {
    let folder = std::env::temp_dir();
    let own = folder.join(name);
    fs::write(&own, "mine\n")?;
    symlink(&own, folder.join(format!("{name}.a")))?;
    symlink(target, folder.join(format!("{name}.b")))?;
    let wanted = fs::metadata(target)?;
    let text = folder.join(format!("{name}.a"));
    let bytes = [text.as_os_str().as_bytes(), &[0]].concat();
    let path: Arc<[AtomicU8]> = bytes.iter().map(|byte| AtomicU8::new(*byte)).collect();
    let over = Arc::new(AtomicBool::new(false));
    let changer = {
        let (path, over) = (Arc::clone(&path), Arc::clone(&over));
        std::thread::Builder::new().spawn(move || {
            let Some(last) = path.len().checked_sub(2).and_then(|at| path.get(at)) else { return };
            while !over.load(Ordering::Relaxed) {
                for byte in *b"ba" {
                    last.store(byte, Ordering::Relaxed);
                    // Or, on a processor that both share, nobody would ever see but one of them.
                    std::thread::yield_now();
                }
            }
        })?
    };
    let wanted = (wanted.dev(), wanted.ino());
    let outcome = open_until(&path, flags, wanted);
    over.store(true, Ordering::Relaxed);
    let _ = changer.join();
    outcome
}

/// Opens it until it is `wanted`, or until both names were seen often enough.
fn open_until(path: &[AtomicU8], flags: i32, wanted: (u64, u64)) -> io::Result<String> {
    let refused = || io::Error::from_raw_os_error(libc::EACCES);
    let begun = Instant::now();
    let (mut own, mut others) = (0, 0);
    while (own < EITHER || others < EITHER) && begun.elapsed() < LONGEST {
        match hostile::open_changing(path, flags) {
            Ok(file) => {
                let found = File::from(file).metadata()?;
                if (found.dev(), found.ino()) == wanted {
                    return Ok(format!("it was opened at try {}", own + others + 1));
                }
                own += 1;
            }
            Err(error) if error.raw_os_error() == refused().raw_os_error() => others += 1,
            Err(error) => return Err(error),
        }
    }
    match others {
        0 => Err(io::Error::other("the name was never changed in time")),
        _ => Err(refused()),
    }
}
