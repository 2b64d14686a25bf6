//! `caponier approve` and `caponier deny`: the answer to a call that waits, from another terminal.

use std::collections::BTreeSet;
use std::io::{self, BufRead, IsTerminal, Write};
use std::os::fd::AsFd;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use serde_json::json;

use crate::cli::diagnostic;
use crate::cli::term::escape::escape;
use crate::cli::term::{Style, Terminal};
use crate::policy::directories::Directories;
use crate::relay::confirm::wire::{self, Pending, Reply, Request};

/// Time between two looks at what waits.
const BETWEEN: Duration = Duration::from_millis(300);

/// Answer a call that waits for your yes, or list what waits
#[derive(Debug, Args)]
pub struct ApproveArgs {
    /// Which call, as `--list` and the server's log on stderr name it
    #[arg(conflicts_with_all = ["list", "watch"])]
    id: Option<String>,
    /// List what waits [default without an ID]
    #[arg(long)]
    list: bool,
    /// Show calls as they come, and ask about each when this is a terminal
    #[arg(long, conflicts_with = "list")]
    watch: bool,
    /// Allow the same call (this tool with these very arguments) in the rest of its session too
    #[arg(long, requires = "id")]
    remember: bool,
    /// One JSON object (docs/AUDIT.md); with `--watch` one for each call
    #[arg(long)]
    json: bool,
}

/// Refuse a call that waits for your yes
#[derive(Debug, Args)]
pub struct DenyArgs {
    /// Which call, as `approve --list` names it
    id: String,
    /// One JSON object (docs/AUDIT.md)
    #[arg(long)]
    json: bool,
}

/// Runs `caponier approve …`; 1 when there is no such call.
pub fn approve(args: &ApproveArgs, directories: &Directories) -> ExitCode {
    let runtime = &directories.runtime;
    let done = match &args.id {
        Some(id) => return answer(runtime, id, true, args.remember, args.json),
        None if args.watch => watch(runtime, args.json),
        None => list(runtime, args.json),
    };
    finish(done)
}

/// Runs `caponier deny …`; 1 when there is no such call.
pub fn deny(args: &DenyArgs, directories: &Directories) -> ExitCode {
    answer(&directories.runtime, &args.id, false, false, args.json)
}

fn finish(done: io::Result<()>) -> ExitCode {
    match done.and_then(|()| io::stdout().flush()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            fail(&error.to_string(), "the sessions that run have their sockets in the runtime folder")
        }
    }
}

fn fail(message: &str, help: &str) -> ExitCode {
    diagnostic::tell(&format!("error: {}\nhelp: {}\n", escape(message), escape(help)));
    ExitCode::FAILURE
}

/// What waits in all sessions, the oldest first.
fn pending(runtime: &Path) -> io::Result<Vec<Pending>> {
    let mut all = Vec::new();
    for socket in wire::sockets(runtime)? {
        match wire::ask(&socket, &Request::List) {
            Ok(Some(Reply::Pending(found))) => all.extend(found),
            Ok(Some(Reply::Refused(why))) => refused(&socket, &why),
            Ok(_) => {}
            Err(error) => refused(&socket, &error.to_string()),
        }
    }
    all.sort_by_key(|one| std::cmp::Reverse(one.waiting_ms));
    Ok(all)
}

/// One session that does not answer is no reason to show nothing of the others.
fn refused(socket: &Path, why: &str) {
    let socket = socket.to_string_lossy();
    diagnostic::tell(&format!("warning: {}: {}\n", escape(&socket), escape(why)));
}

fn list(runtime: &Path, as_json: bool) -> io::Result<()> {
    let all = pending(runtime)?;
    let stdout = io::stdout();
    let terminal = Terminal::of(&stdout);
    let mut out = stdout.lock();
    if as_json {
        return writeln!(out, "{}", json!({"v": 1, "pending": all}));
    }
    if all.is_empty() {
        return writeln!(out, "nothing waits for an answer");
    }
    for one in &all {
        show(&mut out, terminal, one)?;
        writeln!(out, "  caponier approve {id}    caponier deny {id}\n", id = escape(&one.id))?;
    }
    Ok(())
}

/// One call; everything of it was made visible by its session, and is escaped here once more.
fn show(out: &mut impl Write, terminal: Terminal, one: &Pending) -> io::Result<()> {
    let head = format!(
        "{}  may the server \"{}\" run its tool \"{}\"?",
        escape(&one.id),
        escape(&one.server),
        escape(&one.tool)
    );
    writeln!(out, "{}", terminal.paint(Style::Bold, &head))?;
    for line in one.arguments.split('\n') {
        writeln!(out, "  {}", escape(line))?;
    }
    let about = format!(
        "({}; waits for {} s, is refused in {} s; session {})",
        escape(&one.rule),
        one.waiting_ms / 1000,
        one.left_ms / 1000,
        escape(&one.session)
    );
    writeln!(out, "  {}", terminal.paint(Style::Dim, &about))
}

fn watch(runtime: &Path, as_json: bool) -> io::Result<()> {
    let stdout = io::stdout();
    let terminal = Terminal::of(&stdout);
    let asks = !as_json && stdout.is_terminal() && io::stdin().is_terminal();
    let mut seen = BTreeSet::new();
    loop {
        let all = pending(runtime)?;
        for one in all.iter().filter(|one| !seen.contains(&one.id)) {
            let mut out = stdout.lock();
            if as_json {
                writeln!(out, "{}", json!(one))?;
            } else {
                show(&mut out, terminal, one)?;
            }
            out.flush()?;
            if asks {
                ask(runtime, one)?;
            } else if !as_json {
                writeln!(out, "  caponier approve {id}    caponier deny {id}\n", id = escape(&one.id))?;
            }
        }
        seen = all.into_iter().map(|one| one.id).collect();
        stdout.lock().flush()?;
        std::thread::sleep(BETWEEN);
    }
}

/// Asks the person at this terminal, unless somebody else answers first.
fn ask(runtime: &Path, one: &Pending) -> io::Result<()> {
    // What was typed before the question was there is no answer to it.
    while ready(Duration::ZERO)? {
        if io::stdin().lock().read_line(&mut String::new())? == 0 {
            return Ok(());
        }
    }
    print_now("Allow it? [y/N] ")?;
    loop {
        if ready(BETWEEN)? {
            let mut line = String::new();
            if io::stdin().lock().read_line(&mut line)? == 0 {
                return Ok(());
            }
            let approve = matches!(line.trim(), "y" | "Y" | "yes");
            let said = match send(runtime, &one.id, approve, false)? {
                Some(_) if approve => "allowed",
                Some(_) => "refused",
                None => "too late: it was answered, or its time was over",
            };
            return print_now(&format!("{said}\n\n"));
        }
        if !pending(runtime)?.iter().any(|other| other.id == one.id) {
            return print_now("\nit was answered elsewhere, or its time was over\n\n");
        }
    }
}

fn print_now(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// Whether a line can be read.
fn ready(time: Duration) -> io::Result<bool> {
    let stdin = io::stdin();
    let mut fds = [PollFd::new(stdin.as_fd(), PollFlags::POLLIN)];
    let time = PollTimeout::try_from(time).unwrap_or(PollTimeout::ZERO);
    match poll(&mut fds, time) {
        Err(nix::errno::Errno::EINTR) => Ok(false),
        done => Ok(done? > 0),
    }
}

/// Gives an answer to whichever session the call waits in; `None`: in none.
fn send(runtime: &Path, id: &str, approve: bool, remember: bool) -> io::Result<Option<Pending>> {
    let request = Request::Answer { id: id.to_owned(), approve, remember };
    for socket in wire::sockets(runtime)? {
        let Ok(Some(Reply::Pending(found))) = wire::ask(&socket, &Request::List) else { continue };
        let Some(one) = found.into_iter().find(|one| one.id == id) else { continue };
        match wire::ask(&socket, &request)? {
            Some(Reply::Taken) => return Ok(Some(one)),
            Some(Reply::Refused(why)) => return Err(io::Error::other(why)),
            _ => return Ok(None),
        }
    }
    Ok(None)
}

fn answer(runtime: &Path, id: &str, approve: bool, remember: bool, as_json: bool) -> ExitCode {
    let word = if approve { "approved" } else { "denied" };
    match send(runtime, id, approve, remember) {
        Ok(Some(one)) if as_json => {
            let report =
                json!({"v": 1, "id": one.id, "session": one.session, "answer": word, "remembered": remember});
            finish(writeln!(io::stdout(), "{report}"))
        }
        Ok(Some(one)) => {
            let (tool, server) = (escape(&one.tool), escape(&one.server));
            finish(writeln!(io::stdout(), "{word}: \"{tool}\" of \"{server}\" ({})", escape(&one.id)))
        }
        Ok(None) => fail(
            &format!("nothing waits under the name \"{id}\""),
            "`caponier approve --list` shows what waits; it may have been answered, or its time was over",
        ),
        Err(error) => fail(&error.to_string(), "the session did not take the answer: the call is not made"),
    }
}
