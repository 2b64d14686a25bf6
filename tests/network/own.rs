//! Servers that a test starts itself: plain TCP, with whatever manners the test wants to see.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// A server, and everything that it was sent.
pub(crate) struct Own {
    heard: Arc<Mutex<Vec<u8>>>,
}

impl Own {
    /// Answers the first bytes of every connection with `taken`, and goes on reading.
    pub(crate) fn that_takes(address: &str, port: u16) -> Own {
        Own::serve(address, port, |mut stream, heard| {
            let mut buffer = [0; 65536];
            let mut answered = false;
            while let Ok(length @ 1..) = stream.read(&mut buffer) {
                heard.lock().expect("lock").extend_from_slice(&buffer[..length]);
                if !answered {
                    let _ = stream.write_all(b"taken");
                    answered = true;
                }
            }
        })
    }

    /// Runs `serve` for each connection, in a thread of its own.
    pub(crate) fn serve(
        address: &str,
        port: u16,
        serve: impl Fn(TcpStream, &Mutex<Vec<u8>>) + Send + Sync + 'static,
    ) -> Own {
        let listener = TcpListener::bind((address, port)).expect("a free port");
        let heard = Arc::<Mutex<Vec<u8>>>::default();
        let (serve, for_all) = (Arc::new(serve), Arc::clone(&heard));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (serve, heard) = (Arc::clone(&serve), Arc::clone(&for_all));
                thread::spawn(move || serve(stream, &heard));
            }
        });
        Own { heard }
    }

    /// What it was sent so far, all connections together.
    pub(crate) fn heard(&self) -> Vec<u8> {
        self.heard.lock().expect("lock").clone()
    }

    /// Forgets it.
    pub(crate) fn forget(&self) {
        self.heard.lock().expect("lock").clear();
    }
}
