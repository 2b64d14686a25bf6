//! `caponier client list` over the files of fifteen clients, as somebody with many servers has them.

use std::fmt::Write as _;
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::Place;
use crate::figures::{Figure, Target};

/// Below a home: the file, and what stands before and after its servers.
const FILES: [(&str, &str, &str); 15] = [
    (".config/Claude/claude_desktop_config.json", "{\"mcpServers\": {", "}}"),
    (".claude.json", "{\"mcpServers\": {", "}, \"history\": [HISTORY]}"),
    (".cursor/mcp.json", "{\"mcpServers\": {", "}}"),
    (".config/Code/User/mcp.json", "// mine\n{\"servers\": {", "},}"),
    (".copilot/mcp-config.json", "{\"mcpServers\": {", "}}"),
    (".codeium/windsurf/mcp_config.json", "{\"mcpServers\": {", "}}"),
    (".config/zed/settings.json", "// mine\n{\"context_servers\": {", "},}"),
    (".codex/config.toml", "", ""),
    (".gemini/settings.json", "{\"mcpServers\": {", "}}"),
    (".cline/data/settings/cline_mcp_settings.json", "{\"mcpServers\": {", "}}"),
    (".lmstudio/mcp.json", "{\"mcpServers\": {", "}}"),
    (".aws/amazonq/mcp.json", "{\"mcpServers\": {", "}}"),
    (".kiro/settings/mcp.json", "{\"mcpServers\": {", "}}"),
    (".config/crush/crush.json", "{\"mcp\": {", "}}"),
    (".config/amp/settings.json", "{\"amp.mcpServers\": {", "}}"),
];

/// Servers in each file.
const SERVERS: usize = 10;

/// Milliseconds for a list of them all.
pub(crate) fn figures(place: &Place) -> io::Result<Vec<Figure>> {
    let home = tempfile::Builder::new().prefix("caponier-bench-clients-").tempdir()?;
    for (file, before, after) in FILES {
        let path = home.path().join(file);
        std::fs::create_dir_all(path.parent().unwrap_or(home.path()))?;
        std::fs::write(path, content(file, before, after))?;
    }
    let mut ours = Vec::new();
    for sample in 0..32 {
        let took = list(&place.caponier, home.path())?;
        // The first one finds nothing in the caches.
        if sample > 0 {
            ours.push(took);
        }
    }
    let name = "client list over 15 files".into();
    Ok(vec![Figure { name, unit: "ms", ours, against: None, target: Target::AtMost(50.0) }])
}

fn content(file: &str, before: &str, after: &str) -> String {
    let mut servers = String::new();
    for n in 0..SERVERS {
        // Writing to a String cannot fail.
        let _ = match file.ends_with(".toml") {
            true => write!(
                servers,
                "[mcp_servers.s{n}]\ncommand = \"npx\"\nargs = [\"-y\", \"package-{n}\"]\n[mcp_servers.s{n}.env]\nKEY = \"value-of-{n}\"\n"
            ),
            false => write!(
                servers,
                "{}\n  \"s{n}\": {{\"command\": \"npx\", \"args\": [\"-y\", \"package-{n}\", \"/home/me/folder-{n}\"], \"env\": {{\"KEY\": \"value-of-{n}\"}}}}",
                if n == 0 { "" } else { "," }
            ),
        };
    }
    // Claude Code keeps what was said in the same file: half a megabyte of it.
    let history =
        "{\"display\": \"a question that was asked once\", \"pastedContents\": {}},".repeat(7000) + "{}";
    format!("{before}{servers}{}", after.replace("HISTORY", &history))
}

fn list(caponier: &Path, home: &Path) -> io::Result<f64> {
    let begin = Instant::now();
    let output = Command::new(caponier)
        .args(["client", "list"])
        .env_clear()
        .env("HOME", home)
        .current_dir(home)
        .stdin(Stdio::null())
        .output()?;
    let took = begin.elapsed().as_secs_f64() * 1e3;
    let rows = output.stdout.iter().filter(|byte| **byte == b'\n').count();
    if output.status.success() && rows == 1 + FILES.len() * SERVERS {
        Ok(took)
    } else {
        Err(io::Error::other(format!(
            "client list: {}, {rows} rows: {}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        )))
    }
}
