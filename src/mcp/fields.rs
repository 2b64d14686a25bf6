//! What a call may be made with, as the server itself says: the verdict of the tool's schema as a refusal.
//!
//! A schema is closed unless the profile says otherwise: `unknown_fields = "allow"`, for one tool in
//! `tools.rule.NAME`, for all in `protocol`. A tool whose schema cannot be understood cannot be called; one that no list
//! has shown yet cannot be checked, and [`Fields::refuse`] says nothing of it.

use std::collections::BTreeMap;

use crate::jsonrpc::Raw;
use crate::mcp::arguments::rule::key;
use crate::mcp::catalog::Catalog;
use crate::mcp::refusal::Refusal;
use crate::mcp::schema::{Error, Fault, Unlisted, Verdict, Violation};
use crate::policy::Protocol;
use crate::policy::reason::Reason;
use crate::policy::tools::{Tools, UnknownFields};
use crate::policy::verdict::Remedy;

/// Which schemas are closed.
#[derive(Debug)]
pub(super) struct Fields {
    all: UnknownFields,
    tools: BTreeMap<String, UnknownFields>,
}

impl Fields {
    pub(super) fn new(tools: &Tools, protocol: &Protocol) -> Self {
        let own = tools.rule.iter();
        Fields {
            all: protocol.unknown_fields,
            tools: own
                .filter_map(|(tool, rule)| Some((tool.clone(), rule.unknown_fields.as_ref()?.value)))
                .collect(),
        }
    }

    fn unlisted(&self, tool: &str) -> Unlisted {
        match self.tools.get(tool).copied().unwrap_or(self.all) {
            UnknownFields::Reject => Unlisted::Refused,
            UnknownFields::Allow => Unlisted::Allowed,
        }
    }

    /// Why the server's schema of `tool` does not allow a call with these arguments.
    pub(super) fn refuse(
        &self,
        catalog: &Catalog,
        tool: &str,
        arguments: Option<Raw<'_>>,
    ) -> Option<Refusal> {
        let schema = match catalog.schema(tool)? {
            Ok(schema) => schema,
            Err(error) => return Some(unusable(error)),
        };
        let arguments = arguments.map(|raw| raw.0).filter(|raw| *raw != "null").unwrap_or("{}");
        match schema.check(arguments, self.unlisted(tool)) {
            Verdict::Good => None,
            Verdict::Bad(violation) => Some(violated(tool, &violation)),
            Verdict::Unknown(why) => Some(Refusal::new(
                Reason::ArgsUnjudged,
                format!("the arguments cannot be judged: {why}"),
                Remedy::WhyNot("what cannot be judged is not passed on".into()),
            )),
        }
    }
}

fn unusable(error: &Error) -> Refusal {
    let why_not =
        "arguments that cannot be checked are not passed on; the server's author can repair the schema";
    Refusal::new(
        Reason::ToolSchema,
        format!("the tool's schema cannot be used: {error}"),
        Remedy::WhyNot(why_not.into()),
    )
}

fn violated(tool: &str, violation: &Violation) -> Refusal {
    let reason = match violation.fault {
        Fault::UnknownField => Reason::ArgsUnknownField,
        Fault::Missing => Reason::ArgsMissing,
        Fault::Type => Reason::ArgsType,
        Fault::Value => Reason::ArgsValue,
    };
    let remedy = if violation.is_ours() {
        Remedy::Line(format!("tools.rule.{}.unknown_fields = \"allow\"", key(tool)))
    } else {
        Remedy::WhyNot("the server itself declares that it takes no such call".into())
    };
    Refusal::new(reason, violation.to_string(), remedy)
}
