//! What a list or an initialize result showed of the server's definitions: told and written before the client sees it.

use std::time::Instant;

use crate::mcp::pins::known::Known;
use crate::mcp::pins::watch::{Note, another, approval, describe};
use crate::mcp::pins::{Change, Finding, Kind};
use crate::mcp::refusal::Refusal;
use crate::mcp::visible::visible;
use crate::policy::reason::Reason;
use crate::policy::verdict::Remedy;
use crate::relay::shared::Shared;

/// Characters of a line on stderr.
const LINE: usize = 500;

/// Tells and writes what the gate noticed.
///
/// # Errors
/// The log or the pin file could not be written, and the policy does not go on without.
pub(super) fn settle(shared: &Shared) -> Result<(), Refusal> {
    // What could not be written is tried again with the next list.
    write(shared).inspect_err(|_| {
        if let Some(watch) = shared.gate().watching() {
            watch.unwritten();
        }
    })
}

fn write(shared: &Shared) -> Result<(), Refusal> {
    let Some((store, enforce)) = &shared.pins else { return Ok(()) };
    let (notes, known, server, is_another) = {
        let mut gate = shared.gate();
        let Some(watch) = gate.watching() else { return Ok(()) };
        let is_another = watch.known().is_another();
        (watch.take_notes(), watch.take_known(), watch.server().to_owned(), is_another)
    };
    for note in &notes {
        shared.record.pin(note).map_err(|unwritable| Refusal::unwritable(&unwritable.detail))?;
        tell(shared, &server, note);
    }
    let waits = |note: &Note| matches!(note, Note::Changed { change, .. } if change.kind == Kind::Tool && change.class.needs_approval());
    if is_another && notes.iter().any(waits) {
        shared.stderr.note(&visible(&another(&server), LINE));
    }
    let Some(known) = known else { return Ok(()) };
    let (known, looked) = known;
    let merged = |theirs: Option<Known>| match theirs {
        Some(theirs) => known.merge(&looked, theirs),
        None => known,
    };
    match store.update(merged) {
        Ok(known) => {
            if let Some(watch) = shared.gate().watching() {
                watch.adopt(known);
            }
            Ok(())
        }
        Err(error) => {
            shared.stderr.note(&visible(&error.to_string(), LINE));
            match enforce {
                true => Err(Refusal::new(
                    Reason::PinUnwritable,
                    error.to_string(),
                    Remedy::WhyNot(
                        "what is not pinned cannot be compared later; make the file writable".into(),
                    ),
                )),
                false => Ok(()),
            }
        }
    }
}

/// On stderr: what somebody has to look at.
fn tell(shared: &Shared, server: &str, note: &Note) {
    let (what, findings, text) = match note {
        Note::Defined { findings, .. } if findings.is_empty() => return,
        Note::Defined { kind, name, findings, .. } => (subject(*kind, name), findings, String::new()),
        Note::Changed { change, findings, .. } if !change.class.needs_approval() && findings.is_empty() => {
            return;
        }
        Note::Changed { change, findings, held, .. } => {
            (subject(change.kind, &change.name), findings, told(server, change, *held))
        }
        Note::Untold { .. } => return,
        Note::Full { kind } => {
            let line = format!("more {}s than are pinned; those beyond are not compared later", kind.noun());
            return shared.stderr.note(&line);
        }
    };
    let strange = match findings.is_empty() {
        true => String::new(),
        false => {
            let names: Vec<&str> = findings.iter().copied().map(Finding::name).collect();
            format!("; its texts have: {}", names.join(", "))
        }
    };
    // A flood of definitions is in the log; stderr has the first ones.
    if shared.meter().admit(Instant::now()).is_some() {
        shared.stderr.note(&visible(&format!("{what}{text}{strange}"), LINE));
    }
}

fn subject(kind: Kind, name: &str) -> String {
    match kind {
        Kind::Instructions => "the server's instructions".to_owned(),
        _ => format!("the {} \"{name}\"", kind.noun()),
    }
}

fn told(server: &str, change: &Change, held: bool) -> String {
    let does = if held { " is held back" } else { " changed" };
    let one = Some((change.kind, change.name.as_str()));
    format!("{does}: {}; {}", describe(change), approval(server, one))
}
