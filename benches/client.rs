//! A client that only measures: it starts a command, shakes hands, and times answers.

use std::ffi::OsStr;
use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

/// Length of a request, newline included.
const SHORT: usize = 200;

/// Variables of npm, pip and uv, and those of certificates and proxies.
fn is_of_registries(name: &str) -> bool {
    let certificates = ["SSL_CERT_FILE", "SSL_CERT_DIR", "NODE_EXTRA_CA_CERTS", "REQUESTS_CA_BUNDLE"];
    let lower = name.to_ascii_lowercase();
    certificates.contains(&name)
        || ["npm_config_", "pip_", "uv_"].iter().any(|prefix| lower.starts_with(prefix))
        || ["http_proxy", "https_proxy", "no_proxy", "all_proxy"].contains(&lower.as_str())
}

/// One connection to a server, over the stdio of the command that was started.
pub(crate) struct Connection {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    line: Vec<u8>,
    id: u64,
}

impl Connection {
    /// Starts `command` with nothing in its environment but PATH, HOME, and what tells package managers where their
    /// registry is; its stderr goes to `stderr.log` there.
    pub(crate) fn open<S: AsRef<OsStr>>(command: &[S], home: &Path) -> io::Result<Self> {
        let log = std::fs::File::options().create(true).append(true).open(home.join("stderr.log"))?;
        let mut child = Command::new(&command[0])
            .args(&command[1..])
            .env_clear()
            .envs(std::env::vars_os().filter(|(name, _)| name.to_str().is_some_and(is_of_registries)))
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", home)
            .current_dir(home.join("work"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()?;
        let (input, output) = (child.stdin.take(), child.stdout.take());
        let output = output.ok_or(io::ErrorKind::BrokenPipe)?;
        let output = BufReader::with_capacity(256 * 1024, output);
        Ok(Connection { child, input, output, line: Vec::with_capacity(2 << 20), id: 0 })
    }

    /// The process that was started.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends one line and reads the line that answers it; how many bytes that was.
    fn exchange(&mut self, request: &[u8]) -> io::Result<usize> {
        self.send(request)?;
        self.line.clear();
        self.output.read_until(b'\n', &mut self.line)?;
        let result = self.line.len().min(100);
        let answered = self.line[..result].windows(9).any(|window| window == br#""result":"#);
        let refused =
            self.line[self.line.len().saturating_sub(400)..].windows(14).any(|w| w == br#""isError":true"#);
        if !answered || refused {
            let said = String::from_utf8_lossy(&self.line[..self.line.len().min(400)]).into_owned();
            return Err(io::Error::other(format!(
                "no answer to {}: {said}",
                String::from_utf8_lossy(request)
            )));
        }
        Ok(self.line.len())
    }

    fn send(&mut self, request: &[u8]) -> io::Result<()> {
        self.input.as_mut().ok_or(io::ErrorKind::BrokenPipe)?.write_all(request)
    }

    /// `initialize`, up to its answer: what a client waits for before it shows a server as there.
    pub(crate) fn initialize(&mut self) -> io::Result<()> {
        self.exchange(
            concat!(
                r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","#,
                r#""capabilities":{},"clientInfo":{"name":"bench","version":"1"}}}"#,
                "\n"
            )
            .as_bytes(),
        )?;
        Ok(())
    }

    /// The rest of the handshake.
    pub(crate) fn list_tools(&mut self) -> io::Result<()> {
        self.send(b"{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}\n")?;
        self.id += 1;
        self.exchange(
            format!("{{\"jsonrpc\":\"2.0\",\"id\":{},\"method\":\"tools/list\"}}\n", self.id).as_bytes(),
        )?;
        Ok(())
    }

    /// `count` times there and back; the time, and the bytes that came back.
    pub(crate) fn round_trips(&mut self, what: Message, count: u32) -> io::Result<(Duration, usize)> {
        let mut request = Vec::with_capacity(SHORT);
        let mut bytes = 0;
        let begin = Instant::now();
        for _ in 0..count {
            self.id += 1;
            request.clear();
            what.write(self.id, &mut request);
            bytes += self.exchange(&request)?;
        }
        Ok((begin.elapsed(), bytes))
    }

    /// Calls a tool; an error when it failed.
    pub(crate) fn call_with(&mut self, tool: &str, arguments: &serde_json::Value) -> io::Result<()> {
        self.id += 1;
        let request = serde_json::json!({"jsonrpc": "2.0", "id": self.id, "method": "tools/call",
            "params": {"name": tool, "arguments": arguments}});
        self.exchange(format!("{request}\n").as_bytes()).map(drop)
    }

    /// Calls a tool with a number; the text that it answers with.
    pub(crate) fn call(&mut self, tool: &str, n: u64) -> io::Result<String> {
        self.call_with(tool, &serde_json::json!({"n": n}))?;
        let answer: serde_json::Value = serde_json::from_slice(&self.line)?;
        Ok(answer["result"]["content"][0]["text"].as_str().unwrap_or_default().to_owned())
    }

    /// Closes the server's stdin and waits for the end.
    pub(crate) fn close(mut self) -> io::Result<()> {
        self.input = None;
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        // Only after an error; a closed connection has been waited for.
        if self.input.is_some() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// What is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Message {
    /// `tools/call`, judged and recorded.
    Call,
    /// `ping`, only looked at.
    Ping,
    /// `tools/call` with 1 MiB of plain text as the answer.
    Plain,
    /// The same of nothing but escapes.
    Escaped,
}

impl Message {
    fn write(self, id: u64, out: &mut Vec<u8>) {
        let head = match self {
            Message::Call => r#""method":"tools/call","params":{"name":"short","arguments":{"pad":""#,
            Message::Plain => r#""method":"tools/call","params":{"name":"plain","arguments":{"pad":""#,
            Message::Escaped => r#""method":"tools/call","params":{"name":"escaped","arguments":{"pad":""#,
            Message::Ping => r#""method":"ping","params":{"_meta":{"pad":""#,
        };
        let tail = "\"}}}\n";
        // Writing to a Vec cannot fail.
        let _ = write!(out, r#"{{"jsonrpc":"2.0","id":{id},{head}"#);
        out.resize(SHORT.saturating_sub(tail.len()).max(out.len()), b'x');
        out.extend_from_slice(tail.as_bytes());
    }
}
