//! Arguments against numbered schemas: the keywords of JSON Schema, each paid for in fuel.
//!
//! What a schema says of the inside of a value (this member is described, this element was looked at) is kept as marks
//! on the nodes of the arguments, in the order in which they were made. A schema that does not hold takes its marks
//! back; what is left at the end was said by schemas that hold, wherever in `allOf`, `anyOf`, `$ref` or `if` they stand.
//! That is what the standard calls annotations, and what `unevaluated…` and closed schemas rest on.
//!
//! Recursive, to a depth of `Bounds::depth` schemas within each other; every step costs fuel, also those of branches that
//! fail.

use crate::jsonrpc::{Kind, Node, Tree};
use crate::mcp::schema::keyword::{Keyword, Properties, Rule, Schema, SchemaId, Values};
use crate::mcp::schema::number::Decimal;
use crate::mcp::schema::pattern::{Error as PatternError, Tried};
use crate::mcp::schema::{Document, equal};

/// Something that was said of a node of the arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mark {
    /// A member or an element that some keyword describes.
    Described(Node),
    /// An object whose members some keyword lists.
    Lists(Node),
}

/// A keyword that does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Failure {
    /// Where in the arguments; for `required` the object that lacks something.
    pub(super) node: Node,
    pub(super) keyword: &'static str,
    /// The node of the keyword's value in the schema, or of the name that is missing.
    pub(super) at: Node,
}

/// Why an evaluation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    /// A keyword does not hold.
    Failed(Failure),
    /// It cannot be known whether it holds.
    GaveUp(GaveUp),
}

/// Why it cannot be known whether arguments are what a schema asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum GaveUp {
    /// All fuel was used up.
    #[error("to check them against the tool's schema takes too long")]
    Fuel,
    /// Schemas within schemas, too deep.
    #[error("the tool's schema leads too deep with them")]
    Depth,
    /// A number with an exponent that nobody holds.
    #[error("there is a number in them that no program holds")]
    Number,
    /// A pattern that cannot be used.
    #[error("a pattern of the tool's schema is {0}")]
    Pattern(PatternError),
}

pub(super) struct Evaluation<'e> {
    pub(super) document: &'e Document,
    pub(super) tree: &'e Tree<'e>,
    pub(super) fuel: u64,
    pub(super) depth: u32,
    /// Whether marks are made at all.
    pub(super) marking: bool,
    pub(super) marks: Vec<Mark>,
}

type Outcome = Result<(), Stop>;

impl<'e> Evaluation<'e> {
    /// Takes fuel.
    pub(super) fn spend(&mut self, amount: u64) -> Outcome {
        match self.fuel.checked_sub(amount) {
            Some(left) => {
                self.fuel = left;
                Ok(())
            }
            None => {
                self.fuel = 0;
                Err(Stop::GaveUp(GaveUp::Fuel))
            }
        }
    }

    fn mark(&mut self, mark: Mark) {
        if self.marking {
            self.marks.push(mark);
        }
    }

    /// Whether the value at `node` is what schema `id` asks for.
    pub(super) fn evaluate(&mut self, id: SchemaId, node: Node) -> Outcome {
        self.spend(1)?;
        self.depth = self.depth.checked_sub(1).ok_or(Stop::GaveUp(GaveUp::Depth))?;
        let before = self.marks.len();
        let document = self.document;
        let outcome = match document.schemas.get(id as usize) {
            Some(Schema::Always(true, _)) => Ok(()),
            Some(Schema::Always(false, at)) => failed(node, "false", *at),
            Some(Schema::Keywords(keywords)) => {
                keywords.iter().try_for_each(|keyword| self.keyword(keyword, node, before))
            }
            // Every number was given out together with a schema.
            None => Err(Stop::GaveUp(GaveUp::Depth)),
        };
        self.depth += 1;
        if outcome.is_err() {
            self.marks.truncate(before);
        }
        outcome
    }

    /// Whether it is, as a question.
    fn holds(&mut self, id: SchemaId, node: Node) -> Result<bool, Stop> {
        match self.evaluate(id, node) {
            Ok(()) => Ok(true),
            Err(Stop::Failed(_)) => Ok(false),
            Err(gave_up) => Err(gave_up),
        }
    }

    fn keyword(&mut self, keyword: &'e Keyword, node: Node, before: usize) -> Outcome {
        self.spend(1)?;
        let holds = match (&keyword.rule, self.tree.kind(node)) {
            (Rule::Type(kinds), Kind::Number) => {
                kinds.has(Kind::Number) || kinds.only_integers() && self.number(node)?.is_integer()
            }
            (Rule::Type(kinds), kind) => kinds.has(kind),
            (Rule::Equals(values), _) => self.is_one_of(values, node)?,
            (Rule::MultipleOf(divisor), Kind::Number) => divisor.divides(&self.number(node)?),
            (Rule::Maximum(limit), Kind::Number) => self.number(node)? <= *limit,
            (Rule::ExclusiveMaximum(limit), Kind::Number) => self.number(node)? < *limit,
            (Rule::Minimum(limit), Kind::Number) => self.number(node)? >= *limit,
            (Rule::ExclusiveMinimum(limit), Kind::Number) => self.number(node)? > *limit,
            (Rule::MaxLength(most), Kind::String) => self.length(node)? <= *most,
            (Rule::MinLength(least), Kind::String) => self.length(node)? >= *least,
            (Rule::Pattern(pattern), Kind::String) => {
                let tree = self.tree;
                self.matches(pattern, &tree.string(node).unwrap_or_default())?
            }
            (Rule::MaxItems(most), Kind::Array) => self.tree.count(node) as u64 <= *most,
            (Rule::MinItems(least), Kind::Array) => self.tree.count(node) as u64 >= *least,
            (Rule::MaxProperties(most), Kind::Object) => self.tree.count(node) as u64 <= *most,
            (Rule::MinProperties(least), Kind::Object) => self.tree.count(node) as u64 >= *least,
            (Rule::UniqueItems, Kind::Array) => self.is_unique(node)?,
            (Rule::Items { first, rest }, Kind::Array) => return self.items(node, first, *rest),
            (Rule::Contains { .. }, Kind::Array) => return self.contains(keyword, node),
            (Rule::Required(names), Kind::Object) => return self.required(names, node, keyword.name),
            (Rule::Properties(properties), Kind::Object) => return self.properties(properties, node),
            (Rule::PropertyNames(id), Kind::Object) => return self.property_names(*id, keyword, node),
            (Rule::Dependencies { required, schemas }, Kind::Object) => {
                for (name, names) in required {
                    if self.member(node, name)?.is_some() {
                        self.required(names, node, keyword.name)?;
                    }
                }
                for (name, id) in schemas {
                    if self.member(node, name)?.is_some() {
                        self.evaluate(*id, node)?;
                    }
                }
                true
            }
            (Rule::Reference(id), _) => return self.evaluate(*id, node),
            (Rule::AllOf(all), _) => return all.iter().try_for_each(|id| self.evaluate(*id, node)),
            (Rule::AnyOf(all), _) => return self.any_of(all, keyword, node),
            (Rule::OneOf(all), _) => return self.one_of(all, keyword, node),
            (Rule::Not(id), _) => {
                let before = self.marks.len();
                let holds = self.holds(*id, node)?;
                self.marks.truncate(before);
                !holds
            }
            (Rule::If { condition, then, otherwise }, _) => {
                let next = if self.holds(*condition, node)? { then } else { otherwise };
                return next.map_or(Ok(()), |id| self.evaluate(id, node));
            }
            (Rule::UnevaluatedProperties(id), Kind::Object) => {
                let members = self.tree.members(node).map(|(_, value)| value);
                return self.unevaluated(*id, members, before, keyword);
            }
            (Rule::UnevaluatedItems(id), Kind::Array) => {
                return self.unevaluated(*id, self.tree.elements(node), before, keyword);
            }
            // A keyword about another kind of value.
            _ => true,
        };
        if holds { Ok(()) } else { failed(node, keyword.name, keyword.at) }
    }

    fn number(&mut self, node: Node) -> Result<Decimal<'e>, Stop> {
        let raw = self.tree.raw(node);
        self.spend(raw.len() as u64 / 32)?;
        Decimal::parse(raw).ok_or(Stop::GaveUp(GaveUp::Number))
    }

    /// Characters of a string.
    fn length(&mut self, node: Node) -> Result<u64, Stop> {
        self.spend(self.tree.raw(node).len() as u64 / 64)?;
        Ok(self.tree.string(node).map_or(0, |text| text.chars().count() as u64))
    }

    fn matches(&mut self, pattern: &Tried, text: &str) -> Result<bool, Stop> {
        let unusable = |error| Stop::GaveUp(GaveUp::Pattern(error));
        let pattern = pattern.as_ref().map_err(|error| unusable(*error))?;
        self.spend(pattern.cost_of_compiling().saturating_add(pattern.cost(text.len())))?;
        pattern.is_match(text).ok_or(unusable(PatternError::TooLarge))
    }

    /// What it takes to look at all of a value.
    fn spend_on(&mut self, node: Node) -> Outcome {
        let nodes = self.tree.next(node).saturating_sub(node);
        self.spend(u64::from(nodes) * 2 + self.tree.raw(node).len() as u64 / 32)
    }

    fn is_one_of(&mut self, values: &Values, node: Node) -> Result<bool, Stop> {
        self.spend_on(node)?;
        let number = equal::number_of(self.tree, node);
        let first = values.all.partition_point(|(other, _)| *other < number);
        for (_, value) in values.all.iter().skip(first).take_while(|(other, _)| *other == number) {
            self.spend_on(node)?;
            if equal::equal(&self.document.tree, *value, self.tree, node) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn is_unique(&mut self, node: Node) -> Result<bool, Stop> {
        self.spend_on(node)?;
        let mut seen: Vec<_> =
            self.tree.elements(node).map(|element| (equal::number_of(self.tree, element), element)).collect();
        seen.sort_unstable();
        for (n, (number, one)) in seen.iter().enumerate() {
            for (_, other) in seen.iter().skip(n + 1).take_while(|(other, _)| other == number) {
                self.spend_on(*one)?;
                if equal::equal(self.tree, *one, self.tree, *other) {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    fn items(&mut self, node: Node, first: &[SchemaId], rest: Option<SchemaId>) -> Outcome {
        let ids = first.iter().copied().map(Some).chain(std::iter::repeat(rest));
        for (element, id) in self.tree.elements(node).zip(ids) {
            let Some(id) = id else { break };
            self.evaluate(id, element)?;
            self.mark(Mark::Described(element));
        }
        Ok(())
    }

    fn contains(&mut self, keyword: &Keyword, node: Node) -> Outcome {
        let Rule::Contains { schema, least, most, marks } = keyword.rule else { return Ok(()) };
        let mut found = 0u64;
        for element in self.tree.elements(node) {
            if self.holds(schema, element)? {
                found += 1;
                if marks {
                    self.mark(Mark::Described(element));
                }
            }
        }
        if found < least || most.is_some_and(|most| found > most) {
            return failed(node, keyword.name, keyword.at);
        }
        Ok(())
    }

    /// The value of a member, looked for one by one.
    fn member(&mut self, node: Node, name: &str) -> Result<Option<Node>, Stop> {
        self.spend(1 + self.tree.count(node) as u64 / 4)?;
        Ok(self.tree.member(node, name))
    }

    fn required(&mut self, names: &[(Box<str>, Node)], node: Node, keyword: &'static str) -> Outcome {
        for (name, at) in names {
            if self.member(node, name)?.is_none() {
                return failed(node, keyword, *at);
            }
        }
        Ok(())
    }

    fn properties(&mut self, rule: &Properties, node: Node) -> Outcome {
        let tree = self.tree;
        if rule.lists {
            self.mark(Mark::Lists(node));
        }
        for (key, value) in tree.members(node) {
            self.spend(1)?;
            let name = tree.string(key).unwrap_or_default();
            let named = rule.named.get(&*name).copied();
            if let Some(id) = named {
                self.evaluate(id, value)?;
            }
            let mut described = named.is_some();
            for (pattern, id) in &rule.patterns {
                if self.matches(pattern, &name)? {
                    described = true;
                    self.evaluate(*id, value)?;
                }
            }
            if let (false, Some(id)) = (described, rule.additional) {
                self.additional(id, value)?;
                described = true;
            }
            if described {
                self.mark(Mark::Described(value));
            }
        }
        Ok(())
    }

    /// A member that nothing lists: that none may be there is a failure with a name of its own.
    fn additional(&mut self, id: SchemaId, value: Node) -> Outcome {
        match self.document.schemas.get(id as usize) {
            Some(Schema::Always(false, at)) => failed(value, "additionalProperties", *at),
            _ => self.evaluate(id, value),
        }
    }

    /// Each name as a string of its own.
    fn property_names(&mut self, id: SchemaId, keyword: &Keyword, node: Node) -> Outcome {
        for (key, value) in self.tree.members(node) {
            // The node of the name is a string, and has no node of its own within.
            if !self.holds(id, key)? {
                return failed(value, keyword.name, keyword.at);
            }
        }
        Ok(())
    }

    fn any_of(&mut self, all: &[SchemaId], keyword: &Keyword, node: Node) -> Outcome {
        let mut nearest = None;
        let mut found = false;
        for id in all {
            match self.evaluate(*id, node) {
                Ok(()) => found = true,
                Err(Stop::Failed(failure)) => nearest = nearer(nearest, failure, node),
                Err(gave_up) => return Err(gave_up),
            }
            // What the others would mark matters only where marks do.
            if found && !self.marking {
                break;
            }
        }
        if found { Ok(()) } else { Err(nearest.map_or_else(|| stop(keyword, node), Stop::Failed)) }
    }

    fn one_of(&mut self, all: &[SchemaId], keyword: &Keyword, node: Node) -> Outcome {
        let (mut found, mut nearest) = (0, None);
        for id in all {
            match self.evaluate(*id, node) {
                Ok(()) => found += 1,
                Err(Stop::Failed(failure)) => nearest = nearer(nearest, failure, node),
                Err(gave_up) => return Err(gave_up),
            }
        }
        match (found, nearest) {
            (1, _) => Ok(()),
            (0, Some(failure)) => Err(Stop::Failed(failure)),
            _ => Err(stop(keyword, node)),
        }
    }

    /// What no other keyword of this schema, or of those applied to the same value in it, has looked at.
    fn unevaluated(
        &mut self,
        id: SchemaId,
        children: impl Iterator<Item = Node>,
        before: usize,
        keyword: &Keyword,
    ) -> Outcome {
        self.spend((self.marks.len() - before) as u64)?;
        let mut described: Vec<Node> = self
            .marks
            .iter()
            .skip(before)
            .filter_map(|mark| match mark {
                Mark::Described(node) => Some(*node),
                Mark::Lists(_) => None,
            })
            .collect();
        described.sort_unstable();
        for child in children {
            self.spend(1)?;
            if described.binary_search(&child).is_err() {
                match self.document.schemas.get(id as usize) {
                    Some(Schema::Always(false, at)) => return failed(child, keyword.name, *at),
                    _ => self.evaluate(id, child)?,
                }
                self.mark(Mark::Described(child));
            }
        }
        Ok(())
    }
}

fn failed(node: Node, keyword: &'static str, at: Node) -> Outcome {
    Err(Stop::Failed(Failure { node, keyword, at }))
}

fn stop(keyword: &Keyword, node: Node) -> Stop {
    Stop::Failed(Failure { node, keyword: keyword.name, at: keyword.at })
}

/// Which of two failed branches was meant: the one that got further into the value. `None`: neither.
fn nearer(nearest: Option<Failure>, failure: Failure, node: Node) -> Option<Failure> {
    match nearest {
        Some(nearest) if nearest.node >= failure.node => Some(nearest),
        _ if failure.node > node => Some(failure),
        nearest => nearest,
    }
}
