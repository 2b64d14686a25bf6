//! Names and addresses, judged again: as `network/` does, without looking anything up.

use std::net::IpAddr;

use crate::audit::replay::Judgement;
use crate::policy::host::{Host, Name};
use crate::policy::profile_line::adding;
use crate::policy::reason::Reason;
use crate::policy::verdict::{Denial, Layer, Remedy};
use crate::profile::Resolved;
use crate::profile::why;

/// Whether a name may be looked up: some port of it is listed.
pub(super) fn lookup(resolved: &Resolved, host: &str) -> Judgement {
    let network = &resolved.policy.network;
    match Host::parse(host) {
        Ok(Host::Name(name)) => match network.resolves(&name) {
            Some(grant) => {
                Judgement::allowed(Some(grant.origin.clone()), format!("{} is granted", grant.host))
            }
            // The answer for one of its ports is the answer for its name.
            None => connect(resolved, None, &format!("{host}:443")),
        },
        _ => Judgement::open("the name cannot be read in one way only"),
    }
}

/// Whether `address` (with its port) may be connected to, behind `name` when one is known.
pub(super) fn connect(resolved: &Resolved, name: Option<&str>, address: &str) -> Judgement {
    let network = &resolved.policy.network;
    let socket = address.rsplit_once(':').and_then(|(ip, port)| {
        let ip: IpAddr = ip.trim_matches(['[', ']']).parse().ok()?;
        Some((ip, port.parse::<u16>().ok()?))
    });
    if let (Some(name), Some((ip, port))) = (name.and_then(|name| Name::parse(name).ok()), socket) {
        if let Some(grant) = network.allows(&name, port) {
            let line = Some(grant.origin.clone());
            if network.permits(grant, ip) {
                return Judgement::allowed(line, format!("{}:{port} is granted", grant.host));
            }
            let because = format!("{} is granted, and {ip} is not on the internet", grant.host);
            let entry = serde_json::Value::from(format!("{}:{port}", name.as_str()));
            let remedy = Remedy::Line(format!("network.allow = [{{ host = {entry}, private = true }}]"));
            let denial = Denial { reason: Reason::NetAddressPrivate, layer: Layer::Network, remedy };
            return Judgement::refused(&denial, line, because);
        }
        return asked(resolved, &format!("{}:{port}", name.as_str()));
    }
    asked(resolved, address)
}

/// Whether the server may listen there.
pub(super) fn listen(resolved: &Resolved, address: &str) -> Judgement {
    let socket: Option<(IpAddr, u16)> = address
        .rsplit_once(':')
        .and_then(|(ip, port)| Some((ip.trim_matches(['[', ']']).parse().ok()?, port.parse().ok()?)));
    let Some((ip, port)) = socket else {
        return Judgement::open("the log does not say which address it was");
    };
    match resolved.policy.network.listens(ip, port) {
        Some(grant) => Judgement::allowed(
            Some(grant.origin.clone()),
            format!("{}:{} is granted", grant.host, grant.port),
        ),
        None => {
            let remedy = match resolved.policy.network.why_listen_taken(ip, port) {
                Some(why) => Remedy::WhyNot(why),
                None => Remedy::Line(adding("network.listen", address)),
            };
            let denial = Denial { reason: Reason::NetListenNotListed, layer: Layer::Network, remedy };
            Judgement::refused(&denial, None, format!("no line of `network.listen` names {address}"))
        }
    }
}

fn asked(resolved: &Resolved, host: &str) -> Judgement {
    match why::host(resolved, host) {
        Ok(answer) => Judgement::of(answer),
        Err(error) => Judgement::open(&error.to_string()),
    }
}
