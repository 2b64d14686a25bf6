//! One attack, tried twice: in the open, where it must succeed, and in the pen, where each of its steps must fail in
//! the named way and leave the named record.
//!
//! Order that matters: the open run comes first and on ground of its own; an attack that does not work there proves
//! nothing. A crash, another errno, another step, a missing or a differing record: each fails the test.
//! Expectations are texts with places in braces (`{outside}/secret.txt`), filled in for the ground of the run.

use std::fs;
use std::process::Command;

use serde_json::Value;

use crate::pen::ground::Ground;
use crate::pen::{launch, log, program};
pub(crate) use crate::record::Record;
use crate::reports::Reports;
use crate::scene::Scene;

/// What a step does in the open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Open {
    /// It succeeds.
    Succeeds,
    /// The kernel refuses it with this errno, whoever asks.
    Refused(&'static str),
    /// The kernel refuses an ordinary user; root succeeds.
    RefusedForUser(&'static str),
    /// The kernel refuses both, differently: user, root.
    RefusedFor(&'static str, &'static str),
    /// The kernel refuses it, with an errno that depends on its configuration: the record tells the answers apart.
    RefusedSomehow,
    /// Depends on how the machine is set up: it succeeds, or is refused with this.
    Depends(&'static str),
}

/// What a step does in the pen.
#[derive(Debug, Clone, Copy)]
enum Outcome {
    Opens,
    Blocked(&'static str),
}

struct Step {
    name: &'static str,
    open: Open,
    pen: Outcome,
    record: Option<Record>,
}

/// How the program itself ends in the pen.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    /// By its own word: 0 when nothing was blocked, 1 otherwise.
    OwnWord,
    /// By this exit status of `caponier run`, before any step was reported.
    Killed(i32),
}

type Stage = Box<dyn Fn(&Ground)>;

/// The builder.
pub(crate) struct Trial {
    attack: &'static str,
    arguments: Vec<String>,
    launcher: Option<Vec<String>>,
    environment: Vec<(&'static str, String)>,
    grants: [Vec<String>; 3],
    limits: Vec<(&'static str, String)>,
    network: Vec<(&'static str, String)>,
    stages: Vec<Stage>,
    steps: Vec<Step>,
    end: End,
    unrecorded: Vec<&'static str>,
}

impl Trial {
    /// An attack, with its words.
    pub(crate) fn new(attack: &'static str, arguments: &[&str]) -> Trial {
        Trial {
            attack,
            arguments: arguments.iter().map(|word| (*word).to_owned()).collect(),
            launcher: None,
            environment: Vec::new(),
            grants: [vec!["{reading}".into()], vec!["{workspace}".into()], Vec::new()],
            limits: Vec::new(),
            network: Vec::new(),
            stages: Vec::new(),
            steps: Vec::new(),
            end: End::OwnWord,
            unrecorded: Vec::new(),
        }
    }

    /// Grants a further path for reading.
    pub(crate) fn read(mut self, path: &str) -> Trial {
        self.grants[0].push(path.to_owned());
        self
    }

    /// Grants a further path for writing.
    pub(crate) fn write(mut self, path: &str) -> Trial {
        self.grants[1].push(path.to_owned());
        self
    }

    /// Grants a program.
    pub(crate) fn execute(mut self, path: &str) -> Trial {
        self.grants[2].push(path.to_owned());
        self
    }

    /// Sets a limit; the value is TOML.
    pub(crate) fn limit(mut self, name: &'static str, value: &str) -> Trial {
        self.limits.push((name, value.to_owned()));
        self
    }

    /// Sets a key of `[network]`; the value is TOML, places in it are filled in.
    pub(crate) fn network(mut self, name: &'static str, value: &str) -> Trial {
        self.network.push((name, value.to_owned()));
        self
    }

    /// Prepares the ground of either run.
    pub(crate) fn stage(mut self, prepare: impl Fn(&Ground) + 'static) -> Trial {
        self.stages.push(Box::new(prepare));
        self
    }

    /// Starts either run through a program of `tests/escape/attacks`, which executes the rest of its words.
    pub(crate) fn launched_by(mut self, program: &str, words: &[&str]) -> Trial {
        let launcher = program::attack(program).to_str().expect("UTF-8").to_owned();
        self.launcher = Some([launcher].into_iter().chain(words.iter().map(|word| (*word).into())).collect());
        self
    }

    /// Sets a variable in the environment of the client.
    pub(crate) fn env(mut self, name: &'static str, value: &str) -> Trial {
        self.environment.push((name, value.to_owned()));
        self
    }

    /// A step that is blocked in the pen, and its record.
    pub(crate) fn blocked(mut self, name: &'static str, errno: &'static str, record: Record) -> Trial {
        let record = Some(record);
        self.steps.push(Step { name, open: Open::Succeeds, pen: Outcome::Blocked(errno), record });
        self
    }

    /// A step that is blocked by the kernel without asking anyone: there is nothing to record.
    pub(crate) fn blocked_unrecorded(mut self, name: &'static str, errno: &'static str) -> Trial {
        self.steps.push(Step { name, open: Open::Succeeds, pen: Outcome::Blocked(errno), record: None });
        self
    }

    /// A step that must go on working in the pen.
    pub(crate) fn works(mut self, name: &'static str) -> Trial {
        self.steps.push(Step { name, open: Open::Succeeds, pen: Outcome::Opens, record: None });
        self
    }

    /// The last step's record, where it works in the pen.
    pub(crate) fn recorded(mut self, record: Record) -> Trial {
        self.steps.last_mut().expect("a step").record = Some(record);
        self
    }

    /// What the last step does in the open, when it does not simply succeed.
    pub(crate) fn in_the_open(mut self, open: Open) -> Trial {
        self.steps.last_mut().expect("a step").open = open;
        self
    }

    /// In the pen the program dies before it can report, and `caponier run` says this status.
    pub(crate) fn killed(mut self, status: i32) -> Trial {
        self.end = End::Killed(status);
        self
    }

    /// No line of this event may be in the log.
    pub(crate) fn never(mut self, event: &'static str) -> Trial {
        self.unrecorded.push(event);
        self
    }

    /// Tries it; the log of the run in the pen, for what else a test wants to see.
    pub(crate) fn run(self) -> Vec<Value> {
        self.run_in_the_open();
        self.run_in_the_pen()
    }

    fn set_scene(&self) -> Scene {
        let scene = Scene::set(&self.arguments);
        for stage in &self.stages {
            stage(&scene.ground);
        }
        scene
    }

    fn program(&self) -> String {
        program::attack(self.attack).to_str().expect("UTF-8").to_owned()
    }

    fn run_in_the_open(&self) {
        let scene = self.set_scene();
        let mut command = match &self.launcher {
            None => Command::new(self.program()),
            Some(words) => {
                let mut command = Command::new(&words[0]);
                command.args(words[1..].iter().map(|word| scene.fill(word))).arg(self.program());
                command
            }
        };
        command.args(self.arguments.iter().map(|word| scene.fill(word)));
        let mut command = launch::at_home(command, &scene.ground);
        command.envs(self.environment.iter().map(|(name, value)| (name, scene.fill(value))));
        let finished = launch::start(command).finish();
        let said = &finished.stderr;
        let reports = Reports::parse(said);
        let told =
            |name: &str| reports.steps.iter().find(|(step, _)| step == name).map(|(_, how)| how.as_deref());
        for step in &self.steps {
            let how = told(step.name).unwrap_or_else(|| panic!("open: no word of {}:\n{said}", step.name));
            let root = nix::unistd::geteuid().is_root();
            let fine = match step.open {
                Open::Succeeds => how.is_none(),
                Open::Refused(errno) => how == Some(errno),
                Open::RefusedForUser(_) if root => how.is_none(),
                Open::RefusedForUser(errno) => how == Some(errno),
                Open::RefusedFor(_, errno) if root => how == Some(errno),
                Open::RefusedFor(errno, _) => how == Some(errno),
                Open::RefusedSomehow => how.is_some(),
                Open::Depends(errno) => how.is_none() || how == Some(errno),
            };
            assert!(fine, "open: {} must be {:?} and was {how:?}:\n{said}", step.name, step.open);
        }
        assert_eq!(reports.steps.len(), self.steps.len(), "open: other steps than expected:\n{said}");
        let code = i32::from(reports.steps.iter().any(|(_, how)| how.is_some()));
        assert_eq!(finished.code(), Some(code), "open: {:?}\n{said}", finished.status);
    }

    fn run_in_the_pen(&self) -> Vec<Value> {
        let scene = self.set_scene();
        let profile = scene.ground.profile(&self.profile(&scene));
        let words: Vec<String> =
            [self.program()].into_iter().chain(self.arguments.iter().map(|word| scene.fill(word))).collect();
        let mut command = match &self.launcher {
            None => launch::run(&scene.ground, &profile, &words),
            Some(launcher) => {
                let mut command = Command::new(&launcher[0]);
                command.args(launcher[1..].iter().map(|word| scene.fill(word))).arg(launch::binary());
                command.args(launch::run_words(&scene.ground, &profile, &words));
                launch::at_home(command, &scene.ground)
            }
        };
        command.envs(self.environment.iter().map(|(name, value)| (name, scene.fill(value))));
        let finished = launch::start(command).finish();
        let said = &finished.stderr;
        assert!(finished.stdout.is_empty(), "something but messages on stdout: {finished:?}");
        let reports = Reports::parse(said);
        let events = log::events(&scene.ground.path("audit"));

        if let End::Killed(status) = self.end {
            assert_eq!(finished.code(), Some(status), "pen: {:?}\n{said}", finished.status);
            assert!(reports.steps.is_empty(), "pen: a step was reported:\n{said}");
        } else {
            let wanted: Vec<_> = self
                .steps
                .iter()
                .map(|step| match step.pen {
                    Outcome::Opens => (step.name.to_owned(), None),
                    Outcome::Blocked(errno) => (step.name.to_owned(), Some(errno.to_owned())),
                })
                .collect();
            let lines = |steps: &[(String, Option<String>)]| {
                let line = |(name, how): &(String, Option<String>)| match how {
                    None => format!("OPEN {name}\n"),
                    Some(how) => format!("BLOCKED {name} {how}\n"),
                };
                steps.iter().map(line).collect::<String>()
            };
            assert!(
                reports.steps == wanted,
                "pen: wanted\n{}\nwas\n{}\n{:?}, last line of the log {}\nall of stderr:\n{said}",
                lines(&wanted),
                lines(&reports.steps),
                finished.status,
                events.last().unwrap_or(&Value::Null)
            );
            let code = i32::from(wanted.iter().any(|(_, how)| how.is_some()));
            assert_eq!(finished.code(), Some(code), "pen: {:?}\n{said}", finished.status);
        }

        log::assert_whole(&scene.ground, &events);
        let mut missing = Vec::new();
        for step in &self.steps {
            let errno = match step.pen {
                Outcome::Opens => None,
                Outcome::Blocked(errno) => Some(errno),
            };
            let Some(record) = &step.record else { continue };
            let fill = |text: &str| scene.fill(text);
            if let Err(why) = record.find(&fill, errno, &events, &reports, &self.program()) {
                missing.push(format!("{}: {why}", step.name));
            }
        }
        assert!(
            missing.is_empty(),
            "pen: the log lacks\n{}\nits refusals:\n{}",
            missing.join("\n"),
            refusals(&events)
        );
        for name in &self.unrecorded {
            assert_eq!(log::of(&events, name).count(), 0, "no {name} was expected:\n{}", refusals(&events));
        }
        events
    }

    fn profile(&self, scene: &Scene) -> String {
        let list = |paths: &[String]| {
            let quoted: Vec<_> = paths.iter().map(|path| format!("{:?}", scene.fill(path))).collect();
            format!("[{}]", quoted.join(", "))
        };
        let [read, write, execute] = &self.grants;
        let limits: String = self.limits.iter().map(|(name, value)| format!("{name} = {value}\n")).collect();
        let network: String =
            self.network.iter().map(|(name, value)| format!("{name} = {}\n", scene.fill(value))).collect();
        format!(
            "version = 1\ndescription = \"the pen of an attack\"\n\
             [filesystem]\nread = {}\nwrite = {}\n[process]\nexecute = {}\n[limits]\n{limits}\
             [network]\n{network}",
            list(read),
            list(write),
            list(execute)
        )
    }
}

/// Every refusal of a log, one a line, for messages.
fn refusals(events: &[Value]) -> String {
    events
        .iter()
        .filter(|event| event["verdict"] == "deny" || event["event"] == "syscall.denied")
        .map(|event| format!("  {event}\n"))
        .collect()
}

/// Copies a program into the ground.
pub(crate) fn install(ground: &Ground, program: &str, place: &str) {
    fs::copy(program::attack(program), ground.path(place)).expect(place);
}
