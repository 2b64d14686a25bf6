//! What several files make of `[tools]`: lists add, the lower cap holds, and a rule that only one file has is kept.
//!
//! A list of what may be (`allow`, `within`, `one_of` …) grows with every file that adds to it, one of what may not be
//! (`ask`, `deny`, `deny_prefix`) too. `pattern` has no stricter side, so two bases that differ are an error.

use std::collections::{BTreeMap, BTreeSet};

use crate::policy::argument::{ArgumentPath, ArgumentRule, OutsidePaths};
use crate::policy::grant::{Origin, Stated};
use crate::policy::tools::{Caps, OnMismatch, ToolDefault, ToolPattern, ToolRule, Tools, UnknownFields};
use crate::profile::entry::Entry;
use crate::profile::inherit::Member;
use crate::profile::laws::{Scalars, list, settled, union};
use crate::profile::problem::Problem;
use crate::profile::schema::Layer;
use crate::profile::tool_keys::{ArgumentKeys, CapKeys, RuleKeys};
use crate::profile::tree::Maybe;

/// The folders of one `within`, not expanded yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Within {
    pub tool: String,
    pub argument: String,
    pub entries: Vec<Entry>,
}

/// Composes `[tools]`, apart from the folders of `within`, whose variables have no value yet.
pub(super) fn compose(scalars: &mut Scalars<'_>, problems: &mut Vec<Problem>) -> (Tools, Vec<Within>) {
    let default = scalars.chosen(
        "tools.default",
        |layer| layer.tools.default.as_ref(),
        |default| match default {
            ToolDefault::Deny => 0,
            ToolDefault::Ask => 1,
            ToolDefault::Allow => 2,
        },
    );
    let all = caps(scalars, "tools", |layer| Some(&layer.tools.caps));
    let outside_paths = outside(scalars, "tools", |layer| Some(&layer.tools.outside_paths));
    let mismatch = scalars.chosen(
        "tools.mismatch",
        |layer| layer.tools.mismatch.as_ref(),
        |mismatch| *mismatch == OnMismatch::Log,
    );
    let members = scalars.members;
    let names: BTreeSet<&String> = members.iter().flat_map(|member| member.layer.tools.rule.keys()).collect();
    let mut within = Vec::new();
    let mut rule = BTreeMap::new();
    for tool in names {
        let found = Tool { key: format!("tools.rule.{tool}"), tool };
        rule.insert(tool.clone(), found.compose(scalars, problems, &mut within));
    }
    let tools = Tools {
        default: default.as_ref().map_or(ToolDefault::Allow, |default| default.value),
        default_origin: default.map(|default| default.origin),
        allow: patterns(members, |layer| &layer.tools.allow),
        ask: patterns(members, |layer| &layer.tools.ask),
        deny: patterns(members, |layer| &layer.tools.deny),
        all,
        outside_paths,
        mismatch,
        rule,
        taken: None,
    };
    (tools, within)
}

fn patterns(
    members: &[Member],
    field: impl Fn(&Layer) -> &Vec<crate::profile::tree::Sourced<String>>,
) -> Vec<ToolPattern> {
    let found = list(members, field).into_iter();
    found.map(|glob| ToolPattern { glob: glob.value, origin: glob.origin }).collect()
}

/// The lower cap is the stricter, and "none" is above every number.
fn caps<'m>(
    scalars: &mut Scalars<'m>,
    key: &str,
    of: impl Fn(&'m Layer) -> Option<&'m CapKeys> + Copy,
) -> Caps {
    let key = |name: &str| format!("{key}.{name}");
    Caps {
        calls: scalars.chosen(
            &key("calls"),
            |layer| of(layer)?.calls.as_ref(),
            |rate| (rate.is_none(), rate.map(|rate| rate.hourly())),
        ),
        concurrent: scalars.chosen(
            &key("concurrent"),
            |layer| of(layer)?.concurrent.as_ref(),
            |number| (number.is_none(), *number),
        ),
        timeout: scalars.chosen(
            &key("timeout"),
            |layer| of(layer)?.timeout.as_ref(),
            |time| (time.is_none(), *time),
        ),
        result_size: scalars.chosen(
            &key("result_size"),
            |layer| of(layer)?.result_size.as_ref(),
            |bytes| (bytes.is_none(), *bytes),
        ),
    }
}

fn outside<'m>(
    scalars: &mut Scalars<'m>,
    key: &str,
    of: impl Fn(&'m Layer) -> Option<&'m Maybe<OutsidePaths>>,
) -> Option<Stated<OutsidePaths>> {
    let key = format!("{key}.outside_paths");
    scalars.chosen(&key, |layer| of(layer)?.as_ref(), |paths| *paths == OutsidePaths::Allow)
}

/// One tool's rule.
struct Tool<'t> {
    key: String,
    tool: &'t String,
}

impl Tool<'_> {
    fn keys<'m>(&self, layer: &'m Layer) -> Option<&'m RuleKeys> {
        layer.tools.rule.get(self.tool)
    }

    fn compose(
        &self,
        scalars: &mut Scalars<'_>,
        problems: &mut Vec<Problem>,
        within: &mut Vec<Within>,
    ) -> ToolRule {
        let caps = caps(scalars, &self.key, |layer| Some(&self.keys(layer)?.caps));
        let outside_paths = outside(scalars, &self.key, |layer| Some(&self.keys(layer)?.outside_paths));
        let unknown_fields = scalars.chosen(
            &format!("{}.unknown_fields", self.key),
            |layer| self.keys(layer)?.unknown_fields.as_ref(),
            |fields| *fields == UnknownFields::Allow,
        );
        let layers = scalars.members.iter().filter_map(|member| self.keys(&member.layer));
        let places: BTreeSet<&ArgumentPath> = layers.flat_map(|rule| rule.argument.keys()).collect();
        let mut argument = BTreeMap::new();
        for at in places {
            let (rule, entries) = self.argument(at, scalars, problems);
            let name = at.to_string();
            within.extend(entries.map(|entries| Within {
                tool: self.tool.clone(),
                argument: name.clone(),
                entries,
            }));
            argument.insert(name, rule);
        }
        ToolRule { caps, outside_paths, unknown_fields, argument }
    }

    fn argument(
        &self,
        at: &ArgumentPath,
        scalars: &mut Scalars<'_>,
        problems: &mut Vec<Problem>,
    ) -> (ArgumentRule, Option<Vec<Entry>>) {
        let key = format!("{}.argument.{at}", self.key);
        let max_length = scalars.chosen(
            &format!("{key}.max_length"),
            |layer| argument_keys(self.keys(layer), at)?.max_length.as_ref(),
            |length| *length,
        );
        let outside_paths =
            outside(scalars, &key, |layer| Some(&argument_keys(self.keys(layer), at)?.outside_paths));
        let members = scalars.members;
        let texts = |field: fn(&ArgumentKeys) -> &crate::profile::tool_keys::MaybeList<String>| {
            union(members, |layer| field(argument_keys(self.keys(layer), at)?).as_ref())
        };
        let folders: Vec<&crate::profile::tree::Sourced<Vec<Entry>>> = members
            .iter()
            .filter_map(|member| argument_keys(self.keys(&member.layer), at)?.within.as_ref())
            .collect();
        let origin: Option<Origin> = folders.iter().map(|list| &list.origin).min().cloned();
        let entries = folders.iter().flat_map(|list| list.value.clone()).collect();
        let pattern = settled(
            &format!("{key}.pattern"),
            members,
            |layer| argument_keys(self.keys(layer), at)?.pattern.as_ref(),
            problems,
        );
        let rule = ArgumentRule {
            at: at.clone(),
            within: origin.clone().map(|origin| Stated { value: Vec::new(), origin }),
            extensions: texts(|keys| &keys.extensions),
            deny_prefix: texts(|keys| &keys.deny_prefix),
            one_of: texts(|keys| &keys.one_of),
            hosts: union(members, |layer| argument_keys(self.keys(layer), at)?.hosts.as_ref()),
            pattern,
            max_length,
            outside_paths,
        };
        (rule, origin.map(|_| entries))
    }
}

fn argument_keys<'m>(rule: Option<&'m RuleKeys>, at: &ArgumentPath) -> Option<&'m ArgumentKeys> {
    rule?.argument.get(at)
}
