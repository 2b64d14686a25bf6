//! Names (of flags, variables, members, headers) that say that their value is a secret.
//!
//! A name is read by its parts, however it is spelled: `API_KEY`, `api-key` and `apiKey` are one name. This judges
//! names alone; values are judged where records are made.

/// What a name says of its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sensitivity {
    /// Nothing.
    None,
    /// It may be a secret: only a value that looks random is taken for one.
    Weak,
    /// It is a secret, whatever it looks like.
    Strong,
}

/// Parts, or pairs of parts, that say so wherever they stand in a name, also within a word (`accesstoken`).
const ANYWHERE: &[&str] = &[
    "token",
    "secret",
    "password",
    "passwd",
    "passphrase",
    "apikey",
    "credential",
    "authorization",
    "authentication",
];

/// Whole parts that say so.
const PARTS: &[&str] = &["auth", "pwd", "pass", "bearer", "jwt", "otp", "cookie", "cookies"];

/// What makes a key one that opens something.
const KEYS: &[&str] = &[
    "api",
    "access",
    "private",
    "secret",
    "auth",
    "encryption",
    "signing",
    "master",
    "account",
    "shared",
    "service",
    "client",
    "ssh",
    "deploy",
    "license",
    "storage",
    "subscription",
    "admin",
    "app",
    "host",
];

/// Whole parts whose value is a secret if it looks like one.
const WEAK: &[&str] = &["key", "keys", "session", "sid", "sig", "signature", "nonce", "salt", "pat", "code"];

/// Tokens that are units of text, or places in a list.
fn counts_or_pages(parts: &[String]) -> bool {
    let has = |words: &[&str]| parts.iter().any(|part| words.contains(&part.as_str()));
    let last = parts.last().map_or("", String::as_str);
    has(&["token", "tokens", "tokenizer", "tokenize"])
        && !has(ANYWHERE.get(1..).unwrap_or_default())
        && (last.starts_with("tokeniz")
            || matches!(last, "count" | "limit" | "budget" | "usage" | "length" | "type")
            || (last == "tokens"
                && has(&["max", "min", "input", "output", "total", "prompt", "completion", "num", "used"]))
            || has(&["page", "progress", "continuation"]))
}

/// The longest name that is looked at; what is longer is text.
pub const LONGEST_NAME: usize = 96;

/// What `name` says of its value.
pub fn sensitivity(name: &str) -> Sensitivity {
    if name.len() > LONGEST_NAME || name.is_empty() {
        return Sensitivity::None;
    }
    let parts = parts(name);
    if counts_or_pages(&parts) {
        return Sensitivity::None;
    }
    let joined = parts.concat();
    let is_key =
        |pair: &[String]| matches!(pair, [what, key] if key == "key" && KEYS.contains(&what.as_str()));
    if ANYWHERE.iter().any(|word| joined.contains(word))
        || parts.iter().any(|part| PARTS.contains(&part.as_str()))
        || parts.windows(2).any(is_key)
        || KEYS.iter().any(|what| joined.strip_suffix("key").is_some_and(|head| head == *what))
    {
        return Sensitivity::Strong;
    }
    if parts.iter().any(|part| WEAK.contains(&part.as_str())) {
        return Sensitivity::Weak;
    }
    Sensitivity::None
}

/// Whether a name says, or may say, that its value is a secret.
pub fn is_sensitive_name(name: &str) -> bool {
    match sensitivity(name) {
        Sensitivity::Strong => true,
        Sensitivity::Weak => parts(name).last().is_some_and(|part| part == "key"),
        Sensitivity::None => false,
    }
}

/// The parts of a name in lower case: split at what is no letter or digit, and where `camelCase` has its humps.
fn parts(name: &str) -> Vec<String> {
    let mut parts: Vec<String> = Vec::new();
    let mut part = String::new();
    let mut before = ' ';
    let mut letters = name.chars().peekable();
    while let Some(letter) = letters.next() {
        // `apiKey` has a hump at K; `APIKey` too, for a small letter follows.
        let hump = letter.is_ascii_uppercase()
            && (before.is_ascii_lowercase()
                || before.is_ascii_digit()
                || (before.is_ascii_uppercase() && letters.peek().is_some_and(char::is_ascii_lowercase)));
        if (hump || !letter.is_ascii_alphanumeric()) && !part.is_empty() {
            parts.push(std::mem::take(&mut part));
        }
        if letter.is_ascii_alphanumeric() {
            part.push(letter.to_ascii_lowercase());
        }
        before = letter;
    }
    if !part.is_empty() {
        parts.push(part);
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_read_by_its_parts() {
        for name in [
            "password",
            "DB_PASSWORD",
            "dbPassword",
            "accessToken",
            "access_token",
            "API-KEY",
            "apiKey",
            "APIKey",
            "x-api-key",
            "apikey",
            "privateKey",
            "AccountKey",
            "SharedAccessKey",
            "aws_secret_access_key",
            "Authorization",
            "http-authorization",
            "BASIC_AUTH",
            "auth",
            "Set-Cookie",
            "client_secret",
            "passphrase",
            "pwd",
            "credentials",
            "GITHUB_TOKEN",
            "jwt",
        ] {
            assert_eq!(sensitivity(name), Sensitivity::Strong, "{name}");
            assert!(is_sensitive_name(name), "{name}");
        }
        for name in ["key", "sortKey", "signature", "X-Amz-Signature", "sig", "sessionId", "code"] {
            assert_eq!(sensitivity(name), Sensitivity::Weak, "{name}");
        }
        for name in ["max_tokens", "totalTokens", "token_count", "tokenizer", "nextPageToken", "token_type"] {
            assert_eq!(sensitivity(name), Sensitivity::None, "{name}");
        }
        for name in
            ["path", "author", "authors", "GIT_AUTHOR_NAME", "monkey", "keyboard", "passenger", "compass", ""]
        {
            assert_eq!(sensitivity(name), Sensitivity::None, "{name}");
        }
        assert_eq!(sensitivity(&"token".repeat(20)), Sensitivity::None);
    }

    #[test]
    fn an_author_is_no_authorisation() {
        assert!(!is_sensitive_name("GIT_AUTHOR_NAME") && !is_sensitive_name("authors"));
        assert!(
            is_sensitive_name("key") && is_sensitive_name("cache_key") && !is_sensitive_name("signature")
        );
    }
}
