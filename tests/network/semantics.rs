//! A socket in the pen is a socket: one program says what it sees of its connections, in the open and in the pen, and the
//! two accounts are the same, line by line.

use std::io::{Read, Write};
use std::net::Shutdown;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::own::Own;
use crate::pen::ground::Ground;
use crate::pen::launch::{Finished, PATIENCE, Running};
use crate::pen::{log, processes, program};
use crate::visit::{Visit, Visited};
use crate::world::{self, OWN, World};

/// The program in one scenario; `example.com` goes through verification on port 80, and is direct on 8080.
fn visit<'w>(world: &'w World, scenario: &str, name: &str, port: &str) -> Visit<'w> {
    let program = program::network("semantics");
    let words = [program.to_str().expect("UTF-8"), scenario, name, port];
    Visit::new(world, "base", &words)
        .allow("example.com:80")
        .allow("example.com:8080")
        .allow("own.example.com:80")
        .allow("own.example.com:8081")
}

/// What the program said.
fn account(finished: &Finished) -> Vec<String> {
    let lines = finished.stderr.lines().filter_map(|line| line.strip_prefix("SAY "));
    lines.map(str::to_owned).collect()
}

/// The two accounts are one; the longer of them has so many lines.
fn same(visit: &Visit<'_>, lines: usize) -> Visited {
    let open = account(&visit.in_the_open().finished);
    assert!(open.len() >= lines, "{open:#?}");
    let penned = visit.in_the_pen();
    assert_eq!(account(&penned.finished), open, "pen (left), open (right)\n{}", penned.network_events());
    penned
}

/// On the port that is looked into, and on one that is not.
const PORTS: [&str; 2] = ["80", "8080"];

#[test]
fn blocking_connects_are_native() {
    world::inside(|world| {
        for port in PORTS {
            same(&visit(world, "blocking", "example.com", port), 10);
        }
    });
}

#[test]
fn a_second_connect_and_what_is_no_socket_are_native() {
    world::inside(|world| {
        for port in PORTS {
            same(&visit(world, "again", "example.com", port), 10);
        }
    });
}

#[test]
fn event_loops_that_register_first_are_native() {
    world::inside(|world| {
        for port in PORTS {
            same(&visit(world, "event-loop", "example.com", port), 4);
        }
    });
}

#[test]
fn copies_and_inherited_sockets_are_native() {
    world::inside(|world| {
        for port in PORTS {
            same(&visit(world, "duplicates", "example.com", port), 10);
        }
    });
}

#[test]
fn eight_threads_connect_fifty_times_each() {
    world::inside(|world| {
        let penned = same(&visit(world, "threads", "example.com", "80").limit("open_files = 1024"), 1);
        assert_eq!(account(&penned.finished), ["400 of 400"]);
        let told: u64 = penned
            .events
            .iter()
            .filter(|line| {
                line["event"] == "network.connect" && line["verdict"] == "allow" && line["port"] == 80
            })
            .map(|line| line["count"].as_u64().unwrap_or(1))
            .sum();
        assert_eq!(told, 400, "each connection is on record");
    });
}

#[test]
fn a_reset_arrives() {
    world::inside(|world| {
        for port in PORTS {
            same(&visit(world, "reset", "example.com", port), 5);
        }
    });
}

#[test]
fn silence_is_silence() {
    world::inside(|world| {
        for port in PORTS {
            same(&visit(world, "silence", "example.com", port), 5);
        }
    });
}

/// Reads to the end and says how much it was.
fn counting(port: u16) -> Own {
    Own::serve(OWN, port, |mut stream, _| {
        let mut sum = 0;
        let mut buffer = vec![0; 1 << 16];
        while let Ok(length @ 1..) = stream.read(&mut buffer) {
            sum += length;
        }
        // In one piece: the program looks at the first that it reads.
        let _ = stream.write_all(format!("HTTP/1.1 200 {sum}\r\n\r\n").as_bytes());
        let _ = stream.shutdown(Shutdown::Write);
    })
}

#[test]
fn half_a_connection_can_be_closed() {
    world::inside(|world| {
        let _both = [counting(80), counting(8081)];
        for port in ["80", "8081"] {
            let penned = same(&visit(world, "half-close", "own.example.com", port), 8);
            assert!(
                account(&penned.finished)[6].contains("HTTP/1.1 200 3"),
                "{:?}",
                account(&penned.finished)
            );
        }
    });
}

/// A port that is not looked into refuses at once; on one that is, the refusal must come too, as a refusal.
#[test]
fn a_refusal_arrives() {
    world::inside(|world| {
        for port in ["8081", "80"] {
            same(&visit(world, "refusal", "own.example.com", port), 3);
        }
    });
}

const GIBIBYTE: u64 = 1 << 30;

/// Sends a gibibyte to who asks for `/down`, and counts what it gets otherwise.
fn gibibyte() -> Own {
    Own::serve(OWN, 80, |mut stream, _| {
        let mut buffer = vec![0; 1 << 16];
        let first = stream.read(&mut buffer).unwrap_or(0);
        if buffer[..first].starts_with(b"GET /down") {
            let mut left = GIBIBYTE;
            while left > 0 && stream.write_all(&buffer).is_ok() {
                left -= buffer.len() as u64;
            }
            return;
        }
        let mut sum = first;
        while let Ok(length @ 1..) = stream.read(&mut buffer) {
            sum += length;
        }
        // In one piece: the program looks at the first that it reads.
        let _ = stream.write_all(format!("HTTP/1.1 200 {sum}\r\n\r\n").as_bytes());
    })
}

/// A gibibyte each way through verification; caponier stays as small as it was.
#[test]
fn a_gibibyte_passes_in_bounded_memory() {
    world::inside(|world| {
        let _own = gibibyte();
        let visit = visit(world, "bulk", "own.example.com", "80");
        let open = account(&visit.in_the_open().finished);
        let ground = Ground::new();
        let running = visit.start_in_the_pen(&ground);
        running.wait_for("SAY up ");
        let peak = processes::status_kib(running.pid(), "VmHWM").expect("the supervisor still runs");
        let finished = running.finish();
        let events = log::events(&ground.path("audit"));
        assert_eq!(account(&finished), open);
        assert!(peak < 64 * 1024, "{peak} KiB at most");
        let closed: Vec<_> = log::of(&events, "network.close").collect();
        let most =
            |field: &str| closed.iter().filter_map(|line| line[field].as_u64()).max().unwrap_or_default();
        assert!(most("bytes_down") >= GIBIBYTE && most("bytes_up") >= GIBIBYTE, "{closed:?}");
    });
}

/// The far side dies in the middle of an answer.
#[test]
fn the_far_side_is_killed_in_the_middle() {
    world::inside(|world| {
        for port in ["80", "8081"] {
            let visit = visit(world, "killed", "own.example.com", port);
            let play = |start: &dyn Fn(&Ground) -> Running| {
                let mut site = world.second_site();
                let ground = Ground::new();
                let running = start(&ground);
                running.wait_for("SAY reading ok");
                site.kill();
                let finished = running.finish();
                (ground, finished)
            };
            let (_, open) = play(&|ground| visit.start_in_the_open(ground));
            let (ground, penned) = play(&|ground| visit.start_in_the_pen(ground));
            let open = account(&open);
            assert!(open[3].starts_with("gone"), "{open:?}");
            assert_eq!(account(&penned), open);
            log::assert_whole(&ground, &log::events(&ground.path("audit")));
        }
    });
}

/// The server in the pen is killed in the middle of an answer: its connection ends at the far side too, and is on record.
#[test]
fn a_server_that_is_killed_leaves_no_connection() {
    world::inside(|world| {
        for port in ["80", "8081"] {
            let (told, gone) = std::sync::mpsc::channel();
            let told = std::sync::Mutex::new(told);
            let _own = Own::serve(OWN, port.parse().expect("a port"), move |mut stream, _| {
                let mut buffer = [0; 4096];
                while let Ok(1..) = stream.read(&mut buffer) {}
                let _ = told.lock().expect("lock").send(());
            });
            let ground = Ground::new();
            let running = visit(world, "held", "own.example.com", port).start_in_the_pen(&ground);
            running.wait_for("SAY held");
            let program = program::network("semantics").to_str().expect("UTF-8").to_owned();
            let words = format!("{program} held own.example.com {port} ");
            let servers = processes::marked(&program);
            let server = servers.iter().find(|(_, its)| *its == words).expect("the server");
            let pid = Pid::from_raw(i32::try_from(server.0).expect("a process id"));
            kill(pid, Signal::SIGKILL).expect("kill");
            gone.recv_timeout(PATIENCE).expect("the far side sees the end");
            assert_eq!(running.finish().code(), Some(128 + 9));
            let events = log::events(&ground.path("audit"));
            log::assert_whole(&ground, &events);
            // Also when the end came before the first bytes were judged: it was made.
            for event in ["network.connect", "network.close"] {
                let line = log::of(&events, event).find(|line| line["host"] == "own.example.com");
                assert!(line.is_some(), "no {event}");
            }
        }
    });
}
