//! `caponier client unwrap`: caponier taken away from servers.

use std::process::ExitCode;

use clap::Args;

use crate::cli::client::apply::{Action, Change, Skipped, Touched, Work, unusable};
use crate::cli::client::{Refused, Whose, look};
use crate::cli::surroundings::Surroundings;
use crate::clients::Format;
use crate::clients::file::digest;
use crate::clients::kept::{Kept, Record};
use crate::clients::server::Server;
use crate::clients::survey::{Config, Failed, Planned};

/// Take caponier away again, byte for byte; without --yes only show what would change
#[derive(Debug, Args)]
pub(super) struct UnwrapArgs {
    #[command(flatten)]
    whose: Whose,
    /// Only the servers of this name, also those that somebody else put caponier in front of (repeatable)
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// Change the files
    #[arg(long)]
    yes: bool,
    /// One JSON object
    #[arg(long)]
    json: bool,
}

/// Runs it.
pub(super) fn run(args: &UnwrapArgs, around: &Surroundings) -> Result<ExitCode, Refused> {
    let kept = Kept::new(&around.directories.state);
    let survey = look(around, &args.whose);
    let (mut changes, mut skipped) = (Vec::new(), Vec::new());
    for config in &survey.configs {
        let record = kept.record(&config.file.real).map_err(|error| unusable(&error))?;
        if let Some(change) = file(args, &kept, config, record.as_ref(), &mut skipped)? {
            changes.push(change);
        }
    }
    let has =
        |name: &String| survey.configs.iter().flat_map(|config| &config.servers).any(|it| it.name == *name);
    let missing: Vec<String> = args.only.iter().filter(|name| !has(name)).cloned().collect();
    let work = Work {
        action: Action::Unwrap,
        survey: &survey,
        changes,
        skipped,
        missing,
        besides: Vec::new(),
        json: args.json,
        yes: args.yes,
    };
    work.run(&kept)
}

fn file<'c>(
    args: &UnwrapArgs,
    kept: &Kept,
    config: &'c Config,
    record: Option<&Record>,
    skipped: &mut Vec<Skipped<'c>>,
) -> Result<Option<Change<'c>>, Refused> {
    let mut skip = |server: &Server, why: String, is_failure: bool| {
        let (server, state) = (server.name.clone(), server.state.name());
        skipped.push(Skipped { config, server, state, why, is_failure });
    };
    let is_ours = |server: &Server| {
        record.is_some_and(|record| record.entries.iter().any(|entry| entry.path == server.path))
    };
    let mut meant: Vec<&Server> = Vec::new();
    for server in config.wrapped() {
        let is_named = args.only.contains(&server.name);
        if !args.only.is_empty() && !is_named {
            continue;
        }
        if config.place.format() == Format::Yaml {
            skip(server, "caponier does not write YAML: undo by hand what was pasted".to_owned(), is_named);
        } else if is_named || is_ours(server) {
            meant.push(server);
        } else {
            let why = "`client wrap` did not put caponier there; --only NAME takes it away all the same";
            skip(server, why.to_owned(), false);
        }
    }
    if meant.is_empty() {
        return Ok(None);
    }
    let paths: Vec<Vec<String>> = meant.iter().map(|server| server.path.clone()).collect();
    let unwrapped = config.file.replaceable().map_err(|error| error.to_string());
    let unwrapped = unwrapped.and_then(|()| config.unwrap(&paths, record).map_err(|error| error.to_string()));
    let (mut planned, failed) = match unwrapped {
        Ok(unwrapped) => unwrapped,
        Err(why) => {
            meant.iter().for_each(|server| skip(server, why.clone(), true));
            return Ok(None);
        }
    };
    exact(kept, config, record, &paths, &mut planned);
    for Failed { path, why } in &failed {
        meant
            .iter()
            .filter(|server| server.path == *path)
            .for_each(|server| skip(server, why.to_string(), true));
    }
    meant.retain(|server| failed.iter().all(|failed| failed.path != server.path));
    let servers: Vec<Touched> = meant
        .iter()
        .map(|server| Touched {
            name: server.name.clone(),
            path: server.path.clone(),
            project: server.project.clone(),
            profile: None,
        })
        .collect();
    Ok((!servers.is_empty()).then_some(Change { config, planned, servers, notes: Vec::new() }))
}

/// When nobody but us changed the file, and all of it is undone, it is what it was to the byte: what the splices give is
/// held against the digest, and the copy takes its place should they differ.
fn exact(
    kept: &Kept,
    config: &Config,
    record: Option<&Record>,
    paths: &[Vec<String>],
    planned: &mut Planned,
) {
    let Some(record) = record.filter(|record| record.after == config.file.sha256) else { return };
    let all = record.entries.iter().all(|entry| paths.contains(&entry.path));
    let Some(origin) = record.origin.as_ref().filter(|_| all) else { return };
    if digest(planned.text.as_bytes()) != origin.sha256
        && let Ok(text) = kept.backup(origin)
    {
        planned.text = text;
    }
}
