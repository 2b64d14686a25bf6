//! `bench-visitor HOST:PORT`: an MCP server that goes out, as fast as it can, and says how long that took.
//!
//! It resolves the host once. Its tools, each with one number `n`: `get` makes n connections, each for one small request,
//! and answers with the microseconds of each; `bulk` fetches n MiB over one connection and answers with the seconds;
//! `open` begins to open n connections that stay, and answers at once; `opened` answers when they are. Everything else
//! is answered on the spot, also meanwhile.

use std::io::{self, BufRead, Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use serde_json::{Value, json};

fn main() -> io::Result<()> {
    let target = std::env::args().nth(1).ok_or(io::ErrorKind::InvalidInput)?;
    let address = target.to_socket_addrs()?.find(SocketAddr::is_ipv4).ok_or(io::ErrorKind::NotFound)?;
    let host = target.rsplit_once(':').map_or(target.as_str(), |(host, _)| host).to_owned();
    let visitor = Visitor { address, host };
    let mut opening: Option<JoinHandle<io::Result<Vec<TcpStream>>>> = None;
    let mut open = Vec::new();
    for line in io::stdin().lock().lines() {
        let message: Value = serde_json::from_str(&line?)?;
        if message["id"].is_null() {
            continue;
        }
        let n = message["params"]["arguments"]["n"].as_u64().unwrap_or(0);
        let text = match message["params"]["name"].as_str() {
            Some("get") => json!(visitor.get(n)?).to_string(),
            Some("bulk") => visitor.bulk(n)?.to_string(),
            Some("open") => {
                let visitor = visitor.clone();
                opening = Some(thread::spawn(move || (0..n).map(|_| visitor.hold()).collect()));
                "opening".into()
            }
            Some("opened") => {
                let all = opening.take().map(JoinHandle::join).ok_or(io::ErrorKind::InvalidInput)?;
                open = all.map_err(|_| io::ErrorKind::Other)??;
                open.len().to_string()
            }
            _ => String::new(),
        };
        let result = match message["method"].as_str() {
            Some("initialize") => json!({"protocolVersion": "2025-11-25", "capabilities": {"tools": {}},
                "serverInfo": {"name": "visitor", "version": "1"}}),
            Some("tools/list") => {
                let number = json!({"type": "object", "properties": {"n": {"type": "integer"}}});
                let tool = |name: &str| json!({"name": name, "inputSchema": number});
                let tools = ["get", "bulk", "open", "opened"].map(tool);
                json!({ "tools": tools })
            }
            Some("tools/call") => json!({"content": [{"type": "text", "text": text}]}),
            _ => json!({}),
        };
        let mut out = io::stdout().lock();
        // In this order: whoever measures looks for the result at the beginning of the line.
        writeln!(out, r#"{{"jsonrpc":"2.0","id":{},"result":{result}}}"#, message["id"])?;
        out.flush()?;
    }
    drop(open);
    Ok(())
}

/// Where it goes.
#[derive(Clone)]
struct Visitor {
    address: SocketAddr,
    host: String,
}

impl Visitor {
    fn ask(&self, path: &str, connection: &str) -> io::Result<TcpStream> {
        let mut stream = TcpStream::connect(self.address)?;
        stream.set_nodelay(true)?;
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: {connection}\r\n\r\n", self.host);
        stream.write_all(request.as_bytes())?;
        Ok(stream)
    }

    /// Microseconds of each of `n` visits, from connect to the end.
    fn get(&self, n: u64) -> io::Result<Vec<f64>> {
        let mut answer = Vec::new();
        let visits = (0..n).map(|_| {
            let begin = Instant::now();
            answer.clear();
            self.ask("/small", "close")?.read_to_end(&mut answer)?;
            let took = begin.elapsed().as_secs_f64() * 1e6;
            if answer.starts_with(b"HTTP/1.1 200") {
                Ok(took)
            } else {
                Err(io::ErrorKind::InvalidData.into())
            }
        });
        visits.collect()
    }

    /// Seconds for so many MiB.
    fn bulk(&self, mebibytes: u64) -> io::Result<f64> {
        let begin = Instant::now();
        let mut stream = self.ask(&format!("/bulk?{mebibytes}"), "close")?;
        let mut buffer = vec![0; 1 << 18];
        let mut left = mebibytes << 20;
        loop {
            match stream.read(&mut buffer)? {
                0 => break,
                n => left = left.saturating_sub(n as u64),
            }
        }
        if left == 0 { Ok(begin.elapsed().as_secs_f64()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }

    /// A connection that was answered, and stays.
    fn hold(&self) -> io::Result<TcpStream> {
        let mut stream = self.ask("/small", "keep-alive")?;
        let mut answer = [0; 512];
        if stream.read(&mut answer)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(stream)
    }
}
