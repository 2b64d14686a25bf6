//! What waits, who answers, and what is remembered.

use super::*;
use crate::jsonrpc::Id;

fn confirmations(began: Instant) -> Confirmations {
    Confirmations::new(&[3; 32], Duration::from_secs(60), began)
}

fn hold(
    all: &mut Confirmations,
    request: &str,
    number: u64,
    way: Way,
    now: Instant,
) -> (Held, Option<String>) {
    let id = Id::parse(request).unwrap();
    let call = Call { number, tool: "write_file".into(), started: now };
    let token = Some("\"t\"".to_owned());
    let arguments = Some(Raw(r#"{"path":"a"}"#));
    let text = "the whole message";
    let rule = "a rule".to_owned();
    all.hold(
        New {
            call,
            key: id.key(),
            request,
            modern: way == Way::InputRequired,
            way,
            arguments,
            text,
            rule,
            token,
        },
        now,
    )
}

#[test]
fn the_first_answer_is_the_only_one() {
    let now = Instant::now();
    let mut all = confirmations(now);
    let (held, state) = hold(&mut all, "1", 1, Way::Elicitation, now);
    assert_eq!(state, None);
    assert!(all.holds(Id::parse("1.0").unwrap().key()));
    let question = serde_json::Value::from(all.question(&held)).to_string();
    let asked = Id::parse(&question).unwrap();
    assert_eq!(all.asked(asked.key()), Some(held.id.as_str()));
    assert_eq!(all.asked(Id::parse(&format!("\"caponier-{}\"", held.id)).unwrap().key()), None);
    assert_eq!(all.take(&held.id, now).unwrap(), held);
    assert_eq!(all.take(&held.id, now), None);
    assert!(!all.holds(Id::parse("1").unwrap().key()));
}

#[test]
fn an_answer_that_comes_too_late_finds_nothing() {
    let now = Instant::now();
    let mut all = confirmations(now);
    let (held, _) = hold(&mut all, "1", 1, Way::Outside, now);
    let late = now + Duration::from_secs(60);
    assert_eq!(all.take(&held.id, late), None);
    assert_eq!(all.expire(late - Duration::from_millis(1)), []);
    assert_eq!(all.expire(late), [held]);
    assert_eq!(all.deadline(), None);
}

#[test]
fn a_state_is_good_once() {
    let now = Instant::now();
    let mut all = confirmations(now);
    let (held, state) = hold(&mut all, "1", 1, Way::InputRequired, now);
    let state = state.unwrap();
    let opened = |all: &Confirmations| all.state(&state, "write_file", &held.digest, now);
    assert!(!all.holds(Id::parse("1").unwrap().key()), "the client was answered");
    assert_eq!(opened(&all), State::Ours(held.id.clone()));
    assert_eq!(all.settle(&held.id, true, now).unwrap().settled, Some(true));
    assert_eq!(all.settle(&held.id, false, now), None);
    assert_eq!(all.take(&held.id, now).unwrap().settled, Some(true));
    assert_eq!(opened(&all), State::Replayed);
}

#[test]
fn a_client_is_told_now_and_then() {
    let now = Instant::now();
    let mut all = confirmations(now);
    let _ = hold(&mut all, "1", 1, Way::Outside, now);
    let _ = hold(&mut all, "2", 2, Way::InputRequired, now);
    assert_eq!(all.deadline(), Some(now));
    assert_eq!(all.progress(now), [("\"t\"".to_owned(), 1)]);
    assert_eq!(all.progress(now), []);
    assert_eq!(all.progress(now + PROGRESS), [("\"t\"".to_owned(), 2)]);
}

#[test]
fn what_waits_is_bounded() {
    let now = Instant::now();
    let mut all = confirmations(now);
    for n in 0..MAX_HELD as u64 {
        assert!(all.has_room(100));
        let _ = hold(&mut all, &n.to_string(), n, Way::Outside, now);
    }
    assert!(!all.has_room(0));
    assert!(all.take_back(Id::parse("3").unwrap().key()).is_some());
    assert!(all.has_room(100) && !all.has_room(MAX_BYTES));
    let numbers: Vec<u64> = all.drain().iter().map(|held| held.call.number).collect();
    assert!(numbers.is_sorted() && numbers.len() == MAX_HELD - 1);
}

#[test]
fn a_round_is_used_up_and_a_remembered_yes_is_not() {
    let mut all = confirmations(Instant::now());
    let digest = digest(Some(Raw("{}")));
    assert!(!all.comes_again("t", &digest));
    all.goes_on("t", digest);
    assert!(!all.comes_again("u", &digest) && !all.comes_again("t", &[0; 32]));
    assert!(all.comes_again("t", &digest) && !all.comes_again("t", &digest));
    all.remember("t", digest);
    assert!(all.is_remembered("t", &digest) && all.is_remembered("t", &digest));
    assert!(!all.is_remembered("t", &[0; 32]));
}
