//! Updates: installed beside, looked at, switched to, and back; whatever happens in between, one whole version is in use.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use crate::peers;
use crate::pen::launch::{self, Finished};
use crate::pen::program;
use crate::scene::{FILESYSTEM, Scene, Session};

const WEATHER: &str = "caponier-test-weather";

/// The registry of the hostile package; ended when dropped.
struct Registry {
    child: Child,
    port: u16,
}

impl Registry {
    fn start(secret: &Path) -> Registry {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/store/registry.py");
        let mut command = Command::new(peers::program("python3"));
        command.arg(script).arg(secret).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let port = line.trim().parse().unwrap_or_else(|_| panic!("the registry said {line:?}"));
        Registry { child, port }
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A scene whose npm is configured with the registry, with this version of the package in use and run once.
struct Weather {
    scene: Scene,
    registry: Registry,
}

impl Weather {
    fn at(version: &str) -> Weather {
        let scene = Scene::set();
        let secret = scene.at("home/.ssh/id_test");
        std::fs::create_dir(secret.parent().unwrap()).unwrap();
        std::fs::write(&secret, "SECRET").unwrap();
        let registry = Registry::start(&secret);
        let weather = Weather { scene, registry };
        let added = weather.caponier(&["server", "add", &format!("npm:{WEATHER}@{version}")]);
        assert_eq!(added.code(), Some(0), "{}", added.stderr);
        let mut session = weather.session();
        assert_eq!(session.tools(), ["forecast"]);
        session.end();
        weather
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = self.scene.command(&peers::caponier());
        command.args(words).env("npm_config_registry", format!("http://127.0.0.1:{}/", self.registry.port));
        command
    }

    fn caponier(&self, words: &[&str]) -> Finished {
        launch::start(self.command(words)).finish()
    }

    fn session(&self) -> Session {
        Session::start(self.command(&["run", "--", "npx", "-y", WEATHER]))
    }

    /// Which version answers.
    fn answers(&self) -> String {
        let mut session = self.session();
        let answer = session.call("forecast", &json!({"city": "Berlin"}));
        session.end();
        let text = answer["result"]["content"][0]["text"].as_str().unwrap_or_else(|| panic!("{answer}"));
        text.trim_start_matches("rain, says ").to_owned()
    }

    fn listed(&self) -> Value {
        let finished = self.caponier(&["server", "list", "--json"]);
        let report: Value = serde_json::from_slice(&finished.stdout).unwrap();
        report["servers"][0].clone()
    }

    fn stage(&self, version: &str) -> (Option<i32>, Value) {
        let finished = self.caponier(&["server", "stage", "--json", &format!("{WEATHER}@{version}")]);
        let report: Value = serde_json::from_slice(&finished.stdout)
            .unwrap_or_else(|_| panic!("{:?} {}", finished.code(), finished.stderr));
        (finished.code(), report["staged"].clone())
    }
}

#[test]
fn a_harmless_update_is_promoted_and_rolled_back() {
    let weather = Weather::at("1.0.0");
    let (status, staged) = weather.stage("1.0.1");
    assert_eq!((status, &staged["needs_acceptance"]), (Some(0), &Value::Bool(false)), "{staged}");
    assert_eq!(staged["changes"], json!([]));
    assert_eq!(weather.answers(), "1.0.0", "what only waits is not in use");
    // A session across the switch keeps its version, and what it runs from stays.
    let mut across = weather.session();
    let promoted = weather.caponier(&["server", "promote", WEATHER]);
    assert_eq!(promoted.code(), Some(0), "{}", promoted.stderr);
    assert_eq!(weather.answers(), "1.0.1");
    let listed = weather.listed();
    assert_eq!(listed["version"], "1.0.1");
    let removed = weather.caponier(&["server", "remove", &format!("{WEATHER}@1.0.0")]);
    assert_eq!(removed.code(), Some(125), "{}", removed.stderr);
    let answer = across.call("forecast", &json!({"city": "Berlin"}));
    assert!(answer.to_string().contains("says 1.0.0"), "{answer}");
    let rolled = weather.caponier(&["server", "rollback", WEATHER]);
    assert_eq!(rolled.code(), Some(0), "{}", rolled.stderr);
    assert_eq!(weather.answers(), "1.0.0");
    across.end();
    let again = weather.caponier(&["server", "promote", WEATHER]);
    assert_eq!(again.code(), Some(78), "nothing is staged any more: {}", again.stderr);
}

/// What is new of a staged version, as `KIND HOW WHAT`.
fn new(staged: &Value) -> Vec<String> {
    let text = |of: &Value| of.as_str().unwrap().to_owned();
    let new = staged["new"].as_array().unwrap();
    new.iter()
        .map(|new| format!("{} {} {}", text(&new["kind"]), text(&new["how"]), text(&new["what"])))
        .collect()
}

fn not_without_acceptance(weather: &Weather, version: &str) {
    let refused = weather.caponier(&["server", "promote", WEATHER]);
    assert_eq!(refused.code(), Some(1), "{}", refused.stderr);
    assert!(refused.stderr.contains("is not promoted"), "{}", refused.stderr);
    assert_eq!(weather.answers(), "1.0.0");
    let accepted = weather.caponier(&["server", "promote", "--accept", WEATHER]);
    assert_eq!(accepted.code(), Some(0), "{}", accepted.stderr);
    assert_eq!(weather.answers(), version);
}

#[test]
fn a_staged_version_that_reads_a_secret_is_shown_and_not_promoted() {
    let weather = Weather::at("1.0.0");
    let (status, staged) = weather.stage("2.0.0");
    assert_eq!((status, &staged["needs_acceptance"]), (Some(1), &Value::Bool(true)), "{staged}");
    let secret = weather.scene.at("home/.ssh/id_test");
    assert_eq!(new(&staged), [format!("denials fs.read.secret {}", secret.display())]);
    let shown = weather.caponier(&["server", "diff", WEATHER]);
    assert_eq!(shown.code(), Some(1));
    let text = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(text.contains("2.0.0 is staged beside 1.0.0") && text.contains("id_test"), "{text}");
    assert!(text.contains("promote caponier-test-weather --accept"), "{text}");
    not_without_acceptance(&weather, "2.0.0");
}

#[test]
fn a_staged_version_that_calls_a_host_is_shown_and_not_promoted() {
    let weather = Weather::at("1.0.0");
    let (status, staged) = weather.stage("3.0.0");
    assert_eq!(status, Some(1), "{staged}");
    let new = new(&staged);
    assert!(!new.is_empty() && new.iter().all(|line| line.starts_with("denials ")), "{new:?}");
    not_without_acceptance(&weather, "3.0.0");
}

#[test]
fn a_staged_version_whose_tools_ask_for_more_is_shown_and_not_promoted() {
    let weather = Weather::at("1.0.0");
    let (status, staged) = weather.stage("4.0.0");
    assert_eq!(status, Some(1), "{staged}");
    let changes = staged["changes"].as_array().unwrap();
    assert_eq!((changes.len(), &changes[0]["name"]), (1, &"forecast".into()), "{staged}");
    assert_eq!(changes[0]["needs_approval"], true);
    not_without_acceptance(&weather, "4.0.0");
    // What was accepted is pinned; what was before comes back with the version before.
    let diff = weather.caponier(&["server", "diff", WEATHER]);
    assert_eq!(diff.code(), Some(0), "{}", String::from_utf8_lossy(&diff.stdout));
    assert_eq!(weather.caponier(&["server", "rollback", WEATHER]).code(), Some(0));
    assert_eq!(weather.answers(), "1.0.0");
    assert_eq!(weather.caponier(&["server", "diff", WEATHER]).code(), Some(0));
}

/// Killed at points spread over all of what it does: afterwards one of the two versions is in use, whole.
#[test]
fn whenever_a_switch_is_killed_one_whole_version_is_in_use() {
    program::require("strace");
    let weather = Weather::at("1.0.0");
    weather.stage("1.0.1");
    let record = weather.scene.server(WEATHER).join("server.json");
    let before = std::fs::read(&record).unwrap();
    const CALLS: &str =
        "openat,write,fsync,fdatasync,rename,renameat,renameat2,unlink,unlinkat,flock,close,mkdir";
    // strace counts each kind of call by itself.
    let traced = |inject: Option<(&str, usize)>, words: &[&str]| -> Finished {
        let mut outer = weather.scene.command(&peers::program("strace"));
        outer.args(["-qq", "-e", &format!("trace={CALLS}"), "-o"]).arg(weather.scene.at("trace"));
        if let Some((call, when)) = inject {
            outer.args(["-e", &format!("inject={call}:signal=SIGKILL:when={when}")]);
        }
        outer.arg(peers::caponier()).args(words);
        launch::start(outer).finish()
    };
    let whole = |point: &str| {
        let listed = weather.listed();
        let version = listed["version"].as_str().unwrap_or_else(|| panic!("{point}: {listed}")).to_owned();
        assert!(matches!(version.as_str(), "1.0.0" | "1.0.1"), "{point}: {listed}");
        assert_eq!(weather.answers(), version, "{point}");
        version
    };
    for words in [["server", "promote", WEATHER], ["server", "rollback", WEATHER]] {
        if words[1] == "rollback" {
            assert_eq!(weather.caponier(&["server", "promote", WEATHER]).code(), Some(0));
        }
        let start = std::fs::read(&record).unwrap();
        let done = traced(None, &words);
        assert_eq!(done.code(), Some(0), "{}", done.stderr);
        let trace = std::fs::read_to_string(weather.scene.at("trace")).unwrap();
        let calls: Vec<&str> = trace.lines().filter_map(|line| Some(line.split_once('(')?.0)).collect();
        assert!(calls.len() > 40, "{trace}");
        let (mut kept, mut switched) = (0, 0);
        // The last third is where it happens: seven of the ten points are there.
        let points = [0.2, 0.4, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 0.99];
        for point in points.map(|part| (calls.len() as f64 * part) as usize) {
            std::fs::write(&record, &start).unwrap();
            let call = calls[point];
            let when = calls[..=point].iter().filter(|other| **other == call).count();
            let killed = traced(Some((call, when)), &words);
            let point = format!("{words:?} killed at {call} {when}, call {point} of {}", calls.len());
            assert_ne!(killed.code(), Some(0), "{point}: it was not");
            let version = whole(&point);
            let old = if words[1] == "promote" { "1.0.0" } else { "1.0.1" };
            *(if version == old { &mut kept } else { &mut switched }) += 1;
        }
        assert!(kept > 0 && switched > 0, "{words:?}: {kept} before the switch, {switched} after it");
        std::fs::write(&record, &before).unwrap();
    }
}

/// What the server of 2025 was tested with: with today's releases of these it describes its tools by empty schemas.
const OF_ITS_TIME: &str =
    "-p @modelcontextprotocol/sdk@1.17.5 -p zod@3.25.76 -p zod-to-json-schema@3.24.6 mcp-server-filesystem";

#[test]
fn the_filesystem_server_is_updated_by_a_year_and_back() {
    let scene = Scene::set();
    let start = |version: &str| {
        let line = format!("npx -y -p {FILESYSTEM}{version} {OF_ITS_TIME} {}", scene.work());
        let words: Vec<std::ffi::OsString> = line.split(' ').map(Into::into).collect();
        Session::start(scene.run_words(&["--profile", "filesystem"], &words))
    };
    let mut across = start("@2025.7.29");
    let before = across.tools();
    let staged = scene.caponier(&["server", "stage", "--json", "server-filesystem@2026.8.31"]);
    assert_eq!(staged.code(), Some(1), "{}", staged.stderr);
    let report: Value = serde_json::from_slice(&staged.stdout).unwrap();
    let report = &report["staged"];
    assert_eq!((&report["failed"], &report["new"]), (&Value::Null, &json!([])), "{report}");
    // Its hints became true, and some of its texts are others: that is what a year changed.
    let changes = report["changes"].as_array().unwrap();
    let waiting: Vec<&str> = changes
        .iter()
        .filter(|change| change["needs_approval"] == true)
        .map(|change| change["name"].as_str().unwrap())
        .collect();
    assert_eq!((changes.len(), waiting.len()), (14, 10), "{waiting:?}");
    assert!(changes.iter().all(|change| change["fate"] == "changed"), "no tool came or went");
    let refused = scene.caponier(&["server", "promote", "server-filesystem"]);
    assert_eq!(refused.code(), Some(1), "{}", refused.stderr);
    let promoted = scene.caponier(&["server", "promote", "server-filesystem", "--accept"]);
    assert_eq!(promoted.code(), Some(0), "{}", promoted.stderr);
    let version =
        |scene: &Scene| scene.report(&["server", "list", "--json"])["servers"][0]["version"].clone();
    assert_eq!(version(&scene), "2026.8.31");
    let mut after = start("");
    assert_eq!(after.tools().len(), before.len(), "what was accepted is not held back");
    let note = json!({"path": scene.at("work/note.txt")});
    for session in [&mut across, &mut after] {
        let answer = session.call("read_text_file", &note);
        assert!(answer.to_string().contains("a note"), "{answer}");
    }
    after.end();
    assert_eq!(scene.caponier(&["server", "rollback", "server-filesystem"]).code(), Some(0));
    assert_eq!(version(&scene), "2025.7.29");
    let mut back = start("");
    assert_eq!(back.tools(), before);
    back.end();
    across.end();
}
