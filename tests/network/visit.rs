//! One program that goes out: in the open, and in the pen under a profile with a network.
//!
//! Clients report in the form of `tests/escape/attacks/attack.h`: `OPEN step`, or `BLOCKED step HOW`, one line each on
//! stderr. Places in braces in a client's words (`{workspace}`) are filled in for the ground of the run.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::pen::ground::Ground;
use crate::pen::launch::{Finished, Running};
use crate::pen::{launch, log};
use crate::world::World;

/// What a client did, and what is in the log about it.
pub(crate) struct Visited {
    pub(crate) finished: Finished,
    pub(crate) steps: Vec<(String, Option<String>)>,
    pub(crate) events: Vec<Value>,
    pub(crate) ground: Ground,
}

/// A client, its words, and the profile that it has in the pen.
pub(crate) struct Visit<'w> {
    world: &'w World,
    extends: &'static str,
    words: Vec<String>,
    network: Vec<String>,
    allow: Vec<String>,
    execute: Vec<String>,
    set: Vec<(&'static str, String)>,
    limits: Vec<String>,
    environment: Vec<(&'static str, String)>,
}

/// A program of `tests/network/programs`.
pub(crate) fn script(name: &str) -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/network/programs").join(name);
    file.to_str().expect("UTF-8").to_owned()
}

impl<'w> Visit<'w> {
    /// A client by its words, over the shipped profile that starts such programs.
    pub(crate) fn new(world: &'w World, extends: &'static str, words: &[&str]) -> Visit<'w> {
        Visit {
            world,
            extends,
            words: words.iter().map(|word| (*word).to_owned()).collect(),
            network: Vec::new(),
            allow: Vec::new(),
            execute: Vec::new(),
            set: Vec::new(),
            limits: Vec::new(),
            environment: Vec::new(),
        }
    }

    /// Lists a host; the text is what stands in quotes in `network.allow`.
    pub(crate) fn allow(mut self, host: &str) -> Self {
        self.allow.push(format!("{host:?}"));
        self
    }

    /// Lists a host by an entry in TOML.
    pub(crate) fn allow_entry(mut self, toml: &str) -> Self {
        self.allow.push(toml.to_owned());
        self
    }

    /// Another line of `[network]`.
    pub(crate) fn network(mut self, line: &str) -> Self {
        self.network.push(line.to_owned());
        self
    }

    /// Grants a program.
    pub(crate) fn execute(mut self, path: &str) -> Self {
        self.execute.push(path.to_owned());
        self
    }

    /// Sets a variable by the profile, and in the open too.
    pub(crate) fn set(mut self, name: &'static str, value: &str) -> Self {
        self.set.push((name, value.to_owned()));
        self
    }

    /// Another line of `[limits]`.
    pub(crate) fn limit(mut self, line: &str) -> Self {
        self.limits.push(line.to_owned());
        self
    }

    /// Sets a variable in the environment of whoever starts the client or caponier.
    pub(crate) fn env(mut self, name: &'static str, value: &str) -> Self {
        self.environment.push((name, value.to_owned()));
        self
    }

    /// The profile, for a ground.
    fn profile(&self, ground: &Ground) -> String {
        let quoted = |paths: &[String]| {
            let all: Vec<String> = paths.iter().map(|path| format!("{:?}", fill(ground, path))).collect();
            all.join(", ")
        };
        let set: Vec<String> = self.set.iter().map(|(name, value)| format!("{name} = {value:?}")).collect();
        format!(
            "version = 1\ndescription = \"a client of a test\"\nextends = [{:?}]\n\
             [filesystem]\nread = [{}]\nwrite = [{:?}]\n\
             [process]\nexecute = [{}]\nenv = {{ set = {{ {} }} }}\n\
             [limits]\n{}\n[network]\nallow = [{}]\n{}\n",
            self.extends,
            quoted(&[self.world.authority()]),
            ground.text("workspace"),
            quoted(&self.execute),
            set.join(", "),
            self.limits.join("\n"),
            self.allow.join(", "),
            self.network.join("\n"),
        )
    }

    /// Starts it in the open.
    pub(crate) fn start_in_the_open(&self, ground: &Ground) -> Running {
        let words: Vec<String> = self.words.iter().map(|word| fill(ground, word)).collect();
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]);
        let mut command = launch::at_home(command, ground);
        let given = self.environment.iter().chain(&self.set);
        command.envs(given.map(|(name, value)| (name, value)));
        launch::start(command)
    }

    /// Starts it in the pen.
    pub(crate) fn start_in_the_pen(&self, ground: &Ground) -> Running {
        let profile = ground.profile(&self.profile(ground));
        let words: Vec<String> = self.words.iter().map(|word| fill(ground, word)).collect();
        let mut command = launch::run(ground, &profile, &words);
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        launch::start(command)
    }

    /// Runs it in the open.
    pub(crate) fn in_the_open(&self) -> Visited {
        let ground = Ground::new();
        let finished = self.start_in_the_open(&ground).finish();
        Visited { steps: steps(&finished), finished, events: Vec::new(), ground }
    }

    /// Runs it in the pen; its log is whole.
    pub(crate) fn in_the_pen(&self) -> Visited {
        let ground = Ground::new();
        let finished = self.start_in_the_pen(&ground).finish();
        let events = log::events(&ground.path("audit"));
        assert!(!events.is_empty(), "nothing was started: {:?}\n{}", finished.status, finished.stderr);
        log::assert_whole(&ground, &events);
        Visited { steps: steps(&finished), finished, events, ground }
    }
}

fn fill(ground: &Ground, text: &str) -> String {
    ["workspace", "outside"]
        .iter()
        .fold(text.to_owned(), |text, place| text.replace(&format!("{{{place}}}"), &ground.text(place)))
}

fn steps(finished: &Finished) -> Vec<(String, Option<String>)> {
    let step = |line: &str| {
        let mut words = line.splitn(3, ' ');
        match (words.next(), words.next(), words.next()) {
            (Some("OPEN"), Some(step), None) => Some((step.to_owned(), None)),
            (Some("BLOCKED"), Some(step), Some(how)) => Some((step.to_owned(), Some(how.to_owned()))),
            (Some("BROKEN"), ..) => panic!("the client is broken:\n{}", finished.stderr),
            _ => None,
        }
    };
    finished.stderr.lines().filter_map(step).collect()
}

impl Visited {
    /// Each step went as said: `""` is success, anything else is how it must have been blocked.
    pub(crate) fn went(&self, wanted: &[(&str, &str)]) -> &Self {
        let told: Vec<(&str, &str)> = self
            .steps
            .iter()
            .map(|(step, how)| (step.as_str(), how.as_deref().unwrap_or_default()))
            .collect();
        assert!(
            told == wanted,
            "wanted {wanted:?}\nwas    {told:?}\n{:?}\n{}\n{}",
            self.finished.status,
            self.finished.stderr,
            self.network_events()
        );
        self
    }

    /// Every step succeeded, and there were so many.
    pub(crate) fn all_open(&self, count: usize) -> &Self {
        let open = self.steps.iter().filter(|(_, how)| how.is_none()).count();
        assert!(
            open == count && self.steps.len() == count,
            "{count} steps must succeed: {:?}\n{:?}\n{}\n{}",
            self.steps,
            self.finished.status,
            self.finished.stderr,
            self.network_events()
        );
        self
    }

    /// An event with these fields; numbers are compared by their text.
    pub(crate) fn recorded(&self, event: &str, fields: &[(&str, &str)]) -> &Value {
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let fits = |line: &&Value| fields.iter().all(|(name, value)| text(&line[*name]) == *value);
        self.events
            .iter()
            .filter(|line| line["event"] == event)
            .find(fits)
            .unwrap_or_else(|| panic!("no {event} with {fields:?} in\n{}", self.network_events()))
    }

    /// A refusal with this reason: an event of the kind, told whole.
    pub(crate) fn refused(&self, event: &str, reason: &str, fields: &[(&str, &str)]) -> &Value {
        let verdict: &[(&str, &str)] = match event {
            "syscall.denied" => &[("reason", reason)],
            _ => &[("verdict", "deny"), ("reason", reason)],
        };
        let line = self.recorded(event, &[verdict, fields].concat());
        let said = |name: &str| line[name].as_str().is_some_and(|text| !text.is_empty());
        assert!(said("layer") && said("exe"), "{line}");
        assert!(said("remedy") != said("why_not"), "one of remedy and why_not: {line}");
        line
    }

    /// No event of the kind with these fields.
    pub(crate) fn never(&self, event: &str, fields: &[(&str, &str)]) -> &Self {
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let found = self
            .events
            .iter()
            .filter(|line| line["event"] == event)
            .find(|line| fields.iter().all(|(name, value)| text(&line[*name]) == *value));
        assert!(found.is_none(), "{found:?}");
        self
    }

    /// What the log says about the network and about refusals, for messages.
    pub(crate) fn network_events(&self) -> String {
        self.events
            .iter()
            .filter(|line| {
                line["event"].as_str().is_some_and(|name| name.starts_with("network."))
                    || line["verdict"] == "deny"
                    || line["event"] == "syscall.denied"
            })
            .map(|line| format!("  {line}\n"))
            .collect()
    }
}
