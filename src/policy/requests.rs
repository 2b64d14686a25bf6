//! What a server may ask of the client: `[protocol] server_requests`.

use serde::{Serialize, Serializer};

use crate::policy::grant::Origin;

/// Whether servers may ask for one kind of thing, and the line that says so; no line: by default.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Permission {
    /// It may be asked.
    pub allowed: bool,
    /// The line.
    pub origin: Option<Origin>,
}

impl Permission {
    /// What holds when no file says anything.
    pub fn by_default(allowed: bool) -> Self {
        Permission { allowed, origin: None }
    }

    /// The word of the profile.
    pub fn word(&self) -> &'static str {
        if self.allowed { "allow" } else { "deny" }
    }
}

impl Serialize for Permission {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.word())
    }
}

/// `protocol.server_requests`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ServerRequests {
    /// The folders that the client works in.
    pub roots: Permission,
    /// Questions to the user.
    pub elicitation: Permission,
    /// Answers of the client's model, at the user's cost.
    pub sampling: Permission,
}

impl Default for ServerRequests {
    fn default() -> Self {
        ServerRequests {
            roots: Permission::by_default(true),
            elicitation: Permission::by_default(true),
            sampling: Permission::by_default(false),
        }
    }
}
