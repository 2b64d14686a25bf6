//! What a server asks of the client: folders, questions to the user, answers of the model.
//!
//! In the legacy era these are requests of the server's; in the modern era they stand in a result (`inputRequests`) or in an error
//! (`-32042`, legacy too). All are judged by the same rules: what the profile lets servers ask for, what the client
//! said it can be asked for, and for questions to the user that nobody takes them for ours.
//!
//! Rests on the Model Context Protocol, "Roots", "Sampling", "Elicitation", revisions 2024-11-05 to 2026-07-28.

mod capabilities;
mod impostor;
mod roots;
mod waiting;

use crate::jsonrpc::{Kind as Json, Node, Raw, Tree, folded};
use crate::mcp::arguments::ground::Ground;
use crate::mcp::arguments::url;
use crate::mcp::ask::roots::Roots;
use crate::mcp::refusal::Refusal;
use crate::mcp::visible::is_deceptive;
use crate::policy::reason::Reason;
use crate::policy::requests::{Permission, ServerRequests};
use crate::policy::verdict::Remedy;

pub use crate::mcp::ask::capabilities::Capabilities;
pub use crate::mcp::ask::roots::Shown;
pub use crate::mcp::ask::waiting::Asking;
pub(super) use crate::mcp::ask::waiting::Waiting;

/// Most values and names in what is looked into.
const MAX_VALUES: usize = 1 << 16;
/// Most things that one result asks for.
const MAX_INPUTS: usize = 100;

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `roots/list`.
    Roots,
    /// `elicitation/create`.
    Elicitation,
    /// `sampling/createMessage`.
    Sampling,
    /// `tasks/…`: how far the client is with one of the two above.
    Task,
    /// `ping`.
    Ping,
}

impl Kind {
    fn of(method: &str) -> Option<Kind> {
        Some(match method {
            "roots/list" => Kind::Roots,
            "elicitation/create" => Kind::Elicitation,
            "sampling/createMessage" => Kind::Sampling,
            "tasks/get" | "tasks/result" | "tasks/list" | "tasks/cancel" => Kind::Task,
            "ping" => Kind::Ping,
            _ => return None,
        })
    }

    /// Whether it is worth a line of its own.
    pub fn is_told(self) -> bool {
        !matches!(self, Kind::Task | Kind::Ping)
    }
}

/// One thing that a result asks for, and that may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Input {
    /// Its key, as JSON text.
    pub key: String,
    /// Its method.
    pub method: String,
    /// The text of its `params`.
    pub params: Option<String>,
}

/// The rules.
#[derive(Debug)]
pub(super) struct Asks {
    policy: ServerRequests,
    roots: Roots,
}

impl Asks {
    pub(super) fn new(policy: &ServerRequests, ground: &Ground) -> Self {
        Asks { policy: policy.clone(), roots: Roots::new(ground) }
    }

    /// What a client's answer about its folders amounts to.
    pub(super) fn roots(&self) -> &Roots {
        &self.roots
    }

    /// Judges one request. `params` were scanned.
    pub(super) fn judge(
        &self,
        method: &str,
        params: Option<Raw<'_>>,
        announced: Capabilities,
    ) -> Result<Kind, Refusal> {
        let Some(kind) = Kind::of(method) else { return Err(Refusal::unknown_request(method)) };
        match kind {
            Kind::Ping => return Ok(kind),
            Kind::Roots => allowed("roots", &self.policy.roots)?,
            Kind::Elicitation => allowed("elicitation", &self.policy.elicitation)?,
            Kind::Sampling => allowed("sampling", &self.policy.sampling)?,
            Kind::Task => allowed("elicitation", &self.policy.elicitation)
                .or_else(|_| allowed("sampling", &self.policy.sampling))?,
        }
        let is_announced = match kind {
            Kind::Roots => announced.roots,
            Kind::Sampling => announced.sampling,
            Kind::Task => announced.tasks,
            Kind::Elicitation => {
                let tree = read(params)?;
                let is_url = elicitation(&tree, 0)?;
                if is_url { announced.url } else { announced.form }
            }
            Kind::Ping => true,
        };
        if is_announced { Ok(kind) } else { Err(Refusal::not_announced(method)) }
    }

    /// Judges what a result asks for, one by one.
    ///
    /// # Errors
    /// The first that may not be asked for, or that two readers could take for different things.
    pub(super) fn judge_inputs(
        &self,
        inputs: Raw<'_>,
        announced: Capabilities,
    ) -> Result<Vec<Input>, Refusal> {
        let tree = read(Some(inputs))?;
        if tree.kind(0) != Json::Object || tree.count(0) > MAX_INPUTS {
            let detail = format!("\"inputRequests\" is no object, or has more than {MAX_INPUTS} members");
            return Err(Refusal::malformed(&detail));
        }
        let one = |(key, request): (Node, Node)| {
            let member = |name| member(&tree, request, name);
            let Some(method) = member("method")?.and_then(|method| tree.string(method)) else {
                return Err(Refusal::malformed("one of \"inputRequests\" has no method"));
            };
            let params = member("params")?.map(|params| tree.raw(params));
            match self.judge(&method, params.map(Raw), announced)? {
                Kind::Task | Kind::Ping => Err(Refusal::unknown_request(&method)),
                Kind::Roots | Kind::Elicitation | Kind::Sampling => Ok(Input {
                    key: tree.raw(key).to_owned(),
                    method: method.clone().into_owned(),
                    params: params.map(str::to_owned),
                }),
            }
        };
        tree.members(0).map(one).collect()
    }

    /// Judges the links that an error asks the user to open (`-32042`).
    pub(super) fn judge_links(&self, data: Raw<'_>, announced: Capabilities) -> Result<(), Refusal> {
        let tree = read(Some(data))?;
        let links = member(&tree, 0, "elicitations")?;
        for link in links.into_iter().flat_map(|links| tree.elements(links)) {
            allowed("elicitation", &self.policy.elicitation)?;
            elicitation(&tree, link)?;
            if !announced.url {
                return Err(Refusal::not_announced("elicitation/create"));
            }
        }
        Ok(())
    }
}

fn allowed(key: &str, permission: &Permission) -> Result<(), Refusal> {
    if permission.allowed {
        return Ok(());
    }
    let key = format!("protocol.server_requests.{key}");
    let line = permission.origin.as_ref().map_or("by default".to_owned(), ToString::to_string);
    let detail = format!("{key} = \"{}\" ({line})", permission.word());
    Err(Refusal::new(Reason::RequestDenied, detail, Remedy::Line(format!("{key} = \"allow\""))))
}

/// Reads what has one meaning only: every name once, to whoever folds case too.
fn read(text: Option<Raw<'_>>) -> Result<Tree<'_>, Refusal> {
    let text = text.map_or("{}", |text| text.0);
    let tree = Tree::read(text, u32::MAX, MAX_VALUES)
        .map_err(|error| Refusal::malformed(&format!("what the server asks cannot be judged: {error}")))?;
    match tree.duplicate(0) {
        Some(name) => {
            Err(Refusal::ambiguous(format!("{} has the member {} twice", tree.pointer(name), tree.raw(name))))
        }
        None => Ok(tree),
    }
}

/// The member with this name.
///
/// # Errors
/// One that is named like it but for its case: who folds case takes it for the same.
fn member(tree: &Tree<'_>, object: Node, name: &str) -> Result<Option<Node>, Refusal> {
    let number = folded(name);
    let alike = tree
        .members(object)
        .find(|(key, _)| tree.string(*key).is_some_and(|member| member != name && folded(&member) == number));
    match alike {
        Some(_) => Err(Refusal::ambiguous(format!("a member is named like \"{name}\" but for its case"))),
        None => Ok(tree.member(object, name)),
    }
}

/// Judges a question to the user; whether it is a link.
fn elicitation(tree: &Tree<'_>, question: Node) -> Result<bool, Refusal> {
    if let Some(text) = impostor::find(tree, question) {
        return Err(Refusal::impersonates(&text));
    }
    let is_url = match member(tree, question, "mode")?.map(|mode| tree.string(mode)) {
        None => false,
        Some(mode) => match mode.as_deref() {
            Some("form") => false,
            Some("url") => true,
            _ => {
                return Err(Refusal::malformed(
                    "an elicitation with a mode that is neither \"form\" nor \"url\"",
                ));
            }
        },
    };
    // Who does not know the mode shows the form all the same.
    let link = member(tree, question, "url")?;
    member(tree, question, "message")?;
    if is_url {
        let link = link.and_then(|link| tree.string(link)).unwrap_or_default();
        if !is_plain(&link) {
            return Err(Refusal::link());
        }
    }
    Ok(is_url)
}

/// A web address that every browser takes for the same, and that shows where it leads.
fn is_plain(link: &str) -> bool {
    let is_web = link.get(..8).is_some_and(|head| {
        let head = head.to_ascii_lowercase();
        head == "https://" || head.starts_with("http://")
    });
    is_web && !link.chars().any(is_deceptive) && url::take_apart(link).is_some()
}

#[cfg(test)]
mod tests;
