//! Vectors of the rule set: for each kind what is one, and what only looks like it.
//!
//! No vector stands here in one piece, so that neither this file nor the program looks like a leak to a scanner; none
//! was ever a credential. The tests of the whole program plant the same ones (`tests/redaction`).

/// `count` characters that change between capitals, small letters and digits.
pub(crate) fn mixed(count: usize) -> String {
    "q7Rz2WmK9xVb4TnH8sLd3YpG6fJc5AeU".chars().cycle().take(count).collect()
}

/// `count` hexadecimal digits.
pub(crate) fn hex(count: usize) -> String {
    "9f3c7a1e0b5d8246".chars().cycle().take(count).collect()
}

/// `count` capitals and digits.
pub(crate) fn upper(count: usize) -> String {
    "Q7RZ2WMK4XVB3TNH".chars().cycle().take(count).collect()
}

/// `count` small letters and digits.
fn lower(count: usize) -> String {
    mixed(count).to_lowercase()
}

fn join(parts: &[&str]) -> String {
    parts.concat()
}

/// A private key in its block, with these lines between.
pub(crate) fn private_key(label: &str, lines: usize) -> String {
    let dashes = "-----";
    let body: Vec<String> = (0..lines).map(|n| format!("{n:02}{}", mixed(62))).collect();
    format!("{dashes}BEGIN {label} KEY{dashes}\n{}\n{dashes}END {label} KEY{dashes}", body.join("\n"))
}

/// One secret of each rule: the kind, and the secret.
pub(crate) fn secrets() -> Vec<(&'static str, String)> {
    vec![
        ("aws-access-key", join(&["AK", "IA", &upper(16)])),
        ("aws-access-key", join(&["AS", "IA", &upper(16)])),
        ("github-token", join(&["gh", "p_", &mixed(36)])),
        ("github-token", join(&["gh", "o_", &mixed(36)])),
        ("github-token", join(&["gh", "s_", &mixed(36)])),
        ("github-fine-grained-token", join(&["github", "_pat_", &mixed(22), "_", &mixed(59)])),
        ("gitlab-token", join(&["gl", "pat-", &mixed(20)])),
        ("gitlab-token", join(&["gl", "rt-", &mixed(20)])),
        ("slack-token", join(&["xo", "xb-", "123456789012-1234567890123-", &mixed(24)])),
        ("slack-token", join(&["xa", "pp-", "1-A0123456789-", &mixed(40)])),
        ("slack-webhook", join(&["hooks.slack", ".com/services/T01234567/B01234567/", &mixed(24)])),
        ("stripe-key", join(&["sk_", "live_", &mixed(24)])),
        ("stripe-key", join(&["rk_", "test_", &mixed(24)])),
        ("stripe-webhook-secret", join(&["wh", "sec_", &mixed(32)])),
        ("anthropic-key", join(&["sk-", "ant-", "api03-", &mixed(93), "AA"])),
        ("openai-key", join(&["sk-", "proj-", &mixed(74)])),
        ("openai-key", join(&["sk-", &mixed(48)])),
        ("google-api-key", join(&["AI", "za", &mixed(35)])),
        ("google-oauth-secret", join(&["GOC", "SPX-", &mixed(28)])),
        ("google-oauth-token", join(&["ya", "29.", "a0", &mixed(60)])),
        ("npm-token", join(&["np", "m_", &mixed(36)])),
        ("pypi-token", join(&["pypi", "-AgE", "IcHlwaS5vcmc", &mixed(60)])),
        ("docker-token", join(&["dckr", "_pat_", &mixed(27)])),
        ("heroku-key", join(&["HR", "KU-", &mixed(60)])),
        ("sendgrid-key", join(&["S", "G.", &mixed(22), ".", &mixed(43)])),
        ("twilio-key", join(&["S", "K", &hex(32)])),
        ("mailgun-key", join(&["ke", "y-", &hex(32)])),
        ("square-token", join(&["sq0", "atp-", &mixed(22)])),
        ("square-token", join(&["EA", "AA", &mixed(60)])),
        ("shopify-token", join(&["shp", "at_", &hex(32)])),
        ("digitalocean-token", join(&["dop", "_v1_", &hex(64)])),
        ("hugging-face-token", join(&["h", "f_", &mixed(34)])),
        ("databricks-token", join(&["da", "pi", &hex(32)])),
        ("vault-token", join(&["hv", "s.", &mixed(90)])),
        ("age-key", join(&["AGE-SECRET", "-KEY-1", &upper(58)])),
        ("grafana-token", join(&["gl", "sa_", &mixed(32), "_", &hex(8)])),
        ("linear-key", join(&["lin", "_api_", &mixed(40)])),
        ("notion-token", join(&["nt", "n_", &mixed(46)])),
        ("postman-key", join(&["PM", "AK-", &hex(24), "-", &hex(34)])),
        ("rubygems-key", join(&["ruby", "gems_", &hex(48)])),
        ("atlassian-token", join(&["ATA", "TT3", "xFfGF0", &mixed(180)])),
        ("tailscale-key", join(&["ts", "key-", "auth-", &mixed(16), "-", &mixed(32)])),
        ("groq-key", join(&["gs", "k_", &mixed(52)])),
        ("private-key", private_key("RSA PRIVATE", 3)),
        ("private-key", private_key("OPENSSH PRIVATE", 5)),
        ("private-key", private_key("PRIVATE", 1)),
        ("putty-key", join(&["Private", "-Lines: 2\n", &mixed(64), "\n", &mixed(20), "\n"])),
        ("jwt", join(&["ey", "J", &mixed(33), ".ey", "J", &mixed(60), ".", &mixed(43)])),
        ("telegram-token", join(&["1234567890", ":A", "A", &mixed(33)])),
        ("discord-webhook", join(&["123456789012345678/", &mixed(68)])),
        ("discord-token", join(&["MT", &mixed(24), ".", &mixed(6), ".", &mixed(38)])),
        ("azure-client-secret", join(&["abC", "8Q", "~", &mixed(34)])),
    ]
}

/// Where a secret needs something before it that is none itself.
pub(crate) fn context(kind: &str, secret: &str) -> String {
    match kind {
        "discord-webhook" => join(&["https://discord.com/api/web", "hooks/", secret]),
        _ => secret.to_owned(),
    }
}

/// What only looks like a secret: kind, and text.
pub(crate) fn no_secrets() -> Vec<(&'static str, String)> {
    vec![
        ("aws-access-key", "AKIAS is a name; ASIATIC-COUNTRIES-LIST".into()),
        ("github-token", "ghp_short and gho_".into()),
        ("gitlab-token", "see glpat-docs".into()),
        ("slack-token", "xoxb-is-a-prefix".into()),
        ("stripe-key", "sk_live_ and sk_test_mode".into()),
        ("openai-key", "sk-learn-is-a-misspelt-library-name and task-management-for-everyone-2024".into()),
        ("google-api-key", "AIzawa is a name".into()),
        ("npm-token", "npm_config_registry npm_lifecycle_event npm_package_dependencies_react".into()),
        ("pypi-token", "pypi-AgEnt".into()),
        ("sendgrid-key", "SG.1 and SG.txt".into()),
        ("twilio-key", "SKU1234 and DESK0123456789".into()),
        ("mailgun-key", "key-value and key-0123456789".into()),
        ("square-token", "EAAAS".into()),
        ("hugging-face-token", "hf_hub_download(hf_token_path)".into()),
        ("databricks-token", "dapibus dapi0123".into()),
        (
            "private-key",
            join(&["-----", "BEGIN CERTIFICATE", "-----\n", &mixed(64), "\n-----", "END CERTIFICATE-----"]),
        ),
        ("private-key", join(&["-----", "BEGIN PUBLIC KEY", "-----"])),
        ("jwt", "eyJhbGciOiJIUzI1NiJ9 alone, and eyJ.eyJ".into()),
        ("telegram-token", "12345:AAB and 10:AA".into()),
        ("discord-token", "MTwhatever.abcdef.x and MT.MT.MT".into()),
        ("discord-webhook", "/api/webhooks/ID/TOKEN".into()),
        ("azure-client-secret", "8Q~ and abc8Q~short".into()),
        (
            "password-in-url",
            "https://example.org:8080/a@b:c and http://[::1]:80/ and mailto:me@example.org".into(),
        ),
        ("a digest", hex(64)),
        ("a digest", join(&["sha256:", &lower(0), &hex(64)])),
        ("a UUID", "123e4567-e89b-12d3-a456-426614174000".into()),
        ("a path", "/home/me/.config/token/readme.md and C:\\Users\\me\\secret\\notes.txt".into()),
        ("prose", "The token is expired; enter your password. Authentication failed for user me.".into()),
        ("prose", "Basic authentication and bearer authentication, keys: see the key rate limits".into()),
        ("units", r#"max_tokens: 4096, token_count=12, "total_tokens": 99"#.into()),
    ]
}
