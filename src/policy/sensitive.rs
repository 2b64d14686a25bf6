//! Words of a command line whose values look like secrets, by the name that goes before them.
//!
//! The names are those that tools use for credentials. This hides what a name gives away; it does not find secrets
//! by their shape.

/// Parts of a name that mean "what follows is a secret".
const NAMES: &[&str] = &[
    "token",
    "secret",
    "password",
    "passwd",
    "passphrase",
    "api-key",
    "apikey",
    "access-key",
    "credential",
    "authorization",
    "authentication",
];

/// What stands in a secret's place.
pub const HIDDEN: &str = "(hidden)";

/// Whether a name (of a flag, a variable, a member) says that its value is a secret.
pub fn is_sensitive_name(name: &str) -> bool {
    let name = name.to_ascii_lowercase().replace('_', "-");
    NAMES.iter().any(|sensitive| name.contains(sensitive))
        // As a whole word only: an author is not an authorisation.
        || name.split('-').any(|part| part == "auth")
        || name == "key"
        || name.ends_with("-key")
}

/// The words, each value after a sensitive name hidden: `--token=x`, `--token x`, `TOKEN=x`, `https://user:x@host`.
pub fn hide_words(words: Vec<String>) -> Vec<String> {
    let mut hide_next = false;
    words
        .into_iter()
        .enumerate()
        .map(|(at, word)| {
            if std::mem::take(&mut hide_next) && !word.starts_with('-') {
                return HIDDEN.to_owned();
            }
            if let Some((name, _)) = word.split_once('=') {
                if is_sensitive_name(name.trim_start_matches('-')) && !name.contains('/') {
                    return format!("{name}={HIDDEN}");
                }
            } else if at > 0 && word.starts_with('-') && is_sensitive_name(word.trim_start_matches('-')) {
                hide_next = true;
            }
            hide_user_information(word)
        })
        .collect()
}

/// `scheme://user:password@host` without the password.
fn hide_user_information(word: String) -> String {
    let Some(start) = word.find("://").map(|at| at + 3) else { return word };
    let authority = &word[start..];
    let end = authority.find(['/', '?', '#']).unwrap_or(authority.len());
    let Some(at) = authority[..end].rfind('@') else { return word };
    let Some(colon) = authority[..at].find(':') else { return word };
    format!("{}{}:{HIDDEN}{}", &word[..start], &authority[..colon], &authority[at..])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hidden(words: &[&str]) -> Vec<String> {
        hide_words(words.iter().map(|word| (*word).to_owned()).collect())
    }

    #[test]
    fn values_after_sensitive_names_are_hidden() {
        let words = ["srv", "--token=abc", "--api-key", "k1", "GITHUB_TOKEN=x", "--path", "/tmp/a", "plain"];
        let expected = [
            "srv",
            "--token=(hidden)",
            "--api-key",
            HIDDEN,
            "GITHUB_TOKEN=(hidden)",
            "--path",
            "/tmp/a",
            "plain",
        ];
        assert_eq!(hidden(&words), expected);
    }

    #[test]
    fn passwords_in_addresses_are_hidden() {
        assert_eq!(
            hidden(&["x", "postgres://me:s3cr3t@db:5432/x?a=b"]),
            ["x", "postgres://me:(hidden)@db:5432/x?a=b"]
        );
        assert_eq!(hidden(&["x", "https://host/a@b:c"]), ["x", "https://host/a@b:c"]);
    }

    #[test]
    fn an_author_is_no_authorisation() {
        assert!(!is_sensitive_name("GIT_AUTHOR_NAME") && !is_sensitive_name("authors"));
        assert!(
            is_sensitive_name("auth")
                && is_sensitive_name("BASIC_AUTH")
                && is_sensitive_name("http-authorization")
        );
    }

    #[test]
    fn a_flag_without_a_value_hides_nothing_else() {
        assert_eq!(hidden(&["x", "--token", "--verbose", "a"]), ["x", "--token", "--verbose", "a"]);
        assert_eq!(hidden(&["x", "--author", "Ann"]), ["x", "--author", "Ann"]);
    }
}
