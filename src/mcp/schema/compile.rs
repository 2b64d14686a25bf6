//! From the text of a schema to numbered schemas with keywords.
//!
//! Schemas are read one after the other from a list, never within each other, so that no depth uses stack; `$ref` is
//! resolved here, once, and a reference that leads nowhere makes the whole schema useless. What a keyword must be and is
//! not does too: a rule that cannot be understood is not left out.

use std::collections::{HashMap, VecDeque};

use crate::jsonrpc::{Kind, Node, Tree};
use crate::mcp::schema::Bounds;
use crate::mcp::schema::dialect::Dialect;
use crate::mcp::schema::equal;
use crate::mcp::schema::error::{Error, What};
use crate::mcp::schema::keyword::{Keyword, Kinds, Names, Properties, Rule, Schema, SchemaId, Values};
use crate::mcp::schema::number::{Decimal, Divisor};
use crate::mcp::schema::pattern::{Pattern, Tried};
use crate::mcp::schema::resource::Resources;

/// Keywords that restrict in one dialect or the other and that nobody evaluates here.
const NOT_UNDERSTOOD: [&str; 2] = ["$dynamicRef", "$recursiveRef"];

/// Reads a schema.
pub(super) fn compile(tree: &Tree<'_>, bounds: &Bounds) -> Result<Vec<Schema>, Error> {
    if let Some(name) = tree.duplicate(0) {
        return Err(Error { at: tree.pointer(name), what: What::Duplicate(tree.raw(name).to_owned()) });
    }
    let dialect = dialect(tree, 0)?.unwrap_or(Dialect::Draft2020);
    let resources = Resources::new(tree, dialect)?;
    let mut compiler = Compiler {
        tree,
        dialect,
        resources,
        ids: HashMap::new(),
        ahead: VecDeque::new(),
        max_schemas: bounds.schemas,
        patterns: bounds.patterns,
    };
    compiler.id(0)?;
    let mut schemas = Vec::new();
    while let Some(node) = compiler.ahead.pop_front() {
        schemas.push(compiler.schema(node)?);
    }
    Ok(schemas)
}

/// The dialect that a schema names.
fn dialect(tree: &Tree<'_>, schema: Node) -> Result<Option<Dialect>, Error> {
    let Some(at) = tree.member(schema, "$schema") else { return Ok(None) };
    let error = |what| Error { at: tree.pointer(at), what };
    let Some(uri) = tree.string(at) else { return Err(error(What::Value("$schema", "a string"))) };
    Dialect::named(&uri).map(Some).ok_or_else(|| error(What::Dialect(uri.into_owned())))
}

struct Compiler<'t> {
    tree: &'t Tree<'t>,
    dialect: Dialect,
    resources: Resources<'t>,
    /// The numbers that nodes have, in the order of the list.
    ids: HashMap<Node, SchemaId>,
    ahead: VecDeque<Node>,
    max_schemas: usize,
    /// How many patterns there may still be.
    patterns: usize,
}

impl Compiler<'_> {
    fn error(&self, at: Node, what: What) -> Error {
        Error { at: self.tree.pointer(at), what }
    }

    fn wrong(&self, at: Node, keyword: &'static str, wanted: &'static str) -> Error {
        self.error(at, What::Value(keyword, wanted))
    }

    /// The number of the schema at this node, which is read later.
    fn id(&mut self, node: Node) -> Result<SchemaId, Error> {
        if let Some(id) = self.ids.get(&node) {
            return Ok(*id);
        }
        if self.ids.len() >= self.max_schemas {
            return Err(self.error(node, What::TooLarge("schemas within the schema", self.max_schemas)));
        }
        let id = self.ids.len() as SchemaId;
        self.ids.insert(node, id);
        self.ahead.push_back(node);
        Ok(id)
    }

    fn list(&mut self, at: Node, keyword: &'static str) -> Result<Vec<SchemaId>, Error> {
        if self.tree.kind(at) != Kind::Array {
            return Err(self.wrong(at, keyword, "a list of schemas"));
        }
        let tree = self.tree;
        tree.elements(at).map(|element| self.id(element)).collect()
    }

    /// Reads one schema.
    fn schema(&mut self, node: Node) -> Result<Schema, Error> {
        let tree = self.tree;
        match (tree.kind(node), tree.raw(node)) {
            (Kind::Boolean, raw) => return Ok(Schema::Always(raw == "true", node)),
            (Kind::Object, _) => {}
            _ => return Err(self.error(node, What::NotASchema)),
        }
        if dialect(tree, node)?.is_some_and(|dialect| dialect != self.dialect) {
            return Err(self.error(node, What::Value("$schema", "the same in all of a schema")));
        }
        let mut keywords = Vec::new();
        let members: HashMap<_, Node> =
            tree.members(node).filter_map(|(key, value)| Some((tree.string(key)?, value))).collect();
        let get = |name: &str| members.get(name).copied();
        if let (Dialect::Draft7, Some(at)) = (self.dialect, get("$ref")) {
            // All that stands beside it is not looked at.
            let rule = self.reference(node, at)?;
            return Ok(Schema::Keywords(vec![Keyword { at, name: "$ref", rule }]));
        }
        for name in NOT_UNDERSTOOD {
            if let (Dialect::Draft2020, Some(at)) = (self.dialect, get(name)) {
                return Err(self.error(at, What::Keyword(name)));
            }
        }
        for (name, at) in members.iter().map(|(name, at)| (name.as_ref(), *at)) {
            if let Some((name, rule)) = self.single(node, name, at)? {
                keywords.push(Keyword { at, name, rule });
            }
        }
        keywords.extend(self.properties(&get)?);
        keywords.extend(self.items(&get)?);
        keywords.extend(self.contains(&get)?);
        keywords.extend(self.condition(&get)?);
        // The same order whatever the order of the text.
        keywords.sort_by_key(|keyword| (keyword.rule.order(), keyword.at));
        Ok(Schema::Keywords(keywords))
    }

    /// A keyword that stands for itself.
    fn single(&mut self, schema: Node, name: &str, at: Node) -> Result<Option<(&'static str, Rule)>, Error> {
        use Dialect::{Draft7, Draft2020};
        Ok(Some(match (name, self.dialect) {
            ("type", _) => ("type", Rule::Type(self.kinds(at)?)),
            ("enum", _) if self.tree.kind(at) == Kind::Array => ("enum", self.values(self.tree.elements(at))),
            ("enum", _) => return Err(self.wrong(at, "enum", "a list")),
            ("const", _) => ("const", self.values([at])),
            ("multipleOf", _) => {
                let divisor = self.number(at).and_then(|number| Divisor::new(&number));
                let wanted = "a number above 0, of at most 18 digits";
                let divisor = divisor.ok_or_else(|| self.wrong(at, "multipleOf", wanted))?;
                ("multipleOf", Rule::MultipleOf(divisor))
            }
            ("maximum", _) => ("maximum", Rule::Maximum(self.limit(at, "maximum")?)),
            ("exclusiveMaximum", _) => {
                ("exclusiveMaximum", Rule::ExclusiveMaximum(self.limit(at, "exclusiveMaximum")?))
            }
            ("minimum", _) => ("minimum", Rule::Minimum(self.limit(at, "minimum")?)),
            ("exclusiveMinimum", _) => {
                ("exclusiveMinimum", Rule::ExclusiveMinimum(self.limit(at, "exclusiveMinimum")?))
            }
            ("maxLength", _) => ("maxLength", Rule::MaxLength(self.count(at, "maxLength")?)),
            ("minLength", _) => ("minLength", Rule::MinLength(self.count(at, "minLength")?)),
            ("pattern", _) => {
                let pattern = self.tree.string(at).ok_or_else(|| self.wrong(at, "pattern", "a string"))?;
                ("pattern", Rule::Pattern(self.pattern(at, &pattern)?))
            }
            ("maxItems", _) => ("maxItems", Rule::MaxItems(self.count(at, "maxItems")?)),
            ("minItems", _) => ("minItems", Rule::MinItems(self.count(at, "minItems")?)),
            ("uniqueItems", _) => match self.tree.raw(at) {
                "true" => ("uniqueItems", Rule::UniqueItems),
                "false" => return Ok(None),
                _ => return Err(self.wrong(at, "uniqueItems", "true or false")),
            },
            ("maxProperties", _) => ("maxProperties", Rule::MaxProperties(self.count(at, "maxProperties")?)),
            ("minProperties", _) => ("minProperties", Rule::MinProperties(self.count(at, "minProperties")?)),
            ("required", _) => ("required", Rule::Required(self.names(at, "required")?)),
            ("propertyNames", _) => ("propertyNames", Rule::PropertyNames(self.id(at)?)),
            ("allOf", _) => ("allOf", Rule::AllOf(self.list(at, "allOf")?)),
            ("anyOf", _) => ("anyOf", Rule::AnyOf(self.list(at, "anyOf")?)),
            ("oneOf", _) => ("oneOf", Rule::OneOf(self.list(at, "oneOf")?)),
            ("not", _) => ("not", Rule::Not(self.id(at)?)),
            ("$ref", Draft2020) => ("$ref", self.reference(schema, at)?),
            ("dependentSchemas", Draft2020) => {
                let mut all = Vec::new();
                for (name, value) in self.map(at, "dependentSchemas")? {
                    all.push((name, self.id(value)?));
                }
                ("dependentSchemas", Rule::Dependencies { required: Vec::new(), schemas: all })
            }
            ("dependentRequired", Draft2020) => {
                let mut all = Vec::new();
                for (name, value) in self.map(at, "dependentRequired")? {
                    all.push((name, self.names(value, "dependentRequired")?));
                }
                ("dependentRequired", Rule::Dependencies { required: all, schemas: Vec::new() })
            }
            ("dependencies", Draft7) => ("dependencies", self.dependencies(at)?),
            ("unevaluatedItems", Draft2020) => ("unevaluatedItems", Rule::UnevaluatedItems(self.id(at)?)),
            ("unevaluatedProperties", Draft2020) => {
                ("unevaluatedProperties", Rule::UnevaluatedProperties(self.id(at)?))
            }
            // Described, not asked for; or unknown, which the standard has a reader pass over.
            _ => return Ok(None),
        }))
    }

    fn reference(&mut self, schema: Node, at: Node) -> Result<Rule, Error> {
        let reference = self.tree.string(at).ok_or_else(|| self.wrong(at, "$ref", "a string"))?;
        let target = self.resources.resolve(schema, at, &reference)?;
        Ok(Rule::Reference(self.id(target)?))
    }

    fn kinds(&self, at: Node) -> Result<Kinds, Error> {
        const WANTED: &str = "the name of a type, or a list of such names";
        let mut kinds = Kinds::default();
        let mut add = |node| self.tree.string(node).is_some_and(|name| kinds.add(&name));
        let good = match self.tree.kind(at) {
            Kind::Array => self.tree.elements(at).all(&mut add),
            _ => add(at),
        };
        if good { Ok(kinds) } else { Err(self.wrong(at, "type", WANTED)) }
    }

    fn values(&self, nodes: impl IntoIterator<Item = Node>) -> Rule {
        let mut all: Vec<_> =
            nodes.into_iter().map(|node| (equal::number_of(self.tree, node), node)).collect();
        all.sort_unstable();
        Rule::Equals(Values { all })
    }

    fn number(&self, at: Node) -> Option<Decimal<'_>> {
        (self.tree.kind(at) == Kind::Number).then(|| Decimal::parse(self.tree.raw(at)))?
    }

    fn limit(&self, at: Node, keyword: &'static str) -> Result<Decimal<'static>, Error> {
        self.number(at).map(Decimal::into_owned).ok_or_else(|| self.wrong(at, keyword, "a number"))
    }

    /// A count; one that is too large for us is larger than anything that is counted.
    fn count(&self, at: Node, keyword: &'static str) -> Result<u64, Error> {
        let number = self.number(at).filter(|number| number.is_integer() && !number.is_negative());
        let number = number.ok_or_else(|| self.wrong(at, keyword, "a whole number from 0 up"))?;
        Ok(number.as_u64().unwrap_or(u64::MAX))
    }

    /// A pattern that cannot be used is no error before something is to be matched with it.
    fn pattern(&mut self, at: Node, pattern: &str) -> Result<Tried, Error> {
        let Some(left) = self.patterns.checked_sub(1) else {
            return Err(self.error(at, What::TooLarge("patterns", self.patterns)));
        };
        self.patterns = left;
        Ok(Pattern::parse(pattern))
    }

    fn names(&self, at: Node, keyword: &'static str) -> Result<Names, Error> {
        let wrong = || self.wrong(at, keyword, "a list of names");
        if self.tree.kind(at) != Kind::Array {
            return Err(wrong());
        }
        let name = |node| Some((self.tree.string(node)?.into(), node));
        self.tree.elements(at).map(|element| name(element).ok_or_else(wrong)).collect()
    }

    fn map(&self, at: Node, keyword: &'static str) -> Result<Names, Error> {
        if self.tree.kind(at) != Kind::Object {
            return Err(self.wrong(at, keyword, "an object"));
        }
        let members = self.tree.members(at);
        Ok(members.map(|(key, value)| (self.tree.string(key).unwrap_or_default().into(), value)).collect())
    }

    /// Draft-07: lists of names, and schemas, in one keyword.
    fn dependencies(&mut self, at: Node) -> Result<Rule, Error> {
        let (mut schemas, mut required) = (Vec::new(), Vec::new());
        for (name, value) in self.map(at, "dependencies")? {
            if self.tree.kind(value) == Kind::Array {
                required.push((name, self.names(value, "dependencies")?));
            } else {
                schemas.push((name, self.id(value)?));
            }
        }
        Ok(Rule::Dependencies { required, schemas })
    }

    fn properties(&mut self, get: &impl Fn(&str) -> Option<Node>) -> Result<Option<Keyword>, Error> {
        let (named, patterns) = (get("properties"), get("patternProperties"));
        let additional = get("additionalProperties");
        let Some(at) = additional.or(named).or(patterns) else { return Ok(None) };
        let mut rule = Properties { lists: named.or(patterns).is_some(), ..Properties::default() };
        for (name, value) in named.map_or(Ok(Vec::new()), |at| self.map(at, "properties"))? {
            rule.named.insert(name, self.id(value)?);
        }
        for (pattern, value) in patterns.map_or(Ok(Vec::new()), |at| self.map(at, "patternProperties"))? {
            rule.patterns.push((self.pattern(value, &pattern)?, self.id(value)?));
        }
        rule.additional = additional.map(|node| self.id(node)).transpose()?;
        Ok(Some(Keyword { at, name: "additionalProperties", rule: Rule::Properties(rule) }))
    }

    fn items(&mut self, get: &impl Fn(&str) -> Option<Node>) -> Result<Option<Keyword>, Error> {
        let (first, rest) = match self.dialect {
            Dialect::Draft2020 => (get("prefixItems"), get("items")),
            Dialect::Draft7 => match get("items") {
                Some(items) if self.tree.kind(items) == Kind::Array => (Some(items), get("additionalItems")),
                items => (None, items),
            },
        };
        let Some(at) = rest.or(first) else { return Ok(None) };
        let keyword = if self.dialect == Dialect::Draft2020 { "prefixItems" } else { "items" };
        let first = first.map_or(Ok(Vec::new()), |at| self.list(at, keyword))?;
        let rest = rest.map(|node| self.id(node)).transpose()?;
        Ok(Some(Keyword { at, name: "items", rule: Rule::Items { first, rest } }))
    }

    fn contains(&mut self, get: &impl Fn(&str) -> Option<Node>) -> Result<Option<Keyword>, Error> {
        let Some(at) = get("contains") else { return Ok(None) };
        let schema = self.id(at)?;
        let modern = self.dialect == Dialect::Draft2020;
        let count = |name, keyword| match get(name).filter(|_| modern) {
            Some(at) => self.count(at, keyword).map(Some),
            None => Ok(None),
        };
        let (least, most) = (count("minContains", "minContains")?, count("maxContains", "maxContains")?);
        let rule = Rule::Contains { schema, least: least.unwrap_or(1), most, marks: modern };
        Ok(Some(Keyword { at, name: "contains", rule }))
    }

    fn condition(&mut self, get: &impl Fn(&str) -> Option<Node>) -> Result<Option<Keyword>, Error> {
        let Some(at) = get("if") else { return Ok(None) };
        let condition = self.id(at)?;
        let then = get("then").map(|node| self.id(node)).transpose()?;
        let otherwise = get("else").map(|node| self.id(node)).transpose()?;
        Ok(Some(Keyword { at, name: "if", rule: Rule::If { condition, then, otherwise } }))
    }
}
