//! Payloads of what a server asks of the client.

use serde::Serialize;
use serde_json::value::RawValue;

/// `request.start`: the server asks something of the client, and it is passed on.
#[derive(Debug, Clone, Serialize)]
pub struct RequestStart {
    /// Running number in the session, from 1.
    pub request: u64,
    /// The JSON-RPC id; for what a result asks for, its key.
    pub id: Box<RawValue>,
    /// `roots/list`, `elicitation/create`, `sampling/createMessage`.
    pub method: String,
    /// As `audit.arguments` says; `null` with `none`, and where there were none.
    pub params: Option<Box<RawValue>>,
    /// Length of the whole message.
    pub bytes: u64,
}

/// `request.end`: the client answered.
#[derive(Debug, Clone, Serialize)]
pub struct RequestEnd {
    /// The running number of its `request.start`.
    pub request: u64,
    /// Its method.
    pub method: String,
    /// `ok`, `rpc_error`, `denied`, `cancelled`.
    pub outcome: &'static str,
    /// Roots that the server was shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shown: Option<u64>,
    /// Roots that it was not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hidden: Option<u64>,
    /// From `request.start`.
    pub duration_us: u64,
    /// Length of the answer.
    pub bytes: u64,
}
