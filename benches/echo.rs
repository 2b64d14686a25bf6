//! `bench-echo`: the cheapest MCP server there is, so that what is measured is what stands in front of it.
//!
//! It reads the id off each line by its place, never parses, and answers from prepared bytes: every short answer is
//! [`SHORT`] bytes long with its newline, `tools/call` of `plain` or `escaped` gives a text of 1 MiB as it stands on
//! the wire. It understands the lines of `client.rs` and no others.

use std::io::{self, BufRead, BufWriter, Write};

/// Length of a short answer, newline included; `client.rs` sends requests of the same length.
const SHORT: usize = 200;

/// Length of a long answer's text, as it stands on the wire.
const LONG: usize = 1 << 20;

fn main() -> io::Result<()> {
    let mut out = BufWriter::with_capacity(2 * LONG, io::stdout().lock());
    let plain = "fosse ".bytes().cycle().take(LONG).collect::<Vec<u8>>();
    let escaped = br#"\"\\\n\u0001"#.iter().copied().cycle().take(LONG - LONG % 12).collect::<Vec<u8>>();
    let mut line = Vec::with_capacity(4096);
    let mut input = io::stdin().lock();
    loop {
        line.clear();
        if input.read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        let Some(id) = id(&line) else { continue };
        if contains(&line, b"\"initialize\"") {
            answer(&mut out, id, br#"{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":{"name":"bench","version":"1"}}"#)?;
        } else if contains(&line, b"\"tools/list\"") {
            let tool = |name: &str| {
                format!(
                    r#"{{"name":"{name}","inputSchema":{{"type":"object","properties":{{"pad":{{"type":"string"}}}}}}}}"#
                )
            };
            let tools = ["short", "plain", "escaped"].map(tool).join(",");
            answer(&mut out, id, format!(r#"{{"tools":[{tools}]}}"#).as_bytes())?;
        } else if contains(&line, b"\"plain\"") {
            text(&mut out, id, &plain)?;
        } else if contains(&line, b"\"escaped\"") {
            text(&mut out, id, &escaped)?;
        } else if contains(&line, b"\"tools/call\"") {
            padded(&mut out, id, r#"{"content":[{"type":"text","text":""#, "\"}]}}\n")?;
        } else {
            padded(&mut out, id, r#"{"_meta":{"pad":""#, "\"}}}\n")?;
        }
        out.flush()?;
    }
}

/// The digits behind `{"jsonrpc":"2.0","id":`.
fn id(line: &[u8]) -> Option<&[u8]> {
    let compact = line.strip_prefix(br#"{"jsonrpc":"2.0","id":"#);
    // As a proxy in Python writes it anew.
    let rest = compact.or_else(|| line.strip_prefix(br#"{"jsonrpc": "2.0", "id": "#))?;
    Some(&rest[..rest.iter().position(|byte| !byte.is_ascii_digit())?])
}

/// Whether `word` is in the first bytes of the line, where the method and the tool stand.
fn contains(line: &[u8], word: &[u8]) -> bool {
    line[..line.len().min(100)].windows(word.len()).any(|window| window == word)
}

fn head(out: &mut impl Write, id: &[u8]) -> io::Result<usize> {
    out.write_all(br#"{"jsonrpc":"2.0","id":"#)?;
    out.write_all(id)?;
    out.write_all(br#","result":"#)?;
    Ok(br#"{"jsonrpc":"2.0","id":,"result":"#.len() + id.len())
}

fn answer(out: &mut impl Write, id: &[u8], result: &[u8]) -> io::Result<()> {
    head(out, id)?;
    out.write_all(result)?;
    out.write_all(b"}\n")
}

fn text(out: &mut impl Write, id: &[u8], text: &[u8]) -> io::Result<()> {
    head(out, id)?;
    out.write_all(br#"{"content":[{"type":"text","text":""#)?;
    out.write_all(text)?;
    out.write_all(b"\"}]}}\n")
}

fn padded(out: &mut impl Write, id: &[u8], before: &str, after: &str) -> io::Result<()> {
    let used = head(out, id)? + before.len() + after.len();
    out.write_all(before.as_bytes())?;
    out.write_all(&[b'x'; SHORT][..SHORT.saturating_sub(used)])?;
    out.write_all(after.as_bytes())
}
