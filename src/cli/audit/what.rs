//! One event in a few words: what happened, and to what.

use std::borrow::Cow;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::audit::query::record::Record;

/// What was done: the access of a file, the name of the event of everything else.
pub(in crate::cli) fn what<'a>(record: &'a Record<'_>) -> Cow<'a, str> {
    match (&*record.event, record.access.as_deref(), record.outcome.as_deref()) {
        ("file.access", Some(access), _) => Cow::Borrowed(access),
        ("call.end", _, Some(outcome)) => Cow::Owned(format!("call.end {outcome}")),
        (event, _, _) => Cow::Borrowed(event),
    }
}

/// What it was done to.
pub(in crate::cli) fn target<'a>(record: &'a Record<'_>) -> Cow<'a, str> {
    let text = |text: &'a Option<crate::audit::query::record::Text<'_>>| text.as_deref().map(Cow::Borrowed);
    // What is defined and is no tool, by its kind.
    let defined = match (record.kind.as_deref(), record.name.as_deref()) {
        (Some(kind), Some(name)) => Some(format!("{} {name}", kind.replace('_', " "))),
        (kind, _) => kind.map(str::to_owned),
    };
    let detailed = || {
        let of = record.tool.as_deref().map(Cow::Borrowed).or_else(|| defined.clone().map(Cow::Owned));
        let of = of.or_else(|| text(&record.method));
        match (of, record.detail.as_deref()) {
            (Some(of), Some(detail)) => Some(Cow::Owned(format!("{of}: {detail}"))),
            (None, Some(detail)) => Some(Cow::Borrowed(detail)),
            (of, None) => of,
        }
    };
    let address = || {
        let host = record.host.as_deref().or(record.address.as_deref())?;
        Some(Cow::Owned(match record.port {
            Some(port) if port > 0 => format!("{host} port {port}"),
            _ => host.to_owned(),
        }))
    };
    let broken = || {
        let (tool, declared) = (record.tool.as_deref()?, record.declared.as_deref()?);
        let what = record.path.as_deref().or(record.host.as_deref()).unwrap_or_default();
        Some(Cow::Owned(format!(
            "{tool} declares {declared}; {} {what}",
            record.did.as_deref().unwrap_or_default()
        )))
    };
    broken()
        .or_else(|| text(&record.path))
        .or_else(|| text(&record.syscall))
        .or_else(address)
        .or_else(detailed)
        .or_else(|| text(&record.command))
        .or_else(|| text(&record.exe))
        .or_else(|| text(&record.excerpt))
        .or_else(|| text(&record.cause))
        .or_else(|| text(&record.reason))
        .unwrap_or_default()
}

/// The call that it is of, or the calls that were in flight, `?` when there were several.
pub(super) fn calls(record: &Record<'_>) -> String {
    let mut calls: Vec<u64> = record.calls().collect();
    calls.sort_unstable();
    calls.dedup();
    let list = calls.iter().map(u64::to_string).collect::<Vec<_>>().join(",");
    if calls.len() > 1 { format!("{list}?") } else { list }
}

/// What would allow it, or why nothing is proposed.
pub(super) fn remedy<'a>(record: &'a Record<'_>) -> Cow<'a, str> {
    match (record.remedy.as_deref(), record.why_not.as_deref()) {
        (Some(remedy), _) => Cow::Borrowed(remedy),
        (None, Some(why_not)) => Cow::Owned(format!("none: {why_not}")),
        (None, None) => Cow::Borrowed(""),
    }
}

/// Microseconds, as people say them.
pub(in crate::cli) fn duration(micros: u64) -> String {
    match micros {
        0..1_000 => format!("{micros} \u{b5}s"),
        1_000..1_000_000 => format!("{}.{} ms", micros / 1_000, micros % 1_000 / 100),
        1_000_000..60_000_000 => format!("{}.{} s", micros / 1_000_000, micros % 1_000_000 / 100_000),
        _ => format!("{} min {} s", micros / 60_000_000, micros % 60_000_000 / 1_000_000),
    }
}

/// A stamp of the log in local time, to the millisecond; as it stands when it is none.
pub(in crate::cli) fn local(time: &str, zone: &TimeZone) -> String {
    match time.parse::<Timestamp>() {
        Ok(timestamp) => format!("{:.3}", zone.to_datetime(timestamp)).replace('T', " "),
        Err(_) => time.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(fields: &str) -> String {
        format!(
            r#"{{"v":1,"seq":1,"time":"2026-11-23T16:20:00.123456Z","session":"S","server":"s",{fields},"prev":""}}"#
        )
    }

    #[test]
    fn events_in_a_few_words() {
        for (fields, expected) in [
            (r#""event":"file.access","access":"read","path":"/x","calls":[2,1]"#, "read|/x|1,2?|"),
            (
                r#""event":"syscall.denied","syscall":"io_uring_setup","why_not":"no"#,
                "syscall.denied|io_uring_setup||none: no",
            ),
            (
                r#""event":"message.denied","method":"tools/call","tool":"rm","detail":"d","remedy":"line"#,
                "message.denied|rm: d||line",
            ),
            (
                r#""event":"network.connect","host":null,"address":"10.0.0.1","port":80,"calls":[3]"#,
                "network.connect|10.0.0.1 port 80|3|",
            ),
            (r#""event":"call.end","call":4,"tool":"t","outcome":"ok"#, "call.end ok|t|4|"),
            (
                r#""event":"tool.mismatch","tool":"t","call":4,"declared":"readOnlyHint: true","did":"write","path":"/a"#,
                "tool.mismatch|t declares readOnlyHint: true; write /a|4|",
            ),
            (r#""event":"tool.defined","kind":"tool","tool":"t"#, "tool.defined|t||"),
            (
                r#""event":"tool.changed","kind":"resource_template","tool":null,"name":"a:{b}"#,
                "tool.changed|resource template a:{b}||",
            ),
            (r#""event":"tool.changed","tool":null,"kind":"instructions"#, "tool.changed|instructions||"),
            (r#""event":"session.end","calls":3,"cause":"killed"#, "session.end|killed||"),
        ] {
            let fields = if fields.ends_with(['"', ']', '0', '3']) {
                fields.to_owned()
            } else {
                format!("{fields}\"")
            };
            let line = record(&fields);
            let record: Record<'_> = serde_json::from_str(&line).unwrap();
            let told =
                format!("{}|{}|{}|{}", what(&record), target(&record), calls(&record), remedy(&record));
            assert_eq!(told, expected);
        }
    }

    #[test]
    fn durations_are_short() {
        for (micros, said) in
            [(5, "5 \u{b5}s"), (1_550, "1.5 ms"), (2_300_000, "2.3 s"), (61_000_000, "1 min 1 s")]
        {
            assert_eq!(duration(micros), said);
        }
    }

    #[test]
    fn times_are_local() {
        let zone = TimeZone::fixed(jiff::tz::offset(2));
        assert_eq!(local("2026-11-23T16:20:00.123456Z", &zone), "2026-11-23 18:20:00.123");
        assert_eq!(local("soon", &zone), "soon");
    }
}
