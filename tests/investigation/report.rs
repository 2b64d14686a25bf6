//! The HTML report: what it shows, how it is used, and that nothing of a log is more than text in it.

use std::fs;
use std::path::PathBuf;

use caponier::audit::condition::Standing;
use caponier::audit::query::Match;
use caponier::audit::report::selection::Selection;
use caponier::audit::report::{Report, Session, Totals, Verified, page};
use serde_json::{Value, json};

use crate::browser::{self, Seen};
use crate::incident::Incident;

/// Every way out of a text that we know of.
pub(crate) const HOSTILE: &[&str] = &[
    "</script><script>alert('out')</script>",
    "<img src=x onerror=alert('image')>",
    "javascript:alert('link')",
    "\u{1b}[31mred\u{1b}]0;title\u{7}",
    "\u{202e}txt.exe\u{2066}",
    "zero\u{200b}width\u{feff}",
    "line\u{2028}separator\n\r\t",
    "<!--<script>",
    "&lt;b&gt; &amp; \"quotes\" 'single' `tick` ${x} {{data}}",
    "constructor",
    "__proto__",
];

/// A page about `lines`, which are the fields of one session's events.
struct Made {
    _folder: tempfile::TempDir,
    page: PathBuf,
}

pub(crate) fn line(seq: usize, session: &str, server: &str, fields: &Value) -> String {
    let millis = 1_795_000_000_000_u64 + seq as u64 * 7;
    let time = format!(
        "2026-11-23T{:02}:{:02}:{:02}.{:03}000Z",
        16,
        20 + millis / 60_000 % 20,
        millis / 1000 % 60,
        millis % 1000
    );
    let (server, fields) = (json!(server), fields.to_string());
    let fields = fields.strip_prefix('{').and_then(|fields| fields.strip_suffix('}')).unwrap();
    let prev = "0".repeat(64);
    format!(
        r#"{{"v":1,"seq":{seq},"time":"{time}","session":"{session}","server":{server},{fields},"prev":"{prev}"}}"#
    )
}

fn made(server: &str, events: &[Value], notices: &[&str], standing: Standing) -> Made {
    const SESSION: &str = "01JDXZ0000000000000000000A";
    let mut selection = Selection::new(50_000);
    for (at, event) in events.iter().enumerate() {
        let line = line(at + 1, SESSION, server, event);
        let found = Match { line: &line };
        assert!(selection.take(&found, &found.record().unwrap()));
    }
    selection.close();
    let session = Session {
        session: SESSION.to_owned(),
        standing,
        verified: true,
        breaks: Vec::new(),
        more_breaks: 0,
        notices: notices.iter().map(|&notice| notice.to_owned()).collect(),
    };
    let report = Report {
        selection,
        sessions: vec![session],
        totals: Totals { events: events.len() as u64, ..Totals::default() },
        verified: Ok(Verified { ok: true, head: "0".repeat(64), heads: 2, breaks: Vec::new() }),
        notes: notices.iter().map(|&notice| notice.to_owned()).collect(),
        more_notes: 0,
    };
    let folder = tempfile::Builder::new().prefix("page-").tempdir().unwrap();
    let page = folder.path().join("report.html");
    let mut out = Vec::new();
    page::write(&report, "2026-11-23T17:00:00.000000Z", &notices.join(" "), &mut out).unwrap();
    fs::write(&page, out).unwrap();
    Made { _folder: folder, page }
}

fn start(degraded: &[&str]) -> Value {
    json!({"event": "session.start", "command": "node server.js", "argv": ["node", "server.js"], "degraded": degraded})
}

fn call_start(call: usize, tool: &str) -> Value {
    json!({"event": "call.start", "call": call, "id": call, "method": "tools/call", "tool": tool, "bytes": 1})
}

fn call_end(call: usize, tool: &str) -> Value {
    json!({"event": "call.end", "call": call, "tool": tool, "outcome": "ok", "duration_us": 7000,
        "summary": {"files_read": 1, "files_written": 0, "hosts": 0, "denied": 0}})
}

fn read(call: usize, path: &str) -> Value {
    json!({"event": "file.access", "path": path, "access": "read", "verdict": "allow", "result": "ok", "calls": [call],
        "attribution": "sole", "evidence": "predicted", "count": 1, "pid": 7, "exe": "/usr/bin/node"})
}

fn refused(call: usize, path: &str, reason: &str) -> Value {
    let mut event = read(call, path);
    event.as_object_mut().unwrap().extend(
        json!({"verdict": "deny", "reason": reason, "layer": "landlock", "remedy": format!("filesystem.read = [{path:?}]"),
            "result": "EACCES"})
        .as_object()
        .unwrap()
        .clone(),
    );
    event
}

/// Three calls: one that reads, one that is refused, one that writes to a host.
pub(crate) fn story() -> Vec<Value> {
    let connect = json!({"event": "network.connect", "host": "evil.example", "port": 443, "address": "203.0.113.9",
        "verdict": "deny", "reason": "net.none", "layer": "broker", "result": "EACCES", "calls": [3], "attribution": "sole",
        "count": 2, "pid": 7, "exe": "/usr/bin/node"});
    let mut events = vec![start(&[])];
    events.extend((0..6).map(|at| {
        let mut early = read(0, &format!("/usr/lib/node/{at}.js"));
        early["calls"] = json!([]);
        early
    }));
    events.extend([call_start(1, "read_note"), read(1, "/home/me/notes/a.md"), call_end(1, "read_note")]);
    events.extend([
        call_start(2, "search"),
        read(2, "/home/me/notes/b.md"),
        refused(2, "/home/me/.ssh/id_ed25519", "fs.read.secret"),
        call_end(2, "search"),
    ]);
    events.extend([call_start(3, "search"), connect, call_end(3, "search")]);
    events.push(json!({"event": "session.end", "cause": "client_closed", "status": {"exit": 0}, "lost": 0, "calls": 3}));
    events
}

const ROWS: &str = "[...document.querySelectorAll('.row')].map(row => row.querySelector('.name').innerText.replace(/\\s+/g, ' ').trim())";
const ACTIVE: &str = "document.querySelector('.row.active .name').innerText.replace(/\\s+/g, ' ').trim()";

fn texts(value: &Value) -> Vec<&str> {
    value.as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect()
}

fn opened(made: &Made, plan: &Value) -> Seen {
    let seen = browser::open(&made.page, plan);
    seen.assert_quiet(&made.page);
    seen
}

#[test]
fn calls_are_bars_and_what_happened_is_inside() {
    let made = made("notes", &story(), &[], Standing::Ended);
    let bars = "[...document.querySelectorAll('.row.is-call')].map(row => row.querySelector('.bar').getBoundingClientRect().x)";
    let seen = opened(
        &made,
        &json!([
            ["tell", ROWS],
            ["tell", bars],
            ["tell", "document.title"],
            ["tell", "document.getElementById('known').hidden"],
            ["tell", "[...document.querySelectorAll('.group .code')].map(code => code.innerText)"],
        ]),
    );
    let rows = texts(&seen.answers[0]);
    let expected = [
        "▸ notes node server.js",
        "▸ starting up",
        "▸ 1 read_note",
        "▸ 2 search",
        "read /home/me/notes/b.md",
        "read /home/me/.ssh /id_ed25519",
        "▸ 3 search",
        "connect evil.example:443",
        "end client_closed",
    ];
    let flat = |text: &str| text.replace(" /id", "/id");
    assert_eq!(rows.iter().map(|row| flat(row)).collect::<Vec<_>>(), expected.map(flat), "{rows:?}");
    let bars: Vec<f64> = seen.answers[1].as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect();
    assert!(bars.is_sorted() && bars[0] < bars[2], "{bars:?}");
    assert_eq!(seen.answers[2], "notes · caponier report");
    assert_eq!(seen.answers[3], true, "nothing has to be said of a session that is whole");
    assert_eq!(texts(&seen.answers[4]), ["net.none", "fs.read.secret"], "the most frequent first");
}

#[test]
fn filters_leave_what_was_asked_for() {
    let made = made("notes", &story(), &[], Standing::Ended);
    let seen = opened(
        &made,
        &json!([
            ["fill", "#text", ".SSH"],
            ["tell", ROWS],
            ["fill", "#text", ""],
            ["select", "#tool", "read_note"],
            ["tell", ROWS],
            ["select", "#tool", ""],
            ["click", "input[value=deny]"],
            ["tell", ROWS],
            ["select", "#kind", "network"],
            ["tell", ROWS],
            ["click", "#clear"],
            ["tell", "document.getElementById('count').innerText"],
            ["fill", "#text", "no such thing"],
            ["tell", "document.getElementById('grid').innerText"],
            ["click", "#clear"],
            ["click", ".group"],
            ["tell", ROWS],
            ["select", "#server", "notes"],
            ["tell", "document.getElementById('count').innerText"],
        ]),
    );
    let shown = |at: usize| texts(&seen.answers[at]).join(" | ");
    assert!(shown(0).contains("2 search") && shown(0).contains("id_ed25519"), "{}", shown(0));
    assert!(!shown(0).contains("b.md") && !shown(0).contains("read_note"), "{}", shown(0));
    assert!(shown(1).contains("a.md") && !shown(1).contains("search"), "{}", shown(1));
    assert!(shown(2).contains("id_ed25519") && shown(2).contains("evil.example"), "{}", shown(2));
    assert!(!shown(2).contains("b.md") && !shown(2).contains("read_note"), "{}", shown(2));
    assert!(shown(3).contains("evil.example") && !shown(3).contains("id_ed25519"), "{}", shown(3));
    assert_eq!(seen.answers[4], "18 events in 1 session");
    assert_eq!(seen.answers[5], "Nothing matches.");
    assert!(shown(6).contains("evil.example") && !shown(6).contains("id_ed25519"), "{}", shown(6));
    assert!(seen.answers[7].as_str().unwrap().contains("match"), "{}", seen.answers[7]);
}

#[test]
fn the_keyboard_does_everything() {
    let made = made("notes", &story(), &[], Standing::Ended);
    let focused = "document.activeElement.id";
    let mut plan = vec![];
    // Skip link, refusals, filters, the list: in that order, and no step without a mark.
    let outlined = "(() => { const at = document.activeElement; const seen = at.type === 'radio' ? at.nextElementSibling : at; \
                    return [at.id || at.name || at.className, getComputedStyle(seen).outlineStyle]; })()";
    for _ in 0..10 {
        plan.extend([json!(["press", "Tab"]), json!(["tell", outlined])]);
    }
    let keys = json!([
        ["tell", focused],
        ["press", "ArrowDown"],
        ["press", "ArrowDown"],
        ["tell", ACTIVE],
        ["press", "ArrowRight"],
        ["press", "ArrowRight"],
        ["tell", ACTIVE],
        ["press", "Enter"],
        ["tell", "[document.activeElement.id, document.getElementById('details').innerText]"],
        ["press", "Escape"],
        ["tell", focused],
        ["press", "ArrowLeft"],
        ["press", "ArrowLeft"],
        ["tell", ACTIVE],
        [
            "tell",
            "document.getElementById(document.getElementById('grid').getAttribute('aria-activedescendant')).getAttribute('aria-expanded')"
        ],
        ["press", "End"],
        ["tell", ACTIVE],
        ["press", "Home"],
        ["tell", ACTIVE],
        ["press", "/"],
        ["tell", focused],
        [
            "tell",
            "[...document.querySelectorAll('[role=row]')].every(row => row.ariaLevel && row.ariaRowIndex)"
        ],
    ]);
    plan.extend(keys.as_array().unwrap().clone());
    let seen = opened(&made, &Value::Array(plan));
    let (tabs, rest) = seen.answers.split_at(10);
    let stops: Vec<&str> = tabs.iter().map(|stop| stop[0].as_str().unwrap()).collect();
    assert_eq!(
        stops,
        ["skip", "group", "group", "text", "server", "tool", "kind", "verdict", "clear", "grid"],
        "{tabs:?}"
    );
    assert!(tabs.iter().all(|stop| stop[1] != "none"), "a focus that cannot be seen: {tabs:?}");
    assert_eq!(rest[0], "grid");
    assert_eq!(rest[1], "▸ 1 read_note");
    assert_eq!(rest[2], "read /home/me/notes/a.md");
    assert_eq!(rest[3][0], "details-title");
    assert!(
        rest[3][1].as_str().unwrap().contains("caponier audit explain 01JDXZ0000000000000000000A:9"),
        "{}",
        rest[3]
    );
    assert_eq!((&rest[4], &rest[5], &rest[6]), (&json!("grid"), &json!("▸ 1 read_note"), &json!("false")));
    assert_eq!((&rest[7], &rest[8]), (&json!("end client_closed"), &json!("▸ notes node server.js")));
    assert_eq!((&rest[9], &rest[10]), (&json!("text"), &json!(true)));
}

/// Hostile texts in every place that a log has for one.
pub(crate) fn hostile() -> Vec<Value> {
    let mut events = vec![start(HOSTILE)];
    for (at, text) in HOSTILE.iter().enumerate() {
        let mut event = refused(at + 1, &format!("/home/me/{text}"), text);
        for field in ["asked", "layer", "remedy", "exe", "result"] {
            event[field] = json!(text);
        }
        event[text] = json!({ *text: text });
        events.extend([call_start(at + 1, text), event, call_end(at + 1, text)]);
        events.push(json!({"event": text, "detail": text, "excerpt": text}));
    }
    events
}

#[test]
fn hostile_names_are_text() {
    let made = made(HOSTILE[0], &hostile(), HOSTILE, Standing::Killed);
    let mut plan = vec![json!(["tell", "document.body.innerText"]), json!(["focus", "#grid"])];
    for _ in 0..2 * HOSTILE.len() {
        plan.extend([json!(["press", "ArrowDown"]), json!(["press", "Enter"]), json!(["press", "Escape"])]);
    }
    plan.extend([
        json!(["press", "Enter"]),
        json!([
            "tell",
            "[document.scripts.length, document.images.length, [...document.links].map(link => link.hash), document.title]"
        ]),
        json!(["select", "#tool", HOSTILE[1]]),
        json!(["fill", "#text", HOSTILE[1]]),
        json!(["tell", ROWS]),
    ]);
    let seen = opened(&made, &Value::Array(plan));
    let text = seen.answers[0].as_str().unwrap();
    for (shown, hidden) in [
        ("</script><script>alert('out')</script>", ""),
        ("<img src=x onerror=alert('image')>", ""),
        ("\\x1b[31mred\\x1b]0;title\\x07", "\u{1b}"),
        ("\\u{202e}txt.exe\\u{2066}", "\u{202e}"),
        ("zero\\u{200b}width\\u{feff}", "\u{200b}"),
        ("line\\u{2028}separator\\n\\r\\t", "\u{2028}"),
        ("${x} {{data}}", ""),
    ] {
        assert!(text.contains(shown), "{shown}: {text}");
        assert!(hidden.is_empty() || !text.contains(hidden), "{hidden:?} reached the page");
    }
    // One script of data and one of ours; no image, no link; and the title is text as well.
    assert_eq!(
        seen.answers[1],
        json!([2, 0, ["#grid"], "</script><script>alert('out')</script> · caponier report"])
    );
    assert!(texts(&seen.answers[2]).iter().any(|row| row.contains("<img src=x")), "{}", seen.answers[2]);
    // Nothing of it stands in the file as what it is.
    let source = fs::read_to_string(&made.page).unwrap();
    assert_eq!(source.matches("<script").count(), 2);
    assert_eq!(source.matches("</script").count(), 2);
}

/// What the tests above call quiet is heard when it happens.
#[test]
fn what_a_page_must_not_do_is_seen_and_stopped() {
    let made = made("notes", &story(), &[], Standing::Ended);
    let source = fs::read_to_string(&made.page).unwrap();
    let intruder = "<script>alert('in')</script><img src=\"http://127.0.0.1:9/x.png\"><p onclick=\"1\" style=\"color:red\">";
    fs::write(&made.page, source.replacen("<main>", &format!("<main>{intruder}"), 1)).unwrap();
    let assign = "(() => { try { document.body.innerHTML = '<b>x</b>'; return 'did'; } catch (error) { return error.name; } })()";
    let seen = browser::open(
        &made.page,
        &json!([["tell", assign], ["tell", "document.querySelectorAll('.row').length > 0"]]),
    );
    for directive in
        ["script-src-elem", "img-src", "script-src-attr", "style-src-attr", "require-trusted-types-for"]
    {
        assert!(seen.violations.iter().any(|found| found.starts_with(directive)), "{directive}: {seen:?}");
    }
    assert_eq!(seen.dialogs, [""; 0]);
    assert!(!seen.console.is_empty());
    assert_eq!(seen.answers, [json!("TypeError"), json!(true)]);
    // Without the policy the same script runs.
    let bare = fs::read_to_string(&made.page).unwrap().replace("Content-Security-Policy", "x-nothing");
    fs::write(&made.page, bare).unwrap();
    assert_eq!(browser::open(&made.page, &json!([])).dialogs, ["in"]);
}

#[test]
fn what_has_to_be_known_stands_at_the_top() {
    let notices = ["it was cut off: there is no session.end", "7 events were lost", "degraded: kill_scope"];
    let made = made("notes", &[start(&["kill_scope"]), call_start(1, "t")], &notices, Standing::Killed);
    let seen = opened(
        &made,
        &json!([
            ["tell", "document.getElementById('known').innerText"],
            ["tell", "document.getElementById('known').getBoundingClientRect().bottom < window.innerHeight"],
            ["tell", ROWS],
            ["tell", "document.querySelector('.is-session .meta').innerText"],
            ["media", "print"],
            ["tell", "getComputedStyle(document.getElementById('known')).display"],
        ]),
    );
    for notice in notices {
        assert!(seen.answers[0].as_str().unwrap().contains(notice), "{}", seen.answers[0]);
    }
    assert_eq!(seen.answers[1], true);
    assert!(seen.answers[3].as_str().unwrap().contains("cut off"));
    assert_eq!(seen.answers[4], "block");
}

#[test]
fn ten_thousand_calls_stay_usable() {
    let mut events = vec![start(&[])];
    for call in 1..=10_000 {
        let path = format!("/home/me/notes/{call}.md");
        let access =
            if call % 100 == 0 { refused(call, &path, "fs.read.not-granted") } else { read(call, &path) };
        events.extend([call_start(call, "read_note"), access, call_end(call, "read_note")]);
    }
    let made = made("notes", &events, &[], Standing::Ended);
    let drawn = "document.querySelectorAll('.row').length";
    let seen = opened(
        &made,
        &json!([
            ["tell", drawn],
            ["focus", "#grid"],
            ["press", "End"],
            ["tell", ACTIVE],
            ["tell", drawn],
            ["fill", "#text", "/9999.md"],
            ["tell", ROWS],
            ["click", "#clear"],
            ["click", "input[value=deny]"],
            ["tell", "document.getElementById('count').innerText"],
            ["tell", drawn],
        ]),
    );
    for at in [0, 2, 5] {
        assert!(
            seen.answers[at].as_u64().unwrap() < 200,
            "rows out of sight are drawn: {}",
            seen.answers[at]
        );
    }
    assert!(seen.answers[1].as_str().unwrap().contains("10000.md"), "{}", seen.answers[1]);
    assert!(texts(&seen.answers[3]).iter().any(|row| row.contains("9999.md")), "{}", seen.answers[3]);
    assert!(seen.answers[4].as_str().unwrap().contains("100 events match"), "{}", seen.answers[4]);
}

#[test]
fn print_has_every_row_of_the_view_and_no_controls() {
    let mut events = story();
    events.pop();
    for call in 4..200 {
        events.extend([call_start(call, "read_note"), call_end(call, "read_note")]);
    }
    let made = made("notes", &events, &[], Standing::Ended);
    let count = "addEventListener('beforeprint', () => { window.rows = [document.querySelectorAll('.row').length, visible.length]; })";
    let pdf = made.page.with_extension("pdf");
    let seen = opened(
        &made,
        &json!([
            ["tell", count],
            ["pdf", pdf],
            ["tell", "window.rows"],
            ["tell", "document.querySelectorAll('.row').length"],
            ["media", "print"],
            [
                "tell",
                "['filters', 'details'].map(name => getComputedStyle(document.getElementById(name)).display)"
            ],
        ]),
    );
    let rows = &seen.answers[1];
    assert!(rows[0].as_u64().unwrap() > 196 && rows[0] == rows[1], "{rows}");
    assert!(seen.answers[2].as_u64().unwrap() < rows[0].as_u64().unwrap(), "what was drawn for print stayed");
    assert_eq!(seen.answers[3], json!(["none", "none"]));
    assert!(fs::read(&pdf).unwrap().starts_with(b"%PDF-"));
}

#[test]
fn a_phone_shows_all_of_it() {
    let made = made("notes", &story(), &[], Standing::Ended);
    let wide = "document.documentElement.scrollWidth <= window.innerWidth";
    let seen = opened(
        &made,
        &json!([
            ["size", 390, 844],
            ["tell", wide],
            ["click", ".row.is-call"],
            ["tell", wide],
            ["tell", "document.getElementById('details').getBoundingClientRect().width"],
            ["click", "#close"],
            ["size", 320, 600],
            ["tell", wide],
            ["scheme", "dark"],
            ["tell", "getComputedStyle(document.body).backgroundColor"],
            ["scheme", "light"],
            ["tell", "getComputedStyle(document.body).backgroundColor"],
        ]),
    );
    assert_eq!(
        (&seen.answers[0], &seen.answers[1], &seen.answers[3]),
        (&json!(true), &json!(true), &json!(true))
    );
    assert_eq!(seen.answers[2], 390);
    assert_ne!(seen.answers[4], seen.answers[5], "dark and light");
}

/// The page of a real incident, made by the program. `CAPONIER_SHOTS` names a folder for pictures of it.
#[test]
fn a_real_incident_as_the_program_shows_it() {
    let incident = Incident::record();
    let folder = tempfile::Builder::new().prefix("page-").tempdir().unwrap();
    let page = folder.path().join("report.html");
    let (made, status) = incident.shell("caponier audit report --html report.html", folder.path());
    assert!(status == 0 && made.contains(" events, 5 sessions"), "{made}");
    let mut plan = vec![
        json!([
            "tell",
            "[...document.querySelectorAll('.group')].map(group => group.innerText.replaceAll('\\n', ''))"
        ]),
        json!([
            "tell",
            "[document.getElementById('title').innerText, document.getElementById('foot').innerText]"
        ]),
        json!(["tell", "document.getElementById('known').hidden"]),
        json!(["select", "#tool", "get_forecast"]),
        json!(["click", "input[value=deny]"]),
        json!(["tell", ROWS]),
        json!(["click", "#clear"]),
    ];
    if let Some(shots) = std::env::var_os("CAPONIER_SHOTS").map(PathBuf::from) {
        for (name, width, height) in [("desktop", 1440, 1000), ("phone", 390, 844)] {
            for scheme in ["light", "dark"] {
                let file = shots.join(format!("report-{name}-{scheme}.png"));
                plan.extend([
                    json!(["size", width, height]),
                    json!(["scheme", scheme]),
                    json!(["shot", file]),
                ]);
            }
        }
    }
    let seen = browser::open(&page, &Value::Array(plan));
    seen.assert_quiet(&page);
    let groups = texts(&seen.answers[0]).join(" | ");
    for word in [".ssh/id_ed25519", "/credentials", "claude_desktop_config.json", "/.bashrc", "exec.shell"] {
        assert!(groups.contains(word), "{word}: {groups}");
    }
    assert_eq!(seen.answers[1][0], "notes, git, weather");
    assert!(seen.answers[1][1].as_str().unwrap().contains("heads.jsonl"));
    assert_eq!(seen.answers[2], true);
    let rows = texts(&seen.answers[3]).join(" | ");
    assert!(
        rows.contains("3 get_forecast") && rows.contains("id_ed25519") && rows.contains("127.0.0.1:9"),
        "{rows}"
    );
    assert!(!rows.contains("git_status") && !rows.contains("2 get_forecast"), "{rows}");
}
