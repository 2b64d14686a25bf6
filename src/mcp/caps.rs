//! How many calls at a time, for how long, and how large an answer: what holds for each tool.
//!
//! `concurrent` of the whole server and of a tool both hold. `timeout` and `result_size` of a tool take the place of the
//! server's, also when they say `"none"`.

use std::time::Duration;

use crate::mcp::arguments::key;
use crate::mcp::refusal::Refusal;
use crate::policy::grant::Stated;
use crate::policy::reason::Reason;
use crate::policy::tools::{Caps, Tools};
use crate::policy::verdict::Remedy;

/// A cap that holds, the key that states it, and its line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cap<T> {
    pub(super) value: T,
    key: String,
    line: String,
}

/// The cap of one kind that holds for a tool: the tool's own, else the server's.
fn holding<T: Copy>(
    tools: &Tools,
    tool: &str,
    name: &str,
    of: impl Fn(&Caps) -> Option<&Stated<Option<T>>>,
) -> Option<Cap<T>> {
    match tools.rule.get(tool).and_then(|rule| of(&rule.caps)) {
        Some(own) => stated(own, || format!("tools.rule.{}.{name}", key(tool))),
        None => stated(of(&tools.all)?, || format!("tools.{name}")),
    }
}

fn stated<T: Copy>(stated: &Stated<Option<T>>, key: impl Fn() -> String) -> Option<Cap<T>> {
    Some(Cap { value: stated.value?, key: key(), line: stated.origin.to_string() })
}

/// How long a call of this tool may take.
pub(super) fn timeout(tools: &Tools, tool: &str) -> Option<Cap<Duration>> {
    holding(tools, tool, "timeout", |caps| caps.timeout.as_ref())
}

/// Why an answer of so many bytes goes no further, if it does not.
pub(super) fn refuse_result(tools: &Tools, tool: &str, bytes: u64) -> Option<Refusal> {
    let cap = holding(tools, tool, "result_size", |caps| caps.result_size.as_ref())?;
    (bytes > cap.value).then(|| {
        let Cap { value, key, line } = cap;
        let larger = bytes.div_ceil(1024);
        Refusal::new(
            Reason::ResultOverLimit,
            format!("{bytes} bytes; {key} allows {value} ({line})"),
            Remedy::Line(format!("{key} = \"{larger}KiB\"")),
        )
    })
}

/// Why another call does not fit beside those in flight, if it does not.
pub(super) fn refuse_concurrent(tools: &Tools, tool: &str, all: usize, own: usize) -> Option<Refusal> {
    let own_cap = tools.rule.get(tool).and_then(|rule| {
        stated(rule.caps.concurrent.as_ref()?, || format!("tools.rule.{}.concurrent", key(tool)))
    });
    let all_cap = tools.all.concurrent.as_ref().and_then(|cap| stated(cap, || "tools.concurrent".into()));
    [(own_cap, own), (all_cap, all)].into_iter().find_map(|(cap, count)| {
        let Cap { value, key, line } = cap.filter(|cap| count >= cap.value as usize)?;
        Some(Refusal::new(
            Reason::RateConcurrent,
            format!("{count} in flight; {key} allows {value} ({line})"),
            Remedy::Line(format!("{key} = {}", value.saturating_mul(2))),
        ))
    })
}

/// Why a call that took too long was ended.
pub(super) fn timed_out(cap: &Cap<Duration>) -> Refusal {
    let Cap { value, key, line } = cap;
    let time = shown(*value);
    let longer = shown(value.saturating_mul(2));
    Refusal::new(
        Reason::CallTimeout,
        format!("no answer within {time}, which is {key} ({line})"),
        Remedy::Line(format!("{key} = \"{longer}\"")),
    )
}

fn shown(time: Duration) -> String {
    if time.subsec_millis() == 0 { format!("{}s", time.as_secs()) } else { format!("{}ms", time.as_millis()) }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::policy::grant::Origin;
    use crate::policy::tools::ToolRule;

    fn at<T>(value: Option<T>, line: u32) -> Option<Stated<Option<T>>> {
        Some(Stated { value, origin: Origin { file: "p.toml".into(), line, column: 1 } })
    }

    fn tools(all: Caps, own: Caps) -> Tools {
        let rule = ToolRule { caps: own, ..ToolRule::default() };
        Tools { all, rule: BTreeMap::from([("a b".to_owned(), rule)]), ..Tools::default() }
    }

    #[test]
    fn a_tool_s_own_timeout_takes_the_place_of_the_server_s() {
        let seconds = |own| {
            let all = Caps { timeout: at(Some(Duration::from_secs(60)), 2), ..Caps::default() };
            let tools = tools(all, Caps { timeout: own, ..Caps::default() });
            (
                timeout(&tools, "a b").map(|cap| cap.value.as_secs()),
                timeout(&tools, "c").map(|cap| cap.value.as_secs()),
            )
        };
        assert_eq!(seconds(None), (Some(60), Some(60)));
        assert_eq!(seconds(at(Some(Duration::from_secs(90)), 5)), (Some(90), Some(60)));
        assert_eq!(seconds(at(None, 5)), (None, Some(60)));
    }

    #[test]
    fn a_refusal_names_the_key_and_the_line() {
        let own = Caps { concurrent: at(Some(2), 7), result_size: at(Some(1024), 8), ..Caps::default() };
        let tools = tools(Caps { concurrent: at(Some(3), 2), ..Caps::default() }, own);
        assert_eq!(refuse_concurrent(&tools, "a b", 1, 1), None);
        let refusal = refuse_concurrent(&tools, "a b", 2, 2).unwrap();
        assert_eq!(refusal.detail, "2 in flight; tools.rule.\"a b\".concurrent allows 2 (p.toml:7:1)");
        let refusal = refuse_concurrent(&tools, "c", 3, 0).unwrap();
        assert_eq!(refusal.detail, "3 in flight; tools.concurrent allows 3 (p.toml:2:1)");
        assert_eq!(refuse_result(&tools, "a b", 1024), None);
        let refusal = refuse_result(&tools, "a b", 1025).unwrap();
        assert_eq!(refusal.denial.remedy.line(), Some("tools.rule.\"a b\".result_size = \"2KiB\""));
        assert_eq!(refuse_result(&tools, "c", u64::MAX), None);
        let cap = Cap { value: Duration::from_millis(1500), key: "tools.timeout".into(), line: "x".into() };
        assert_eq!(timed_out(&cap).denial.remedy.line(), Some("tools.timeout = \"3s\""));
    }
}
