//! `caponier client wrap`: caponier in front of servers.

use std::io::Write as _;
use std::process::ExitCode;

use clap::Args;

use crate::cli::client::apply::{Action, Change, Skipped, Touched, Work};
use crate::cli::client::options::{self, Profiles};
use crate::cli::client::{Refused, Shown, Whose, look, plain_name, program, report};
use crate::cli::surroundings::Surroundings;
use crate::cli::term::Terminal;
use crate::cli::term::escape::escape;
use crate::clients::Format;
use crate::clients::kept::Kept;
use crate::clients::paste::paste;
use crate::clients::server::{Server, State, obstacle};
use crate::clients::survey::{Config, Words};
use crate::policy::Environment;
use crate::profile;

/// Put caponier in front of servers; without --yes only show what would change
#[derive(Debug, Args)]
pub(super) struct WrapArgs {
    #[command(flatten)]
    whose: Whose,
    /// Only the servers of this name (repeatable)
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// The profile of all, or of one server (repeatable) [default: the one that was made for the package, or chosen when the server starts]
    #[arg(long, value_name = "PROFILE|SERVER=PROFILE")]
    profile: Vec<String>,
    /// Change the files
    #[arg(long)]
    yes: bool,
    /// One JSON object
    #[arg(long)]
    json: bool,
}

/// Runs it.
pub(super) fn run(args: &WrapArgs, around: &Surroundings) -> Result<ExitCode, Refused> {
    let profiles = Profiles::parse(&args.profile, around)?;
    let program = program()?;
    let survey = look(around, &args.whose);
    let mut plan =
        Plan { args, profiles: &profiles, program: &program, changes: Vec::new(), skipped: Vec::new() };
    for config in &survey.configs {
        plan.file(config);
    }
    let Plan { mut changes, skipped, .. } = plan;
    tell_shared_names(&survey.configs, &mut changes);
    let has = |name: &str| {
        survey.configs.iter().flat_map(|config| &config.servers).any(|server| server.name == name)
    };
    let asked = args.only.iter().map(String::as_str).chain(profiles.named());
    let mut missing: Vec<String> = asked.filter(|name| !has(name)).map(str::to_owned).collect();
    missing.dedup();
    let mut besides = Vec::new();
    if !args.json {
        tell_profiles(&changes, around, &mut besides);
        besides.extend(by_hand(args, &survey.configs, &program)?);
    }
    let work = Work {
        action: Action::Wrap,
        survey: &survey,
        changes,
        skipped,
        missing,
        besides,
        json: args.json,
        yes: args.yes,
    };
    work.run(&Kept::new(&around.directories.state))
}

struct Plan<'p, 'c> {
    args: &'p WrapArgs,
    profiles: &'p Profiles,
    program: &'p str,
    changes: Vec<Change<'c>>,
    skipped: Vec<Skipped<'c>>,
}

impl<'c> Plan<'_, 'c> {
    fn file(&mut self, config: &'c Config) {
        let (mut words, mut servers, mut notes) = (Vec::new(), Vec::new(), Vec::new());
        for server in &config.servers {
            if !(self.args.only.is_empty() || self.args.only.contains(&server.name)) {
                continue;
            }
            match self.choose(config, server) {
                Ok(chosen) => {
                    notes.extend(chosen.notes.iter().map(|note| format!("\"{}\": {note}", server.name)));
                    let program = self.program.to_owned();
                    words.push(Words { path: server.path.clone(), program, words: chosen.words });
                    servers.push(Touched {
                        name: server.name.clone(),
                        path: server.path.clone(),
                        project: server.project.clone(),
                        profile: self.profiles.of(server).map(str::to_owned),
                    });
                }
                Err(why) => self.skip(config, server, why, false),
            }
        }
        if words.is_empty() {
            return;
        }
        let planned = config.file.replaceable().map_err(|error| error.to_string());
        match planned.and_then(|()| config.wrap(&words).map_err(|error| error.to_string())) {
            Ok(planned) => self.changes.push(Change { config, planned, servers, notes }),
            Err(why) => {
                for server in
                    config.servers.iter().filter(|server| servers.iter().any(|it| it.path == server.path))
                {
                    self.skip(config, server, why.clone(), true);
                }
            }
        }
    }

    fn choose(&self, config: &Config, server: &Server) -> Result<options::Chosen, String> {
        match &server.state {
            State::Bare => {}
            State::Wrapped(_) => return Err("caponier stands in front of it already".to_owned()),
            State::Remote => return Err("it is reached by an address: nothing of it runs here".to_owned()),
            State::Odd(why) => return Err(why.clone()),
        }
        if config.place.format() == Format::Yaml {
            return Err("caponier does not write YAML: see below what to paste".to_owned());
        }
        if let Some(why) = obstacle(&server.words, self.profiles.is_chosen(&server.name)) {
            return Err(why);
        }
        options::of(config, server, self.profiles.of(server))
    }

    fn skip(&mut self, config: &'c Config, server: &Server, why: String, is_failure: bool) {
        let is_asked_for = !self.args.only.is_empty() && !matches!(server.state, State::Wrapped(_));
        let (server, state) = (server.name.clone(), server.state.name());
        self.skipped.push(Skipped { config, server, state, why, is_failure: is_failure || is_asked_for });
    }
}

/// What the profiles are for, in the words of each: a name alone would tell little before the first refusal.
fn tell_profiles(changes: &[Change<'_>], around: &Surroundings, out: &mut Vec<u8>) {
    let mut meant: Vec<&str> = changes
        .iter()
        .flat_map(|change| &change.servers)
        .filter_map(|server| server.profile.as_deref())
        .collect();
    meant.sort_unstable();
    meant.dedup();
    for (listed, description) in profile::list(&around.directories, Environment::Prod) {
        if meant.contains(&listed.name.as_str()) {
            let description =
                description.unwrap_or_else(|| format!("see `caponier profile show {}`", listed.name));
            // Writing to memory cannot fail.
            let _ = writeln!(out, "profile {}: {}", escape(&listed.name), escape(&description));
        }
    }
}

/// What to paste, as it is printed.
fn by_hand(args: &WrapArgs, configs: &[Config], program: &str) -> Result<Vec<u8>, Refused> {
    let mut out = Vec::new();
    let shown = Shown::of(configs)?;
    for config in configs.iter().filter(|config| config.place.format() == Format::Yaml) {
        for server in config.servers.iter().filter(|it| args.only.is_empty() || args.only.contains(&it.name))
        {
            if let Some(paste) = paste(config, server, program, &options::by_default(server)) {
                // Writing to memory cannot fail.
                let _ = report::paste(&mut out, Terminal::NONE, &shown, (config, server), &paste);
            }
        }
    }
    Ok(out)
}

/// Of two servers with one name the log says one thing, and what the first one says of its tools is held against the
/// second: worth a word where they are not the same.
fn tell_shared_names(configs: &[Config], changes: &mut [Change<'_>]) {
    let own = |server: &Server| match &server.state {
        State::Wrapped(wrapper) => (wrapper.name.clone().unwrap_or_default(), wrapper.words.clone()),
        _ => (plain_name(&server.name), server.words.clone()),
    };
    let all: Vec<(String, Vec<String>)> =
        configs.iter().flat_map(|config| &config.servers).map(own).collect();
    for change in changes {
        for touched in &change.servers {
            let Some(server) = change.config.servers.iter().find(|it| it.path == touched.path) else {
                continue;
            };
            let (name, words) = own(server);
            if all.iter().any(|(other, others)| *other == name && !others.is_empty() && *others != words) {
                let note = "another server of this name starts something else, and they share a name in the log and \
                            their pins: give one of them another --name there";
                change.notes.push(format!("\"{}\": {note}", touched.name));
            }
        }
    }
}
