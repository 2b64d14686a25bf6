//! A change that was shown is the change that is made, or none is.

use std::process::Stdio;

use crate::home::{Done, Home, caponier};

const CURSOR: &str = ".cursor/mcp.json";
const BEFORE: &str = "{\"mcpServers\": {\"a\": {\"command\": \"node\", \"args\": [\"a.js\"]}}}\n";

#[test]
fn what_changed_since_it_was_shown_is_left_alone() {
    let home = Home::new();
    home.write(CURSOR, BEFORE);
    let shown = home.client(&["wrap"]).ended(0);
    assert!(shown.stdout.contains("Nothing was changed"), "{shown:#?}");
    let edited = BEFORE.replace("a.js", "b.js");
    home.write(CURSOR, &edited);
    let done = home.client(&["wrap", "--yes"]).ended(1);
    assert!(done.stderr.contains("changed since"), "{done:#?}");
    assert_eq!(home.text(CURSOR), edited);
    // Looked at again, it goes.
    home.client(&["wrap"]).ended(0);
    home.client(&["wrap", "--yes"]).ended(0);
    assert_ne!(home.text(CURSOR), edited);
    // The same for the way back.
    home.client(&["unwrap"]).ended(0);
    let wrapped = home.text(CURSOR);
    home.write(CURSOR, format!("{wrapped} "));
    home.client(&["unwrap", "--yes"]).ended(1);
    home.client(&["unwrap"]).ended(0);
    home.client(&["unwrap", "--yes"]).ended(0);
    assert_eq!(home.text(CURSOR), format!("{edited} "));
}

/// Wherever a tab stands in a line, it is shown as one looks.
#[test]
fn tabs_are_blanks_in_a_preview_and_nothing_else_is_changed() {
    let home = Home::new();
    let text = "{\t\"mcpServers\":\t{\n\t\"a\": {\"command\":\t\"node\"}}}\n";
    home.write(CURSOR, text);
    let shown = home.client(&["wrap"]).ended(0);
    assert!(
        shown.stdout.contains("{    \"mcpServers\":    {") && !shown.stdout.contains("\\t"),
        "{shown:#?}"
    );
    home.client(&["wrap", "--yes"]).ended(0);
    home.client(&["unwrap", "--yes"]).ended(0);
    assert_eq!(home.text(CURSOR), text);
}

/// On a terminal it asks, and `between` is done before the answer is given.
fn asked(home: &Home, answer: &str, between: &str) -> Done {
    let driver = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/drivers/terminal.py");
    let output = home
        .command("python3")
        .arg(driver)
        .args([answer, between])
        .arg(caponier())
        .args(["client", "wrap"])
        .env("TERM", "xterm")
        .stderr(Stdio::piped())
        .output()
        .unwrap();
    Done::of(output)
}

#[test]
fn on_a_terminal_it_asks() {
    let home = Home::new();
    home.write(CURSOR, BEFORE);
    let done = asked(&home, "n", "true").ended(0);
    assert!(done.stdout.contains("Nothing was changed"), "{done:#?}");
    assert_eq!(home.text(CURSOR), BEFORE);
    let done = asked(&home, "y", "true").ended(0);
    assert!(done.stdout.contains("wrapped a"), "{done:#?}");
    assert_ne!(home.text(CURSOR), BEFORE);
}

#[test]
fn a_file_that_changes_under_the_question_is_left_alone() {
    let home = Home::new();
    home.write(CURSOR, BEFORE);
    let done = asked(&home, "y", "printf '{}' > ../.cursor/mcp.json").ended(1);
    assert!(done.stdout.contains("changed since"), "{done:#?}");
    assert_eq!(home.text(CURSOR), "{}");
    assert_eq!(std::fs::read_dir(home.path(".cursor")).unwrap().count(), 1, "nothing is left beside it");
}

/// The same bytes, but somewhere else: it is the file that was shown, or none.
#[test]
fn a_link_that_takes_its_place_under_the_question_is_not_followed() {
    let home = Home::new();
    home.write(CURSOR, BEFORE);
    home.write("elsewhere/victim.json", BEFORE);
    let swap = "rm ../.cursor/mcp.json && ln -s ../elsewhere/victim.json ../.cursor/mcp.json";
    let done = asked(&home, "y", swap).ended(1);
    assert!(done.stdout.contains("another file"), "{done:#?}");
    assert_eq!(home.text("elsewhere/victim.json"), BEFORE);
    assert!(home.path(CURSOR).is_symlink());
    // A folder on the way that is another one now.
    let home = Home::new();
    home.write(CURSOR, BEFORE);
    home.write("elsewhere/mcp.json", BEFORE);
    let done = asked(&home, "y", "mv ../.cursor ../was && ln -s elsewhere ../.cursor").ended(1);
    assert!(done.stdout.contains("another file"), "{done:#?}");
    assert_eq!((home.text("elsewhere/mcp.json"), home.text("was/mcp.json")), (BEFORE.into(), BEFORE.into()));
}

/// Another file of the same name and the same bytes is another file.
#[test]
fn a_file_that_was_exchanged_for_a_copy_is_left_alone() {
    let home = Home::new();
    home.write(CURSOR, BEFORE);
    let swap = "cp ../.cursor/mcp.json ../.cursor/x && mv ../.cursor/x ../.cursor/mcp.json";
    let done = asked(&home, "y", swap).ended(1);
    assert!(done.stdout.contains("changed since"), "{done:#?}");
    assert_eq!(home.text(CURSOR), BEFORE);
}

/// Several at once: each file is wrapped once, and comes back.
#[test]
fn many_at_once_do_not_collide() {
    let home = Home::new();
    home.write(CURSOR, BEFORE);
    home.write(".kiro/settings/mcp.json", BEFORE);
    let mut running: Vec<_> = (0..6)
        .map(|_| {
            let mut command = home.command(caponier());
            command.args(["client", "wrap", "--yes"]).stdout(Stdio::piped()).stderr(Stdio::piped());
            command.spawn().unwrap()
        })
        .collect();
    let codes: Vec<_> = running.iter_mut().map(|child| child.wait().unwrap().code().unwrap()).collect();
    assert!(codes.contains(&0) && codes.iter().all(|code| matches!(code, 0 | 1)), "{codes:?}");
    assert!(home.states().iter().all(|(_, state)| state == "wrapped"));
    assert_eq!(home.text(CURSOR).matches("\"run\"").count(), 1);
    home.client(&["unwrap", "--yes"]).ended(0);
    assert_eq!((home.text(CURSOR), home.text(".kiro/settings/mcp.json")), (BEFORE.into(), BEFORE.into()));
}
