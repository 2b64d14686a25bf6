//! `bench-log DIR BYTES SESSIONS`: a log of that size, as sessions of an editor's day would leave it.
//!
//! Valid to the last digest: every chain holds, and `heads.jsonl` knows each session. The numbers are drawn from a fixed
//! seed, so that two runs make the same sizes. About one line in twenty is a refusal; one in twenty thousand is of an
//! `id_rsa`.

#![allow(clippy::print_stderr, reason = "this program reports")]

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use sha2::{Digest as _, Sha256};

/// xorshift64*: any numbers will do, as long as they are the same each time.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) % end
    }

    fn of<'a>(&mut self, list: &[&'a str]) -> &'a str {
        list[self.below(list.len() as u64) as usize]
    }
}

const SERVERS: &[(&str, &str, &[&str])] = &[
    (
        "server-filesystem",
        "/usr/bin/node",
        &["read_text_file", "list_directory", "search_files", "write_file"],
    ),
    ("mcp-server-git", "/opt/venv/bin/python3", &["git_status", "git_diff", "git_log", "git_show"]),
    ("server-memory", "/usr/bin/node", &["read_graph", "create_entities", "search_nodes"]),
    ("server-fetch", "/opt/venv/bin/python3", &["fetch"]),
];
const FOLDERS: &[&str] = &[
    "/home/me/notes/2026/november",
    "/home/me/project/src/components",
    "/home/me/project/node_modules/@scope/package/dist/esm",
    "/usr/lib/x86_64-linux-gnu",
    "/opt/venv/lib/python3.12/site-packages/pydantic",
];
const NAMES: &[&str] =
    &["index", "main", "types", "readme", "schema", "util-inspect", "core", "model_fields"];
const ENDINGS: &[&str] = &["js", "py", "md", "json", "so.6", "toml", "d.ts"];
const REFUSED: &[(&str, &str)] = &[
    ("/home/me/.aws/credentials", "fs.read.secret"),
    ("/home/me/.config/Claude/claude_desktop_config.json", "fs.read.secret"),
    ("/etc/ssl/private", "fs.read.not-granted"),
    ("/home/me/other/secret.txt", "fs.read.not-granted"),
];

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// One chain: lines with their `prev`.
struct Chain<W> {
    out: W,
    prev: String,
    lines: u64,
    bytes: u64,
}

impl<W: Write> Chain<W> {
    fn new(out: W) -> Self {
        Chain { out, prev: hex(&Sha256::digest(b"")), lines: 0, bytes: 0 }
    }

    /// `body` is the line up to `prev`.
    fn push(&mut self, body: &str) -> io::Result<()> {
        let line = format!("{body},\"prev\":\"{}\"}}", self.prev);
        self.prev = hex(&Sha256::digest(line.as_bytes()));
        self.lines += 1;
        self.bytes += line.len() as u64 + 1;
        writeln!(self.out, "{line}")
    }
}

/// The sessions of one log, and their heads.
struct Log {
    dir: PathBuf,
    heads: Chain<BufWriter<std::fs::File>>,
    numbers: Numbers,
}

/// 2026-11-01T00:00:00Z, in microseconds.
const BEGAN: u64 = 1_793_491_200_000_000;
const DAY: u64 = 86_400_000_000;

fn stamp(micros: u64) -> String {
    let day = (micros - BEGAN) / DAY + 1;
    let second = micros % DAY / 1_000_000;
    format!(
        "2026-11-{day:02}T{:02}:{:02}:{:02}.{:06}Z",
        second / 3600,
        second / 60 % 60,
        second % 60,
        micros % 1_000_000
    )
}

fn session_name(micros: u64, random: u64) -> String {
    const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    let value = u128::from(micros / 1000) << 80 | u128::from(random) << 8;
    (0..26).rev().map(|at| char::from(ALPHABET[(value >> (5 * at) & 31) as usize])).collect()
}

/// One session while it is written.
struct Session<'a, W> {
    chain: Chain<W>,
    name: String,
    server: &'a str,
    exe: &'a str,
    now: u64,
}

impl<W: Write> Session<'_, W> {
    fn push(&mut self, event: &str, fields: &str) -> io::Result<()> {
        let body = format!(
            "{{\"v\":1,\"seq\":{},\"time\":\"{}\",\"session\":\"{}\",\"server\":\"{}\",\"event\":\"{event}\",{fields}",
            self.chain.lines + 1,
            stamp(self.now),
            self.name,
            self.server
        );
        self.chain.push(&body)
    }

    fn access(&mut self, numbers: &mut Numbers, calls: &str) -> io::Result<u64> {
        self.now += 20 + numbers.below(400);
        let (exe, denied) = (self.exe, numbers.below(20) == 0);
        let attribution = if calls.is_empty() { "none" } else { "sole" };
        let by = format!(
            "\"pid\":{},\"exe\":\"{exe}\",\"calls\":[{calls}],\"attribution\":\"{attribution}\"",
            4000 + numbers.below(50)
        );
        if !denied {
            let (folder, name, ending) = (numbers.of(FOLDERS), numbers.of(NAMES), numbers.of(ENDINGS));
            let (at, access) =
                (numbers.below(9000), numbers.of(&["read", "read", "read", "list", "metadata"]));
            let fields = format!(
                "\"path\":\"{folder}/{name}-{at}.{ending}\",\"access\":\"{access}\",\"verdict\":\"allow\",\"result\":\"ok\",{by},\"evidence\":\"predicted\",\"count\":{}",
                1 + numbers.below(3)
            );
            return self.push("file.access", &fields).map(|()| 0);
        }
        let rare = numbers.below(1000) == 0;
        let (path, reason) = if rare {
            ("/home/me/.ssh/id_rsa", "fs.read.secret")
        } else {
            REFUSED[numbers.below(REFUSED.len() as u64) as usize]
        };
        let told = if reason == "fs.read.secret" {
            "\"why_not\":\"it holds secrets that open other doors\"".to_owned()
        } else {
            format!("\"remedy\":\"filesystem.read = [\\\"{path}\\\"]\"")
        };
        let fields = format!(
            "\"path\":\"{path}\",\"access\":\"read\",\"verdict\":\"deny\",\"reason\":\"{reason}\",\"layer\":\"landlock\",{told},\"result\":\"EACCES\",{by},\"evidence\":\"performed\",\"count\":1"
        );
        self.push("file.access", &fields).map(|()| 1)
    }
}

impl Log {
    fn session(&mut self, at: u64, of: u64, bytes: u64) -> io::Result<u64> {
        let numbers = &mut self.numbers;
        let began = BEGAN + (20 * DAY - DAY / 24) / of * at;
        let (server, exe, tools) = SERVERS[numbers.below(SERVERS.len() as u64) as usize];
        let name = session_name(began, numbers.below(u64::MAX));
        let day = stamp(began)[..10].to_owned();
        std::fs::create_dir_all(self.dir.join(&day))?;
        let file = format!("{day}/{name}.jsonl");
        let out = BufWriter::new(std::fs::File::create_new(self.dir.join(&file))?);
        let mut session = Session { chain: Chain::new(out), name, server, exe, now: began };
        head(&mut self.heads, &session.name, &file, (0, &session.chain.prev), "start", began)?;
        session.push("session.start", &start(exe))?;
        let (mut denied, mut calls, mut covered) = (0, 0u64, 0);
        while session.chain.bytes < bytes {
            for _ in 0..numbers.below(6) {
                denied += session.access(numbers, "")?;
            }
            calls += 1;
            let tool = numbers.of(tools);
            session.now += 5_000_000;
            let fields = format!(
                "\"call\":{calls},\"id\":{calls},\"method\":\"tools/call\",\"tool\":\"{tool}\",\"arguments\":{{\"path\":{{\"string\":{}}}}},\"arguments_sha256\":\"{}\",\"bytes\":{}",
                numbers.below(90),
                session.chain.prev,
                100 + numbers.below(900)
            );
            session.push("call.start", &fields)?;
            for _ in 0..4 + numbers.below(40) {
                denied += session.access(numbers, &calls.to_string())?;
            }
            let fields = format!(
                "\"call\":{calls},\"tool\":\"{tool}\",\"outcome\":\"ok\",\"error_code\":null,\"duration_us\":{},\"bytes\":{},\"summary\":{{\"files_read\":7,\"files_written\":0,\"hosts\":0,\"bytes_up\":0,\"bytes_down\":0,\"processes\":0,\"denied\":0}}",
                numbers.below(90_000),
                numbers.below(9_000)
            );
            session.push("call.end", &fields)?;
            if session.chain.lines - covered >= 1000 {
                covered = session.chain.lines;
                let tip = (covered, &*session.chain.prev);
                head(&mut self.heads, &session.name, &file, tip, "checkpoint", session.now)?;
            }
        }
        let fields = format!(
            "\"status\":{{\"exit\":0}},\"cause\":\"client_closed\",\"duration_us\":{},\"events\":{},\"calls\":{calls},\"denied\":{denied},\"lost\":0,\"rusage\":null",
            session.now - began,
            session.chain.lines
        );
        session.push("session.end", &fields)?;
        let tip = (session.chain.lines, &*session.chain.prev);
        head(&mut self.heads, &session.name, &file, tip, "end", session.now)?;
        session.chain.out.flush()?;
        Ok(session.chain.bytes)
    }
}

fn start(exe: &str) -> String {
    format!(
        "\"command\":\"{exe} server\",\"argv\":[\"{exe}\",\"server\"],\"exe\":\"{exe}\",\"exe_sha256\":null,\"cwd\":\"/home/me\",\"profile\":\"filesystem\",\"profile_file\":\"<shipped>/filesystem.toml\",\"profile_sha256\":\"\",\"flags\":[],\"workspace\":\"/home/me\",\"env\":\"prod\",\"client\":\"/usr/bin/editor\",\"user\":\"me\",\"kernel\":\"6.18\",\"enforced\":{{}},\"degraded\":[],\"env_removed\":[],\"caponier\":\"0.1.0\""
    )
}

fn head<W: Write>(
    heads: &mut Chain<W>,
    session: &str,
    file: &str,
    (lines, last): (u64, &str),
    kind: &str,
    now: u64,
) -> io::Result<()> {
    let time = stamp(now);
    heads.push(&format!(
        "{{\"v\":1,\"time\":\"{time}\",\"session\":\"{session}\",\"file\":\"{file}\",\"lines\":{lines},\"last\":\"{last}\",\"kind\":\"{kind}\""
    ))
}

fn generate(dir: &Path, bytes: u64, sessions: u64) -> io::Result<(u64, u64)> {
    std::fs::create_dir(dir)?;
    let heads = Chain::new(BufWriter::new(std::fs::File::create_new(dir.join("heads.jsonl"))?));
    let mut log = Log { dir: dir.to_owned(), heads, numbers: Numbers(0x5eed_cafe_f00d_0001) };
    let mut written = 0;
    for at in 0..sessions {
        // Most sessions are short, some are long.
        let share = bytes / sessions * if at % 10 == 0 { 5 } else { 1 } * 10 / 14;
        written += log.session(at, sessions, share)?;
    }
    log.heads.out.flush()?;
    Ok((written, log.heads.lines))
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let (Some(dir), Some(Ok(bytes)), Some(Ok(sessions))) =
        (words.first(), words.get(1).map(|word| word.parse()), words.get(2).map(|word| word.parse::<u64>()))
    else {
        eprintln!("usage: bench-log DIR BYTES SESSIONS");
        return ExitCode::from(64);
    };
    match generate(Path::new(dir), bytes, sessions.max(1)) {
        Ok((written, heads)) => {
            eprintln!("{written} bytes in {sessions} sessions, {heads} heads");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("bench-log: {dir}: {error}");
            ExitCode::FAILURE
        }
    }
}
