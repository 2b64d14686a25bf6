//! Floods: whatever a peer sends, our memory stays bounded and nothing that was refused is passed on.

use std::io::Read;
use std::time::{Duration, Instant};

use crate::pen::ground::Ground;
use crate::pen::launch::{self, Running};
use crate::pen::{log, plain_profile, processes, words};

/// The most that any process of ours may ever have had in memory.
const BOUND_KIB: u64 = 64 * 1024;
const GIB: &str = "1073741824";

/// caponier and its `init`, by their largest resident set.
fn assert_small(running: &Running) {
    let mut ours = vec![running.pid()];
    ours.extend(processes::children(running.pid()));
    for pid in ours {
        let peak = processes::status_kib(pid, "VmHWM").unwrap_or_else(|| panic!("{pid} is gone"));
        assert!(peak < BOUND_KIB, "process {pid} had {peak} KiB in memory");
    }
}

fn flood(form: &str, bytes: &str) -> (Ground, launch::Started) {
    let ground = Ground::new();
    let profile = plain_profile(&ground, "");
    let started = launch::start_unread(launch::run(&ground, &profile, &words("flood", &[form, bytes])));
    (ground, started)
}

#[test]
fn a_client_sends_100_mb_without_a_newline() {
    let ground = Ground::new();
    let profile = plain_profile(&ground, "[protocol]\nmax_message = \"1MiB\"\n");
    let mut running = launch::start(launch::run(&ground, &profile, &words("server", &["wait"])));
    running.wait_for("ready");
    let block = vec![b'x'; 1 << 20];
    for _ in 0..100 {
        assert!(running.send(&block), "the client must be able to go on");
    }
    assert_small(&running);
    // The next line is a message again, and arrives.
    let ping = b"\n{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}\n";
    assert!(running.send(ping));
    running.close_stdin();
    let finished = running.finish();
    assert_eq!(finished.code(), Some(0), "{finished:?}");
    assert!(finished.stderr.contains(&format!("received {}", ping.len() - 1)), "{finished:?}");
    let events = log::events(&ground.path("audit"));
    log::assert_whole(&ground, &events);
    let refused: Vec<_> = log::of(&events, "message.denied").collect();
    assert_eq!(refused.len(), 1, "{refused:?}");
    assert_eq!(refused[0]["reason"], "message.too-long");
    assert_eq!(refused[0]["direction"], "client_to_server");
}

/// Messages that nobody takes: the server is made to wait.
#[test]
fn a_server_floods_a_slow_client_with_messages() {
    let (_ground, (running, mut stdout)) = flood("messages", GIB);
    let mut taken = vec![0; 1 << 20];
    let begun = Instant::now();
    // A client that takes a mebibyte now and then; in the pauses, everything that can fill up does.
    for _ in 0..32 {
        stdout.read_exact(&mut taken).expect("messages");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(taken.windows(9).any(|window| window == b"\"jsonrpc\""), "messages came through");
    assert_small(&running);
    // It is the server that waits: a gibibyte was not taken in the meantime.
    assert!(begun.elapsed() < launch::PATIENCE);
    drop(stdout);
    running.signal(nix::sys::signal::Signal::SIGTERM);
    let finished = running.finish();
    assert!(!finished.stderr.contains("flooded"), "nobody took a gibibyte, and yet it is gone: {finished:?}");
}

/// Noise is dropped, however much of it; the log does not grow with it.
#[test]
fn a_server_floods_stdout_with_noise() {
    let (ground, (running, mut stdout)) = flood("noise", GIB);
    running.wait_for("flooded");
    assert_eq!(stdout.read(&mut [0; 1]).expect("end"), 0, "noise reached the client");
    let finished = running.finish();
    assert_eq!(finished.code(), Some(0), "{finished:?}");
    let size: u64 = log::sessions(&ground.path("audit"))
        .iter()
        .map(|file| std::fs::metadata(file).expect("log").len())
        .sum();
    assert!(size < 16 << 20, "ten million lines of noise made a log of {size} bytes");
    let events = log::events(&ground.path("audit"));
    log::assert_whole(&ground, &events);
    let told = log::of(&events, "stdout.noise").count() + log::of(&events, "audit.lost").count();
    assert!(told > 0, "the noise is on record, and so is what was left out");
}

/// A line that never ends is given up at the limit, not held.
#[test]
fn a_server_sends_one_line_without_an_end() {
    let (ground, (running, mut stdout)) = flood("line", "104857600");
    running.wait_for("flooded");
    assert_eq!(stdout.read(&mut [0; 1]).expect("end"), 0, "a part of a line reached the client");
    assert_eq!(running.finish().code(), Some(0));
    log::assert_whole(&ground, &log::events(&ground.path("audit")));
}

#[test]
fn a_server_floods_stderr() {
    let (ground, (running, stdout)) = flood("stderr", GIB);
    let mut peak = 0;
    while let Some(now) = processes::status_kib(running.pid(), "VmHWM") {
        peak = peak.max(now);
        std::thread::sleep(Duration::from_millis(20));
        if processes::children(running.pid()).is_empty() {
            break;
        }
    }
    assert!(peak > 0 && peak < BOUND_KIB, "{peak} KiB in memory");
    drop(stdout);
    assert_eq!(running.finish().code(), Some(0));
    log::assert_whole(&ground, &log::events(&ground.path("audit")));
}
