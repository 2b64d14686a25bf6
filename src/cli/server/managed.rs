//! `caponier server add`, `list`, `remove`: what is in the store.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use crate::cli::diagnostic::{self, escape, written};
use crate::cli::run::refused;
use crate::cli::server::fail;
use crate::cli::surroundings::Surroundings;
use crate::cli::term::table::{Column, Table};
use crate::cli::term::{Style, Terminal};
use crate::store::install::{self, Around};
use crate::store::package::{self, Wish};
use crate::store::record::Record;
use crate::store::server::Server;

/// Install a package into the store, whole and locked: later starts need no network
#[derive(Debug, Args)]
pub(super) struct AddArgs {
    /// npm:PACKAGE[@VERSION] or pypi:PACKAGE[==VERSION]
    #[arg(value_name = "PACKAGE")]
    package: String,
    /// The server's name [default: the package's, without its scope]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// One JSON object: what is in the store now
    #[arg(long)]
    json: bool,
}

/// List what is in the store
#[derive(Debug, Args)]
pub(super) struct ListArgs {
    /// One JSON object
    #[arg(long)]
    json: bool,
}

/// Remove a server from the store, or one of its versions; what is in use stays
#[derive(Debug, Args)]
pub(super) struct RemoveArgs {
    /// The server's name, or NAME@VERSION for one version that is not the one in use
    #[arg(value_name = "NAME[@VERSION]")]
    server: String,
    /// One JSON object: what was removed
    #[arg(long)]
    json: bool,
}

/// How packages are installed from here.
pub(super) fn with_around<T>(around: &Surroundings, then: impl FnOnce(&Around<'_>) -> T) -> T {
    let environment: Vec<_> = std::env::vars_os().collect();
    then(&Around {
        audit_dir: &around.directories.audit(),
        lookup: &around.lookup(),
        environment: &environment,
        tell: &|line| diagnostic::note(&escape(line)),
    })
}

/// Adds one.
pub(super) fn add(args: &AddArgs, around: &Surroundings) -> ExitCode {
    let (package, wanted) = match package::reference(&args.package) {
        Ok(reference) => reference,
        Err(error) => {
            return fail(&error.to_string(), "as in npm:@modelcontextprotocol/server-memory@2026.8.31");
        }
    };
    let name = args.name.clone().unwrap_or_else(|| package.server().to_owned());
    let server = Server::new(&around.directories.data, &name);
    let wish = Wish::of(package, wanted);
    let added = with_around(around, |with| -> Result<(), install::Error> {
        let right = server.exclusive()?;
        let known = server.record()?;
        if let Some(digest) = known.as_ref().filter(|record| record.package == wish.package.shown())
            && let Some(digest) = digest.find(&wish)
        {
            let held = server.hold(digest)?;
            (with.tell)(&format!("{} is in the store already, as \"{name}\"", held.package()));
            return Ok(());
        }
        install::add(&server, &right, &wish, with)?;
        if known.is_some() {
            (with.tell)(&format!(
                "another version of \"{name}\" stays in use; a command line that names the new one gets it, and \
                 `caponier server promote {name}` makes it the one in use"
            ));
        }
        Ok(())
    });
    match added {
        Ok(()) if !args.json => ExitCode::SUCCESS,
        Ok(()) => match server.record() {
            Ok(Some(record)) => {
                let server = as_json(&server, &record);
                written(writeln!(io::stdout(), "{}", json!({"v": 1, "server": server})), 0)
            }
            Ok(None) => fail("it was removed again by somebody else", LIST),
            Err(error) => refused(&error.into(), &name).tell(),
        },
        Err(error) => refused(&error, &name).tell(),
    }
}

/// Lists them.
pub(super) fn list(args: &ListArgs, around: &Surroundings) -> ExitCode {
    let all = match Server::all(&around.directories.data) {
        Ok(all) => all,
        Err(error) => return fail(&error.to_string(), "the store cannot be read"),
    };
    let mut servers = Vec::new();
    let mut broken = false;
    for found in all {
        match found {
            Ok(found) => servers.push(found),
            Err(error) => {
                broken = true;
                diagnostic::tell(&format!("error: {}\n", escape(&error.to_string())));
            }
        }
    }
    let stdout = io::stdout();
    let terminal = Terminal::of(&stdout);
    let mut out = stdout.lock();
    let result = if args.json {
        let servers: Vec<_> = servers.iter().map(|(server, record)| as_json(server, record)).collect();
        writeln!(out, "{}", json!({"v": 1, "servers": servers}))
    } else if servers.is_empty() {
        writeln!(
            out,
            "the store is empty; `caponier server add npm:PACKAGE` fills it, and so does `caponier run -- npx …`"
        )
    } else {
        as_text(&servers, terminal, &mut out)
    };
    written(result, u8::from(broken))
}

fn as_json(server: &Server, record: &Record) -> serde_json::Value {
    let versions: Vec<_> = record
        .versions
        .iter()
        .map(|(digest, version)| {
            json!({
                "version": version.version,
                "digest": digest,
                "fitting": version.fitting,
                "with": version.with,
                "python": version.python,
                "folder": server.folder().join(digest),
                "in_use": server.is_in_use(digest),
            })
        })
        .collect();
    json!({
        "name": server.name(),
        "package": record.package,
        "current": record.current,
        "version": record.version(&record.current),
        "previous": record.previous,
        "staged": record.staged,
        "versions": versions,
    })
}

const COLUMNS: &[Column] = &[
    Column::short("name"),
    Column::short("package"),
    Column::short("version"),
    Column::short("before"),
    Column::short("staged"),
];

fn as_text(servers: &[(Server, Record)], terminal: Terminal, out: &mut impl Write) -> io::Result<()> {
    let mut table = Table::new(COLUMNS, terminal);
    for (server, record) in servers {
        let version = |digest: &Option<String>| {
            digest.as_ref().map_or_else(|| "-".to_owned(), |digest| record.version(digest).to_owned())
        };
        let current = record.version(&record.current);
        let (previous, staged) = (version(&record.previous), version(&record.staged));
        table.row(out, Style::Plain, &[server.name(), &record.package, current, &previous, &staged])?;
    }
    table.finish(out)
}

/// Removes one.
pub(super) fn remove(args: &RemoveArgs, around: &Surroundings) -> ExitCode {
    let (name, version) = match args.server.rsplit_once('@') {
        Some((name, version)) if !name.is_empty() => (name, Some(version)),
        _ => (args.server.as_str(), None),
    };
    let server = Server::new(&around.directories.data, name);
    let removed = || -> Result<Result<String, (String, &'static str)>, install::Error> {
        let Some(record) = server.record()? else {
            return Ok(Err((format!("there is no server {name:?} in the store"), LIST)));
        };
        let right = server.exclusive()?;
        let Some(version) = version else {
            server.remove(&right)?;
            let versions: Vec<&str> = record.versions.values().map(|one| one.version.as_str()).collect();
            return Ok(Ok(format!("removed {} {}", record.package, versions.join(", "))));
        };
        let wanted = |digest: &&String| record.version(digest) == version;
        let Some(digest) = record.versions.keys().find(wanted).cloned() else {
            return Ok(Err((format!("there is no version {version} of {name:?} in the store"), LIST)));
        };
        if digest == record.current {
            let help = "promote another one first, or remove the server as a whole";
            return Ok(Err((format!("{version} is the version of {name:?} that is in use"), help)));
        }
        let package = record.package.clone();
        server.remove_version(&right, record, &digest)?;
        Ok(Ok(format!("removed {version} of {package}")))
    };
    let tell = |said: &str| {
        let mut out = io::stdout().lock();
        let told = match args.json {
            true => writeln!(out, "{}", json!({"v": 1, "name": name, "version": version, "removed": true})),
            false => writeln!(out, "{}", escape(said)),
        };
        written(told, 0)
    };
    match removed() {
        Ok(Ok(said)) => tell(&said),
        Ok(Err((message, help))) => fail(&message, help),
        // A record that cannot be understood is in the way of everything else.
        Err(install::Error::Server(crate::store::server::Error::Broken { .. })) if version.is_none() => {
            let gone = server.exclusive().and_then(|right| server.remove(&right));
            match gone {
                Ok(()) => tell("removed; its record could not be understood"),
                Err(error) => refused(&error.into(), name).tell(),
            }
        }
        Err(error) => refused(&error, name).tell(),
    }
}

const LIST: &str = "`caponier server list` shows what there is";
