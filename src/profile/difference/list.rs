//! One line of a policy, and the list that `facts` and `tool_facts` fill.

use std::fmt::Display;
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;

use crate::policy::grant::Origin;
use crate::policy::tools::Rate;
use crate::profile::Resolved;
use crate::profile::difference::weight::Weight;

/// One line of a policy.
#[derive(Debug, Clone)]
pub(super) struct Fact {
    pub key: String,
    pub value: String,
    pub weight: Weight,
    pub origin: Option<Origin>,
    /// It only repeats what the key above it says.
    pub inherited: bool,
}

pub(super) struct List<'r> {
    pub resolved: &'r Resolved,
    pub facts: Vec<Fact>,
}

impl List<'_> {
    pub(super) fn push(
        &mut self,
        key: impl Into<String>,
        value: String,
        weight: Weight,
        origin: Option<Origin>,
    ) {
        self.add(Fact { key: key.into(), value, weight, origin, inherited: false });
    }

    pub(super) fn add(&mut self, fact: Fact) {
        self.facts.push(fact);
    }

    /// A single value, with the line that the composition took it from.
    pub(super) fn scalar(&mut self, key: &str, value: String, weight: Weight) {
        let origin = self.resolved.lines.get(key).cloned();
        self.push(key, value, weight, origin);
    }

    pub(super) fn word(&mut self, key: &str, value: &impl Serialize, looseness: u128) {
        self.scalar(key, json(value), Weight::Loose(vec![looseness]));
    }

    pub(super) fn number(&mut self, key: &str, number: Option<u64>) {
        self.scalar(key, or_none(number), Weight::Loose(vec![loose(number.map(u128::from))]));
    }

    pub(super) fn time(&mut self, key: &str, time: Option<Duration>) {
        let value = or_none(time.map(|time| quoted(&format!("{}ms", time.as_millis()))));
        self.scalar(key, value, Weight::Loose(vec![loose(time.map(|time| time.as_nanos()))]));
    }
}

/// A rate by what it lets through in an hour, and at once.
pub(super) fn rate_weight(rate: Option<Rate>) -> Weight {
    let hourly = rate.map(|rate| u128::from(rate.hourly()));
    let at_once = rate.map(|rate| u128::from(rate.count));
    Weight::Loose(vec![loose(hourly), loose(at_once)])
}

pub(super) fn loose(limit: Option<u128>) -> u128 {
    limit.unwrap_or(u128::MAX)
}

pub(super) fn or_none(value: Option<impl ToString>) -> String {
    value.map_or_else(|| quoted("none"), |value| value.to_string())
}

pub(super) fn list<T: Display>(items: impl IntoIterator<Item = T>) -> String {
    let items: Vec<String> = items.into_iter().map(|item| quoted(&item)).collect();
    format!("[{}]", items.join(", "))
}

pub(super) fn quoted<T: Display + ?Sized>(value: &T) -> String {
    Value::from(value.to_string()).to_string()
}

pub(super) fn json(value: &impl Serialize) -> String {
    serde_json::to_value(value).map(|value| value.to_string()).unwrap_or_default()
}
