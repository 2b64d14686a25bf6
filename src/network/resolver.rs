//! The resolver that a server's libraries ask: DNS over TCP, at `127.0.0.53:53` as they see it. RFC 7766.
//!
//! A name that is not listed is answered from here alone: whatever a server writes into a name never leaves this machine. What
//! a listed name leads to is checked address by address before anybody hears of it.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::network::question::{self, Answer, Question};
use crate::network::record::{Asker, Record, never, not_left};
use crate::network::{Shared, lock, upstream};
use crate::policy::address::{Place, canonical, place};
use crate::policy::host::Name;
use crate::policy::reason::Reason;
use crate::policy::verdict::{Denial, Layer, Remedy};
use crate::sys::lookup::Failure;

/// Longest question.
const LONGEST: usize = 4096;
/// How long a client may keep a connection without asking.
const IDLE: Duration = Duration::from_secs(30);
/// How long opening `/etc/hosts` may take: names that are not resolved by then are not in it.
const HOSTS: Duration = Duration::from_secs(2);

/// Serves one connection.
pub(super) async fn serve(shared: Arc<Shared>, mut stream: TcpStream, asker: Asker) {
    let mut message = Vec::new();
    loop {
        let read = tokio::time::timeout(IDLE, async {
            let len = usize::from(stream.read_u16().await?);
            if len > LONGEST {
                return Err(std::io::ErrorKind::InvalidData.into());
            }
            message.resize(len, 0);
            stream.read_exact(&mut message).await
        });
        let Ok(Ok(_)) = read.await else { return };
        let answer = match question::read(&message) {
            Ok(asked) => {
                let answer = shared.answer(&asker, &asked).await;
                question::answer(&message, &answer)
            }
            Err(answer) => answer,
        };
        let Some(answer) = answer else { return };
        let Ok(len) = u16::try_from(answer.len()) else { return };
        let framed = [&len.to_be_bytes()[..], &answer].concat();
        if stream.write_all(&framed).await.is_err() {
            return;
        }
    }
}

/// The injected `/etc/hosts`: this machine, and every exact name of the profile with its addresses of now.
///
/// They are looked up whenever the file is opened, not when the session starts: addresses change, and a program that reads
/// this file would hold on to them for good. glibc reads it before it asks the resolver, too, so both say the same.
pub(super) async fn hosts(shared: &Arc<Shared>, asker: &Asker) -> String {
    let mut text = String::from("127.0.0.1 localhost\n::1 localhost\n");
    let names: Vec<Name> = shared.policy.exact_names().into_iter().cloned().collect();
    let mut asked = JoinSet::new();
    for name in names {
        let (shared, asker) = (Arc::clone(shared), asker.clone());
        asked.spawn(async move {
            let addresses = shared.look_up(&asker, &name, "hosts").await;
            (name, addresses)
        });
    }
    let deadline = tokio::time::Instant::now() + HOSTS;
    let mut found = Vec::new();
    while let Ok(Some(Ok(one))) = tokio::time::timeout_at(deadline, asked.join_next()).await {
        found.push(one);
    }
    found.sort_by(|(a, _), (b, _)| a.cmp(b));
    for (name, answer) in found {
        if let Answer::Addresses(addresses) = answer {
            for address in addresses {
                // Writing to a String cannot fail.
                let _ = writeln!(text, "{address} {name}");
            }
        }
    }
    text
}

impl Shared {
    async fn answer(&self, asker: &Asker, asked: &Question) -> Answer {
        let record = Record { emitter: &self.emitter };
        let Some(name) = &asked.name else {
            let denial = never(Reason::NetHostMalformed, "no entry can name what could be read in two ways");
            // A refusal stays one, written or not.
            let _ = record.resolve(asker, (&asked.asked, &asked.kind), &[], Some(&denial), "NXDOMAIN");
            return Answer::NoSuchName;
        };
        if name.is_localhost() && !self.policy.local.is_empty() {
            return Answer::Addresses(if asked.wants_addresses { vec![Ipv4Addr::LOCALHOST] } else { vec![] });
        }
        if self.policy.resolves(name).is_none() {
            let denial = not_left(&self.policy, name, None);
            let _ = record.resolve(asker, (name.as_str(), &asked.kind), &[], Some(&denial), "NXDOMAIN");
            return Answer::NoSuchName;
        }
        if !asked.wants_addresses {
            // No IPv6, no hints of other ports and protocols: programs go on with IPv4.
            return Answer::Addresses(Vec::new());
        }
        self.look_up(asker, name, &asked.kind).await
    }

    /// Resolves a listed name, checks what comes, remembers and tells what may be spoken to.
    async fn look_up(&self, asker: &Asker, name: &Name, query: &str) -> Answer {
        let record = Record { emitter: &self.emitter };
        let Some(grant) = self.policy.resolves(name) else { return Answer::NoSuchName };
        let found = match upstream::resolve(name).await {
            Ok(found) => found,
            Err(failure) => {
                let (result, answer) = match failure {
                    Failure::NoSuchName => ("NXDOMAIN", Answer::NoSuchName),
                    Failure::NoAddress => ("NODATA", Answer::Addresses(Vec::new())),
                    Failure::Failed => ("SERVFAIL", Answer::Failed),
                };
                let _ = record.resolve(asker, (name.as_str(), query), &[], None, result);
                return answer;
            }
        };
        let found: Vec<IpAddr> = found.into_iter().map(canonical).collect();
        let (good, bad): (Vec<IpAddr>, Vec<IpAddr>) =
            found.into_iter().partition(|address| self.policy.permits(grant, *address));
        if !bad.is_empty() {
            let denial = leads_to(name, self.policy.ports(name).first().copied().unwrap_or(443), &bad);
            let result = if good.is_empty() { "NXDOMAIN" } else { "ok" };
            let _ = record.resolve(asker, (name.as_str(), query), &bad, Some(&denial), result);
        }
        let four: Vec<Ipv4Addr> = good
            .iter()
            .filter_map(|address| match address {
                IpAddr::V4(four) => Some(*four),
                IpAddr::V6(_) => None,
            })
            .collect();
        if good.is_empty() {
            return Answer::NoSuchName;
        }
        let told: Vec<IpAddr> = four.iter().map(|address| IpAddr::V4(*address)).collect();
        let result = if told.is_empty() { "NODATA" } else { "ok" };
        if record.resolve(asker, (name.as_str(), query), &told, None, result).is_err() {
            return Answer::Failed;
        }
        lock(&self.book).remember(name, &told, Instant::now());
        Answer::Addresses(four)
    }
}

/// A listed name led to addresses that may not be spoken to.
fn leads_to(name: &Name, port: u16, addresses: &[IpAddr]) -> Denial {
    let worst = addresses.iter().map(|address| place(*address)).max().unwrap_or(Place::Never);
    let remedy = match worst {
        Place::Private => {
            Remedy::Line(format!("network.allow = [{{ host = \"{name}:{port}\", private = true }}]"))
        }
        Place::Loopback => Remedy::WhyNot(
            "the name leads to this machine; network.local grants a port of this machine to whoever asks"
                .into(),
        ),
        _ => Remedy::WhyNot(
            "the name leads to a link-local address, a metadata service, or no host's address".into(),
        ),
    };
    Denial { reason: Reason::NetAddressPrivate, layer: Layer::Network, remedy }
}
