//! A session of every shipped profile: the real server at its pinned version, the official client, `--env prod`.
//!
//! Each asks what people ask such a server, and checks what comes back. What the log refuses meanwhile must be on the
//! profile's own list below, with the reason why nothing is lost by it. What only starts programs (`base`, `runtime/…`) has no
//! server of its own: it is under every session here, and the install phase is under the tests of the store.

mod local;
mod network;

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::driven::{Plan, Seen};
use crate::stage::Stage;
use crate::world;

/// A refusal that takes nothing from anybody.
struct Harmless {
    /// Its code.
    reason: &'static str,
    /// The system call, the path or the host.
    what: &'static str,
    /// Why.
    why: &'static str,
    /// It happens in every session.
    always: bool,
}

const fn harmless(reason: &'static str, what: &'static str, why: &'static str) -> Harmless {
    Harmless { reason, what, why, always: true }
}

/// Of a program that is not pinned: Debian's Chromium moves with its security updates.
const fn moving(reason: &'static str, what: &'static str, why: &'static str) -> Harmless {
    Harmless { reason, what, why, always: false }
}

/// Calls that the C library and runtimes try, and do without.
const CLONE3: Harmless = harmless(
    "syscall.unsupported",
    "clone3",
    "the C library starts its threads and processes with clone instead",
);

const CHROMIUM: &[Harmless] = &[
    CLONE3,
    moving(
        "fs.proc.not-served",
        "/proc/*/oom_score_adj",
        "it ranks its processes for the day that memory runs out",
    ),
    moving(
        "fs.proc.not-served",
        "/proc/*/clear_refs",
        "it measures its memory, for statistics that go nowhere",
    ),
    moving(
        "fs.watch.not-granted",
        "/",
        "it watches for a change of the resolver's settings; they do not change in the pen",
    ),
    moving("fs.watch.not-granted", "/etc", "the same, a folder further down"),
    moving(
        "net.host.not-listed",
        "update.googleapis.com",
        "it looks for updates of its components, which are Debian's to make",
    ),
    moving(
        "net.socket.kind",
        "socket",
        "it tries by UDP whether there is a way out over IPv6; pages are fetched over TCP",
    ),
    moving(
        "syscall.ioctl",
        "ioctl",
        "its SQLite asks whether it writes on F2FS, and goes on as on any other file system",
    ),
    moving(
        "syscall.not-allowed",
        "landlock_create_ruleset",
        "it asks for the version of Landlock; it has no use for it here",
    ),
];

/// A profile, and the refusals in its session that do not matter.
struct Tried {
    profile: &'static str,
    harmless: &'static [Harmless],
}

macro_rules! sessions {
    ($($name:ident: $profile:literal, $place:ident $play:path, $harmless:expr;)*) => {
        $(
            #[test]
            fn $name() {
                sessions!(@ $place $play);
            }
        )*

        const TRIED: &[Tried] = &[$(Tried { profile: $profile, harmless: $harmless }),*];
    };
    (@ here $play:path) => { $play(&Stage::set()) };
    (@ world $play:path) => { world::inside(|world| $play(&Stage::set(), world)) };
}

sessions! {
    context7: "context7", world network::context7, &[CLONE3];
    everything: "everything", here local::everything, &[CLONE3];
    fetch: "fetch", world network::fetch, &[CLONE3];
    filesystem: "filesystem", here local::filesystem, &[CLONE3];
    git: "git", here local::git, &[CLONE3];
    github: "github", world network::github, &[];
    kubernetes: "kubernetes", here network::kubernetes, &[CLONE3];
    memory: "memory", here local::memory, &[CLONE3];
    playwright: "playwright", here network::playwright, CHROMIUM;
    sequential_thinking: "sequential-thinking", here local::sequential_thinking, &[CLONE3];
    sqlite: "sqlite", here local::sqlite, &[CLONE3];
    time: "time", here local::time, &[CLONE3];
}

/// Names of the profiles in the folder: the files of an environment belong to their name, `runtime/` starts programs.
#[test]
fn every_profile_of_a_server_has_a_session() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("profiles");
    let names: BTreeSet<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter_map(|file| Some(file.strip_suffix(".toml")?.to_owned()))
        .map(|name| name.trim_end_matches(".dev").trim_end_matches(".prod").to_owned())
        .filter(|name| name != "base")
        .collect();
    let tried: BTreeSet<String> = TRIED.iter().map(|tried| tried.profile.to_owned()).collect();
    assert_eq!(names, tried);
}

/// What is said to be refused is what the sessions excuse, for every profile.
#[test]
fn the_documentation_says_what_is_refused() {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/PROFILES.md")).unwrap();
    let (_, table) = text.split_once("**How they are tried.**").unwrap();
    let rows: Vec<&str> = table.lines().filter(|line| line.starts_with("| `")).collect();
    assert_eq!(rows.len(), TRIED.len());
    for (row, tried) in rows.iter().zip(TRIED) {
        let cells: Vec<&str> = row.trim_matches('|').split(" | ").map(str::trim).collect();
        assert_eq!(cells[0], format!("`{}`", tried.profile));
        let quoted: BTreeSet<&str> = cells[3].split('`').skip(1).step_by(2).collect();
        assert_eq!(quoted, tried.harmless.iter().map(|it| it.what).collect(), "{}", tried.profile);
    }
}

/// One session.
struct Session {
    profile: &'static str,
    /// Of `caponier run`, beside the profile.
    options: Vec<OsString>,
    server: Vec<OsString>,
    plan: Plan,
}

impl Session {
    fn of(profile: &'static str, server: Vec<OsString>, plan: Plan) -> Session {
        Session { profile, options: Vec::new(), server, plan }
    }

    fn option(mut self, name: &str, value: impl Into<OsString>) -> Session {
        self.options.extend([name.into(), value.into()]);
        self
    }

    /// Locks the profile, as production has it, unless the command line adds to it; plays the session, and judges its record.
    fn play(self, stage: &Stage) -> Seen {
        let is_locked = self.options.is_empty();
        if is_locked {
            stage.caponier(&["profile", "lock", self.profile]);
        }
        let mut options: Vec<OsString> =
            ["--profile", self.profile, "--env", "prod"].map(OsString::from).into();
        options.extend(self.options.iter().cloned());
        let seen = self.plan.drive(stage, &stage.penned(&options, &self.server));

        stage.caponier(&["audit", "verify"]);
        let starts = stage.events(&["--event", "session.start"]);
        let start = starts.last().unwrap();
        assert_eq!(
            (&start["profile"], &start["env"], &start["locked"]),
            (&self.profile.into(), &"prod".into(), &is_locked.into()),
            "{start}"
        );
        let session = start["session"].as_str().unwrap();
        let ended = stage.events(&["--event", "call.end", "--session", session]);
        let ended: Vec<(&Value, &Value)> =
            ended.iter().map(|call| (&call["tool"], &call["outcome"])).collect();
        let ok = Value::from("ok");
        let asked: Vec<Value> = self.plan.calls.iter().map(|(tool, _)| Value::from(*tool)).collect();
        assert_eq!(ended, asked.iter().map(|tool| (tool, &ok)).collect::<Vec<_>>(), "{seen}");
        self.assert_nothing_that_matters_was_refused(stage);
        seen
    }

    fn assert_nothing_that_matters_was_refused(&self, stage: &Stage) {
        let told = stage.caponier(&["audit", "query", "--denied", "--json"]);
        let told: Value = serde_json::from_slice(&told).unwrap();
        let refused: BTreeSet<Refused> = told["events"].as_array().unwrap().iter().map(Refused::of).collect();
        let tried = TRIED.iter().find(|tried| tried.profile == self.profile).unwrap();
        let matter: Vec<&Refused> =
            refused.iter().filter(|refused| !tried.harmless.iter().any(|it| it.is(refused))).collect();
        assert!(matter.is_empty(), "{} was refused: {matter:#?}", self.profile);
        // What is excused and does not happen is an excuse for something else.
        for it in tried.harmless.iter().filter(|it| it.always) {
            assert!(
                refused.iter().any(|refused| it.is(refused)),
                "{}: {} ({})",
                self.profile,
                it.what,
                it.why
            );
        }
    }
}

/// What the log tells of a refusal, without the times.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Refused {
    reason: String,
    what: String,
    how: String,
}

impl Refused {
    fn of(event: &Value) -> Refused {
        let first = |fields: &[&str]| -> String {
            let found = fields.iter().find_map(|field| event[*field].as_str());
            found.unwrap_or_default().to_owned()
        };
        Refused {
            reason: first(&["reason"]),
            what: first(&["syscall", "path", "host", "address", "tool"]),
            how: format!(
                "{} {} by {}",
                first(&["event"]),
                first(&["access", "query", "errno"]),
                first(&["exe"])
            ),
        }
    }
}

impl Harmless {
    /// One `*` in `what` stands for anything.
    fn is(&self, refused: &Refused) -> bool {
        let names = match self.what.split_once('*') {
            Some((front, back)) => {
                let whole = &refused.what;
                whole.len() >= front.len() + back.len() && whole.starts_with(front) && whole.ends_with(back)
            }
            None => refused.what == self.what,
        };
        names && refused.reason == self.reason
    }
}
