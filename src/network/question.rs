//! One DNS message in, one out. No I/O. RFC 1035, RFC 7766.
//!
//! What is not exactly one question of class IN is refused (`FORMERR`, `NOTIMP`, `REFUSED`), so that a message cannot mean one
//! thing here and another there. The question is given back byte for byte: clients compare its case.

use std::net::Ipv4Addr;

use simple_dns::rdata::{A, RData};
use simple_dns::{CLASS, OPCODE, Packet, PacketFlag, QCLASS, QTYPE, RCODE, ResourceRecord, TYPE};

use crate::policy::host::Name;

/// How long an answer may be kept, in seconds: far less than it is believed.
const TTL: u32 = 60;

/// A question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Question {
    /// As it was asked, stray bytes shown.
    pub(super) asked: String,
    /// The name, if it is one.
    pub(super) name: Option<Name>,
    /// `A`, `AAAA` …
    pub(super) kind: String,
    /// Whether it asks for IPv4 addresses.
    pub(super) wants_addresses: bool,
}

/// What is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    /// These addresses; none is `NODATA`.
    Addresses(Vec<Ipv4Addr>),
    /// There is no such name.
    NoSuchName,
    /// It could not be found out.
    Failed,
}

/// Reads a question; `Err` is the answer to what is none, or `None` when there is nothing to answer.
pub(super) fn read(message: &[u8]) -> Result<Question, Option<Vec<u8>>> {
    let Ok(packet) = Packet::parse(message) else { return Err(malformed(message)) };
    if packet.has_flags(PacketFlag::RESPONSE) {
        return Err(None);
    }
    let question = match packet.questions.as_slice() {
        _ if packet.opcode() != OPCODE::StandardQuery => return Err(reply(&packet, RCODE::NotImplemented)),
        [question] => question,
        _ => return Err(reply(&packet, RCODE::FormatError)),
    };
    if question.qclass != QCLASS::CLASS(CLASS::IN) {
        return Err(reply(&packet, RCODE::Refused));
    }
    let labels: Vec<&[u8]> = question.qname.get_labels().iter().map(AsRef::as_ref).collect();
    let asked = crate::event::text(&labels.join(&b'.')).into_owned();
    // A dot inside a label would be two labels to whoever reads the text.
    let whole = labels.iter().all(|label| !label.contains(&b'.'));
    let name = Name::parse(&asked).ok().filter(|_| whole);
    let kind = match question.qtype {
        QTYPE::TYPE(kind) => format!("{kind:?}"),
        QTYPE::ANY => "ANY".to_owned(),
        _ => "?".to_owned(),
    };
    Ok(Question { asked, name, kind, wants_addresses: question.qtype == QTYPE::TYPE(TYPE::A) })
}

/// The message that answers the question in `message`.
pub(super) fn answer(message: &[u8], answer: &Answer) -> Option<Vec<u8>> {
    let packet = Packet::parse(message).ok()?;
    let rcode = match answer {
        Answer::Addresses(_) => RCODE::NoError,
        Answer::NoSuchName => RCODE::NameError,
        Answer::Failed => RCODE::ServerFailure,
    };
    let mut out = blank(&packet, rcode);
    let question = packet.questions.first()?;
    if let Answer::Addresses(addresses) = answer {
        out.answers = addresses
            .iter()
            .map(|address| {
                let data = RData::A(A { address: u32::from(*address) });
                ResourceRecord::new(question.qname.clone(), CLASS::IN, TTL, data)
            })
            .collect();
    }
    out.build_bytes_vec_compressed().ok()
}

fn blank<'a>(packet: &Packet<'a>, rcode: RCODE) -> Packet<'a> {
    let mut out = Packet::new_reply(packet.id());
    out.set_flags(PacketFlag::RECURSION_AVAILABLE);
    if packet.has_flags(PacketFlag::RECURSION_DESIRED) {
        out.set_flags(PacketFlag::RECURSION_DESIRED);
    }
    *out.opcode_mut() = packet.opcode();
    *out.rcode_mut() = rcode;
    out.questions = packet.questions.clone();
    out
}

fn reply(packet: &Packet<'_>, rcode: RCODE) -> Option<Vec<u8>> {
    blank(packet, rcode).build_bytes_vec_compressed().ok()
}

/// `FORMERR` to whatever has at least an id.
fn malformed(message: &[u8]) -> Option<Vec<u8>> {
    let id = message.first_chunk::<2>()?;
    let mut out = Packet::new_reply(u16::from_be_bytes(*id));
    *out.rcode_mut() = RCODE::FormatError;
    out.build_bytes_vec().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A query as a resolver writes it.
    fn query(labels: &[&[u8]], kind: u16) -> Vec<u8> {
        let mut message = vec![0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        for label in labels {
            message.push(label.len() as u8);
            message.extend_from_slice(label);
        }
        message.push(0);
        message.extend_from_slice(&kind.to_be_bytes());
        message.extend_from_slice(&1u16.to_be_bytes());
        message
    }

    #[test]
    fn a_question_is_read_and_given_back_as_it_was() {
        let message = query(&[b"ExAmPle", b"com"], 1);
        let question = read(&message).unwrap();
        assert_eq!(question.name, Some(Name::parse("example.com").unwrap()));
        assert!(question.wants_addresses);
        let out = answer(&message, &Answer::Addresses(vec![Ipv4Addr::new(93, 184, 216, 34)])).unwrap();
        assert_eq!(out[..2], [0x12, 0x34]);
        assert_eq!(out[3] & 0xf, 0);
        assert!(out.windows(12).any(|window| window == b"\x07ExAmPle\x03com"));
        assert!(out.ends_with(&[0, 4, 93, 184, 216, 34]));
        let none = answer(&message, &Answer::NoSuchName).unwrap();
        assert_eq!((none[3] & 0xf, &none[6..8]), (3, &[0, 0][..]));
        assert_eq!(answer(&message, &Answer::Failed).unwrap()[3] & 0xf, 2);
    }

    #[test]
    fn other_kinds_want_no_addresses() {
        for kind in [28, 65, 64, 12, 255] {
            assert!(!read(&query(&[b"a", b"com"], kind)).unwrap().wants_addresses, "{kind}");
        }
    }

    #[test]
    fn labels_are_no_text() {
        for labels in
            [&[&b"a.evil"[..], b"com"][..], &[b"a\0b", b"com"], &[b"a b", b"com"], &[b"\xff", b"com"]]
        {
            let question = read(&query(labels, 1)).unwrap();
            assert_eq!(question.name, None, "{labels:?}");
        }
        assert_eq!(read(&query(&[b"a.evil", b"com"], 1)).unwrap().asked, "a.evil.com");
        assert_eq!(read(&query(&[], 1)).unwrap().name, None);
    }

    #[test]
    fn what_is_no_single_question_is_refused() {
        let mut two = query(&[b"a"], 1);
        two[5] = 2;
        two.extend_from_slice(&[1, b'b', 0, 0, 1, 0, 1]);
        assert_eq!(read(&two).unwrap_err().unwrap()[3] & 0xf, 1);
        let mut status = query(&[b"a"], 1);
        status[2] = 0b0001_0001;
        assert_eq!(read(&status).unwrap_err().unwrap()[3] & 0xf, 4);
        let mut chaos = query(&[b"a"], 1);
        let last = chaos.len() - 1;
        chaos[last] = 3;
        assert_eq!(read(&chaos).unwrap_err().unwrap()[3] & 0xf, 5);
        let mut response = query(&[b"a"], 1);
        response[2] |= 0x80;
        assert_eq!(read(&response), Err(None));
        assert_eq!(read(&[1]), Err(None));
        assert_eq!(read(&[9, 9, 1, 0, 0, 1]).unwrap_err().unwrap()[..2], [9, 9]);
    }

    proptest! {
        #[test]
        fn nothing_panics(message in prop::collection::vec(any::<u8>(), 0..128)) {
            if read(&message).is_ok() {
                let _ = answer(&message, &Answer::NoSuchName);
            }
        }
    }
}
