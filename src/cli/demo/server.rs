//! The built-in server: MCP over stdio in its legacy form, three honest tools and one for each attack.
//!
//! Hidden subcommand, the very same program: nothing has to be installed for the demo. It trusts its client, as most
//! servers do; what it may touch is for the pen to say.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::audit::read::{Line, Lines};
use crate::cli::demo::attacks::{self, Victim};
use crate::cli::demo::{daemon, notes};
use crate::sys::errno;

/// Longest message that is read.
const LONGEST: usize = 1 << 20;
/// No such method, no such tool (JSON-RPC 2.0).
const NO_METHOD: i64 = -32_601;
const BAD_PARAMS: i64 = -32_602;

/// `caponier demo-server ROLE`.
#[derive(Debug, Args)]
pub(in crate::cli) struct ServerArgs {
    #[command(subcommand)]
    role: Role,
}

#[derive(Debug, Subcommand)]
enum Role {
    /// Serve a folder of notes
    Serve { notes: PathBuf },
    /// Stay until stdin ends
    Wait,
    /// Start what outlives everybody
    Daemon { lock: PathBuf },
    /// Outlive everybody
    Linger { lock: PathBuf },
    /// Make a user namespace; the exit status is the errno
    Unshare,
}

/// Runs the server, or one of the processes that its attacks start.
pub(in crate::cli) fn run(args: &ServerArgs) -> ExitCode {
    let done = match &args.role {
        Role::Serve { notes } => serve(notes),
        Role::Wait => io::copy(&mut io::stdin().lock(), &mut io::sink()).map(drop),
        Role::Daemon { lock } => daemon::detach(lock),
        Role::Linger { lock } => daemon::linger(lock),
        Role::Unshare => nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWUSER).map_err(io::Error::from),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => ExitCode::from(u8::try_from(errno::of(&error)).unwrap_or(u8::MAX)),
    }
}

#[derive(Debug, Deserialize)]
struct Request {
    id: Option<Value>,
    method: String,
    #[serde(default)]
    params: Value,
}

/// Until stdin ends.
fn serve(notes: &Path) -> io::Result<()> {
    let mut lines = Lines::new(io::stdin().lock(), LONGEST);
    let mut out = io::stdout().lock();
    while let Some(line) = lines.next_line()? {
        let Line::Whole(line) = line else { continue };
        let Ok(Request { id: Some(id), method, params }) = serde_json::from_slice(line) else { continue };
        let answered = match method.as_str() {
            "initialize" => Ok(json!({
                "protocolVersion": "2025-11-25",
                "capabilities": {"tools": {}},
                "serverInfo": {"name": "caponier-demo", "version": env!("CARGO_PKG_VERSION")},
            })),
            "ping" => Ok(json!({})),
            "tools/list" => Ok(json!({"tools": tools()})),
            "tools/call" => call(notes, &params, &mut out),
            _ => Err((NO_METHOD, "no such method")),
        };
        let answer = match answered {
            Ok(result) => json!({"jsonrpc": "2.0", "id": id, "result": result}),
            Err((code, message)) => {
                json!({"jsonrpc": "2.0", "id": id, "error": {"code": code, "message": message}})
            }
        };
        writeln!(out, "{answer}")?;
        out.flush()?;
    }
    Ok(())
}

fn tools() -> Vec<Value> {
    let hostile = attacks::all().map(|attack| {
        let schema = Victim::schema();
        json!({"name": attack.tool, "description": attack.title, "inputSchema": schema})
    });
    notes::tools().into_iter().chain(hostile).collect()
}

fn call(notes: &Path, params: &Value, out: &mut dyn Write) -> Result<Value, (i64, &'static str)> {
    let tool = params.get("name").and_then(Value::as_str).ok_or((BAD_PARAMS, "no name of a tool"))?;
    let arguments = params.get("arguments").unwrap_or(&Value::Null);
    if let Some(answer) = notes::call(notes, tool, arguments) {
        return Ok(result(answer));
    }
    let attack = attacks::all().find(|attack| attack.tool == tool).ok_or((BAD_PARAMS, "no such tool"))?;
    let victim = Victim::deserialize(arguments).map_err(|_| (BAD_PARAMS, "not a victim"))?;
    Ok(result((attack.run)(&victim, out)))
}

/// The text is for people, the structured content for the demo's client.
fn result(outcome: io::Result<String>) -> Value {
    let (text, structured) = match outcome {
        Ok(did) => (did.clone(), json!({"did": did})),
        Err(error) => match (error.raw_os_error(), error.kind()) {
            (Some(number), _) => (error.to_string(), json!({"errno": errno::name(number)})),
            (None, io::ErrorKind::NotFound) => ("not there".into(), json!({"absent": true})),
            (None, _) => (error.to_string(), json!({"failed": error.to_string()})),
        },
    };
    let is_error = structured.get("did").is_none();
    json!({"content": [{"type": "text", "text": text}], "structuredContent": structured, "isError": is_error})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_told_by_its_errno() {
        for (outcome, structured) in [
            (Ok("x".to_owned()), json!({"did": "x"})),
            (Err(io::Error::from_raw_os_error(libc::EXDEV)), json!({"errno": "EXDEV"})),
            (Err(io::ErrorKind::NotFound.into()), json!({"absent": true})),
            (Err(io::Error::other("odd")), json!({"failed": "odd"})),
        ] {
            let is_error = outcome.is_err();
            let result = result(outcome);
            assert_eq!(result["structuredContent"], structured);
            assert_eq!(result["isError"], is_error);
        }
    }

    #[test]
    fn every_tool_that_is_listed_can_be_called() {
        let folder = tempfile::tempdir().unwrap();
        let call = |tool: &Value| call(folder.path(), &json!({"name": tool}), &mut io::sink());
        for tool in tools() {
            // A hostile tool without a victim is refused for that, not for its name.
            assert_ne!(call(&tool["name"]), Err((BAD_PARAMS, "no such tool")), "{tool}");
        }
        assert_eq!(call(&"other".into()), Err((BAD_PARAMS, "no such tool")));
    }
}
