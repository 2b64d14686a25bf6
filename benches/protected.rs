//! What work beside protected names costs: every change in a profile's folders is performed by the broker there.
//!
//! Real servers and tools, since that is what people wait for: a call of a server's that writes, one that replaces a file at one
//! stroke, `git add` and `git commit`, `npm init`. In `dev`, whose log is made durable when the session ends; in `prod` each
//! call's lines are on the disk before its answer is passed on, which is a wait for the disk and not for the broker: quoted
//! beside it.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

use serde_json::{Value, json};

use crate::client::Connection;
use crate::figures::{Figure, Pair, Target};
use crate::{Place, launch, open};

/// Calls in one sample.
const CALLS: u32 = 20;
/// What protected names may cost.
const MOST: f64 = 1.5;

/// A server bare and in its pen, both waiting for calls.
struct Both {
    ours: Connection,
    theirs: Connection,
    env: &'static str,
}

impl Both {
    fn open(place: &Place, env: &'static str, profile: &str, bare: &[OsString]) -> io::Result<Both> {
        let ours = open(place, &place.penned(&["--env", env, "--profile", profile], bare))?;
        Ok(Both { ours, theirs: open(place, bare)?, env })
    }

    /// Milliseconds for one turn of `calls`; `before` is what happens outside of the time.
    fn figure(
        &mut self,
        name: &str,
        mut before: impl FnMut(u32) -> io::Result<()>,
        calls: impl Fn(u32) -> Vec<(&'static str, Value)>,
    ) -> io::Result<Figure> {
        let mut turn = 0;
        let mut sample = |connection: &mut Connection| {
            let mut took = 0.0;
            for _ in 0..CALLS {
                turn += 1;
                before(turn)?;
                let begin = Instant::now();
                for (tool, arguments) in calls(turn) {
                    connection.call_with(tool, &arguments)?;
                }
                took += begin.elapsed().as_secs_f64() * 1e3;
            }
            Ok::<f64, io::Error>(took / f64::from(CALLS))
        };
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        // Warm both.
        sample(&mut self.ours)?;
        sample(&mut self.theirs)?;
        for at in 0..15 {
            // Whoever goes second finds the disk busier.
            if at % 2 == 0 {
                ours.push(sample(&mut self.ours)?);
                theirs.push(sample(&mut self.theirs)?);
            } else {
                theirs.push(sample(&mut self.theirs)?);
                ours.push(sample(&mut self.ours)?);
            }
        }
        Ok(figure(&format!("{name}, {}", self.env), ours, theirs))
    }

    fn close(self) -> io::Result<()> {
        self.ours.close()?;
        self.theirs.close()
    }
}

fn figure(name: &str, ours: Vec<f64>, theirs: Vec<f64>) -> Figure {
    Figure {
        name: format!("{name}, beside protected names"),
        unit: "ms",
        ours,
        against: Some(("bare", theirs)),
        target: if name.ends_with("prod") { Target::None } else { Target::AtMost(MOST) },
    }
}

/// Names that stay as they are, so that each of these folders has some.
fn lay(place: &Place) -> io::Result<PathBuf> {
    let work = place.work();
    for entry in std::fs::read_dir(&work)? {
        let entry = entry?;
        // What is written anew was written before, when this is measured twice.
        if entry.file_name().as_encoded_bytes().starts_with(b"new-") {
            std::fs::remove_file(entry.path())?;
        }
    }
    std::fs::create_dir_all(work.join(".claude"))?;
    for name in [".mcp.json", ".envrc", ".claude/settings.json"] {
        std::fs::write(work.join(name), "{}\n")?;
    }
    for (key, value) in [("user.name", "bench"), ("user.email", "bench@example.invalid")] {
        let done = Command::new("git").arg("-C").arg(&work).args(["config", key, value]).status()?;
        if !done.success() {
            return Err(io::Error::other("git config failed"));
        }
    }
    Ok(work)
}

pub(crate) fn figures(place: &Place) -> io::Result<Vec<Figure>> {
    let work = lay(place)?;
    let at = |name: &str| work.join(name).to_string_lossy().into_owned();
    let [(filesystem, server), (git, git_server)] = place.servers();
    let nothing = |_: u32| Ok(());
    let mut figures = Vec::new();

    // The shipped profile only reads.
    let writing = place.home.path().join("writing.toml");
    let grant =
        format!("version = 1\nextends = [{filesystem:?}]\n[filesystem]\nwrite = [{:?}]\n", place.work());
    std::fs::write(&writing, grant)?;
    let path = work.to_string_lossy().into_owned();
    for env in ["dev", "prod"] {
        let mut files = Both::open(place, env, &writing.to_string_lossy(), &server)?;
        figures.push(files.figure("write_file of a new file", nothing, |turn| {
            let new = at(&format!("new-{env}-{turn}.txt"));
            vec![("write_file", json!({"path": new, "content": "some text\n"}))]
        })?);
        figures.push(files.figure("write_file over a file", nothing, |turn| {
            vec![("write_file", json!({"path": at("over.txt"), "content": format!("text {turn}\n")}))]
        })?);
        std::fs::write(work.join("edited.txt"), "turn 0 of many\n")?;
        let edited = |turn: u32| std::fs::write(work.join("edited.txt"), format!("turn {turn} of many\n"));
        figures.push(files.figure("edit_file, an atomic replace", edited, |turn| {
            let edits = json!([{"oldText": format!("turn {turn} of"), "newText": "another turn of"}]);
            vec![("edit_file", json!({"path": at("edited.txt"), "edits": edits}))]
        })?);
        files.close()?;

        let mut repository = Both::open(place, env, git, &git_server)?;
        let changed = |turn: u32| std::fs::write(work.join("committed.txt"), format!("{env} {turn}\n"));
        figures.push(repository.figure("git_add and git_commit", changed, |turn| {
            vec![
                ("git_add", json!({"repo_path": path, "files": ["committed.txt"]})),
                ("git_commit", json!({"repo_path": path, "message": format!("turn {turn}")})),
            ]
        })?);
        repository.close()?;
    }
    figures.push(npm_init(place)?);
    Ok(figures)
}

/// The whole of `npm init --yes`, the pen's start included.
fn npm_init(place: &Place) -> io::Result<Figure> {
    let root = Command::new("npm").args(["root", "--global"]).output()?;
    let npm = format!("{}/npm/bin/npm-cli.js", String::from_utf8_lossy(&root.stdout).trim_end());
    let bare: Vec<OsString> = ["node", &npm, "init", "--yes"].map(OsString::from).into();
    let work = place.work().to_string_lossy().into_owned();
    let folder = std::path::Path::new(&npm).ancestors().nth(2).unwrap_or(std::path::Path::new("/"));
    let folder = folder.to_string_lossy().into_owned();
    let options = ["--profile", "runtime/node", "--write", &work, "--read", &folder];
    let ours = place.penned(&options, &bare);
    let once = |command: &[OsString]| {
        // From nothing each time.
        let _ = std::fs::remove_file(place.work().join("package.json"));
        launch(place, command)
    };
    let pair = Pair::sample(15, || once(&ours), || once(&bare))?;
    Ok(figure("npm init --yes", pair.ours, pair.theirs))
}
