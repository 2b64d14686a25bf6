//! The rule set: secrets that are known by how they begin.
//!
//! Each rule is a literal and what follows it. A run is taken to its end however long it is, so that of a secret that
//! stands next to something else nothing is left over. The forms are those that their issuers document. Each has
//! vectors, for and against, in `vectors.rs`.

use crate::audit::redact::class::Class;
use crate::audit::redact::forms;

/// What follows the literal.
#[derive(Clone, Copy)]
pub(super) enum Body {
    /// At least so many bytes of a class.
    Run(Class, usize),
    /// The same, and among them digits and letters: for literals that also begin words.
    Mixed(Class, usize),
    /// Looked at by a function: from the text and the place of the literal to the place of the secret.
    Form(fn(&[u8], usize) -> Option<std::ops::Range<usize>>),
}

/// One rule.
#[derive(Clone, Copy)]
pub(super) struct Rule {
    /// The kind that a mark names.
    pub(super) kind: &'static str,
    /// How it begins, exactly.
    pub(super) literal: &'static str,
    /// What follows.
    pub(super) body: Body,
    /// Whether it may begin within a word: the literal is like nothing else.
    pub(super) within: bool,
}

const fn run(kind: &'static str, literal: &'static str, class: Class, least: usize) -> Rule {
    // Long literals are found wherever they stand; short ones only where a word begins.
    Rule { kind, literal, body: Body::Run(class, least), within: literal.len() > 4 }
}

const fn mixed(kind: &'static str, literal: &'static str, class: Class, least: usize) -> Rule {
    Rule { kind, literal, body: Body::Mixed(class, least), within: false }
}

type Form = fn(&[u8], usize) -> Option<std::ops::Range<usize>>;

const fn form(kind: &'static str, literal: &'static str, form: Form) -> Rule {
    Rule { kind, literal, body: Body::Form(form), within: true }
}

use Class::{Alnum, Base64, Dash, Dot, Hex, Upper, Word};

/// Where two match, the first does.
pub(super) const RULES: &[Rule] = &[
    run("aws-access-key", "AKIA", Upper, 16),
    run("aws-access-key", "ASIA", Upper, 16),
    run("github-token", "ghp_", Alnum, 30),
    run("github-token", "gho_", Alnum, 30),
    run("github-token", "ghu_", Alnum, 30),
    run("github-token", "ghs_", Dot, 30),
    run("github-token", "ghr_", Alnum, 30),
    run("github-fine-grained-token", "github_pat_", Word, 30),
    run("gitlab-token", "glpat-", Dot, 20),
    run("gitlab-token", "gldt-", Dot, 20),
    run("gitlab-token", "glrt-", Dot, 20),
    run("gitlab-token", "glcbt-", Dot, 20),
    run("gitlab-token", "glptt-", Dot, 20),
    run("gitlab-token", "glsoat-", Dot, 20),
    run("gitlab-token", "glagent-", Dot, 20),
    run("slack-token", "xoxb-", Dash, 20),
    run("slack-token", "xoxp-", Dash, 20),
    run("slack-token", "xoxa-", Dash, 20),
    run("slack-token", "xoxr-", Dash, 20),
    run("slack-token", "xoxs-", Dash, 20),
    run("slack-token", "xoxe-", Dash, 20),
    run("slack-token", "xoxe.", Dash, 20),
    run("slack-token", "xapp-", Dash, 20),
    run("slack-webhook", "hooks.slack.com/", Base64, 30),
    run("stripe-key", "sk_live_", Alnum, 16),
    run("stripe-key", "sk_test_", Alnum, 16),
    run("stripe-key", "rk_live_", Alnum, 16),
    run("stripe-key", "rk_test_", Alnum, 16),
    run("stripe-webhook-secret", "whsec_", Base64, 24),
    run("anthropic-key", "sk-ant-", Dash, 20),
    run("openai-key", "sk-proj-", Dash, 20),
    run("openai-key", "sk-svcacct-", Dash, 20),
    run("openai-key", "sk-admin-", Dash, 20),
    mixed("openai-key", "sk-", Dash, 20),
    run("google-api-key", "AIza", Dash, 35),
    run("google-oauth-secret", "GOCSPX-", Dash, 20),
    run("google-oauth-token", "ya29.", Dot, 20),
    mixed("google-oauth-token", "1//0", Dash, 30),
    run("npm-token", "npm_", Alnum, 36),
    run("pypi-token", "pypi-AgE", Dash, 50),
    run("docker-token", "dckr_pat_", Dash, 20),
    run("docker-token", "dckr_oat_", Dash, 20),
    run("heroku-key", "HRKU-", Dash, 30),
    run("sendgrid-key", "SG.", Dot, 50),
    run("twilio-key", "SK", Hex, 32),
    run("mailgun-key", "key-", Hex, 32),
    run("square-token", "sq0atp-", Dash, 22),
    run("square-token", "sq0csp-", Dash, 40),
    run("square-token", "EAAA", Dash, 56),
    run("shopify-token", "shpat_", Hex, 32),
    run("shopify-token", "shpca_", Hex, 32),
    run("shopify-token", "shppa_", Hex, 32),
    run("shopify-token", "shpss_", Hex, 32),
    run("digitalocean-token", "dop_v1_", Hex, 64),
    run("digitalocean-token", "doo_v1_", Hex, 64),
    run("digitalocean-token", "dor_v1_", Hex, 64),
    run("hugging-face-token", "hf_", Alnum, 30),
    run("databricks-token", "dapi", Hex, 32),
    run("vault-token", "hvs.", Dash, 24),
    run("vault-token", "hvb.", Dash, 24),
    run("vault-token", "hvr.", Dash, 24),
    run("age-key", "AGE-SECRET-KEY-1", Upper, 50),
    run("grafana-token", "glsa_", Word, 32),
    run("grafana-token", "glc_", Base64, 40),
    run("linear-key", "lin_api_", Alnum, 32),
    run("notion-token", "ntn_", Alnum, 40),
    run("postman-key", "PMAK-", Dash, 40),
    run("rubygems-key", "rubygems_", Hex, 48),
    run("atlassian-token", "ATATT3", Base64, 60),
    run("tailscale-key", "tskey-", Dash, 24),
    run("groq-key", "gsk_", Alnum, 40),
    form("private-key", "-----BEGIN ", forms::private_key),
    form("putty-key", "Private-Lines: ", forms::putty_key),
    form("jwt", "eyJ", forms::jwt),
    form("telegram-token", ":AA", forms::telegram_token),
    form("discord-webhook", "/api/webhooks/", forms::discord_webhook),
    form("discord-token", "MT", forms::discord_token),
    form("discord-token", "Mj", forms::discord_token),
    form("discord-token", "Mz", forms::discord_token),
    form("discord-token", "ND", forms::discord_token),
    form("discord-token", "NT", forms::discord_token),
    form("discord-token", "Nj", forms::discord_token),
    form("discord-token", "Nz", forms::discord_token),
    form("discord-token", "OD", forms::discord_token),
    form("discord-token", "OT", forms::discord_token),
    form("azure-client-secret", "8Q~", forms::azure_client_secret),
    form("azure-client-secret", "7Q~", forms::azure_client_secret),
    form("password-in-url", "://", forms::password_in_url),
];

/// Bytes of a run that decide whether it is one; no rule asks for more.
const HEAD: usize = 128;

/// The bearer's word in a header, in any case; what follows is the secret.
pub(super) const SCHEMES: &[&str] = &["bearer ", "basic ", "token ", "apikey "];

impl Rule {
    /// The secret that begins with the literal at `at`, which was found there.
    pub(super) fn secret(&self, text: &[u8], at: usize) -> Option<std::ops::Range<usize>> {
        let starts_word = at == 0 || text.get(at - 1).is_none_or(|before| !before.is_ascii_alphanumeric());
        if !self.within && !starts_word {
            return None;
        }
        let body = at + self.literal.len();
        let (class, least, mixed) = match self.body {
            Body::Form(form) => return form(text, at),
            Body::Run(class, least) => (class, least, false),
            Body::Mixed(class, least) => (class, least, true),
        };
        // The beginning decides; only then the run is taken to its end.
        let head = text.get(body..)?;
        let head = head.get(..HEAD).unwrap_or(head);
        let head = head.get(..class.run(head, 0))?;
        let is_mixed = || head.iter().any(u8::is_ascii_digit) && head.iter().any(u8::is_ascii_alphabetic);
        if head.len() < least || (mixed && !is_mixed()) {
            return None;
        }
        Some(at..body + class.run(text, body))
    }
}
