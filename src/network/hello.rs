//! The first bytes of a TLS connection: which name they ask for. RFC 8446, RFC 6066.
//!
//! Nothing is decrypted and no key is held: rustls' `Acceptor` reads the ClientHello and stops there. A hello may come in any
//! number of pieces; with ECH it is the outer name that is seen.

use rustls::server::Acceptor;

use crate::policy::host::Name;

/// Bytes within which a hello, or the head of a request, has to end.
pub(super) const LONGEST: usize = 16 * 1024;

/// What a hello says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Hello {
    /// It goes on.
    More,
    /// This name, as it was written.
    Name(String, Option<Name>),
    /// No name.
    Nameless,
    /// It is no hello.
    Unreadable,
}

/// A reader of one hello.
pub(super) struct Reader {
    acceptor: Acceptor,
    taken: usize,
}

impl Reader {
    pub(super) fn new() -> Self {
        Reader { acceptor: Acceptor::default(), taken: 0 }
    }

    /// Takes the bytes that came next.
    pub(super) fn take(&mut self, bytes: &[u8]) -> Hello {
        self.taken += bytes.len();
        if self.taken > LONGEST {
            return Hello::Unreadable;
        }
        let mut rest = bytes;
        while !rest.is_empty() {
            match self.acceptor.read_tls(&mut rest) {
                Ok(0) | Err(_) => return Hello::Unreadable,
                Ok(_) => {}
            }
            match self.acceptor.accept() {
                Ok(None) => {}
                Ok(Some(accepted)) => {
                    return match accepted.client_hello().server_name() {
                        Some(name) => Hello::Name(name.to_owned(), Name::parse(name).ok()),
                        None => Hello::Nameless,
                    };
                }
                Err(_) => return Hello::Unreadable,
            }
        }
        Hello::More
    }
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A ClientHello as a client writes it: TLS 1.3, one suite, one group, one signature scheme.
    pub(in crate::network) fn client_hello(name: Option<&str>) -> Vec<u8> {
        let mut extensions = Vec::new();
        let mut extension = |kind: u16, body: &[u8]| {
            extensions.extend_from_slice(&kind.to_be_bytes());
            extensions.extend_from_slice(&(body.len() as u16).to_be_bytes());
            extensions.extend_from_slice(body);
        };
        if let Some(name) = name {
            let mut body = ((name.len() + 3) as u16).to_be_bytes().to_vec();
            body.push(0);
            body.extend_from_slice(&(name.len() as u16).to_be_bytes());
            body.extend_from_slice(name.as_bytes());
            extension(0, &body);
        }
        extension(10, &[0, 2, 0, 29]);
        extension(13, &[0, 2, 4, 3]);
        extension(43, &[2, 3, 4]);
        let mut share = vec![0, 36, 0, 29, 0, 32];
        share.extend_from_slice(&[7; 32]);
        extension(51, &share);
        let mut body = vec![3, 3];
        body.extend_from_slice(&[9; 32]);
        body.extend_from_slice(&[0, 0, 2, 0x13, 1, 1, 0]);
        body.extend_from_slice(&(extensions.len() as u16).to_be_bytes());
        body.extend_from_slice(&extensions);
        let mut message = vec![1, 0];
        message.extend_from_slice(&(body.len() as u16).to_be_bytes());
        message.extend_from_slice(&body);
        let mut record = vec![0x16, 3, 1];
        record.extend_from_slice(&(message.len() as u16).to_be_bytes());
        record.extend_from_slice(&message);
        record
    }

    fn read(pieces: &[&[u8]]) -> Hello {
        let mut reader = Reader::new();
        let mut last = Hello::More;
        for piece in pieces {
            last = reader.take(piece);
            if last != Hello::More {
                break;
            }
        }
        last
    }

    #[test]
    fn the_name_is_read_in_one_piece_or_in_many() {
        let hello = client_hello(Some("Example.com"));
        let expected = Hello::Name("Example.com".into(), Some(Name::parse("example.com").unwrap()));
        let lower = |hello: Hello| match hello {
            Hello::Name(text, name) => (text.to_ascii_lowercase(), name),
            other => panic!("{other:?}"),
        };
        assert_eq!(lower(read(&[&hello])), lower(expected.clone()));
        let bytes: Vec<&[u8]> = hello.chunks(1).collect();
        assert_eq!(lower(read(&bytes)), lower(expected));
        assert_eq!(read(&[&hello[..hello.len() - 1]]), Hello::More);
        assert_eq!(read(&[&client_hello(None)]), Hello::Nameless);
    }

    #[test]
    fn what_is_no_hello_is_unreadable() {
        for bytes in [&b"GET / HTTP/1.1\r\n\r\n"[..], b"SSH-2.0-x\r\n", &[0x17, 3, 3, 0, 1, 0]] {
            assert_eq!(read(&[bytes]), Hello::Unreadable, "{bytes:?}");
        }
        // A record that is announced and never ends.
        let mut endless = vec![0x16, 3, 1, 0x40, 0, 1, 0, 0xff, 0xff];
        endless.resize(LONGEST + 1, 0);
        assert_eq!(read(&[&endless]), Hello::Unreadable);
    }

    proptest! {
        #[test]
        fn nothing_panics_and_pieces_do_not_matter(
            bytes in prop::collection::vec(any::<u8>(), 0..300), at in 0usize..300, flip in 0usize..200,
        ) {
            let _ = read(&[&bytes]);
            let mut hello = client_hello(Some("example.com"));
            let len = hello.len();
            hello[flip % len] ^= bytes.first().copied().unwrap_or(1);
            let (a, b) = hello.split_at(at % len);
            prop_assert_eq!(read(&[&hello]), read(&[a, b]));
        }
    }
}
