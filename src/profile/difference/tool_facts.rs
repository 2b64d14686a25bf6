//! The facts of `[tools]`. A value of one tool, or of one argument, may loosen what holds for all: each is compared by what
//! holds for it in the end, for every tool and argument that either policy has a rule for.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::policy::Environment;
use crate::policy::argument::{ArgumentRule, OutsidePaths};
use crate::policy::grant::{Origin, Stated};
use crate::policy::tools::{Caps, OnMismatch, ToolDefault, ToolRule, Tools, UnknownFields};
use crate::profile::difference::list::{Fact, List, json, list, loose, or_none, quoted, rate_weight};
use crate::profile::difference::weight::Weight;

/// The tools that have a rule, and the arguments in it.
pub(super) type Ruled = BTreeMap<String, BTreeSet<String>>;

/// Adds those of one policy.
pub(super) fn ruled(tools: &Tools, names: &mut Ruled) {
    for (tool, rule) in &tools.rule {
        names.entry(tool.clone()).or_default().extend(rule.argument.keys().cloned());
    }
}

impl List<'_> {
    pub(super) fn tools(&mut self, tools: &Tools, unknown: UnknownFields, env: Environment, ruled: &Ruled) {
        let Tools {
            default,
            allow,
            ask,
            deny,
            default_origin: _,
            all,
            outside_paths,
            mismatch,
            rule,
            taken: _,
        } = tools;
        self.word(
            "tools.default",
            default,
            match default {
                ToolDefault::Deny => 0,
                ToolDefault::Ask => 1,
                ToolDefault::Allow => 2,
            },
        );
        for pattern in ask {
            // Where nothing else lets a tool be called, to ask about it is more than to refuse it.
            let weight = if *default == ToolDefault::Deny { Weight::Allowed } else { Weight::Denied };
            self.push("tools.ask", quoted(&pattern.glob), weight, Some(pattern.origin.clone()));
        }
        for pattern in allow {
            let weight = Weight::Tool(pattern.glob.clone());
            self.push("tools.allow", quoted(&pattern.glob), weight, Some(pattern.origin.clone()));
        }
        for pattern in deny {
            let origin = Some(pattern.origin.clone());
            self.push("tools.deny", quoted(&pattern.glob), Weight::Denied, origin);
        }
        let outside = match env {
            Environment::Prod => OutsidePaths::Refuse,
            Environment::Dev => OutsidePaths::Allow,
        };
        // What holds for all repeats nothing: its default is another one in each environment.
        let outside = Holding {
            inherited: false,
            ..Holding::new(outside_paths.as_ref(), &Holding::by_default(outside))
        };
        let fields = Holding::by_default(unknown);
        self.caps("tools", all, &Caps::default());
        self.outside("tools", &outside);
        let mismatch = Holding::new(mismatch.as_ref(), &Holding::by_default(OnMismatch::Log));
        self.holding("tools.mismatch", &mismatch, json, |on| u128::from(*on == OnMismatch::Log));
        let none = ToolRule::default();
        for (tool, arguments) in ruled {
            let key = format!("tools.rule.{tool}");
            let ToolRule { unknown_fields, caps, outside_paths, argument } = rule.get(tool).unwrap_or(&none);
            self.caps(&key, caps, all);
            let outside = Holding::new(outside_paths.as_ref(), &outside);
            self.outside(&key, &outside);
            let fields = Holding::new(unknown_fields.as_ref(), &fields);
            let open = |fields: &UnknownFields| u128::from(*fields == UnknownFields::Allow);
            self.holding(&format!("{key}.unknown_fields"), &fields, json, open);
            for name in arguments {
                let nothing = ArgumentRule::default();
                let rule = argument.get(name).unwrap_or(&nothing);
                self.argument(&format!("{key}.argument.{name}"), rule, &outside);
            }
        }
    }

    fn holding<T>(
        &mut self,
        key: &str,
        held: &Holding<T>,
        value: impl Fn(&T) -> String,
        looseness: impl Fn(&T) -> u128,
    ) {
        let weight = Weight::Loose(vec![looseness(&held.value)]);
        let fact = Fact {
            key: key.to_owned(),
            value: value(&held.value),
            weight,
            origin: held.origin.clone(),
            inherited: held.inherited,
        };
        self.add(fact);
    }

    fn outside(&mut self, key: &str, outside: &Holding<OutsidePaths>) {
        let key = format!("{key}.outside_paths");
        self.holding(&key, outside, json, |paths| u128::from(*paths == OutsidePaths::Allow));
    }

    /// Of one tool, a time-out and a size are those of all where it has none; its calls are counted beside all.
    fn caps(&mut self, key: &str, own: &Caps, all: &Caps) {
        let Caps { calls, concurrent, timeout, result_size } = own;
        let rate = calls.as_ref().and_then(|calls| calls.value);
        let origin = calls.as_ref().map(|calls| calls.origin.clone());
        self.push(format!("{key}.calls"), or_none(rate.map(|rate| quoted(&rate))), rate_weight(rate), origin);
        let nothing = Holding::by_default(None);
        let at_once = Holding::new(concurrent.as_ref(), &nothing);
        self.holding(&format!("{key}.concurrent"), &at_once, |n| or_none(*n), |n| loose(n.map(u128::from)));
        let timeout =
            Holding::new(timeout.as_ref(), &Holding::new(all.timeout.as_ref(), &Holding::by_default(None)));
        let milliseconds =
            |time: &Option<Duration>| or_none(time.map(|time| quoted(&format!("{}ms", time.as_millis()))));
        self.holding(&format!("{key}.timeout"), &timeout, milliseconds, |time| {
            loose(time.map(|time| time.as_nanos()))
        });
        let size = Holding::new(
            result_size.as_ref(),
            &Holding::new(all.result_size.as_ref(), &Holding::by_default(None)),
        );
        self.holding(&format!("{key}.result_size"), &size, |n| or_none(*n), |n| loose(n.map(u128::from)));
    }

    fn argument(&mut self, key: &str, rule: &ArgumentRule, outside: &Holding<OutsidePaths>) {
        let ArgumentRule {
            at: _,
            within,
            extensions,
            deny_prefix,
            one_of,
            hosts,
            pattern,
            max_length,
            outside_paths,
        } = rule;
        if let Some(Stated { value, origin }) = within {
            let text = list(value.iter().map(|path| path.display()));
            self.push(format!("{key}.within"), text, Weight::Within(value.clone()), Some(origin.clone()));
        }
        for (name, stated) in [("extensions", extensions), ("one_of", one_of)] {
            if let Some(Stated { value, origin }) = stated {
                let weight = Weight::OneOf(value.iter().cloned().collect());
                self.push(format!("{key}.{name}"), list(value), weight, Some(origin.clone()));
            }
        }
        if let Some(Stated { value, origin }) = deny_prefix {
            let weight = Weight::NoneOf(value.iter().cloned().collect());
            self.push(format!("{key}.deny_prefix"), list(value), weight, Some(origin.clone()));
        }
        if let Some(Stated { value, origin }) = hosts {
            let weight = Weight::OneOf(value.iter().map(ToString::to_string).collect());
            self.push(format!("{key}.hosts"), list(value), weight, Some(origin.clone()));
        }
        if let Some(Stated { value, origin }) = pattern {
            self.push(format!("{key}.pattern"), quoted(value), Weight::Rule, Some(origin.clone()));
        }
        if let Some(Stated { value, origin }) = max_length {
            let weight = Weight::Loose(vec![u128::from(*value)]);
            self.push(format!("{key}.max_length"), value.to_string(), weight, Some(origin.clone()));
        }
        self.outside(key, &Holding::new(outside_paths.as_ref(), outside));
    }
}

/// A value that holds in the end: stated for this very key, or for what stands above it.
#[derive(Debug, Clone)]
struct Holding<T> {
    value: T,
    origin: Option<Origin>,
    /// Not stated here: a difference of it is one of the key above.
    inherited: bool,
}

impl<T: Clone> Holding<T> {
    fn by_default(value: T) -> Self {
        Holding { value, origin: None, inherited: false }
    }

    fn new(stated: Option<&Stated<T>>, above: &Holding<T>) -> Self {
        match stated {
            Some(Stated { value, origin }) => {
                Holding { value: value.clone(), origin: Some(origin.clone()), inherited: false }
            }
            None => Holding { inherited: true, ..above.clone() },
        }
    }
}
