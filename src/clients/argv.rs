//! Where in a server's entry the words stand that the client starts.

use crate::clients::table::Shape;
use crate::clients::tree::{Member, Node, Value};

/// An entry that starts nothing here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Unlaunched {
    /// It is reached by an address.
    Remote,
    /// It cannot be told what it starts.
    Odd(&'static str),
}

/// The words of an entry.
#[derive(Debug, Clone, Copy)]
pub(super) struct Launch<'t> {
    /// The object that they stand in.
    pub(super) owner: &'t Node,
    /// The key of that object in the entry, when it is not the entry.
    pub(super) inside: Option<&'static str>,
    pub(super) command: &'t Member,
    pub(super) args: Args<'t>,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Args<'t> {
    /// In a list of their own.
    Listed(&'t Member),
    /// There are none.
    Absent,
    /// The command is the list of all words.
    Whole(&'t [Node]),
}

/// Members whose value is an address.
const ADDRESSES: &[&str] = &["url", "serverUrl", "httpUrl", "uri"];

/// Values of `type` that say that nothing is started.
const REMOTE: &[&str] =
    &["http", "sse", "streamable-http", "streamableHttp", "streamable_http", "ws", "remote"];

/// Finds the words.
pub(super) fn launch(entry: &Node, shape: Shape) -> Result<Launch<'_>, Unlaunched> {
    if !entry.is_object() {
        return Err(Unlaunched::Odd("its entry is not an object"));
    }
    let nested =
        |key: &'static str| entry.get(key).filter(|node| node.is_object()).map(|node| (node, Some(key)));
    let (owner, inside) = match shape {
        Shape::Cline => nested("transport"),
        Shape::Zed => nested("command"),
        _ => None,
    }
    .unwrap_or((entry, None));
    let key = match shape {
        Shape::Zed if inside.is_some() => "path",
        Shape::Goose => "cmd",
        _ => "command",
    };
    let text = |key: &str| [entry, owner].into_iter().find_map(|node| node.get(key).and_then(Node::text));
    let has_address = ADDRESSES.iter().any(|key| text(key).is_some());
    let says_remote = text("type").is_some_and(|kind| REMOTE.contains(&kind));
    let Some(command) = owner.member(key) else {
        return Err(match (has_address || says_remote, shape) {
            (true, _) => Unlaunched::Remote,
            (false, Shape::Zed)
                if entry.member("settings").is_some() || text("source") == Some("extension") =>
            {
                Unlaunched::Odd("an extension of Zed's starts it")
            }
            (false, Shape::Goose) if text("type").is_some_and(|kind| kind != "stdio") => {
                Unlaunched::Odd("it is a part of the client")
            }
            _ => Unlaunched::Odd("it has neither a command nor an address"),
        });
    };
    if has_address || says_remote {
        return Err(Unlaunched::Odd("it has a command and an address: it cannot be told which one counts"));
    }
    let args = match (&command.node.value, shape) {
        (Value::Array(words), Shape::Words) => {
            if words.is_empty() || !all_texts(words) {
                return Err(Unlaunched::Odd("its command is not a list of texts"));
            }
            Args::Whole(words)
        }
        (Value::Text(_), Shape::Words) => return Err(Unlaunched::Odd("its command is not a list of texts")),
        (Value::Text(_), _) => match owner.member("args") {
            None => Args::Absent,
            Some(args) if args.node.elements().is_some_and(all_texts) => Args::Listed(args),
            Some(_) => return Err(Unlaunched::Odd("its args are not a list of texts")),
        },
        _ => return Err(Unlaunched::Odd("its command is not a text")),
    };
    let launch = Launch { owner, inside, command, args };
    match launch.words().first() {
        Some(first) if !first.is_empty() => Ok(launch),
        _ => Err(Unlaunched::Odd("its command is empty")),
    }
}

fn all_texts(nodes: &[Node]) -> bool {
    nodes.iter().all(|node| node.text().is_some())
}

impl Launch<'_> {
    /// The texts that the client starts, the program's first.
    pub(super) fn nodes(&self) -> Vec<&Node> {
        match self.args {
            Args::Whole(words) => words.iter().collect(),
            Args::Absent => vec![&self.command.node],
            Args::Listed(args) => {
                std::iter::once(&self.command.node).chain(args.node.elements().unwrap_or_default()).collect()
            }
        }
    }

    /// What they say.
    pub(super) fn words(&self) -> Vec<String> {
        self.nodes().into_iter().filter_map(Node::text).map(str::to_owned).collect()
    }
}
