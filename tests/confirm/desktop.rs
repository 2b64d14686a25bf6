//! A dialog on a real (virtual) display: Xvfb, zenity, and xdotool in the place of the person.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::Value;

use crate::session::{Session, reason, until};

/// One at a time: two that look for a free number at once are not what is tried here.
static ONE: Mutex<()> = Mutex::new(());

/// A display.
struct Display {
    server: Child,
    name: String,
    _one: MutexGuard<'static, ()>,
}

impl Display {
    fn open() -> Display {
        let one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
        let mut command = Command::new("Xvfb");
        command.args(["-displayfd", "1", "-screen", "0", "1024x768x24", "-nolisten", "tcp"]);
        let mut server =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut number = String::new();
        BufReader::new(server.stdout.take().unwrap()).read_line(&mut number).unwrap();
        assert!(number.trim().parse::<u32>().is_ok(), "no display: {number:?}");
        let display = Display { server, name: format!(":{}", number.trim()), _one: one };
        until("the display", || display.xdotool(&["getdisplaygeometry"]));
        display
    }

    fn xdotool(&self, words: &[&str]) -> Option<String> {
        let done = Command::new("xdotool").args(words).env("DISPLAY", &self.name).output().unwrap();
        done.status.success().then(|| String::from_utf8(done.stdout).unwrap().trim().to_owned())
    }

    /// The window of the dialog, once it is there.
    fn dialog(&self) -> String {
        let search = ["search", "--onlyvisible", "--name", "^caponier asks$"];
        until("the dialog", || self.xdotool(&search).and_then(|found| Some(found.lines().last()?.to_owned())))
    }

    fn has_dialog(&self) -> bool {
        self.xdotool(&["search", "--onlyvisible", "--name", "^caponier asks$"])
            .is_some_and(|found| !found.is_empty())
    }

    /// Presses keys in the dialog until it is gone: a window takes keys only some time after it is shown.
    fn press(&self, keys: &[&str]) {
        let window = self.dialog();
        until("the end of the dialog", || {
            let keys = keys.iter().flat_map(|key| ["key", key]);
            let words: Vec<&str> = ["windowfocus", &window].into_iter().chain(keys).collect();
            self.xdotool(&words);
            std::thread::sleep(std::time::Duration::from_millis(300));
            (!self.has_dialog()).then_some(())
        });
    }
}

impl Drop for Display {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

#[test]
fn a_dialog_asks_and_its_answer_counts() {
    let display = Display::open();
    let mut session = Session::start(r#"["elicitation", "desktop"]"#, Some(&display.name));
    session.writes("no", "x");
    display.press(&["Escape"]);
    assert_eq!(reason(&session.hears()), "confirm.refused");
    session.writes("yes", "x");
    display.dialog();
    assert!(!session.work("yes").exists());
    // The button that refuses has the focus; the next one allows.
    display.press(&["Tab", "Return"]);
    let answer = session.hears();
    assert_eq!(answer["result"]["isError"], Value::Null, "{answer}");
    assert!(session.work("yes").exists() && !session.work("no").exists());
    let answered = session.events("confirm.answered");
    let said: Vec<(&Value, &Value)> = answered.iter().map(|event| (&event["answer"], &event["by"])).collect();
    assert_eq!(
        said,
        [(&"decline".into(), &"/usr/bin/zenity".into()), (&"accept".into(), &"/usr/bin/zenity".into())]
    );
    session.end();
}

#[test]
fn a_dialog_is_closed_when_another_terminal_answered() {
    let display = Display::open();
    let mut session = Session::start(r#"["desktop", "terminal"]"#, Some(&display.name));
    session.writes("yes", "x");
    display.dialog();
    let found = session.waiting(1);
    assert_eq!(found[0]["channels"], serde_json::json!(["desktop", "terminal"]));
    assert!(session.caponier(&["approve", found[0]["id"].as_str().unwrap()]).status.success());
    assert_eq!(session.hears()["result"]["isError"], Value::Null);
    until("the end of the dialog", || (!display.has_dialog()).then_some(()));
    assert_eq!(session.events("confirm.answered").len(), 1);
    session.end();
}

#[test]
fn a_display_that_is_not_there_is_no_answer() {
    // With another way the call waits for that; without one it is refused.
    let mut session = Session::start(r#"["desktop", "terminal"]"#, Some(":4711"));
    session.writes("yes", "x");
    let id = session.waiting(1)[0]["id"].as_str().unwrap().to_owned();
    assert!(session.caponier(&["approve", &id]).status.success());
    assert_eq!(session.hears()["result"]["isError"], Value::Null);
    session.end();
    let mut session = Session::start(r#"["desktop"]"#, Some(":4711"));
    session.writes("no", "x");
    assert_eq!(reason(&session.hears()), "confirm.refused");
    assert!(!session.work("no").exists());
    assert_eq!(session.events("confirm.answered")[0]["answer"], "error");
    session.end();
}
