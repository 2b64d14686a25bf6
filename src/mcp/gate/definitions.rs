//! The gate's part in what servers say of themselves: lists and instructions are learned and filtered, and what is held back
//! is not asked for.

use crate::jsonrpc::{Invocation, Raw};
use crate::mcp::catalog::Listing;
use crate::mcp::gate::Gate;
use crate::mcp::pending::{Asked, Request};
use crate::mcp::pins::{self, Kind as Pinned, Value};
use crate::mcp::refusal::Refusal;

impl Gate {
    /// Which list a request asks for, where lists of these are compared with what is pinned. Tools have their own.
    pub(super) fn listed(&self, invocation: &Invocation<'_>) -> Option<Pinned> {
        self.watch.as_ref()?;
        let kinds = [Pinned::Prompt, Pinned::Resource, Pinned::ResourceTemplate];
        kinds.into_iter().find(|kind| kind.list().is_some_and(|(method, _)| method == invocation.method))
    }

    /// Why a prompt is not asked for, or a resource not read: it is held back.
    pub(super) fn refuse_pinned(&self, invocation: &Invocation<'_>) -> Option<Refusal> {
        let watch = self.watch.as_ref()?;
        let (named, is_prompt) = match &*invocation.method {
            "prompts/get" => (invocation.params.name, true),
            "resources/read" | "resources/subscribe" => (invocation.params.uri, false),
            _ => return None,
        };
        match (named.map(Raw::string), is_prompt) {
            (Some(Some(name)), true) => watch.refuse(Pinned::Prompt, &name),
            (Some(Some(uri)), false) => watch.refuse_read(&uri),
            // Some servers take what is no string for one.
            (Some(None), _) if watch.enforces() => {
                Some(Refusal::malformed("what is asked for has a name that is no string"))
            }
            _ => None,
        }
    }

    /// Learns from a result what the server says of itself: what the client is not shown of it.
    pub(super) fn learn(&mut self, request: &Request, result: Raw<'_>) -> Result<Listing, Refusal> {
        match (&request.asked, &mut self.watch) {
            (Asked::Tools(cursor), watch) => {
                let rules = &self.rules;
                let listing = self.catalog.learn(result, cursor, request.modern, |tree, node, tool| {
                    let see =
                        |watch: &mut pins::watch::Watch| watch.see(Pinned::Tool, tool, Value::of(tree, node));
                    let held = watch.as_mut().is_some_and(see);
                    rules.refuse(tool).is_some() || held
                })?;
                if let (Some(watch), Some(names)) = (watch, self.catalog.whole()) {
                    watch.whole(Pinned::Tool, names);
                }
                Ok(listing)
            }
            (Asked::Listed(kind, cursor), Some(watch)) => {
                self.listings.learn(watch, *kind, result, cursor, request.modern)
            }
            (Asked::Initialize, Some(watch)) => {
                let result = pins::instructions::learn(watch, result)?;
                Ok(Listing { result, ..Listing::default() })
            }
            _ => Ok(Listing::default()),
        }
    }
}
