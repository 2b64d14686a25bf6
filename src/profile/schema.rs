//! One profile file as it was written: every value with its line, nothing expanded, nothing merged.
//!
//! The shape is `docs/PROFILES.md`. Every key is known here or in `unenforced`; anything else is an error. What is
//! absent stays absent: defaults belong to the composition, or a base could never tell silence from a wish.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use toml::de::DeTable;

use crate::policy::confirm::Channel;
use crate::policy::limits::LEAST_OPEN_FILES;
use crate::policy::protected::PROTECTED;
use crate::policy::tools::UnknownFields;
use crate::policy::{
    Arguments, Environment, Home, MIN_LANDLOCK_ABI, OnFailure, PathArguments, Pins, Requirement, Stdout, Sync,
};
use crate::profile::entry::{self, Entry};
use crate::profile::environment;
use crate::profile::network;
use crate::profile::problem::Problem;
use crate::profile::source::Source;
use crate::profile::suggest;
use crate::profile::tool_keys::{self, ToolKeys};
use crate::profile::tree::{Maybe, Reading, Sourced, Table};
use crate::profile::unenforced;

/// The longest that a call may wait for a person.
const LONGEST_WAIT: Duration = Duration::from_secs(3600);

/// One file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Layer {
    pub description: Maybe<String>,
    pub extends: Vec<Sourced<String>>,
    pub read: Vec<Entry>,
    pub write: Vec<Entry>,
    pub unprotected: Vec<Sourced<String>>,
    pub execute: Vec<Entry>,
    pub execute_writable: Vec<Entry>,
    /// `Some(None)`: written as `"none"`.
    pub arguments_as_paths: Maybe<Option<PathArguments>>,
    pub pass: Vec<Sourced<String>>,
    pub secret: Vec<Sourced<String>>,
    pub set: BTreeMap<String, Sourced<String>>,
    pub nested_seccomp: Maybe<bool>,
    pub home: Maybe<Home>,
    pub memory: Maybe<Option<u64>>,
    pub processes: Maybe<Option<u32>>,
    pub open_files: Maybe<Option<u32>>,
    pub file_size: Maybe<Option<u64>>,
    pub cpu_time: Maybe<Option<Duration>>,
    pub wall_time: Maybe<Option<Duration>>,
    pub network: network::Section,
    pub tools: ToolKeys,
    pub max_message: Maybe<u64>,
    pub max_depth: Maybe<u32>,
    pub stdout: Maybe<Stdout>,
    pub unknown_fields: Maybe<UnknownFields>,
    pub pins: Maybe<Pins>,
    pub channels: Maybe<BTreeSet<Channel>>,
    pub confirm_timeout: Maybe<Duration>,
    pub ask_roots: Maybe<bool>,
    pub ask_elicitation: Maybe<bool>,
    pub ask_sampling: Maybe<bool>,
    pub arguments: Maybe<Arguments>,
    pub stderr: Maybe<bool>,
    pub sync: Maybe<Sync>,
    pub on_failure: Maybe<OnFailure>,
    pub file_reads: Maybe<bool>,
    pub landlock_abi: Maybe<u32>,
    pub kill_scope: Maybe<Requirement>,
}

/// Reads one file: the layer, and everything that is wrong with it. With problems the layer is incomplete, and good
/// only for finding more of them.
pub(super) fn parse(source: &Source, env: Environment) -> (Layer, Vec<Problem>) {
    let reading = Reading::new(source);
    let layer = read(&reading, &source.text, env);
    (layer, reading.finish())
}

/// The same, with what is wrong noted in `reading`.
pub(super) fn read(reading: &Reading<'_>, text: &str, env: Environment) -> Layer {
    let (tree, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        let origin = reading.origin(&error.span().unwrap_or(0..0));
        reading.report(Problem::new(origin, format!("not TOML: {}", error.message())));
    }
    // What follows a syntax error is guesswork of the parser's; only what it said is worth reporting.
    if !errors.is_empty() {
        return Layer::default();
    }
    let mut layer = Layer::default();
    root(Table::root(reading, tree.get_ref()), &mut layer, env);
    layer
}

fn root(mut table: Table<'_>, layer: &mut Layer, env: Environment) {
    version(&mut table);
    layer.description = table.string("description");
    layer.extends = table.strings("extends");
    if let Some(section) = table.table("filesystem") {
        filesystem(section, layer);
    }
    if let Some(section) = table.table("process") {
        process(section, layer);
    }
    if let Some(section) = table.table("limits") {
        limits(section, layer);
    }
    if let Some(section) = table.table("network") {
        layer.network = network::section(section);
    }
    if let Some(section) = table.table("tools") {
        layer.tools = tool_keys::read(section);
    }
    if let Some(section) = table.table("protocol") {
        protocol(section, layer);
    }
    if let Some(section) = table.table("confirm") {
        confirm(section, layer);
    }
    if let Some(section) = table.table("audit") {
        audit(section, layer, env);
    }
    if let Some(section) = table.table("require") {
        require(section, layer);
    }
    table.finish();
}

fn version(table: &mut Table<'_>) {
    let problem = match table.get("version") {
        Some(node) if node.get_ref().as_integer().is_some_and(|number| number.as_str() == "1") => return,
        Some(node) => {
            Problem::new(table.reading().origin(&node.span()), "`version` is not 1, the only one there is")
        }
        None => Problem::new(table.reading().origin(&(0..0)), "`version` is missing"),
    };
    table.reading().report(problem.help("write `version = 1` at the top"));
}

fn filesystem(mut table: Table<'_>, layer: &mut Layer) {
    layer.read = entries(&mut table, "read");
    layer.write = entries(&mut table, "write");
    layer.unprotected = table.strings("unprotected");
    for name in layer.unprotected.iter().filter(|name| !PROTECTED.contains(&name.value.as_str())) {
        let message = format!("`{}` is not a protected name", name.value.escape_debug());
        let help = match suggest::nearest(&name.value, PROTECTED.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("the protected names are: {}", PROTECTED.join(", ")),
        };
        table.reading().report(Problem::new(name.origin.clone(), message).help(help));
    }
    table.finish();
}

fn entries(table: &mut Table<'_>, key: &'static str) -> Vec<Entry> {
    let items = table.list(key);
    items.into_iter().filter_map(|item| entry::read(table, key, item)).collect()
}

fn process(mut table: Table<'_>, layer: &mut Layer) {
    layer.execute = entries(&mut table, "execute");
    layer.execute_writable = entries(&mut table, "execute_writable");
    layer.arguments_as_paths = table.choice(
        "arguments_as_paths",
        &[
            ("none", None),
            ("filesystem.read", Some(PathArguments::Read)),
            ("filesystem.write", Some(PathArguments::Write)),
        ],
    );
    if let Some(mut env) = table.table("env") {
        layer.pass = env.strings("pass");
        layer.secret = env.strings("secret");
        environment::check_passed(env.reading(), layer.pass.iter().chain(&layer.secret));
        if let Some(set) = env.table("set") {
            for (name, node) in set.entries() {
                environment::check_name(env.reading(), &name);
                if let Some(value) = set.as_string(&name.value, node) {
                    layer.set.insert(name.value, value);
                }
            }
        }
        env.finish();
    }
    layer.nested_seccomp = table.boolean("nested_seccomp");
    layer.home = table.choice("home", &[("session", Home::Session), ("private", Home::Private)]);
    table.finish();
}

fn limits(mut table: Table<'_>, layer: &mut Layer) {
    layer.memory = table.bytes_or_none("memory");
    layer.processes = table.integer_or_none("processes", 1);
    layer.open_files = table.integer_or_none_for(
        "open_files",
        LEAST_OPEN_FILES,
        "nothing can be started in the pen with fewer; most servers need 256",
    );
    layer.file_size = table.bytes_or_none("file_size");
    layer.cpu_time = table.duration_or_none("cpu_time");
    if let Some(Sourced { value: Some(time), origin }) = &layer.cpu_time
        && time.subsec_nanos() != 0
    {
        let problem = Problem::new(origin.clone(), "`limits.cpu_time` is counted in whole seconds");
        table.reading().report(problem);
    }
    layer.wall_time = table.duration_or_none("wall_time");
    table.finish();
}

fn protocol(mut table: Table<'_>, layer: &mut Layer) {
    layer.max_message = table.bytes("max_message");
    layer.max_depth = table.integer("max_depth", 1);
    layer.stdout = table.choice("stdout", &[("strict", Stdout::Strict), ("relaxed", Stdout::Relaxed)]);
    layer.unknown_fields = tool_keys::unknown_fields(&mut table);
    layer.pins =
        table.choice("pins", &[("enforce", Pins::Enforce), ("warn", Pins::Warn), ("off", Pins::Off)]);
    if let Some(mut requests) = table.table("server_requests") {
        layer.ask_roots = permission(&mut requests, "roots");
        layer.ask_elicitation = permission(&mut requests, "elicitation");
        layer.ask_sampling = permission(&mut requests, "sampling");
        requests.finish();
    }
    table.finish();
}

fn permission(table: &mut Table<'_>, key: &'static str) -> Maybe<bool> {
    let found = table.choice(key, &[("allow", Some(true)), ("ask", None), ("deny", Some(false))])?;
    if found.value.is_none() {
        let what = format!("`protocol.server_requests.{key} = \"ask\"`");
        let help = "write \"allow\" (the client asks its user before it answers) or \"deny\"";
        unenforced::report_with(table.reading(), found.origin.clone(), &what, help);
    }
    Some(Sourced { value: found.value?, origin: found.origin })
}

fn confirm(mut table: Table<'_>, layer: &mut Layer) {
    layer.channels = table.get("channels").map(|node| {
        let items = table.as_list("channels", node);
        let words = Channel::ALL.map(|channel| (channel.word(), channel));
        let found = items.into_iter().filter_map(|item| table.as_choice("channels", item, &words));
        let value = found.map(|channel| channel.value).collect();
        Sourced { value, origin: table.reading().origin(&node.span()) }
    });
    layer.confirm_timeout = table.duration("timeout");
    if let Some(Sourced { value, origin }) = &layer.confirm_timeout
        && *value > LONGEST_WAIT
    {
        let problem = Problem::new(origin.clone(), "`confirm.timeout` is longer than an hour");
        table.reading().report(problem.help("a call that nobody answers is refused after it; write less"));
    }
    table.finish();
}

fn audit(mut table: Table<'_>, layer: &mut Layer, env: Environment) {
    layer.arguments = table.choice(
        "arguments",
        &[
            ("redacted", Arguments::Redacted),
            ("shape", Arguments::Shape),
            ("none", Arguments::None),
            ("full", Arguments::Full),
        ],
    );
    if let (Some(Sourced { value: Arguments::Full, origin }), Environment::Prod) = (&layer.arguments, env) {
        let problem = Problem::new(origin.clone(), "`audit.arguments = \"full\"` is refused in production");
        let help = "write \"redacted\", or move it to the file for `--env dev`: secrets would be in the log";
        table.reading().report(problem.help(help));
    }
    layer.stderr = table.boolean("stderr");
    layer.sync =
        table.choice("sync", &[("session", Sync::Session), ("call", Sync::Call), ("event", Sync::Event)]);
    layer.on_failure =
        table.choice("on_failure", &[("block", OnFailure::Block), ("continue", OnFailure::Continue)]);
    if let (Some(Sourced { value: OnFailure::Continue, origin }), Environment::Prod) =
        (&layer.on_failure, env)
    {
        let problem =
            Problem::new(origin.clone(), "`audit.on_failure = \"continue\"` is refused in production");
        table.reading().report(problem.help("write \"block\", or move it to the file for `--env dev`"));
    }
    layer.file_reads = table.boolean("file_reads");
    if let Some(Sourced { value: true, origin }) = table.boolean("trace_stat") {
        unenforced::report(table.reading(), origin, "`audit.trace_stat = true`");
    }
    table.finish();
}

fn require(mut table: Table<'_>, layer: &mut Layer) {
    layer.landlock_abi = table.integer("landlock_abi", MIN_LANDLOCK_ABI);
    if let Some(Sourced { value: false, origin }) = table.boolean("notify") {
        let problem =
            Problem::new(origin, "`require.notify = false` cannot be: nothing runs without the broker");
        table.reading().report(problem.help("leave the line out"));
    }
    layer.kill_scope = table.choice(
        "kill_scope",
        &[("required", Requirement::Required), ("best-effort", Requirement::BestEffort)],
    );
    table.finish();
}
