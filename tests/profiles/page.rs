//! One page of this machine's.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::thread;

/// Serves it on a port of its own, until the test's process ends.
pub(crate) fn serve() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for mut caller in listener.incoming().flatten() {
            thread::spawn(move || -> Option<()> {
                let mut reader = BufReader::new(caller.try_clone().ok()?);
                let mut line = String::new();
                while reader.read_line(&mut line).ok()? > 2 {
                    line.clear();
                }
                let page = "<title>Bastion</title><h1>Glacis</h1><script>document.title = 'Lunette'</script>";
                let head = format!(
                    "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
                    page.len()
                );
                caller.write_all((head + page).as_bytes()).ok()
            });
        }
    });
    port
}
