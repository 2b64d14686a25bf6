//! The judgement: blocked is what works without a pen, got in it an answer that is a refusal, and is in the log.
//!
//! What the attacker says is held against what the doctor's own listeners and files say. An attack that does not work
//! without a pen either proves nothing and is never counted as blocked; one that was answered in any other way than a
//! refusal, or is missing in the log, is unclear, which is not good enough.

use crate::audit::query::record::Record;
use crate::cli::prove::attacks::{Attack, Silent, Wants};
use crate::cli::prove::mission::{Got, Told};
use crate::cli::prove::promise::Promise;
use crate::event::{ProofAttack, ProofOutcome, ProofResult};
use crate::policy::grant::Access;

/// What is known of one attack.
pub(super) struct Findings<'f> {
    pub(super) promise: Promise,
    /// Without a pen.
    pub(super) bare: Option<&'f Told>,
    /// In it.
    pub(super) pen: Option<&'f Told>,
    /// What shows from outside that it worked in the pen.
    pub(super) noticed: Option<&'f str>,
    /// The session's lines.
    pub(super) log: &'f [Record<'f>],
    /// Whether every refused read has its line.
    pub(super) reads_are_recorded: bool,
}

/// Judges one attack.
pub(super) fn judge(attack: &Attack, findings: &Findings<'_>) -> ProofAttack {
    let word = |told: Option<&Told>| told.map_or_else(|| "not tried".to_owned(), |told| told.got.word());
    let mut proof = ProofAttack {
        attack: attack.name.to_owned(),
        what: attack.title.to_owned(),
        unconfined: word(findings.bare),
        confined: word(findings.pen),
        outcome: ProofOutcome::Unclear,
        layer: None,
        reason: None,
        recorded: None,
        allowed_by: None,
        detail: None,
    };
    let Some(pen) = findings.pen else {
        proof.detail = Some("the run ended before it was tried".into());
        return proof;
    };
    let worked = matches!(pen.got, Got::Did(_));
    match &findings.promise {
        Promise::Granted(line) if worked => {
            proof.outcome = ProofOutcome::Allowed;
            proof.allowed_by = Some(line.clone());
            return proof;
        }
        Promise::Refused if worked => {
            proof.outcome = ProofOutcome::Open;
            proof.detail = Some(pen.got.sentence());
            return proof;
        }
        _ => {}
    }
    if let (Promise::Refused, Some(noticed)) = (&findings.promise, findings.noticed) {
        proof.outcome = ProofOutcome::Open;
        proof.detail = Some(noticed.to_owned());
        return proof;
    }
    match findings.bare {
        Some(bare) if matches!(bare.got, Got::Did(_)) => {}
        bare => {
            proof.outcome = ProofOutcome::Unproven;
            let why =
                bare.map_or_else(|| "it was not tried without a pen".into(), |bare| bare.got.sentence());
            proof.detail = Some(format!("without a pen: {why}"));
            return proof;
        }
    }
    let refused = match &pen.got {
        Got::Errno(errno) => attack.refusals.contains(&errno.as_str()),
        Got::Absent => attack.silent == Silent::Removed,
        _ => false,
    };
    if !refused {
        proof.detail = Some(format!("this is no refusal: {}", pen.got.sentence()));
        return proof;
    }
    blame(attack, findings, pen, &mut proof);
    proof
}

/// Who refused: the last line of the log that has the very answer, or whoever refuses without one.
fn blame(attack: &Attack, findings: &Findings<'_>, pen: &Told, proof: &mut ProofAttack) {
    let answer = match &pen.got {
        Got::Errno(errno) => errno.as_str(),
        _ => "",
    };
    let mine = |line: &&Record<'_>| line.is_denied() && line.pid == Some(u64::from(pen.pid));
    let same = |line: &&Record<'_>| {
        line.result.as_deref().or(line.errno.as_deref()).is_some_and(|result| result == answer)
    };
    let found = findings.log.iter().rev().find(|line| mine(line) && same(line));
    if let Some(line) = found {
        proof.layer = line.layer.as_deref().map(str::to_owned);
        proof.reason = line.reason.as_deref().map(str::to_owned);
        proof.recorded = Some(line.seq);
        proof.outcome = ProofOutcome::Blocked;
        return;
    }
    let reads = matches!(attack.wants, Wants::Path(Access::Read, _));
    let layer = match attack.silent {
        Silent::Scope => Some("landlock"),
        Silent::Limit => Some("limits"),
        Silent::Removed => Some("init"),
        Silent::No if reads && !findings.reads_are_recorded => Some("landlock"),
        Silent::No => None,
    };
    match layer {
        Some(layer) => {
            proof.layer = Some(layer.to_owned());
            proof.outcome = ProofOutcome::Blocked;
        }
        None => proof.detail = Some("it was refused, and no line of the log says so".into()),
    }
}

/// What all of them amount to.
pub(super) fn sum(attacks: &[ProofAttack]) -> ProofResult {
    let count = |outcome| attacks.iter().filter(|attack| attack.outcome == outcome).count() as u64;
    let (open, unclear) = (count(ProofOutcome::Open), count(ProofOutcome::Unclear));
    let blocked = count(ProofOutcome::Blocked);
    ProofResult {
        // Nothing blocked is nothing proven.
        ok: open == 0 && unclear == 0 && blocked > 0,
        blocked,
        open,
        allowed: count(ProofOutcome::Allowed),
        unproven: count(ProofOutcome::Unproven),
        unclear,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::prove::attacks;

    fn told(got: Got) -> Told {
        Told { attack: "write-outside".into(), pid: 7, got }
    }

    fn outcome(
        promise: Promise,
        bare: Got,
        pen: Option<Got>,
        noticed: Option<&str>,
        lines: &[&str],
    ) -> (ProofOutcome, Option<String>) {
        let attack = attacks::all().find(|attack| attack.name == "write-outside").unwrap();
        let lines: Vec<String> = lines
            .iter()
            .map(|fields| format!(r#"{{"v":1,"seq":5,"time":"t","session":"S","server":"s",{fields}}}"#))
            .collect();
        let log: Vec<Record<'_>> = lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
        let (bare, pen) = (told(bare), pen.map(told));
        let findings = Findings {
            promise,
            bare: Some(&bare),
            pen: pen.as_ref(),
            noticed,
            log: &log,
            reads_are_recorded: true,
        };
        let proof = judge(attack, &findings);
        (proof.outcome, proof.layer)
    }

    const DENIED: &str = r#""event":"file.access","verdict":"deny","reason":"fs.write.not-granted","layer":"landlock","result":"EACCES","pid":7"#;

    #[test]
    fn only_a_recorded_refusal_of_what_works_is_blocked() {
        use ProofOutcome::{Allowed, Blocked, Open, Unclear, Unproven};
        let did = || Got::Did("x".into());
        let errno = |name: &str| Got::Errno(name.into());
        let refused = || Promise::Refused;
        let granted = || Promise::Granted("p.toml:3".into());
        let eacces = || Some(errno("EACCES"));
        let landlock = Some("landlock".to_owned());
        assert_eq!(outcome(refused(), did(), eacces(), None, &[DENIED]), (Blocked, landlock));
        for (promise, bare, pen, noticed, lines, expected) in [
            (refused(), did(), Some(did()), None, &[DENIED][..], Open),
            (refused(), errno("EPERM"), Some(did()), None, &[DENIED], Open),
            (refused(), did(), eacces(), Some("it is gone"), &[DENIED], Open),
            (granted(), did(), Some(did()), Some("it is gone"), &[], Allowed),
            (granted(), did(), eacces(), None, &[DENIED], Blocked),
            (refused(), errno("EPERM"), eacces(), None, &[DENIED], Unproven),
            (refused(), did(), None, None, &[DENIED], Unclear),
            (refused(), did(), Some(errno("ENOENT")), None, &[DENIED], Unclear),
            (refused(), did(), Some(Got::Killed(9)), None, &[DENIED], Unclear),
            (refused(), did(), Some(Got::Absent), None, &[DENIED], Unclear),
            (refused(), did(), eacces(), None, &[], Unclear),
            (refused(), did(), eacces(), None, &[&*DENIED.replace(":7", ":8")], Unclear),
            (refused(), did(), eacces(), None, &[&*DENIED.replace("deny", "allow")], Unclear),
        ] {
            let found = outcome(promise, bare.clone(), pen.clone(), noticed, lines);
            assert_eq!(found.0, expected, "{bare:?} {pen:?} {noticed:?} {lines:?}");
        }
    }

    #[test]
    fn nothing_blocked_is_nothing_proven() {
        assert!(!sum(&[]).ok);
    }
}
