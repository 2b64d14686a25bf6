//! Counts matches by the values of some of their fields: thousands of refusals fold into a handful of rows.

use std::collections::HashMap;
use std::io;

use serde_json::{Map, Value};

/// Groups beyond this are a sign of a field that tells every line apart.
const MAX_GROUPS: usize = 1_000_000;

/// One group.
#[derive(Debug, Clone, PartialEq)]
pub struct Group {
    /// The values, one for each field; `null` where an event does not have it.
    pub values: Vec<Value>,
    /// Lines.
    pub events: u64,
    /// How often it happened: the sum of their `count`s.
    pub times: u64,
}

/// Counts by `fields`.
#[derive(Debug)]
pub struct Groups {
    fields: Vec<String>,
    counts: HashMap<String, Group>,
}

impl Groups {
    /// No group yet.
    pub fn new(fields: &[String]) -> Self {
        Groups { fields: fields.to_vec(), counts: HashMap::new() }
    }

    /// Adds one line.
    pub fn add(&mut self, line: &str) -> io::Result<()> {
        let mut event: Map<String, Value> = serde_json::from_str(line)?;
        let times = event.get("count").and_then(Value::as_u64).unwrap_or(1);
        let values: Vec<Value> =
            self.fields.iter().map(|field| event.remove(field).unwrap_or(Value::Null)).collect();
        let key = serde_json::to_string(&values)?;
        if self.counts.len() >= MAX_GROUPS && !self.counts.contains_key(&key) {
            return Err(io::Error::other(format!("more than {MAX_GROUPS} groups: group by other fields")));
        }
        let group = self.counts.entry(key).or_insert(Group { values, events: 0, times: 0 });
        group.events += 1;
        group.times = group.times.saturating_add(times);
        Ok(())
    }

    /// The groups, most frequent first.
    pub fn sorted(self) -> Vec<Group> {
        let mut groups: Vec<(String, Group)> = self.counts.into_iter().collect();
        groups.sort_unstable_by(|(key, group), (other_key, other)| {
            (other.times, other.events, key).cmp(&(group.times, group.events, other_key))
        });
        groups.into_iter().map(|(_, group)| group).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn groups_are_counted_and_sorted() {
        let mut groups = Groups::new(&["reason".into(), "path".into()]);
        for (reason, path, count) in [("a", "/x", 1), ("b", "/y", 5), ("a", "/x", 1), ("c", "/z", 2)] {
            groups.add(&json!({"reason": reason, "path": path, "count": count}).to_string()).unwrap();
        }
        groups.add("{}").unwrap();
        let sorted = groups.sorted();
        let told: Vec<(String, u64, u64)> =
            sorted.iter().map(|group| (json!(group.values).to_string(), group.events, group.times)).collect();
        let expected = [
            (r#"["b","/y"]"#, 1, 5),
            (r#"["a","/x"]"#, 2, 2),
            (r#"["c","/z"]"#, 1, 2),
            ("[null,null]", 1, 1),
        ];
        assert_eq!(told, expected.map(|(values, events, times)| (values.to_owned(), events, times)));
    }
}
