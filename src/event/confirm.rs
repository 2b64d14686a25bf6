//! Payloads of calls that wait for a person's yes.

use serde::Serialize;

/// `confirm.asked`: a call is held, and somebody is asked about it.
#[derive(Debug, Clone, Serialize)]
pub struct ConfirmAsked {
    /// The running number of its `call.start`.
    pub call: u64,
    /// What it is called by whoever answers.
    pub id: String,
    /// The tool's name.
    pub tool: String,
    /// `elicitation`, `input_required`, `desktop`, `terminal`: where it is asked.
    pub channel: &'static str,
    /// Where else it can be answered.
    pub also: Vec<&'static str>,
    /// The rule that has it ask, with its line.
    pub rule: String,
}

/// `confirm.answered`: what became of it, before anything follows from that.
#[derive(Debug, Clone, Serialize)]
pub struct ConfirmAnswered {
    /// The running number of its `call.start`.
    pub call: u64,
    /// What it was called.
    pub id: String,
    /// The tool's name.
    pub tool: String,
    /// Where it was answered; `null` when nobody did.
    pub channel: Option<&'static str>,
    /// `accept`, `decline`, `cancel`, `unset`, `error`, `timeout`, `withdrawn`.
    pub answer: &'static str,
    /// Who said so, as far as that is known.
    pub by: Option<String>,
    /// The same call is not asked about again in this session.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub remembered: bool,
    /// From `confirm.asked`.
    pub duration_us: u64,
}
