//! `caponier client list`: every server, whose it is, what it starts, and what caponier is to it.

use std::io::{self, BufWriter, Write};
use std::process::ExitCode;

use clap::Args;
use serde_json::{Value, json};

use crate::cli::client::{Refused, Shown, Whose, joined, look, options, program, report, shown_path};
use crate::cli::diagnostic::written;
use crate::cli::surroundings::Surroundings;
use crate::cli::term::table::{Column, Table};
use crate::cli::term::{Style, Terminal};
use crate::clients::paste::{Paste, paste};
use crate::clients::server::{Server, State, Wrapper, obstacle, through};
use crate::clients::survey::{Config, Survey};

/// List every server that a client's configuration names, and whether caponier stands in front of it
#[derive(Debug, Args)]
pub(super) struct ListArgs {
    #[command(flatten)]
    whose: Whose,
    /// One JSON object
    #[arg(long)]
    json: bool,
}

/// Runs it; 1 when a file cannot be read or understood.
pub(super) fn run(args: &ListArgs, around: &Surroundings) -> Result<ExitCode, Refused> {
    let survey = look(around, &args.whose);
    let program = program()?;
    // One for all: to make one costs more than to read a file.
    let shown = Shown::of(&survey.configs)?;
    let rows: Vec<Row<'_>> =
        survey.configs.iter().flat_map(|config| rows(config, &shown, &program)).collect();
    let stdout = io::stdout();
    let terminal = Terminal::of(&stdout);
    let mut out = BufWriter::new(stdout.lock());
    let result = match args.json {
        true => as_json(&survey, &rows, &mut out),
        false => as_table(&rows, terminal, &mut out),
    };
    let result = result.and_then(|()| out.flush());
    drop(out);
    report::troubles(&survey);
    if survey.configs.is_empty() && survey.troubled.is_empty() && !args.json {
        report::none_found();
    }
    Ok(written(result, u8::from(!survey.troubled.is_empty())))
}

/// One server, as it is shown.
struct Row<'c> {
    config: &'c Config,
    server: &'c Server,
    shown: &'c Shown,
    /// The server's own words, without what is hidden.
    words: Vec<String>,
    why: Option<String>,
    through: Option<String>,
    paste: Option<Paste>,
}

fn rows<'c>(config: &'c Config, shown: &'c Shown, program: &str) -> Vec<Row<'c>> {
    let row = |server: &'c Server| {
        let own = own_words(server);
        let all = config.shown_words(server);
        let words = shown.words(all[all.len().saturating_sub(own.len())..].to_vec());
        Row {
            config,
            server,
            words,
            why: why(server, own),
            through: through(own).map(|(_, name)| name),
            paste: paste(config, server, program, &options::by_default(server)),
            shown,
        }
    };
    config.servers.iter().map(row).collect()
}

/// What is behind caponier, or all of it.
fn own_words(server: &Server) -> &[String] {
    match &server.state {
        State::Wrapped(wrapper) => &wrapper.words,
        _ => &server.words,
    }
}

fn why(server: &Server, own: &[String]) -> Option<String> {
    match &server.state {
        State::Odd(why) => Some(why.clone()),
        State::Remote => Some("not covered: nothing of it runs here".to_owned()),
        State::Wrapped(Wrapper { program, .. })
            if program.starts_with('/') && !std::path::Path::new(program).exists() =>
        {
            Some(format!("{program} is not there: unwrap it, and wrap it again"))
        }
        State::Wrapped(Wrapper { profile, .. }) => {
            profile.as_ref().map(|profile| format!("profile {profile}"))
        }
        State::Bare => obstacle(own, false),
    }
}

const COLUMNS: &[Column] = &[
    Column::short("client"),
    Column::short("server"),
    Column::short("state"),
    Column::detail("command"),
    Column::detail("note"),
    Column::detail("file"),
];

fn as_table(rows: &[Row<'_>], terminal: Terminal, out: &mut impl Write) -> io::Result<()> {
    let mut table = Table::new(COLUMNS, terminal);
    for row in rows {
        let style = match &row.server.state {
            State::Bare => Style::Yellow,
            State::Wrapped(_) => Style::Green,
            State::Remote => Style::Dim,
            State::Odd(_) => Style::Red,
        };
        let mut notes: Vec<String> = row.why.iter().cloned().collect();
        notes.extend(row.through.iter().filter(|_| row.why.is_none()).map(|name| format!("through {name}")));
        notes.extend(row.server.project.iter().map(|project| format!("in {project}")));
        notes.extend(row.server.disabled.then(|| "disabled".to_owned()));
        if row.paste.is_some() {
            notes.push("to wrap by hand, see below".to_owned());
        }
        let client = row.config.place.client.name;
        let file = shown_path(&row.config.place.path);
        let cells = [
            client,
            &row.server.name,
            row.server.state.name(),
            &joined(&row.words),
            &row.shown.line(&notes.join("; ")),
            &file,
        ];
        table.row(out, style, &cells)?;
    }
    table.finish(out)?;
    for row in rows {
        if let Some(paste) = &row.paste {
            report::paste(out, terminal, row.shown, (row.config, row.server), paste)?;
        }
    }
    Ok(())
}

fn as_json(survey: &Survey, rows: &[Row<'_>], out: &mut impl Write) -> io::Result<()> {
    let file = |config: &Config| {
        json!({
            "client": config.place.client.id,
            "scope": config.place.scope.name(),
            "file": shown_path(&config.place.path),
            "target": shown_path(&config.file.real),
            "format": config.place.format().name(),
            "servers": config.servers.len(),
        })
    };
    let report = json!({
        "v": 1,
        "files": survey.configs.iter().map(file).collect::<Vec<_>>(),
        "servers": rows.iter().map(server).collect::<Vec<_>>(),
        "problems": report::problems(survey),
    });
    serde_json::to_writer(&mut *out, &report)?;
    out.write_all(b"\n")
}

fn server(row: &Row<'_>) -> Value {
    let wrapper = match &row.server.state {
        State::Wrapped(wrapper) => Some(wrapper),
        _ => None,
    };
    let lines = |paste: &Paste| paste.lines.iter().map(|line| row.shown.line(line)).collect::<Vec<_>>();
    json!({
        "client": row.config.place.client.id,
        "scope": row.config.place.scope.name(),
        "project": row.server.project,
        "file": shown_path(&row.config.place.path),
        "server": row.server.name,
        "state": row.server.state.name(),
        "why": row.why.as_ref().map(|why| row.shown.line(why)),
        "command": row.words,
        "through": row.through,
        "env": row.server.env,
        "env_file": row.server.env_file,
        "cwd": row.server.cwd,
        "disabled": row.server.disabled,
        "wrapper": wrapper.map(|wrapper| &wrapper.program),
        "profile": wrapper.and_then(|wrapper| wrapper.profile.as_ref()),
        "name": wrapper.and_then(|wrapper| wrapper.name.as_ref()),
        "paste": row.paste.as_ref().map(lines),
    })
}
