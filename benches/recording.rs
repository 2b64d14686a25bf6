//! What the record of every file costs: at the first answer of real servers, for each open, and for each line.

use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use caponier::audit::writer::{ROTATE_AT, Settings, Writer};
use caponier::event::{Emitter, Event, Evidence, FileAccess, FileAccessKind, Sink};
use caponier::policy::calls::Attribution;
use caponier::policy::verdict::Ruling;
use caponier::policy::{Arguments, OnFailure, Sync};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike as _;

use crate::figures::{Figure, Pair, Target};
use crate::{Place, first_answer};

/// Opens in one sample.
const OPENS: u32 = 10_000;
/// Files that are opened in turn where no open repeats the one before.
const FILES: u32 = 500;
/// Events in one sample.
const EVENTS: u32 = 20_000;

/// First answers with everything recorded, against the same pen with `audit.file_reads = false`.
pub(crate) fn first_answers(place: &Place) -> io::Result<Vec<Figure>> {
    let everything =
        place.peers.join("npm/servers/node_modules/@modelcontextprotocol/server-everything/dist/index.js");
    let [filesystem, git] = place.servers();
    let servers = [
        (filesystem.0, filesystem.1, 1.06),
        ("everything", vec!["node".into(), everything.into(), "stdio".into()], 1.06),
        (git.0, git.1, 1.08),
    ];
    let figures = servers.into_iter().map(|(name, bare, most)| {
        let unrecorded = place.home.path().join(format!("{name}-unrecorded.toml"));
        let profile = format!("version = 1\nextends = [\"{name}\"]\n[audit]\nfile_reads = false\n");
        std::fs::write(&unrecorded, profile)?;
        let ours = place.penned(&["--profile", name], &bare);
        let theirs = place.penned(&["--profile", &unrecorded.to_string_lossy()], &bare);
        let pair = Pair::sample(24, || first_answer(place, &ours), || first_answer(place, &theirs))?;
        Ok(Figure {
            name: format!("first answer with all files recorded, {name}"),
            unit: "ms",
            ours: pair.ours,
            against: Some(("no reads recorded", pair.theirs)),
            target: Target::AtMost(most),
        })
    });
    figures.collect()
}

/// Microseconds for one open, as the program that opens sees it.
pub(crate) fn opens(place: &Place) -> io::Result<Vec<Figure>> {
    let opener = place.programs.join("bench-opener").into_os_string();
    let files: Vec<OsString> = (0..FILES)
        .map(|at| {
            let file = place.work().join(format!("opened-{at}"));
            std::fs::write(&file, "x").map(|()| file.into_os_string())
        })
        .collect::<io::Result<_>>()?;
    let (grant, work) = (opener.to_string_lossy().into_owned(), place.work());
    let work = work.to_string_lossy().into_owned();
    let mut figures = Vec::new();
    for (name, files) in [("of one file", &files[..1]), ("of 500 files in turn", &files[..])] {
        let mut bare: Vec<OsString> = vec![opener.clone(), OPENS.to_string().into()];
        bare.extend_from_slice(files);
        let ours = place.penned(&["--profile", "base", "--exec", &grant, "--read", &work], &bare);
        let mut traced: Vec<OsString> =
            ["strace", "-f", "-qq", "-o", "/dev/null", "--"].map(OsString::from).into();
        traced.extend_from_slice(&bare);
        for (who, theirs, target) in
            [("bare", &bare, Target::None), ("strace -f", &traced, Target::AtMost(1.0))]
        {
            let pair = Pair::sample(11, || one_open(place, &ours), || one_open(place, theirs))?;
            figures.push(Figure {
                name: format!("one open {name}, recorded"),
                unit: "\u{b5}s",
                ours: pair.ours,
                against: Some((who, pair.theirs)),
                target,
            });
        }
    }
    Ok(figures)
}

fn one_open(place: &Place, command: &[OsString]) -> io::Result<f64> {
    let mut child = Command::new(&command[0])
        .args(&command[1..])
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", place.home.path())
        .current_dir(place.work())
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()?;
    // The end of stdin would end the session.
    let open = child.stdin.take();
    let output = child.wait_with_output()?;
    drop(open);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let told = said.lines().rev().find_map(|line| line.trim().parse::<f64>().ok());
    match told.filter(|_| output.status.success()) {
        Some(nanoseconds) => Ok(nanoseconds / 1e3),
        None => Err(io::Error::other(format!("{command:?}: {}: {said}", output.status))),
    }
}

/// Microseconds of our own processor time for one event, from the broker's hand to the file: what the record costs
/// beyond the notification.
pub(crate) fn events(place: &Place) -> io::Result<Vec<Figure>> {
    let mut figures = Vec::new();
    for (name, distinct, most) in [("one repeat, folded", false, 1.0), ("one new event, written", true, 5.0)]
    {
        let mut samples = Vec::new();
        for sample in 0..15 {
            let log = place.home.path().join(format!("events-{distinct}-{sample}"));
            samples.push(one_event(&log, distinct)?);
        }
        figures.push(Figure {
            name: format!("{name} (processor time)"),
            unit: "\u{b5}s",
            ours: samples,
            against: None,
            target: Target::AtMost(most),
        });
    }
    Ok(figures)
}

fn one_event(log: &Path, distinct: bool) -> io::Result<f64> {
    let writer = Writer::open(&Settings {
        dir: log.to_owned(),
        session: caponier::audit::session_id()?,
        server: "bench".into(),
        sync: Sync::Session,
        on_failure: OnFailure::Block,
        rotate_at: ROTATE_AT,
        secrets: Vec::new(),
        arguments: Arguments::Redacted,
    })
    .map_err(io::Error::other)?;
    let emitter = Emitter::new(Arc::new(writer) as Arc<dyn Sink>);
    let mut access = FileAccess {
        path: "/usr/lib/node_modules/package/dist/index.js".into(),
        asked: None,
        access: FileAccessKind::Read,
        verdict: Ruling::Allow,
        reason: None,
        layer: None,
        remedy: None,
        why_not: None,
        result: "ok",
        pid: 7,
        exe: "/usr/bin/node".into(),
        calls: vec![1],
        attribution: Attribution::Sole,
        evidence: Evidence::Predicted,
        would: None,
        count: 1,
    };
    let events: Vec<Event> = (0..if distinct { EVENTS } else { 1 })
        .map(|at| {
            access.path = format!("/usr/lib/node_modules/package-{at}/dist/index.js");
            Event::FileAccess(Box::new(access.clone()))
        })
        .collect();
    let before = processor_time()?;
    for event in events.iter().cycle().take(EVENTS as usize) {
        emitter.emit(event).map_err(io::Error::other)?;
    }
    emitter.flush().map_err(io::Error::other)?;
    Ok((processor_time()? - before) / f64::from(EVENTS))
}

/// User and system time of this process in microseconds.
#[allow(clippy::cast_precision_loss)]
fn processor_time() -> io::Result<f64> {
    let usage = getrusage(UsageWho::RUSAGE_SELF)?;
    Ok((usage.user_time().num_microseconds() + usage.system_time().num_microseconds()) as f64)
}
