//! What the network broker writes down, and how it explains a refusal.

use std::net::IpAddr;

use crate::event::{Backend, Emitter, Event, NetworkClose, NetworkConnect, NetworkResolve, Unwritable};
use crate::network::{Refused, Target};
use crate::policy::calls::Touch;
use crate::policy::host::Name;
use crate::policy::network::Network;
use crate::policy::reason::Reason;
use crate::policy::verdict::{Denial, Layer, Remedy, Ruling};
use crate::sys::errno;

/// Whose connection or question it is.
#[derive(Debug, Clone)]
pub struct Asker {
    /// The process.
    pub pid: u32,
    /// Its program.
    pub exe: String,
}

/// Writes lines of one session.
#[derive(Clone, Copy)]
pub struct Record<'a> {
    pub(super) emitter: &'a Emitter,
}

/// How a connection ended.
pub(super) struct Ending {
    pub(super) host: Option<String>,
    pub(super) backend: Backend,
    pub(super) up: Option<u64>,
    pub(super) down: Option<u64>,
    pub(super) duration_us: u64,
    pub(super) cause: &'static str,
}

impl Record<'_> {
    /// A connection that is made, or was tried.
    pub fn connect(
        self,
        asker: &Asker,
        target: &Target,
        backend: Backend,
        sni: Option<String>,
        errno: i32,
    ) -> Result<(), Unwritable> {
        let address = target.address.ip().to_string();
        if errno == 0 && backend != Backend::Listen {
            let host = target.host.as_deref().unwrap_or(&address);
            let by = target.leaves_this_machine().then_some(asker.pid);
            self.emitter.calls().touch(Touch::Host { host, up: 0, down: 0, by });
        }
        let mut event = self.blank(asker, target.host.clone(), address, target.address.port());
        event.backend = Some(backend);
        event.sni = sni;
        event.result = errno::name(errno);
        self.emitter.emit(&Event::NetworkConnect(Box::new(event))).map(|_| ())
    }

    /// A connection that is refused before it is made.
    pub fn refuse(
        self,
        asker: &Asker,
        address: IpAddr,
        port: u16,
        refused: &Refused,
    ) -> Result<(), Unwritable> {
        let event = self.blank(asker, refused.host.clone(), address.to_string(), port);
        self.deny(event, &refused.denial, refused.errno)
    }

    /// A connection that is refused for what it began with.
    pub(super) fn refuse_hello(self, asker: &Asker, target: &Target, sni: Option<String>, denial: &Denial) {
        let address = target.address;
        let mut event = self.blank(asker, target.host.clone(), address.ip().to_string(), address.port());
        event.backend = Some(Backend::Verify);
        event.sni = sni;
        // Nothing went out; an unwritable log is heard of at the next thing that wants to happen.
        let _ = self.deny(event, denial, libc::ECONNRESET);
    }

    fn deny(self, mut event: NetworkConnect, denial: &Denial, errno: i32) -> Result<(), Unwritable> {
        self.emitter.calls().touch(Touch::Denied);
        event.verdict = Ruling::Deny;
        event.reason = Some(denial.reason);
        event.layer = Some(denial.layer);
        event.remedy = denial.remedy.line().map(str::to_owned);
        event.why_not = denial.remedy.why_not().map(str::to_owned);
        event.result = errno::name(errno);
        self.emitter.emit(&Event::NetworkConnect(Box::new(event))).map(|_| ())
    }

    fn blank(self, asker: &Asker, host: Option<String>, address: String, port: u16) -> NetworkConnect {
        let (calls, attribution) = self.emitter.calls().by(asker.pid);
        NetworkConnect {
            host,
            port,
            address,
            sni: None,
            backend: None,
            verdict: Ruling::Allow,
            reason: None,
            layer: None,
            remedy: None,
            why_not: None,
            result: "ok",
            pid: asker.pid,
            exe: asker.exe.clone(),
            calls,
            attribution,
            count: 1,
        }
    }

    /// The end of a connection.
    pub(super) fn close(self, asker: &Asker, target: &Target, ending: Ending) {
        let (calls, attribution) = self.emitter.calls().by(asker.pid);
        let event = NetworkClose {
            host: ending.host,
            port: target.address.port(),
            address: target.address.ip().to_string(),
            backend: ending.backend,
            bytes_up: ending.up,
            bytes_down: ending.down,
            duration_us: ending.duration_us,
            cause: ending.cause,
            pid: asker.pid,
            exe: asker.exe.clone(),
            calls,
            attribution,
        };
        // It happened already; an unwritable log is the session's to report.
        let _ = self.emitter.emit(&Event::NetworkClose(Box::new(event)));
    }

    /// A look-up.
    pub(super) fn resolve(
        self,
        asker: &Asker,
        (host, query): (&str, &str),
        addresses: &[IpAddr],
        denial: Option<&Denial>,
        result: &'static str,
    ) -> Result<(), Unwritable> {
        if denial.is_some() {
            self.emitter.calls().touch(Touch::Denied);
        }
        let (calls, attribution) = self.emitter.calls().by(asker.pid);
        let event = NetworkResolve {
            host: host.to_owned(),
            query: query.to_owned(),
            addresses: addresses.iter().map(IpAddr::to_string).collect(),
            verdict: if denial.is_some() { Ruling::Deny } else { Ruling::Allow },
            reason: denial.map(|denial| denial.reason),
            layer: denial.map(|denial| denial.layer),
            remedy: denial.and_then(|denial| denial.remedy.line().map(str::to_owned)),
            why_not: denial.and_then(|denial| denial.remedy.why_not().map(str::to_owned)),
            result,
            pid: asker.pid,
            exe: asker.exe.clone(),
            calls,
            attribution,
            count: 1,
        };
        self.emitter.emit(&Event::NetworkResolve(Box::new(event))).map(|_| ())
    }
}

/// A name, or a port of it, that the list does not have.
pub(super) fn not_listed(name: &Name, port: u16) -> Denial {
    let remedy = if name.is_localhost() {
        Remedy::Line(format!("network.local = [\"localhost:{port}\"]"))
    } else {
        Remedy::Line(format!("network.allow = [\"{name}:{port}\"]"))
    };
    Denial { reason: Reason::NetHostNotListed, layer: Layer::Network, remedy }
}

/// The same, unless it is the workspace's own file that takes the name away.
/// `None` for the port: it is only looked up yet.
pub(super) fn not_left(policy: &Network, name: &Name, port: Option<u16>) -> Denial {
    match policy.why_taken(name, port) {
        Some(why) => never(Reason::NetHostNotListed, &why),
        None => not_listed(name, port.unwrap_or(443)),
    }
}

/// A refusal that no line of a profile lifts.
pub(super) fn never(reason: Reason, why: &str) -> Denial {
    Denial { reason, layer: Layer::Network, remedy: Remedy::WhyNot(why.to_owned()) }
}
