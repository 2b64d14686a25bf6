//! What a client sends on an HTTP connection, request by request: each must be for an allowed host. RFC 9112.
//!
//! One connection carries many requests, and a server that holds many sites looks at each request's `Host`. So every one is
//! looked at, and its bytes go on only once they were judged. Where two readers could see different requests (two lengths, a
//! bare line feed, a folded line, a request line that disagrees with `Host`) there is nothing to judge, and the connection
//! ends. What follows an upgrade that the other side accepted is opaque, and only counted.

use crate::network::hello::LONGEST;
use crate::policy::host::{Host, Name};

/// Headers of one request.
const MOST_HEADERS: usize = 128;
/// A line that announces a chunk.
const LONGEST_CHUNK_LINE: usize = 1024;

/// Why a connection ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Refusal {
    /// For another host, or for two: what was read of it.
    Host(Option<String>),
    /// No request that has one reading.
    Unreadable,
}

/// Where in the stream we are.
#[derive(Debug, PartialEq, Eq)]
enum State {
    /// In the head of a request.
    Head,
    /// In a body of this many more bytes.
    Body(u64),
    /// In a line that announces a chunk.
    ChunkLine(Vec<u8>),
    /// In a chunk of this many more bytes.
    Chunk(u64),
    /// In the line end after a chunk: bytes of it seen.
    ChunkEnd(u8),
    /// In the lines after the last chunk.
    Trailer(Vec<u8>),
    /// An upgrade was asked for: nothing goes on until the other side answered.
    Asked,
    /// The other side accepted it.
    Opaque,
}

/// One connection's requests.
#[derive(Debug)]
pub(super) struct Requests {
    state: State,
    head: Vec<u8>,
    /// Bytes behind an upgrade that is not answered yet.
    held: Vec<u8>,
    port: u16,
    names: Vec<Name>,
    seen: u64,
    host: Option<Name>,
}

impl Requests {
    /// Requests to `port` for any of `names`.
    pub(super) fn new(port: u16, names: Vec<Name>) -> Self {
        Requests { state: State::Head, head: Vec::new(), held: Vec::new(), port, names, seen: 0, host: None }
    }

    /// The host of the last request that was judged.
    pub(super) fn host(&self) -> Option<&Name> {
        self.host.as_ref()
    }

    /// Whether bytes are held until the other side answers.
    pub(super) fn waits(&self) -> bool {
        self.state == State::Asked && self.held.len() >= LONGEST
    }

    /// Takes what the client sent; what may go on is added to `out`.
    pub(super) fn take(&mut self, mut bytes: &[u8], out: &mut Vec<u8>) -> Result<(), Refusal> {
        while !bytes.is_empty() {
            let used = self.step(bytes, out)?;
            bytes = &bytes[used..];
        }
        Ok(())
    }

    /// The first bytes of an answer: whether an upgrade was accepted. What was held then goes on.
    pub(super) fn answered(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), Refusal> {
        if self.state != State::Asked {
            return Ok(());
        }
        let accepted = bytes.starts_with(b"HTTP/1.1 101");
        self.state = if accepted { State::Opaque } else { State::Head };
        let held = std::mem::take(&mut self.held);
        self.take(&held, out)
    }

    fn step(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<usize, Refusal> {
        match &mut self.state {
            State::Opaque => {
                out.extend_from_slice(bytes);
                Ok(bytes.len())
            }
            State::Asked => {
                self.held.extend_from_slice(bytes);
                Ok(bytes.len())
            }
            State::Body(left) | State::Chunk(left) => {
                let take = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
                out.extend_from_slice(&bytes[..take]);
                *left -= take as u64;
                if *left == 0 {
                    let body = matches!(self.state, State::Body(_));
                    self.state = if body { State::Head } else { State::ChunkEnd(0) };
                }
                Ok(take)
            }
            State::ChunkEnd(seen) => {
                let expected = if *seen == 0 { b'\r' } else { b'\n' };
                if bytes[0] != expected {
                    return Err(Refusal::Unreadable);
                }
                out.push(bytes[0]);
                self.state = if *seen == 0 { State::ChunkEnd(1) } else { State::ChunkLine(Vec::new()) };
                Ok(1)
            }
            State::ChunkLine(line) => {
                let Some(used) = line_from(line, bytes)? else { return Ok(bytes.len()) };
                out.extend_from_slice(line);
                self.state = match chunk_size(line).ok_or(Refusal::Unreadable)? {
                    0 => State::Trailer(Vec::new()),
                    size => State::Chunk(size),
                };
                Ok(used)
            }
            State::Trailer(line) => {
                let Some(used) = line_from(line, bytes)? else { return Ok(bytes.len()) };
                out.extend_from_slice(line);
                self.state = if line == b"\r\n" { State::Head } else { State::Trailer(Vec::new()) };
                Ok(used)
            }
            State::Head => self.head(bytes, out),
        }
    }

    fn head(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<usize, Refusal> {
        // Empty lines before a request are skipped by some readers and an error to others.
        let from = self.head.len().saturating_sub(3);
        let before = self.head.len();
        let room = LONGEST + 1 - before.min(LONGEST);
        self.head.extend_from_slice(&bytes[..bytes.len().min(room)]);
        let Some(end) = memchr::memmem::find(&self.head[from..], b"\r\n\r\n").map(|at| from + at + 4) else {
            return if self.head.len() > LONGEST { Err(Refusal::Unreadable) } else { Ok(bytes.len()) };
        };
        self.head.truncate(end);
        let head = std::mem::take(&mut self.head);
        let request = Request::read(&head)?;
        let host = request.host(self.port)?;
        let Host::Name(name) = &host else { return Err(Refusal::Host(Some(host.to_string()))) };
        if !self.names.contains(name) {
            return Err(Refusal::Host(Some(name.to_string())));
        }
        self.host = Some(name.clone());
        self.state = match request.upgrades {
            // A client that upgrades opens a connection for it; behind others nothing says which answer is whose.
            true if self.seen > 0 => return Err(Refusal::Unreadable),
            true => State::Asked,
            false => match request.body {
                Body::Length(0) => State::Head,
                Body::Length(length) => State::Body(length),
                Body::Chunked => State::ChunkLine(Vec::new()),
            },
        };
        self.seen += 1;
        out.extend_from_slice(&head);
        Ok(end - before)
    }
}

/// Adds to `line` up to and with its line end; `None`: it goes on.
fn line_from(line: &mut Vec<u8>, bytes: &[u8]) -> Result<Option<usize>, Refusal> {
    let end = memchr::memchr(b'\n', bytes).map(|at| at + 1);
    line.extend_from_slice(&bytes[..end.unwrap_or(bytes.len()).min(LONGEST_CHUNK_LINE + 1)]);
    if line.len() > LONGEST_CHUNK_LINE || (end.is_some() && !is_line(line)) {
        return Err(Refusal::Unreadable);
    }
    Ok(end)
}

/// Ends in CR LF, and has no other of either.
fn is_line(line: &[u8]) -> bool {
    line.strip_suffix(b"\r\n").is_some_and(|text| memchr::memchr2(b'\r', b'\n', text).is_none())
}

/// Extensions of chunks are nobody's: they have been read in more than one way.
fn chunk_size(line: &[u8]) -> Option<u64> {
    let digits = std::str::from_utf8(line.strip_suffix(b"\r\n")?).ok()?;
    let plain = !digits.is_empty() && digits.len() <= 15 && digits.bytes().all(|b| b.is_ascii_hexdigit());
    u64::from_str_radix(digits, 16).ok().filter(|_| plain)
}

/// What follows a head.
#[derive(Debug, PartialEq, Eq)]
enum Body {
    Length(u64),
    Chunked,
}

/// The head of a request, as far as it matters.
struct Request<'h> {
    target: &'h str,
    host: Option<&'h str>,
    body: Body,
    upgrades: bool,
}

impl<'h> Request<'h> {
    fn read(head: &'h [u8]) -> Result<Request<'h>, Refusal> {
        // httparse takes a bare line feed for a line end; others do not.
        if memchr::memchr_iter(b'\n', head).any(|at| at == 0 || head[at - 1] != b'\r')
            || memchr::memchr_iter(b'\r', head).any(|at| head.get(at + 1) != Some(&b'\n'))
            || memchr::memchr(0, head).is_some()
        {
            return Err(Refusal::Unreadable);
        }
        let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
        let mut parsed = httparse::Request::new(&mut headers);
        match parsed.parse(head) {
            Ok(httparse::Status::Complete(length)) if length == head.len() => {}
            _ => return Err(Refusal::Unreadable),
        }
        let (Some(method), Some(target), Some(version)) = (parsed.method, parsed.path, parsed.version) else {
            return Err(Refusal::Unreadable);
        };
        // A tunnel to elsewhere; HTTP/2 in the open.
        if matches!(method, "CONNECT" | "PRI") {
            return Err(Refusal::Unreadable);
        }
        let values = |name: &str| -> Vec<&'h [u8]> {
            let named = parsed.headers.iter().filter(|header| header.name.eq_ignore_ascii_case(name));
            named.map(|header| header.value).collect()
        };
        let host = match values("host").as_slice() {
            [host] => Some(std::str::from_utf8(host).map_err(|_| Refusal::Host(None))?),
            [] => None,
            _ => return Err(Refusal::Host(None)),
        };
        let upgrade = values("upgrade");
        let clear = |value: &&[u8]| value.to_ascii_lowercase().windows(3).any(|word| word == b"h2c");
        if upgrade.iter().any(clear) {
            return Err(Refusal::Unreadable);
        }
        let body = match (values("content-length").as_slice(), values("transfer-encoding").as_slice()) {
            ([], []) => Body::Length(0),
            ([length], []) => Body::Length(content_length(length).ok_or(Refusal::Unreadable)?),
            ([], [coding]) if version == 1 && coding.eq_ignore_ascii_case(b"chunked") => Body::Chunked,
            _ => return Err(Refusal::Unreadable),
        };
        let upgrades = !upgrade.is_empty();
        if upgrades && body != Body::Length(0) {
            return Err(Refusal::Unreadable);
        }
        Ok(Request { target, host, body, upgrades })
    }

    /// The host that it is for: the target's and the header's, which have to be one.
    fn host(&self, port: u16) -> Result<Host, Refusal> {
        let named = self.host.ok_or(Refusal::Host(None))?;
        let host = authority(named, port)?;
        if self.target.starts_with('/') || self.target == "*" {
            return Ok(host);
        }
        let rest = self.target.get(..7).filter(|scheme| scheme.eq_ignore_ascii_case("http://"));
        let rest = rest.and_then(|_| self.target.get(7..)).ok_or(Refusal::Unreadable)?;
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        if authority(&rest[..end], port)? == host { Ok(host) } else { Err(Refusal::Host(Some(shown(rest)))) }
    }
}

/// `HOST` or `HOST:PORT` for this very port.
fn authority(text: &str, port: u16) -> Result<Host, Refusal> {
    let refused = || Refusal::Host(Some(shown(text)));
    let (host, rest) = match text.rsplit_once(':') {
        Some((host, rest)) if !rest.contains(']') => (host, Some(rest)),
        _ => (text, None),
    };
    if rest.is_some_and(|rest| rest != port.to_string()) {
        return Err(refused());
    }
    Host::parse(host).map_err(|_| refused())
}

fn content_length(value: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(value).ok()?;
    let plain = !text.is_empty() && text.len() <= 18 && text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|_| plain)
}

/// As much of it as a record should hold.
fn shown(text: &str) -> String {
    text.chars().take(260).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn requests() -> Requests {
        let names = ["a.com", "b.com"].map(|name| Name::parse(name).unwrap());
        Requests::new(80, names.to_vec())
    }

    fn whole(text: &str) -> Result<Vec<u8>, Refusal> {
        let mut out = Vec::new();
        requests().take(text.as_bytes(), &mut out).map(|()| out)
    }

    #[test]
    fn requests_for_the_host_go_on_as_they_are() {
        for text in [
            "GET / HTTP/1.1\r\nHost: a.com\r\n\r\n",
            "GET / HTTP/1.1\r\nhOST: A.com.:80\r\nX: y\r\n\r\n",
            "GET http://a.com/x?y HTTP/1.1\r\nHost: a.com\r\n\r\n",
            "OPTIONS * HTTP/1.1\r\nHost: b.com\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: a.com\r\nContent-Length: 5\r\n\r\nhelloGET / HTTP/1.1\r\nHost: b.com\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: a.com\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX: y\r\n\r\nGET / HTTP/1.1\r\nHost: b.com\r\n\r\n",
        ] {
            assert_eq!(whole(text), Ok(text.as_bytes().to_vec()), "{text}");
        }
    }

    #[test]
    fn another_host_ends_it_at_any_request() {
        let evil = |host: &str| Err(Refusal::Host(Some(host.to_owned())));
        assert_eq!(whole("GET / HTTP/1.1\r\nHost: evil.io\r\n\r\n"), evil("evil.io"));
        assert_eq!(
            whole("GET / HTTP/1.1\r\nHost: a.com\r\n\r\nGET / HTTP/1.1\r\nHost: evil.io\r\n\r\n"),
            evil("evil.io")
        );
        assert_eq!(
            whole(
                "POST / HTTP/1.1\r\nHost: a.com\r\nContent-Length: 2\r\n\r\nxxGET / HTTP/1.1\r\nHost: evil.io\r\n\r\n"
            ),
            evil("evil.io")
        );
        assert_eq!(whole("GET http://b.com/ HTTP/1.1\r\nHost: a.com\r\n\r\n"), evil("b.com/"));
        assert_eq!(whole("GET http://evil.io/ HTTP/1.1\r\nHost: a.com\r\n\r\n"), evil("evil.io/"));
        assert_eq!(whole("GET http://a.com@evil.io/ HTTP/1.1\r\nHost: a.com\r\n\r\n"), evil("a.com@evil.io"));
        assert_eq!(whole("GET / HTTP/1.1\r\nHost: a.com:8080\r\n\r\n"), evil("a.com:8080"));
        assert_eq!(whole("GET / HTTP/1.1\r\nHost: 93.184.216.34\r\n\r\n"), evil("93.184.216.34"));
        assert_eq!(whole("GET / HTTP/1.1\r\nHost: a.com\r\nHost: a.com\r\n\r\n"), Err(Refusal::Host(None)));
        assert_eq!(whole("GET / HTTP/1.1\r\nX: y\r\n\r\n"), Err(Refusal::Host(None)));
        assert_eq!(whole("GET / HTTP/1.1\r\nHost:\r\n\r\n"), evil(""));
    }

    #[test]
    fn what_has_two_readings_ends_it() {
        for text in [
            "CONNECT a.com:443 HTTP/1.1\r\nHost: a.com\r\n\r\n",
            "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            "GET / HTTP/1.1\nHost: a.com\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a.com\r\nX: a\n b\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a.com\r\nX: a\r\n b\r\n\r\n",
            "GET / HTTP/1.1\r\nHost : a.com\r\n\r\n",
            "GET / HTTP/1.1\r\n Host: a.com\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a.com\0\r\n\r\n",
            "\r\nGET / HTTP/1.1\r\nHost: a.com\rX\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: a.com\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: a.com\r\nContent-Length: +1\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: a.com\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: a.com\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
            "POST / HTTP/1.0\r\nHost: a.com\r\nTransfer-Encoding: chunked\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: a.com\r\nTransfer-Encoding: chunked\r\n\r\n5;x\r\nhello\r\n0\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: a.com\r\nTransfer-Encoding: chunked\r\n\r\n5\nhello\r\n0\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: a.com\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhelloX\r\n",
            "GET / HTTP/1.1\r\nHost: a.com\r\nUpgrade: h2c\r\n\r\n",
            "GET https://a.com/ HTTP/1.1\r\nHost: a.com\r\n\r\n",
            "GET a.com HTTP/1.1\r\nHost: a.com\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a.com\r\n\r\nGET / HTTP/1.1\r\nHost: a.com\r\nUpgrade: websocket\r\n\r\n",
        ] {
            assert_eq!(whole(text), Err(Refusal::Unreadable), "{text}");
        }
        let long = format!("GET / HTTP/1.1\r\nHost: a.com\r\nX: {}\r\n\r\n", "y".repeat(LONGEST));
        assert_eq!(whole(&long), Err(Refusal::Unreadable));
    }

    #[test]
    fn behind_an_upgrade_nothing_goes_on_until_it_is_accepted() {
        let upgrade = "GET / HTTP/1.1\r\nHost: a.com\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
        let evil = "GET / HTTP/1.1\r\nHost: evil.io\r\n\r\n";
        for (answer, expected) in [
            ("HTTP/1.1 101 Switching Protocols\r\n", Ok(())),
            ("HTTP/1.1 200 OK\r\n", Err(Refusal::Host(Some("evil.io".into())))),
        ] {
            let (mut requests, mut out) = (requests(), Vec::new());
            requests.take(format!("{upgrade}{evil}").as_bytes(), &mut out).unwrap();
            assert_eq!(out, upgrade.as_bytes());
            assert_eq!(requests.answered(answer.as_bytes(), &mut out), expected);
            assert_eq!(out.ends_with(evil.as_bytes()), expected.is_ok());
        }
    }

    proptest! {
        #[test]
        fn pieces_do_not_matter(at in prop::collection::vec(0usize..400, 0..6), which in 0usize..3) {
            let text = [
                "POST / HTTP/1.1\r\nHost: a.com\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\nGET / HTTP/1.1\r\nHost: b.com\r\n\r\n",
                "POST / HTTP/1.1\r\nHost: a.com\r\nContent-Length: 12\r\n\r\nhello\r\n\r\nbyeGET / HTTP/1.1\r\nHost: evil.io\r\n\r\n",
                "GET / HTTP/1.1\r\nHost: a.com\r\n\r\nGET / HTTP/1.1\r\nHost: a.com\r\nHost: b.com\r\n\r\n",
            ][which].as_bytes();
            let mut cuts: Vec<usize> = at.iter().map(|at| at % text.len()).chain([0, text.len()]).collect();
            cuts.sort_unstable();
            let (mut requests, mut out) = (requests(), Vec::new());
            let outcome = cuts.windows(2).try_for_each(|cut| requests.take(&text[cut[0]..cut[1]], &mut out));
            let (mut at_once, mut all) = (self::requests(), Vec::new());
            prop_assert_eq!(outcome, at_once.take(text, &mut all));
            prop_assert_eq!(out, all);
        }

        #[test]
        fn nothing_panics_and_nothing_goes_on_without_its_head(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut out = Vec::new();
            let _ = requests().take(&bytes, &mut out);
            prop_assert!(out.is_empty());
        }
    }
}
