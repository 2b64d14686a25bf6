//! Attacks by messages: lines that are none, that mean two things, that go too deep or too far, and a denied tool.

use std::fs;
use std::io::{self, Write};

use crate::cli::demo::attacks::{Answer, Attack, Record, Victim, message};
use crate::policy::reason::Reason;

pub(super) const ATTACKS: &[Attack] = &[
    Attack {
        tool: "two_meanings",
        title: "sends a message with a key twice",
        run: |_, out| {
            writeln!(out, r#"{{"jsonrpc":"2.0","method":"ping","method":"notifications/cancelled"}}"#)?;
            Ok("sent".into())
        },
        answer: Answer::Withheld,
        record: message(Reason::MessageAmbiguous),
        refused_anyway: &[],
    },
    Attack {
        tool: "too_deep",
        title: "nests a message 200 deep",
        run: |_, out| {
            let (open, close) = ("[".repeat(200), "]".repeat(200));
            let method = "notifications/message";
            writeln!(out, r#"{{"jsonrpc":"2.0","method":"{method}","params":{{"data":{open}{close}}}}}"#)?;
            Ok("sent".into())
        },
        answer: Answer::Withheld,
        record: message(Reason::MessageTooDeep),
        refused_anyway: &[],
    },
    Attack {
        tool: "noise",
        title: "floods its stdout with noise",
        run: noise,
        answer: Answer::Withheld,
        record: Record::Noise,
        refused_anyway: &[],
    },
    Attack {
        tool: "huge_result",
        title: "answers with 1 MiB (limit: 256 KiB)",
        // It stands in the answer twice.
        run: |_, _| Ok("x".repeat(1 << 19)),
        answer: Answer::Refused(Reason::ResultTooLong),
        record: message(Reason::ResultTooLong),
        refused_anyway: &[],
    },
    Attack {
        tool: "delete_notes",
        title: "deletes the notes (a denied tool)",
        run: |victim, _| delete(victim),
        answer: Answer::Refused(Reason::ToolDenied),
        record: message(Reason::ToolDenied),
        refused_anyway: &[],
    },
];

/// Lines of the flood: fewer than are written down one by one before they are only counted.
const FLOOD: usize = 300;

fn noise(_: &Victim, out: &mut dyn Write) -> io::Result<String> {
    for line in 0..FLOOD {
        // A terminal that believed it would be cleared.
        writeln!(out, "\x1b[2J{line} % done")?;
    }
    Ok("sent".into())
}

fn delete(victim: &Victim) -> io::Result<String> {
    let mut deleted = 0;
    for entry in fs::read_dir(victim.notes())? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "md") {
            fs::remove_file(path)?;
            deleted += 1;
        }
    }
    Ok(format!("{deleted} notes deleted"))
}
