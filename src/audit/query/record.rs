//! An event read back, as far as filters and tables need it. Fields that an event does not have are `None`.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// A string, borrowed from the line where it has no escapes.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

impl Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

/// See the module. The fields are those of `docs/AUDIT.md`.
#[derive(Debug, Clone, Deserialize)]
#[allow(missing_docs, reason = "the names are the log's")]
pub struct Record<'a> {
    pub v: u64,
    pub seq: u64,
    #[serde(borrow)]
    pub time: Text<'a>,
    pub session: Text<'a>,
    pub server: Text<'a>,
    pub event: Text<'a>,
    #[serde(default, deserialize_with = "lenient")]
    pub call: Option<u64>,
    #[serde(default, deserialize_with = "in_flight")]
    pub calls: Vec<u64>,
    #[serde(default, borrow, deserialize_with = "lenient")]
    pub tool: Option<Text<'a>>,
    #[serde(default, borrow, deserialize_with = "lenient")]
    pub kind: Option<Text<'a>>,
    #[serde(default, borrow, deserialize_with = "lenient")]
    pub name: Option<Text<'a>>,
    #[serde(default, borrow, deserialize_with = "lenient")]
    pub method: Option<Text<'a>>,
    #[serde(default, borrow, deserialize_with = "lenient")]
    pub outcome: Option<Text<'a>>,
    #[serde(default, borrow, deserialize_with = "lenient")]
    pub path: Option<Text<'a>>,
    #[serde(default, borrow, deserialize_with = "lenient")]
    pub asked: Option<Text<'a>>,
    #[serde(default, borrow, deserialize_with = "lenient")]
    pub access: Option<Text<'a>>,
    #[serde(default, borrow, deserialize_with = "lenient")]
    pub host: Option<Text<'a>>,
    #[serde(default, deserialize_with = "lenient")]
    pub port: Option<u64>,
    #[serde(default, borrow, deserialize_with = "lenient")]
    pub backend: Option<Text<'a>>,
    #[serde(default, borrow, deserialize_with = "lenient")]
    pub address: Option<Text<'a>>,
    #[serde(default, borrow, deserialize_with = "lenient")]
    pub syscall: Option<Text<'a>>,
    #[serde(default, borrow, deserialize_with = "lenient")]
    pub verdict: Option<Text<'a>>,
    #[serde(default, borrow, deserialize_with = "lenient")]
    pub reason: Option<Text<'a>>,
    #[serde(default, borrow, deserialize_with = "lenient")]
    pub layer: Option<Text<'a>>,
    #[serde(default, borrow, deserialize_with = "lenient")]
    pub remedy: Option<Text<'a>>,
    #[serde(default, borrow, deserialize_with = "lenient")]
    pub why_not: Option<Text<'a>>,
    #[serde(default, borrow, deserialize_with = "lenient")]
    pub detail: Option<Text<'a>>,
    #[serde(default, borrow, deserialize_with = "lenient")]
    pub result: Option<Text<'a>>,
    #[serde(default, borrow, deserialize_with = "lenient")]
    pub exe: Option<Text<'a>>,
    #[serde(default, borrow, deserialize_with = "lenient")]
    pub command: Option<Text<'a>>,
    #[serde(default, borrow, deserialize_with = "lenient")]
    pub cause: Option<Text<'a>>,
    #[serde(default, borrow, deserialize_with = "lenient")]
    pub excerpt: Option<Text<'a>>,
    #[serde(default, deserialize_with = "lenient")]
    pub pid: Option<u64>,
    #[serde(default, deserialize_with = "lenient")]
    pub count: Option<u64>,
    #[serde(default, deserialize_with = "lenient")]
    pub duration_us: Option<u64>,
    #[serde(default, borrow, deserialize_with = "lenient")]
    pub evidence: Option<Text<'a>>,
    #[serde(default, borrow, deserialize_with = "lenient")]
    pub attribution: Option<Text<'a>>,
    #[serde(default, borrow, deserialize_with = "lenient")]
    pub errno: Option<Text<'a>>,
    #[serde(default, deserialize_with = "lenient")]
    pub bytes: Option<u64>,
    #[serde(default, borrow, deserialize_with = "lenient")]
    pub direction: Option<Text<'a>>,
    #[serde(default, borrow, deserialize_with = "lenient")]
    pub declared: Option<Text<'a>>,
    #[serde(default, borrow, deserialize_with = "lenient")]
    pub did: Option<Text<'a>>,
}

/// What a field may be here; a value of any other kind counts as none. Events of a later version may give a name
/// another kind of value, and stay events.
trait Kind<'de>: Sized {
    fn of_text(_: Cow<'de, str>) -> Option<Self> {
        None
    }

    fn of_number(_: u64) -> Option<Self> {
        None
    }

    fn of_list<A: SeqAccess<'de>>(list: A) -> Result<Option<Self>, A::Error> {
        IgnoredAny.visit_seq(list).map(|_| None)
    }
}

impl<'de> Kind<'de> for Text<'de> {
    fn of_text(text: Cow<'de, str>) -> Option<Self> {
        Some(Text(text))
    }
}

impl Kind<'_> for u64 {
    fn of_number(number: u64) -> Option<Self> {
        Some(number)
    }
}

fn lenient<'de, T: Kind<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    struct Any<T>(PhantomData<T>);
    impl<'de, T: Kind<'de>> Visitor<'de> for Any<T> {
        type Value = Option<T>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("anything")
        }

        fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
            Ok(T::of_text(Cow::Borrowed(text)))
        }

        fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
            Ok(T::of_text(Cow::Owned(text.to_owned())))
        }

        fn visit_u64<E>(self, number: u64) -> Result<Self::Value, E> {
            Ok(T::of_number(number))
        }

        fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
            Ok(None)
        }

        fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
            Ok(None)
        }

        fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
            Ok(None)
        }

        fn visit_unit<E>(self) -> Result<Self::Value, E> {
            Ok(None)
        }

        fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Self::Value, A::Error> {
            T::of_list(seq)
        }

        fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
            IgnoredAny.visit_map(map).map(|_| None)
        }
    }
    deserializer.deserialize_any(Any(PhantomData))
}

/// The calls in flight; the number that `session.end` has under the same name is not a list of calls.
fn in_flight<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u64>, D::Error> {
    Ok(lenient::<Calls, D>(deserializer)?.map(|calls| calls.0).unwrap_or_default())
}

struct Calls(Vec<u64>);

impl<'de> Kind<'de> for Calls {
    fn of_list<A: SeqAccess<'de>>(mut list: A) -> Result<Option<Self>, A::Error> {
        #[derive(Deserialize)]
        #[serde(transparent)]
        struct Number(#[serde(deserialize_with = "lenient")] Option<u64>);
        let mut calls = Vec::new();
        while let Some(Number(number)) = list.next_element()? {
            calls.extend(number);
        }
        Ok(Some(Calls(calls)))
    }
}

impl Record<'_> {
    /// Whether something was refused; the same as [`crate::event::Event::is_denial`].
    pub fn is_denied(&self) -> bool {
        self.verdict.as_deref() == Some("deny") || matches!(&*self.event, "syscall.denied" | "message.denied")
    }

    /// The call that this is of, or the calls that were in flight.
    pub fn calls(&self) -> impl Iterator<Item = u64> {
        self.call.into_iter().chain(self.calls.iter().copied())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_another_kind_are_passed_over() {
        let line = r#"{"v":1,"seq":1,"time":"t","session":"S","server":"s","event":"new.event",
            "path":{"a":[1]},"count":"x","port":-1,"host":null,"calls":"none","bytes":1.5,"tool":"a\"b","pid":true,"call":7}"#;
        let record: Record<'_> = serde_json::from_str(line).unwrap();
        assert!(record.path.is_none() && record.count.is_none() && record.port.is_none());
        assert!(record.bytes.is_none() && record.pid.is_none() && record.calls.is_empty());
        assert_eq!((record.tool.as_deref(), record.call), (Some("a\"b"), Some(7)));
    }
}
