//! The kernel as oracle: for each of many accesses, what the log says of it is what Landlock itself says.
//!
//! The same program makes the same accesses twice: in a Landlock domain that it built by hand from the same grants, with nothing
//! of caponier's between it and the kernel; and in the pen. As root the kernel's verdict is its own audit record of the refusal
//! (Landlock ABI 7); as an ordinary user, who may not read those, it is the errno. Every verdict and every errno has to be the same.

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "../pen/mod.rs"]
mod pen;

mod audit;
mod session;
mod stage;

use std::collections::BTreeMap;

use pen::apart;
use session::Answer;

/// What both said, by case.
type Answers = BTreeMap<String, Answer>;

/// Every case in which the two differ, in verdict or in errno.
fn differences(kernel: &Answers, pen: &Answers) -> Vec<String> {
    let differ = kernel.iter().filter(|(case, theirs)| pen[*case] != **theirs);
    differ.map(|(case, theirs)| format!("{case}: the kernel {theirs}, the pen {}", pen[case])).collect()
}

#[test]
fn the_log_says_of_every_access_what_landlock_says() {
    if !apart::is_inside("the_log_says_of_every_access_what_landlock_says", &["--mount"]) {
        return;
    }
    let listening = audit::listen();
    let kernel = session::in_a_domain(listening);
    let pen = session::in_the_pen();
    assert!(kernel.len() >= 60 && kernel.len() == pen.len(), "{} and {} cases", kernel.len(), pen.len());
    let refused = kernel.values().filter(|answer| answer.denied).count();
    assert!(refused >= 40 && kernel.len() - refused >= 40, "{refused} of {} refused", kernel.len());
    let found = differences(&kernel, &pen);
    assert!(found.is_empty(), "{} of {}:\n{}", found.len(), kernel.len(), found.join("\n"));
    println!("{} cases, {refused} of them refused", kernel.len());

    // An oracle that finds nothing wrong with a wrong log proves nothing.
    for case in ["r-file", "r-outside", "n-exchange-out", "o-beneath-link"] {
        let mut wrong = pen.clone();
        let answer = wrong.get_mut(case).expect("a case");
        answer.denied = !answer.denied;
        assert_eq!(differences(&kernel, &wrong).len(), 1, "{case}: a wrong verdict");
        let mut wrong = pen.clone();
        wrong.get_mut(case).expect("a case").said = "ENOTTY".into();
        assert_eq!(differences(&kernel, &wrong).len(), 1, "{case}: a wrong errno");
    }
}
