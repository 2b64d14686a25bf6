//! A line of a profile as text: what a remedy proposes, and what a proposal is made of.
//!
//! Such a line is shown on terminals and copied into files, and what it names may have been chosen by a server: no control
//! character stands in it as it is (TOML 1.0, "String").

/// A TOML basic string.
pub fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            c if c.is_control() => quoted.push_str(&format!("\\u{:04X}", u32::from(c))),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// `key = ["entry"]`: adds one entry to a list.
pub fn adding(key: &str, entry: &str) -> String {
    format!("{key} = [{}]", quoted(entry))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_a_string_cannot_hold_is_escaped() {
        assert_eq!(quoted("a\"b\\c\n\u{7f}\u{9b}é"), r#""a\"b\\c\u000A\u007F\u009Bé""#);
        assert_eq!(adding("network.allow", "x.example:443"), r#"network.allow = ["x.example:443"]"#);
    }

    proptest! {
        #[test]
        fn toml_reads_what_was_meant(text in any::<String>()) {
            let line: toml::Table = adding("a", &text).parse().unwrap();
            prop_assert_eq!(line["a"][0].as_str(), Some(text.as_str()));
        }
    }
}
