//! One run of `oracle.c`, case after case, and what became of each.

use std::collections::BTreeMap;
use std::fmt;
use std::process::Command;

use serde_json::{Value, json};

use crate::audit::Listening;
use crate::pen::ground::Ground;
use crate::pen::launch::{self, Running};
use crate::pen::{log, program, words};
use crate::{Answers, stage};

/// What became of one access.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    /// What the caller got: `ok`, or an errno.
    pub(crate) said: String,
    /// Whether a rule refused it.
    pub(crate) denied: bool,
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.said, if self.denied { " (refused by a rule)" } else { "" })
    }
}

/// The names of the cases, in order.
fn cases() -> Vec<String> {
    let output = Command::new(program::program("oracle")).arg("list").output().expect("the program runs");
    let names = String::from_utf8(output.stdout).expect("UTF-8");
    names.lines().map(str::to_owned).collect()
}

/// Goes through all cases; what each was answered.
fn answers(mut running: Running, ground: &Ground, cases: &[String]) -> Vec<String> {
    let mut ask = |id: usize, name: &str| {
        let message = json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": {"name": name, "arguments": {}}});
        assert!(running.send(format!("{message}\n").as_bytes()), "the session is there");
        let answer = running.wait_for_line(|message| message["id"] == id && message.get("result").is_some());
        answer["result"]["said"].as_str().expect("an answer").to_owned()
    };
    ask(0, "ready");
    stage::shift(ground);
    let said = cases.iter().enumerate().map(|(at, case)| ask(at + 1, case)).collect();
    running.close_stdin();
    let finished = running.finish();
    assert_eq!(finished.code(), Some(0), "{}", finished.stderr);
    stage::clear(ground);
    said
}

fn ground(cases: &[String]) -> Ground {
    let ground = Ground::new();
    let marks: Vec<String> = cases.iter().cloned().chain(["ready".into()]).collect();
    stage::lay(&ground, &marks);
    ground
}

/// In a Landlock domain of the program's own.
pub(crate) fn in_a_domain(listening: Option<Listening>) -> Answers {
    let cases = cases();
    let ground = ground(&cases);
    let mut command = Command::new(program::program("oracle"));
    command.args(["domain", &ground.text("")]);
    let said = answers(launch::start(launch::at_home(command, &ground)), &ground, &cases);
    let refused = listening.map(|listening| listening.refused(&cases));
    let answer = |(case, said): (&String, String)| {
        let denied = match &refused {
            Some(refused) => refused.contains(case),
            // The stage is the caller's own: nothing but the domain refuses in these ways, except resolution below a folder,
            // and a mode without an x.
            None if case == "e-not" => false,
            None => said == "EACCES" || said == "EXDEV" && !case.starts_with("o-") && *case != "b-noxdev",
        };
        (case.clone(), Answer { said, denied })
    };
    cases.iter().zip(said).map(answer).collect()
}

/// In the pen, by its log.
pub(crate) fn in_the_pen() -> Answers {
    let cases = cases();
    let ground = ground(&cases);
    let profile = ground.profile(&format!(
        "version = 1\ndescription = \"the same grants\"\n[filesystem]\nread = [{:?}, {:?}]\nwrite = [{:?}]\n[tools]\noutside_paths = \"allow\"\n",
        ground.text("reading"),
        ground.text("moving"),
        ground.text("workspace"),
    ));
    let command = launch::run(&ground, &profile, &words("oracle", &["pen", &ground.text("")]));
    let said = answers(launch::start(command), &ground, &cases);
    let events = log::events(&ground.path("audit"));
    log::assert_whole(&ground, &events);
    let mut denied: BTreeMap<u64, bool> = BTreeMap::new();
    for event in
        events.iter().filter(|event| event["verdict"] == "deny" || event["event"] == "syscall.denied")
    {
        let calls = event["calls"].as_array().cloned().unwrap_or_default();
        denied.extend(calls.iter().filter_map(Value::as_u64).map(|call| (call, true)));
    }
    // What the log says came of an access is what its caller got.
    let mut untrue = Vec::new();
    for (at, (case, said)) in cases.iter().zip(&said).enumerate() {
        let call = at as u64 + 2;
        let of_call = |event: &&Value| event["calls"] == json!([call]) && event["verdict"] == "allow";
        let results = log::of(&events, "file.access").filter(of_call).map(|event| &event["result"]);
        if let [result] = results.collect::<Vec<_>>().as_slice()
            && *result != said
            && !denied.contains_key(&call)
        {
            untrue.push(format!("{case}: {said}, and the log says {result}"));
        }
    }
    assert!(untrue.is_empty(), "{}", untrue.join("\n"));
    // Calls are numbered as they come; the first only said that all is ready.
    let answer = |(at, (case, said)): (usize, (&String, String))| {
        (case.clone(), Answer { said, denied: denied.contains_key(&(at as u64 + 2)) })
    };
    cases.iter().zip(said).enumerate().map(answer).collect()
}
