//! Why a call that a person is asked about is not made.

use std::time::Duration;

use crate::mcp::confirm::{Answer, MAX_HELD, State};
use crate::mcp::refusal::Refusal;
use crate::policy::reason::Reason;
use crate::policy::verdict::Remedy;

/// They said no, or nothing that is a yes.
pub fn said(answer: Answer, rule: &str) -> Refusal {
    let what = match answer {
        Answer::Decline | Answer::Accept { .. } => "the user was asked and said no",
        Answer::Cancel => "the user was asked and closed the question",
        Answer::Unset => "the question was accepted without its field \"approve\" being set",
        Answer::Error => "the question could not be shown, or its answer cannot be read",
    };
    let why_not = "only the user can allow this call; the same call asks again";
    Refusal::never(Reason::ConfirmRefused, format!("{what}; {rule}"), why_not)
}

/// Nobody answered.
pub fn late(timeout: Duration, rule: &str) -> Refusal {
    let time = |time: Duration| match time.subsec_millis() {
        0 => format!("{}s", time.as_secs()),
        _ => format!("{}ms", time.as_millis()),
    };
    let detail = format!("nobody answered within {}; {rule}", time(timeout));
    let longer = Remedy::Line(format!("confirm.timeout = \"{}\"", time(timeout.saturating_mul(2))));
    Refusal::new(Reason::ConfirmTimeout, detail, longer)
}

/// The client went before anybody answered.
pub fn left(rule: &str) -> Refusal {
    let detail = format!("the client closed its side before anybody answered; {rule}");
    Refusal::never(Reason::ConfirmTimeout, detail, "who asked for the call is gone")
}

/// There is no way to ask.
pub fn no_way(why: &str, rule: &str) -> Refusal {
    let detail = format!("there is no way to ask anybody: {why}; {rule}");
    let line = "confirm.channels = [\"elicitation\", \"desktop\", \"terminal\"]";
    Refusal::new(Reason::ConfirmUnavailable, detail, Remedy::Line(line.into()))
}

/// It came together with others.
pub(crate) fn in_batch(rule: &str) -> Refusal {
    let detail = format!("a call that waits for a person cannot be part of a batch; {rule}");
    Refusal::never(Reason::ConfirmUnavailable, detail, "a batch is passed on at once; send the call alone")
}

/// Too many wait.
pub(crate) fn too_many() -> Refusal {
    let detail = format!("{MAX_HELD} calls, or as many bytes as are held, wait for an answer");
    Refusal::never(
        Reason::ConfirmTooMany,
        detail,
        "answer those first; whoever is asked too much reads nothing",
    )
}

/// The client came again with something else than what it was given.
pub(crate) fn state(state: &State) -> Refusal {
    let what = match state {
        State::Theirs => "nothing was asked about this call, and no server can have given this state for it",
        State::Forged => "it was not given out in this session, or for another call",
        State::Expired => "its time is over",
        State::Replayed | State::Ours(_) => "it was used before",
    };
    let why_not = "a state is good once, for the call that it was given for";
    Refusal::never(Reason::ConfirmState, format!("requestState: {what}"), why_not)
}
