//! Payloads of `doctor --prove`: what became of each attack, and of all of them.

use serde::{Deserialize, Serialize};

/// What is to be said of one attack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ProofOutcome {
    /// It works without a pen, and was refused in it.
    Blocked,
    /// It worked, and the profile promises that it does not.
    Open,
    /// It worked, and the profile grants it.
    Allowed,
    /// It does not work without a pen either, here: nothing is proven.
    Unproven,
    /// Neither worked nor was refused as it has to be.
    Unclear,
}

/// `proof.attack`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProofAttack {
    /// Its name.
    pub attack: String,
    /// What it does.
    pub what: String,
    /// What came of it without a pen.
    pub unconfined: String,
    /// What came of it in the pen.
    pub confined: String,
    /// What that means.
    pub outcome: ProofOutcome,
    /// Who refused.
    pub layer: Option<String>,
    /// The reason's code.
    pub reason: Option<String>,
    /// The number of the line that records the refusal; `null` where nobody is asked who could write one.
    pub recorded: Option<u64>,
    /// The line of the profile that allows it.
    pub allowed_by: Option<String>,
    /// What else is to be said.
    pub detail: Option<String>,
}

/// `proof.result`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProofResult {
    /// Nothing is open, and nothing unclear.
    pub ok: bool,
    /// How many of each.
    pub blocked: u64,
    /// Of these, what the profile promises is not held.
    pub open: u64,
    /// Granted.
    pub allowed: u64,
    /// Not provable here.
    pub unproven: u64,
    /// Neither.
    pub unclear: u64,
}

/// One line of what a prover has to say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Proof {
    /// One attack.
    Attack(Box<ProofAttack>),
    /// All of them.
    Result(ProofResult),
}
