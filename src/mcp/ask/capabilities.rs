//! What a client says it can be asked for: once in the legacy era, with every request in the modern one.

use crate::jsonrpc::{Raw, members};

/// What may be asked for. Nothing, as long as the client has not said so.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Capabilities {
    /// `roots`.
    pub roots: bool,
    /// `elicitation`, with a form.
    pub form: bool,
    /// `elicitation.url`.
    pub url: bool,
    /// `sampling`.
    pub sampling: bool,
    /// `tasks`: the server may ask for something now and for the answer later.
    pub tasks: bool,
}

impl Capabilities {
    /// What an object of capabilities says.
    pub fn read(capabilities: Option<Raw<'_>>) -> Self {
        let mut found = Capabilities::default();
        let Some(capabilities) = capabilities else { return found };
        members(capabilities, |name, value| {
            let is_there = value.0.starts_with('{');
            match &*name {
                "roots" => found.roots = is_there,
                "sampling" => found.sampling = is_there,
                "tasks" => found.tasks = is_there,
                "elicitation" if is_there => {
                    let mut form = false;
                    members(value, |mode, _| {
                        form |= mode == "form";
                        found.url |= mode == "url";
                    });
                    // Without a mode it is the one that there was first.
                    found.form = form || !found.url;
                }
                _ => {}
            }
        });
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_said_is_there() {
        let said = |text| Capabilities::read(Some(Raw(text)));
        assert_eq!(Capabilities::read(None), Capabilities::default());
        assert_eq!(said(r#"{"roots":null,"sampling":true}"#), Capabilities::default());
        let form = Capabilities { form: true, ..Capabilities::default() };
        assert_eq!(said(r#"{"elicitation":{}}"#), form);
        assert_eq!(said(r#"{"elicitation":{"form":{}}}"#), form);
        assert_eq!(said(r#"{"elicitation":{"applyDefaults":true}}"#), form);
        let url = Capabilities { url: true, ..Capabilities::default() };
        assert_eq!(said(r#"{"elicitation":{"url":{}}}"#), url);
        assert_eq!(said(r#"{"elicitation":{"url":{},"form":{}}}"#), Capabilities { form: true, ..url });
        let all = r#"{"roots":{"listChanged":true},"sampling":{},"tasks":{"list":{}}}"#;
        assert_eq!(
            said(all),
            Capabilities { roots: true, sampling: true, tasks: true, ..Capabilities::default() }
        );
    }
}
