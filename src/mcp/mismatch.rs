//! What a server declares of a tool, against what a call of it did.
//!
//! Only what is certainly that call's work counts ([`Deeds`]). A hint that is absent declares nothing.

use std::collections::HashMap;

use crate::mcp::catalog::Annotations;
use crate::mcp::refusal::Refusal;
use crate::policy::calls::Deeds;
use crate::policy::grant::Stated;
use crate::policy::reason::Reason;
use crate::policy::tools::OnMismatch;
use crate::policy::verdict::Remedy;

/// So many calls that did what their tool declares not to do make it distrusted; one does when nobody else can have been it.
const ENOUGH: u32 = 2;

/// A call that did what its tool declares not to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mismatch {
    /// What the tool's annotations say: `readOnlyHint: true`, `openWorldHint: false`.
    pub declared: &'static str,
    /// What the call did: `write` or `connect`.
    pub did: &'static str,
    /// The path that was written, or the host that was reached: the first of its kind.
    pub what: String,
}

/// What the deeds of one call say against the tool's annotations.
pub fn compare(annotations: Annotations, deeds: &Deeds) -> Vec<Mismatch> {
    let mut found = Vec::new();
    if let (Some(true), Some(path)) = (annotations.read_only, &deeds.wrote) {
        found.push(Mismatch { declared: "readOnlyHint: true", did: "write", what: path.clone() });
    }
    if let (Some(false), Some(host)) = (annotations.open_world, &deeds.reached) {
        found.push(Mismatch { declared: "openWorldHint: false", did: "connect", what: host.clone() });
    }
    found
}

/// The tools that were caught, where that has consequences.
#[derive(Debug, Default)]
pub(super) struct Distrust {
    rule: Option<Stated<OnMismatch>>,
    caught: HashMap<String, Caught>,
}

/// How often, and the last time.
#[derive(Debug)]
struct Caught {
    times: u32,
    last: Mismatch,
}

impl Distrust {
    pub(super) fn new(rule: Option<&Stated<OnMismatch>>) -> Self {
        Distrust { rule: rule.cloned(), caught: HashMap::new() }
    }

    /// Remembers one call. Bounded by the caller: only tools that were listed have annotations to compare with.
    pub(super) fn learn(&mut self, tool: &str, found: &[Mismatch], deeds: &Deeds) {
        let Some(last) = found.first() else { return };
        if self.rule.as_ref().is_none_or(|rule| rule.value == OnMismatch::Log) {
            return;
        }
        let certain = last.did == "write" && deeds.wrote_by_own;
        let more = if certain { ENOUGH } else { 1 };
        let caught = self.caught.entry(tool.to_owned());
        let caught = caught.or_insert_with(|| Caught { times: 0, last: last.clone() });
        caught.times = caught.times.saturating_add(more);
        caught.last = last.clone();
    }

    /// Why a tool may not be called any more in this session.
    pub(super) fn refuse(&self, tool: &str) -> Option<Refusal> {
        let Caught { last: Mismatch { declared, did, what }, .. } =
            self.caught.get(tool).filter(|caught| caught.times >= ENOUGH)?;
        let origin = &self.rule.as_ref()?.origin;
        let did = if *did == "write" { "wrote" } else { "reached" };
        let detail = format!(
            "the tool declares {declared}, and an earlier call of it {did} {what} (mismatch = \"deny-next\", {origin})"
        );
        Some(Refusal::new(Reason::ToolMismatch, detail, Remedy::Line("tools.mismatch = \"log\"".into())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::grant::Origin;

    fn wrote(path: &str, by_own: bool) -> Deeds {
        Deeds { wrote: Some(path.into()), wrote_by_own: by_own, reached: Some("a.com".into()) }
    }

    #[test]
    fn only_what_is_declared_can_be_broken() {
        let none = Annotations::default();
        assert_eq!(compare(none, &wrote("/a", true)), []);
        let writes = Annotations { read_only: Some(false), open_world: Some(true), ..none };
        assert_eq!(compare(writes, &wrote("/a", true)), []);
        let closed = Annotations { read_only: Some(true), open_world: Some(false), ..none };
        assert_eq!(compare(closed, &Deeds::default()), []);
        let found = compare(closed, &wrote("/a", false));
        let found: Vec<_> = found.iter().map(|one| (one.declared, one.did, one.what.as_str())).collect();
        assert_eq!(
            found,
            [("readOnlyHint: true", "write", "/a"), ("openWorldHint: false", "connect", "a.com")]
        );
    }

    #[test]
    fn a_tool_is_distrusted_after_two_or_one_that_is_certain() {
        let stated = |value| Stated { value, origin: Origin { file: "p.toml".into(), line: 3, column: 1 } };
        let closed = Annotations { read_only: Some(true), ..Annotations::default() };
        let refused = |rule, deeds: &[Deeds]| {
            let mut distrust = Distrust::new(Some(&stated(rule)));
            deeds.iter().for_each(|deeds| distrust.learn("t", &compare(closed, deeds), deeds));
            assert_eq!(distrust.refuse("u"), None);
            distrust.refuse("t")
        };
        let (doubtful, certain) = (wrote("/a", false), wrote("/b", true));
        assert_eq!(refused(OnMismatch::Log, &[certain.clone(), certain.clone()]), None);
        assert_eq!(refused(OnMismatch::DenyNext, &[Deeds::default(), doubtful.clone()]), None);
        assert!(refused(OnMismatch::DenyNext, &[doubtful.clone(), doubtful]).is_some());
        let refusal = refused(OnMismatch::DenyNext, &[certain]).unwrap();
        assert_eq!(refusal.denial.reason, Reason::ToolMismatch);
        assert!(
            refusal.detail.contains("wrote /b") && refusal.detail.contains("p.toml:3"),
            "{}",
            refusal.detail
        );
    }
}
