//! What a scan finds, and that its short cuts change nothing.

use std::fs;

use proptest::prelude::*;

use super::*;
use crate::audit::condition::{Standing, event_of};
use crate::audit::query::filter::Flight;
use crate::audit::query::filter::Pattern;
use crate::audit::query::reader::{has_our_shape, parse};
use crate::audit::sample::{allowed, call_end, call_start, denied, lost, noise, session, settings};
use crate::audit::writer::Settings;
use crate::event::Event;

#[derive(Default)]
struct Found {
    lines: Vec<String>,
    notes: Vec<Note>,
    limit: Option<usize>,
}

impl Answer for Found {
    fn take(&mut self, found: &Match<'_>) -> io::Result<ControlFlow<()>> {
        let record = found.record()?;
        let of = record.path.as_deref().or(record.tool.as_deref()).unwrap_or("");
        self.lines.push(format!("{} {of}", &*record.event));
        Ok(if self.limit == Some(self.lines.len()) {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        })
    }

    fn note(&mut self, note: Note) -> io::Result<()> {
        self.notes.push(note);
        Ok(())
    }
}

fn ask(dir: &Path, filter: &Filter) -> Vec<String> {
    let mut found = Found::default();
    scan(dir, filter, &mut found).unwrap();
    assert_eq!(found.notes, []);
    found.lines
}

fn sample(root: &Path) -> Settings {
    let settings = settings(root);
    let events = [
        allowed("/usr/lib/x.so"),
        call_start(1, "read_file"),
        denied("/home/me/.ssh/id_rsa"),
        call_end(1, "read_file"),
        call_start(2, "write \"q\" \u{202e}"),
        allowed("/home/me/notes/a\nb"),
        call_end(2, "write \"q\" \u{202e}"),
    ];
    session(&settings, &events);
    settings
}

fn path(glob: &str) -> Filter {
    Filter { path: Some(Pattern::path(glob).unwrap()), ..Filter::default() }
}

fn name(glob: &str) -> Option<Pattern> {
    Some(Pattern::name(glob).unwrap())
}

#[test]
fn each_filter_finds_what_it_names() {
    let root = tempfile::tempdir().unwrap();
    let settings = sample(root.path());
    let ask = |filter: Filter| ask(&settings.dir, &filter);
    let secret = "file.access /home/me/.ssh/id_rsa";
    let notes = "file.access /home/me/notes/a\nb";
    assert_eq!(ask(Filter::default()).len(), 8);
    assert_eq!(ask(Filter { denied: true, ..Filter::default() }), [secret]);
    assert_eq!(ask(Filter { reason: name("fs.read.*"), ..Filter::default() }), [secret]);
    assert_eq!(ask(Filter { reason: name("fs.write.*"), ..Filter::default() }), [""; 0]);
    assert_eq!(
        ask(Filter { event: vec![Pattern::name("file.access").unwrap()], ..Filter::default() }).len(),
        3
    );
    assert_eq!(ask(Filter { event: vec![Pattern::name("call.*").unwrap()], ..Filter::default() }).len(), 4);
    assert_eq!(ask(Filter { server: name("sam*"), ..Filter::default() }).len(), 8);
    assert_eq!(ask(Filter { server: name("other"), ..Filter::default() }), [""; 0]);
    assert_eq!(ask(Filter { call: Some(2), ..Filter::default() }).len(), 2);
    assert_eq!(ask(Filter { session: Some(settings.session[..20].into()), ..Filter::default() }).len(), 8);
    assert_eq!(ask(Filter { session: Some("Z".into()), ..Filter::default() }), [""; 0]);
    assert_eq!(ask(path("/home/me")), [secret, notes]);
    assert_eq!(ask(path("/home/me/.ssh/*")), [secret]);
    assert_eq!(ask(path("/home/*")), [""; 0]);
    assert_eq!(ask(path("/home/**/a*")), [notes]);
    assert_eq!(ask(path("/home/m")), [""; 0]);
    assert_eq!(ask(Filter { exe: Some(Pattern::program("node").unwrap()), ..Filter::default() }).len(), 3);
    assert_eq!(
        ask(Filter { exe: Some(Pattern::program("/usr/bin/*").unwrap()), ..Filter::default() }).len(),
        3
    );
    assert_eq!(ask(Filter { host: name("*"), ..Filter::default() }), [""; 0]);
}

#[test]
fn a_tool_brings_what_happened_while_it_was_called() {
    let root = tempfile::tempdir().unwrap();
    let settings = sample(root.path());
    // The accesses of the sample say that call 1 was in flight: of the two, only one really was.
    let found = ask(&settings.dir, &Filter { tool: name("read_file"), ..Filter::default() });
    assert_eq!(found, ["call.start read_file", "file.access /home/me/.ssh/id_rsa", "call.end read_file"]);
    let both = Filter { tool: name("read_file"), denied: true, ..Filter::default() };
    assert_eq!(ask(&settings.dir, &both), ["file.access /home/me/.ssh/id_rsa"]);
}

#[test]
fn times_bound_the_scan() {
    let root = tempfile::tempdir().unwrap();
    let settings = sample(root.path());
    let ask = |since: Option<&[u8; 27]>, until: Option<&[u8; 27]>| {
        ask(&settings.dir, &Filter { since: since.copied(), until: until.copied(), ..Filter::default() })
            .len()
    };
    let (past, future) = (b"2020-01-01T00:00:00.000000Z", b"2999-01-01T00:00:00.000000Z");
    assert_eq!(ask(Some(past), Some(future)), 8);
    assert_eq!(ask(Some(future), None), 0);
    assert_eq!(ask(None, Some(past)), 0);
}

#[test]
fn a_session_that_goes_on_over_midnight_is_not_passed_over() {
    let root = tempfile::tempdir().unwrap();
    let settings = sample(root.path());
    let day = days::days(&settings.dir).unwrap().ours.remove(0);
    fs::rename(settings.dir.join(day), settings.dir.join("2020-01-01")).unwrap();
    let since = Some(*b"2020-01-02T00:00:00.000000Z");
    assert_eq!(ask(&settings.dir, &Filter { since, ..Filter::default() }).len(), 8);
}

#[test]
fn torn_and_foreign_lines_are_told_whatever_is_asked_for() {
    let root = tempfile::tempdir().unwrap();
    let settings = sample(root.path());
    let day = days::days(&settings.dir).unwrap().ours.remove(0);
    let file = settings.dir.join(day).join(format!("{}.jsonl", settings.session));
    let mut text = fs::read_to_string(&file).unwrap();
    text.insert_str(0, "garbage\n");
    text.push_str("{\"v\":1,\"seq\":9,\"tim");
    fs::write(&file, text).unwrap();
    let mut found = Found::default();
    scan(&settings.dir, &Filter { denied: true, ..Filter::default() }, &mut found).unwrap();
    assert_eq!(found.lines.len(), 1);
    let told: Vec<Option<u64>> = found.notes.iter().map(|note| note.line).collect();
    assert_eq!(told, [Some(1), Some(10)]);
}

#[test]
fn many_sessions_are_answered_in_order_and_their_conditions_with_them() {
    let root = tempfile::tempdir().unwrap();
    let mut names = Vec::new();
    for at in 0..40 {
        let settings = settings(root.path());
        let events: Vec<Event> = (0..=at % 7).map(|line| allowed(&format!("/{at}/{line}"))).collect();
        names.push(session(&settings, &events));
    }
    names.sort();
    #[derive(Default)]
    struct Order(Vec<String>, Vec<Condition>);
    impl Answer for Order {
        fn take(&mut self, found: &Match<'_>) -> io::Result<ControlFlow<()>> {
            let record = found.record()?;
            self.0.push(format!("{} {:03}", &*record.session, record.seq));
            Ok(ControlFlow::Continue(()))
        }
        fn note(&mut self, note: Note) -> io::Result<()> {
            panic!("{note:?}")
        }
        fn session(&mut self, condition: Condition) -> io::Result<()> {
            self.1.push(condition);
            Ok(())
        }
    }
    let mut order = Order::default();
    scan(&root.path().join("audit"), &Filter::default(), &mut order).unwrap();
    assert_eq!(order.0.len(), (0..40).map(|at| at % 7 + 2).sum::<usize>());
    assert!(order.0.is_sorted());
    assert_eq!(order.1.iter().map(|condition| condition.session.clone()).collect::<Vec<_>>(), names);
    assert!(order.1.iter().all(|condition| condition.standing == Standing::Ended && condition.is_whole()));
}

#[test]
fn an_answer_that_cannot_be_passed_on_ends_the_scan() {
    let root = tempfile::tempdir().unwrap();
    for _ in 0..20 {
        session(&settings(root.path()), &[allowed("/x")]);
    }
    struct Full;
    impl Answer for Full {
        fn take(&mut self, _: &Match<'_>) -> io::Result<ControlFlow<()>> {
            Err(io::ErrorKind::StorageFull.into())
        }
        fn note(&mut self, _: Note) -> io::Result<()> {
            Ok(())
        }
    }
    let outcome = scan(&root.path().join("audit"), &Filter::default(), &mut Full);
    assert!(matches!(outcome, Err(Error::Answer(error)) if error.kind() == io::ErrorKind::StorageFull));
}

#[test]
fn a_limit_ends_the_scan() {
    let root = tempfile::tempdir().unwrap();
    let settings = sample(root.path());
    session(&Settings { session: crate::audit::session_id().unwrap(), ..settings.clone() }, &[lost(1)]);
    let mut found = Found { limit: Some(3), ..Found::default() };
    scan(&settings.dir, &Filter::default(), &mut found).unwrap();
    assert_eq!(found.lines.len(), 3);
}

fn words() -> impl Strategy<Value = String> {
    prop_oneof!["[ab/.\"\\\\]{0,6}", "/[ab]/[ab\u{e9}\n]{0,3}"]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// The law of the filter: what is dropped on raw bytes would not have matched.
    #[test]
    fn the_cheap_test_drops_no_match(
        lines in prop::collection::vec((0..5u8, words()), 1..12),
        glob in "[ab/.*?\"\u{e9}]{0,6}",
        which in 0..6u8,
        denials: bool,
    ) {
        let settings = settings(Path::new("/nowhere"));
        let frame = crate::audit::sample::frame(&settings.session, "a\"b");
        let mut filter = Filter { denied: denials, ..Filter::default() };
        let slot = match which {
            0 => &mut filter.path,
            1 => &mut filter.tool,
            2 => &mut filter.server,
            3 => &mut filter.reason,
            4 => &mut filter.exe,
            _ => &mut filter.host,
        };
        let pattern = match which {
            0 => Pattern::path(&glob),
            4 => Pattern::program(&glob),
            _ => Pattern::name(&glob),
        };
        prop_assume!(pattern.is_ok());
        *slot = pattern.ok();
        let (mut cheap, mut thorough) = (Flight::default(), Flight::default());
        for (kind, word) in lines {
            let event: Event = match kind {
                0 => allowed(&word),
                1 => denied(&word),
                2 => call_start(1, &word),
                3 => call_end(1, &word),
                _ => noise(&word),
            };
            let mut line = Vec::new();
            frame.push(&mut line, 1, Stamp::now(), &event, crate::audit::chain::Digest::EMPTY).unwrap();
            line.pop();
            let (found, record) = parse(&line).unwrap();
            prop_assert!(has_our_shape(&line));
            prop_assert_eq!(event_of(&line), event.name().as_bytes());
            let expected = filter.matches(&record, &mut thorough);
            let got = filter.may_match(&line, event.name().as_bytes(), &cheap) && filter.matches(&record, &mut cheap);
            prop_assert_eq!(got, expected, "{:?} {}", filter, found.line);
        }
    }
}
