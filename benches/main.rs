//! `scripts/bench.sh`: what the pen costs, against doing without it or against another tool.
//!
//! Every figure is a median of interleaved samples, with its quartiles, so that a change of the machine's mood hits
//! both sides. Still: on a machine that does something else, or with two cores, ratios wander by a few per cent from
//! run to run; a figure that is just missed or just met is a reason to run it again on an idle machine.
//! Figures marked `quoted` have no target: without pinning they show where the scheduler put the processes, and what it
//! costs to wake a processor that sleeps (dear in a virtual machine, and paid by both sides, but more often by the one
//! that has more threads to wake).

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "this program reports")]

mod client;
mod clients;
mod figures;
mod gate;
mod memory;
mod network;
mod protected;
mod recording;
mod store;

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

use crate::client::{Connection, Message};
use crate::figures::{Figure, Pair, Target};

/// Where everything is.
struct Place {
    caponier: PathBuf,
    peers: PathBuf,
    /// Beside this program.
    programs: PathBuf,
    /// HOME of everything that is started, with the folder `work` in it; goes away at the end.
    home: tempfile::TempDir,
}

impl Place {
    fn find() -> io::Result<Self> {
        let variable = |name: &str| {
            std::env::var_os(name)
                .map(PathBuf::from)
                .ok_or_else(|| io::Error::other(format!("{name} is not set")))
        };
        let programs = std::env::current_exe()?.parent().map(Path::to_owned).unwrap_or_default();
        let home = tempfile::Builder::new().prefix("caponier-bench-").tempdir()?;
        let work = home.path().join("work");
        std::fs::create_dir(&work)?;
        std::fs::write(work.join("note.txt"), "a note\n")?;
        let made = Command::new("git").args(["init", "--quiet"]).arg(&work).status()?;
        if !made.success() {
            return Err(io::Error::other("git init failed"));
        }
        Ok(Place { caponier: variable("CAPONIER_BIN")?, peers: variable("CAPONIER_PEERS")?, programs, home })
    }

    fn work(&self) -> PathBuf {
        self.home.path().join("work")
    }

    /// `command` in its pen, with `options` between `run` and `--`.
    fn penned(&self, options: &[&str], command: &[OsString]) -> Vec<OsString> {
        let mut words = vec![self.caponier.clone().into_os_string(), "run".into()];
        words.extend(options.iter().map(OsString::from));
        words.push("--".into());
        words.extend_from_slice(command);
        words
    }

    /// The command of a real server, and the name of its profile.
    fn servers(&self) -> [(&'static str, Vec<OsString>); 2] {
        let filesystem =
            self.peers.join("npm/servers/node_modules/@modelcontextprotocol/server-filesystem/dist/index.js");
        let python = self.peers.join("python/servers/bin/python");
        [
            ("filesystem", vec!["node".into(), filesystem.into(), self.work().into()]),
            (
                "git",
                vec![
                    python.into(),
                    "-m".into(),
                    "mcp_server_git".into(),
                    "--repository".into(),
                    self.work().into(),
                ],
            ),
        ]
    }
}

/// Milliseconds from start to end of a command that does nothing.
fn launch(place: &Place, command: &[OsString]) -> io::Result<f64> {
    let log =
        std::fs::File::options().create(true).append(true).open(place.home.path().join("stderr.log"))?;
    let begin = Instant::now();
    let status = Command::new(&command[0])
        .args(&command[1..])
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", place.home.path())
        .current_dir(place.work())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .status()?;
    let took = begin.elapsed().as_secs_f64() * 1e3;
    if status.success() { Ok(took) } else { Err(io::Error::other(format!("{command:?}: {status}"))) }
}

fn launches(place: &Place) -> io::Result<Vec<Figure>> {
    let bwrap = "bwrap --ro-bind / / --dev /dev --proc /proc --unshare-all --die-with-parent /bin/true";
    let bwrap: Vec<OsString> = bwrap.split(' ').map(OsString::from).collect();
    let options = ["--profile", "base", "--exec", "/bin/true"];
    let ours = place.penned(&options, &["/bin/true".into()]);
    let pair = Pair::sample(60, || launch(place, &ours), || launch(place, &bwrap))?;
    Ok(vec![Figure {
        name: "run -- /bin/true, with its log".into(),
        unit: "ms",
        ours: pair.ours,
        against: Some(("bubblewrap", pair.theirs)),
        target: Target::AtMost(1.0),
    }])
}

/// Milliseconds from start to the answer to `initialize`.
fn first_answer(place: &Place, command: &[OsString]) -> io::Result<f64> {
    let begin = Instant::now();
    let mut connection = Connection::open(command, place.home.path())?;
    connection.initialize()?;
    let took = begin.elapsed().as_secs_f64() * 1e3;
    connection.close()?;
    Ok(took)
}

fn first_answers(place: &Place) -> io::Result<Vec<Figure>> {
    let figures = place.servers().into_iter().map(|(profile, bare)| {
        let ours = place.penned(&["--profile", profile], &bare);
        let pair = Pair::sample(24, || first_answer(place, &ours), || first_answer(place, &bare))?;
        Ok(Figure {
            name: format!("first answer, {profile}"),
            unit: "ms",
            ours: pair.ours,
            against: Some(("bare", pair.theirs)),
            target: Target::AtMost(1.10),
        })
    });
    figures.collect()
}

/// What goes through the relays, how often in one sample, and what is made of the time.
struct Traffic {
    name: &'static str,
    message: Message,
    count: u32,
    target: Target,
}

const TRAFFIC: [Traffic; 4] = [
    Traffic { name: "tools/call of 200 B", message: Message::Call, count: 1000, target: Target::AtMost(2.0) },
    Traffic { name: "ping of 200 B", message: Message::Ping, count: 1000, target: Target::AtMost(1.3) },
    Traffic { name: "1 MiB of plain text", message: Message::Plain, count: 16, target: Target::AtLeast(0.5) },
    Traffic { name: "1 MiB of escapes", message: Message::Escaped, count: 16, target: Target::AtLeast(0.25) },
];

impl Traffic {
    fn unit(&self) -> &'static str {
        if self.is_bulk() { "MiB/s" } else { "\u{b5}s" }
    }

    fn is_bulk(&self) -> bool {
        matches!(self.message, Message::Plain | Message::Escaped)
    }

    /// Microseconds for a round trip, or MiB a second.
    fn measure(&self, connection: &mut Connection) -> io::Result<f64> {
        let (took, bytes) = connection.round_trips(self.message, self.count)?;
        #[allow(clippy::cast_precision_loss)]
        let mebibytes = bytes as f64 / f64::from(1 << 20);
        Ok(if self.is_bulk() {
            mebibytes / took.as_secs_f64()
        } else {
            took.as_secs_f64() * 1e6 / f64::from(self.count)
        })
    }
}

/// Does it with everything on one CPU: what is started meanwhile inherits that.
fn on_one_cpu<T>(work: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    let before = sched_getaffinity(Pid::from_raw(0))?;
    let mut one = CpuSet::new();
    let first = (0..CpuSet::count()).find(|cpu| before.is_set(*cpu).unwrap_or(false)).unwrap_or(0);
    one.set(first)?;
    sched_setaffinity(Pid::from_raw(0), &one)?;
    let done = work();
    sched_setaffinity(Pid::from_raw(0), &before)?;
    done
}

/// Says where the processes ran.
fn placed(figures: Vec<Figure>, place: &str) -> Vec<Figure> {
    let told = |figure: Figure| Figure { name: format!("{}, {place}", figure.name), ..figure };
    figures.into_iter().map(told).collect()
}

/// A part with everything on one CPU.
fn pinned(place: &Place, part: Part) -> io::Result<Vec<Figure>> {
    Ok(placed(on_one_cpu(|| part(place))?, "one CPU"))
}

/// The same, wherever the scheduler puts the processes.
fn unpinned(place: &Place, part: Part) -> io::Result<Vec<Figure>> {
    Ok(placed(part(place)?, "unpinned"))
}

/// Figures in which the scheduler has so large a hand that they are no measure of ours.
fn quoted(figures: Vec<Figure>) -> Vec<Figure> {
    figures.into_iter().map(|figure| Figure { target: Target::None, ..figure }).collect()
}

/// A connection that stays open, after the handshake.
fn open(place: &Place, command: &[OsString]) -> io::Result<Connection> {
    let mut connection = Connection::open(command, place.home.path())?;
    connection.initialize()?;
    connection.list_tools()?;
    Ok(connection)
}

/// All of [`TRAFFIC`] over two connections that stay open, in turn.
fn relays(place: &Place) -> io::Result<Vec<Figure>> {
    let echo = place.programs.join("bench-echo").into_os_string();
    let grant = echo.to_string_lossy().into_owned();
    let ours = place.penned(&["--profile", "base", "--exec", &grant], std::slice::from_ref(&echo));
    let theirs = [place.programs.join("bench-relay").into_os_string(), echo];
    let (mut ours, mut theirs) = (open(place, &ours)?, open(place, &theirs)?);
    let mut figures = Vec::new();
    for traffic in &TRAFFIC {
        let pair = Pair::sample(15, || traffic.measure(&mut ours), || traffic.measure(&mut theirs))?;
        figures.push(Figure {
            name: traffic.name.to_owned(),
            unit: traffic.unit(),
            ours: pair.ours,
            against: Some(("plain relay", pair.theirs)),
            target: traffic.target,
        });
    }
    ours.close()?;
    theirs.close()?;
    Ok(figures)
}

/// MiB of all our processes while a server waits.
fn idle_memory(place: &Place) -> io::Result<Vec<Figure>> {
    let [(profile, bare), _] = place.servers();
    let mut samples = Vec::new();
    for _ in 0..5 {
        let mut connection =
            Connection::open(&place.penned(&["--profile", profile], &bare), place.home.path())?;
        connection.initialize()?;
        connection.list_tools()?;
        samples.push(memory::of_program(connection.pid())?);
        connection.close()?;
    }
    Ok(vec![Figure {
        name: "memory while a server idles (Pss)".into(),
        unit: "MiB",
        ours: samples,
        against: None,
        target: Target::AtMost(5.0),
    }])
}

/// A group of figures.
type Part = fn(&Place) -> io::Result<Vec<Figure>>;

const PARTS: [(&str, Part); 15] = [
    ("launch", launches),
    ("first answers", first_answers),
    ("relay, one CPU", |place| pinned(place, relays)),
    ("relay, unpinned", |place| Ok(quoted(unpinned(place, relays)?))),
    ("memory", idle_memory),
    ("clients", clients::figures),
    ("store", store::figures),
    ("gate", gate::figures),
    ("network", network::figures),
    ("protected, one CPU", |place| pinned(place, protected::figures)),
    ("protected, unpinned", |place| unpinned(place, protected::figures)),
    ("first answers recorded, one CPU", |place| pinned(place, recording::first_answers)),
    ("first answers recorded, unpinned", |place| unpinned(place, recording::first_answers)),
    ("opens recorded", recording::opens),
    ("events recorded", recording::events),
];

fn run(as_json: bool, only: Option<&str>) -> io::Result<()> {
    let place = Place::find()?;
    let load = std::fs::read_to_string("/proc/loadavg")?;
    let load = load.split(' ').next().unwrap_or_default().to_owned();
    let mut figures = Vec::new();
    for (name, part) in PARTS.into_iter().filter(|(name, _)| only.is_none_or(|only| only == *name)) {
        eprintln!("bench: {name} \u{2026}");
        let measured = part(&place).map_err(|error| {
            let log = std::fs::read_to_string(place.home.path().join("stderr.log")).unwrap_or_default();
            io::Error::other(format!("{name}: {error}\n{log}"))
        })?;
        figures.extend(measured);
    }
    if as_json {
        let mut report = figures::json(&figures);
        report["load_average_before"] = serde_json::json!(load);
        println!("{report:#}");
    } else {
        println!("{}", figures::table(&figures));
        println!("Median (quartiles); the ratio is that of the medians. Load average before: {load}.");
        println!(
            "Two cores or a busy machine move ratios by a few per cent: repeat what is close to its target."
        );
    }
    Ok(())
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let done = match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => run(false, None),
        ["--json"] => run(true, None),
        ["--only", part] if PARTS.iter().any(|(name, _)| *name == part) => run(false, Some(part)),
        [network::INSIDE] => network::inside(),
        _ => {
            let parts = PARTS.map(|(name, _)| name).join(", ");
            eprintln!("usage: scripts/bench.sh [--json | --only PART]\nparts: {parts}");
            return ExitCode::from(64);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}
