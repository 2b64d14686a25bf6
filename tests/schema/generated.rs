//! Generated schemas and values, judged by ours and by the crate `jsonschema`: no difference that is not explained.
//!
//! The generator is seeded, so that every run has the same cases; few names and small numbers make keywords meet.

use caponier::mcp::schema::{Bounds, Unlisted, Verdict, compile};
use serde_json::{Map, Value, json};

/// A generator of numbers (SplitMix64).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % sides
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.roll(from.len() as u64) as usize]
    }

    fn several<T>(&mut self, least: u64, most: u64, mut one: impl FnMut(&mut Self) -> T) -> Vec<T> {
        let count = least + self.roll(most - least + 1);
        (0..count).map(|_| one(self)).collect()
    }
}

const NAMES: [&str; 6] = ["a", "b", "c", "ab", "bc", "\u{e9}/~"];
const TEXTS: [&str; 9] = ["", "a", "b", "ab", "abc", "aaaa", "\u{e9}\u{1f600}", "12", " "];
const PATTERNS: [&str; 8] = ["^a", "b$", "^[ab]+$", "a|c", "^.{2}$", "\\d", "^\\w*$", "^(?:ab)*c?$"];
const KINDS: [&str; 7] = ["null", "boolean", "number", "string", "array", "object", "integer"];

fn number(dice: &mut Dice) -> Value {
    match dice.roll(5) {
        0 => json!(dice.roll(5) as f64 / 2.0),
        1 => json!(-(dice.roll(5) as i64)),
        2 => json!(dice.roll(4) as f64),
        _ => json!(dice.roll(6)),
    }
}

fn value(dice: &mut Dice, depth: u32) -> Value {
    match dice.roll(if depth == 0 { 6 } else { 10 }) {
        0 => Value::Null,
        1 => Value::Bool(dice.roll(2) == 0),
        2 | 3 => number(dice),
        4 | 5 => json!(dice.pick(&TEXTS)),
        6 | 7 => Value::Array(dice.several(0, 4, |dice| value(dice, depth - 1))),
        _ => Value::Object(
            dice.several(0, 4, |dice| ((*dice.pick(&NAMES)).to_owned(), value(dice, depth - 1)))
                .into_iter()
                .collect(),
        ),
    }
}

/// What the dialects call the same thing.
#[derive(Clone, Copy, PartialEq)]
enum Dialect {
    Draft7,
    Draft2020,
}

struct Writer<'d> {
    dice: &'d mut Dice,
    dialect: Dialect,
}

impl Writer<'_> {
    fn schemas(&mut self, depth: u32) -> Value {
        let count = 1 + self.dice.roll(3);
        Value::Array((0..count).map(|_| self.schema(depth)).collect())
    }

    fn map(&mut self, names: &[&str], depth: u32) -> Value {
        let count = self.dice.roll(4);
        let mut map = Map::new();
        for _ in 0..count {
            let name = (*self.dice.pick(names)).to_owned();
            map.insert(name, self.schema(depth));
        }
        Value::Object(map)
    }

    fn names(&mut self) -> Value {
        let mut names = self.dice.several(0, 2, |dice| *dice.pick(&NAMES));
        names.sort_unstable();
        names.dedup();
        json!(names)
    }

    fn schema(&mut self, depth: u32) -> Value {
        if depth == 0 || self.dice.roll(12) == 0 {
            return match self.dice.roll(8) {
                0 => json!(false),
                1 | 2 => json!(true),
                3 => json!({}),
                _ => json!({ "type": self.dice.pick(&KINDS) }),
            };
        }
        let mut schema = Map::new();
        for _ in 0..1 + self.dice.roll(4) {
            self.keyword(&mut schema, depth - 1);
        }
        Value::Object(schema)
    }

    fn keyword(&mut self, schema: &mut Map<String, Value>, depth: u32) {
        let modern = self.dialect == Dialect::Draft2020;
        let count = json!(self.dice.roll(4));
        let (name, value) = match self.dice.roll(38) {
            0 | 1 => ("type", json!(self.dice.pick(&KINDS))),
            2 => {
                let mut kinds = self.dice.several(1, 3, |dice| *dice.pick(&KINDS));
                kinds.sort_unstable();
                kinds.dedup();
                ("type", json!(kinds))
            }
            3 => {
                let mut values: Vec<Value> = Vec::new();
                for value in self.dice.several(1, 4, |dice| value(dice, 1)) {
                    if !values.contains(&value) {
                        values.push(value);
                    }
                }
                ("enum", Value::Array(values))
            }
            4 => ("const", value(self.dice, 2)),
            5 => (
                "multipleOf",
                self.dice.pick(&[json!(1), json!(2), json!(0.5), json!(1.5), json!(3)]).clone(),
            ),
            6 => ("maximum", number(self.dice)),
            7 => ("exclusiveMaximum", number(self.dice)),
            8 => ("minimum", number(self.dice)),
            9 => ("exclusiveMinimum", number(self.dice)),
            10 => ("maxLength", count),
            11 => ("minLength", count),
            12 => ("pattern", json!(self.dice.pick(&PATTERNS))),
            13 => ("maxItems", count),
            14 => ("minItems", count),
            15 => ("uniqueItems", json!(self.dice.roll(4) != 0)),
            16 => ("items", self.schema(depth)),
            17 if modern => ("prefixItems", self.schemas(depth)),
            17 => ("items", self.schemas(depth)),
            18 if modern => ("unevaluatedItems", self.schema(depth.min(1))),
            18 => ("additionalItems", self.schema(depth)),
            19 => ("contains", self.schema(depth)),
            20 if modern => ("minContains", count),
            21 if modern => ("maxContains", count),
            20 | 21 => {
                let mut map = Map::new();
                map.insert((*self.dice.pick(&NAMES)).to_owned(), self.names());
                map.insert((*self.dice.pick(&NAMES)).to_owned(), self.schema(depth));
                ("dependencies", Value::Object(map))
            }
            22 => ("maxProperties", count),
            23 => ("minProperties", count),
            24 => ("required", self.names()),
            25..=27 => ("properties", self.map(&NAMES, depth)),
            28 => ("patternProperties", self.map(&PATTERNS, depth)),
            29 => ("additionalProperties", self.schema(depth)),
            30 if modern => ("unevaluatedProperties", self.schema(depth.min(1))),
            30 => ("propertyNames", self.schema(depth)),
            31 if modern => ("dependentSchemas", self.map(&NAMES, depth)),
            31 => ("not", self.schema(depth)),
            32 => ("allOf", self.schemas(depth)),
            33 => ("anyOf", self.schemas(depth)),
            34 => ("oneOf", self.schemas(depth)),
            35 => {
                schema.insert("then".into(), self.schema(depth));
                schema.insert("else".into(), self.schema(depth));
                ("if", self.schema(depth))
            }
            36 => ("not", self.schema(depth)),
            _ => ("$ref", json!(self.dice.pick(&["#/$defs/one", "#/$defs/two", "#/$defs/tree"]))),
        };
        schema.insert(name.to_owned(), value);
    }

    /// A whole document: `tree` leads back to itself, one level further down each time.
    fn document(&mut self) -> Value {
        let (uri, dialect) = match self.dialect {
            Dialect::Draft7 => ("http://json-schema.org/draft-07/schema#", Dialect::Draft7),
            Dialect::Draft2020 => ("https://json-schema.org/draft/2020-12/schema", Dialect::Draft2020),
        };
        let mut document = match self.schema(3) {
            Value::Object(schema) => schema,
            other => Map::from_iter([("allOf".to_owned(), json!([other]))]),
        };
        if dialect == Dialect::Draft7 && document.contains_key("$ref") {
            // Nothing beside it would be looked at, not even what it refers to.
            let reference = document.remove("$ref").unwrap();
            document.insert("allOf".into(), json!([{ "$ref": reference }]));
        }
        let mut one = self.schema(2);
        let mut two = self.schema(2);
        for schema in [&mut one, &mut two] {
            without_references(schema);
        }
        let tree = json!({
            "type": ["object", "array", "number"],
            "properties": { "a": { "$ref": "#/$defs/tree" } },
            "items": { "$ref": "#/$defs/tree" },
        });
        document.insert("$schema".into(), json!(uri));
        document.insert("$defs".into(), json!({ "one": one, "two": two, "tree": tree }));
        Value::Object(document)
    }
}

/// So that no reference leads back to itself at the same place.
fn without_references(schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            members.remove("$ref");
            members.values_mut().for_each(without_references);
        }
        Value::Array(elements) => elements.iter_mut().for_each(without_references),
        _ => {}
    }
}

/// Values near to what a schema asks for: those that stand in it, and small changes of random ones.
fn instances(dice: &mut Dice) -> Vec<Value> {
    (0..12).map(|_| value(dice, 3)).collect()
}

#[test]
fn generated_cases_are_judged_as_another_implementation_does() {
    let mut dice = Dice(0x00ca_9041);
    let (mut cases, mut valid, mut differences) = (0u32, 0u32, Vec::new());
    for round in 0..10_000 {
        let dialect = if round % 2 == 0 { Dialect::Draft7 } else { Dialect::Draft2020 };
        let schema = Writer { dice: &mut dice, dialect }.document();
        let theirs = jsonschema::validator_for(&schema).unwrap_or_else(|error| panic!("{schema}: {error}"));
        let ours =
            compile(&schema.to_string(), Bounds::DEFAULT).unwrap_or_else(|error| panic!("{schema}: {error}"));
        for instance in instances(&mut dice) {
            cases += 1;
            let expected = theirs.is_valid(&instance);
            valid += u32::from(expected);
            let found = ours.check(&instance.to_string(), Unlisted::Allowed);
            let agrees = match &found {
                Verdict::Good => expected,
                Verdict::Bad(_) => !expected,
                Verdict::Unknown(_) => false,
            };
            if !agrees {
                differences.push(format!("{schema}\n  {instance}\n  theirs: {expected}, ours: {found:?}"));
            }
        }
    }
    println!("{cases} generated cases, {valid} of them valid, {} differ", differences.len());
    assert!(cases >= 100_000 && valid > cases / 10 && valid < cases / 10 * 9, "{valid} of {cases} are valid");
    assert!(
        differences.is_empty(),
        "{} differ, the first:\n{}",
        differences.len(),
        differences[..differences.len().min(5)].join("\n")
    );
}
