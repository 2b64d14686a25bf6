//! npm's configuration, as its user has it: registries, tokens, certificates, proxies; and nothing else of it.
//!
//! npm itself says what holds (`npm config ls -l --json`, which leaves protected values out), asked in a folder without
//! a project: a repository's own `.npmrc` does not choose where code comes from. The lines with tokens are then taken
//! from the user's and the global file, unread but for their names. Rests on `npmrc(5)` and `npm-config(7)`.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::store::package::Index;
use crate::store::settings::{Settings, read};

/// Keys that are kept, beside those of one registry (`//host/:…`) and of one scope (`@scope:registry`).
const KEPT: &[&str] = &[
    "_auth",
    "_authToken",
    "_password",
    "always-auth",
    "before",
    "ca",
    "ca[]",
    "cafile",
    "cert",
    "email",
    "fetch-retries",
    "fetch-retry-factor",
    "fetch-retry-maxtimeout",
    "fetch-retry-mintimeout",
    "fetch-timeout",
    "https-proxy",
    "key",
    "legacy-peer-deps",
    "maxsockets",
    "min-release-age",
    "noproxy",
    "proxy",
    "registry",
    "replace-registry-host",
    "strict-ssl",
    "username",
];
/// Those of them whose values are files.
const FILES: &[&str] = &["cafile", "certfile", "keyfile"];

/// What npm says of itself: the whole configuration, protected values aside.
pub(crate) struct Said(BTreeMap<String, Value>);

impl Said {
    /// The output of `npm config ls -l --json`.
    ///
    /// # Errors
    /// It is no JSON object.
    pub(crate) fn parse(text: &[u8]) -> Result<Said, serde_json::Error> {
        serde_json::from_slice(text).map(Said)
    }

    fn text(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.as_str().filter(|value| !value.is_empty())
    }

    /// The registry of the packages that no scope leads elsewhere, and those of the scopes.
    fn registries(&self) -> impl Iterator<Item = (&str, &str)> {
        let named = |key: &str| key == "registry" || (key.starts_with('@') && key.ends_with(":registry"));
        let all = self.0.iter().filter(move |(key, _)| named(key));
        all.filter_map(|(key, value)| Some((key.as_str(), value.as_str()?)))
    }
}

/// Settings for an install phase whose HOME is `home`. `environment` is ours.
///
/// # Errors
/// A file that the configuration names cannot be read, or ours not be written.
pub(crate) fn settings(
    said: &Said,
    environment: &[(OsString, OsString)],
    index: Option<&Index>,
    home: &Path,
) -> io::Result<Settings> {
    let mut settings = Settings::default();
    for (key, url) in said.registries() {
        if key != "registry" || index.is_none() {
            settings.registry(url);
        }
    }
    for key in ["proxy", "https-proxy"] {
        if let Some(proxy) = said.text(key) {
            settings.registry(proxy);
            settings.set(&format!("npm_config_{}", key.replace('-', "_")), proxy);
        }
    }
    for (kind, name) in [("userconfig", "npmrc-user"), ("globalconfig", "npmrc-global")] {
        let text = match said.text(kind).map(|path| read(Path::new(path))) {
            None => Vec::new(),
            Some(Ok(text)) => text,
            Some(Err(error)) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Some(Err(error)) => return Err(error),
        };
        let kept = kept(&String::from_utf8_lossy(&text), name, home, environment, &mut settings)?;
        let path = home.join(name);
        fs::write(&path, kept)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
        settings.variables.insert(format!("npm_config_{kind}"), shown(&path)?);
    }
    from_environment(environment, &mut settings);
    if let Some(cafile) = said.text("cafile") {
        let copy = settings.copy(Path::new(cafile), home, "cafile.pem")?;
        settings.variables.insert("npm_config_cafile".to_owned(), shown(&copy)?);
    }
    if let Some(extra) = variable(environment, "NODE_EXTRA_CA_CERTS") {
        // node itself only warns where it is missing.
        if let Ok(copy) = settings.copy(Path::new(extra), home, "node-ca.pem") {
            settings.variables.insert("NODE_EXTRA_CA_CERTS".to_owned(), shown(&copy)?);
        }
    }
    if let Some(Index(url)) = index {
        settings.registry(url);
        settings.set("npm_config_registry", url);
    }
    Ok(settings)
}

/// What of a configuration anybody may know: registries, proxies, certificates. Whatever holds a password becomes a
/// secret of the result, so that the caller knows what is missing; no token is read.
///
/// # Errors
/// A file that the configuration names cannot be read.
pub(crate) fn known_to_all(
    said: &Said,
    environment: &[(OsString, OsString)],
    index: Option<&Index>,
    folder: &Path,
) -> io::Result<Settings> {
    let mut settings = Settings::default();
    for (key, url) in said.registries().filter(|(key, _)| *key != "registry" || index.is_none()) {
        settings.registry(url);
        settings.set(&format!("npm_config_{key}"), url);
    }
    if let Some(Index(url)) = index {
        settings.registry(url);
    }
    for key in ["proxy", "https-proxy"] {
        if let Some(proxy) = said.text(key) {
            settings.registry(proxy);
            settings.set(&format!("npm_config_{}", key.replace('-', "_")), proxy);
        }
    }
    for key in ["strict-ssl", "min-release-age", "fetch-retries", "fetch-timeout"] {
        let value = said.0.get(key).filter(|value| value.is_boolean() || value.is_number());
        if let Some(value) = value {
            settings.set(&format!("npm_config_{}", key.replace('-', "_")), &value.to_string());
        }
    }
    if let Some(cafile) = said.text("cafile") {
        let copy = settings.copy(Path::new(cafile), folder, "cafile.pem")?;
        settings.set("npm_config_cafile", &shown(&copy)?);
    }
    // node itself only warns where it is missing.
    let extra = variable(environment, "NODE_EXTRA_CA_CERTS");
    if let Some(Ok(copy)) = extra.map(|extra| settings.copy(Path::new(extra), folder, "node-ca.pem")) {
        settings.set("NODE_EXTRA_CA_CERTS", &shown(&copy)?);
    }
    for kind in ["userconfig", "globalconfig"] {
        let text = said.text(kind).and_then(|path| read(Path::new(path)).ok()).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let keys = text.lines().filter_map(|line| line.split_once('=')).map(|(key, _)| key.trim());
        for key in keys.filter(|key| is_secret(key) && is_kept(key)) {
            settings.secret(key, "");
        }
    }
    Ok(settings)
}

/// The lines of a file that say where packages come from and whom to trust, its files copied.
fn kept(
    text: &str,
    name: &str,
    home: &Path,
    environment: &[(OsString, OsString)],
    settings: &mut Settings,
) -> io::Result<String> {
    let mut kept = String::new();
    for (number, line) in text.lines().map(str::trim).enumerate() {
        if line.is_empty() || line.starts_with([';', '#', '[']) {
            continue;
        }
        let (key, value) = line.split_once('=').unwrap_or((line, "true"));
        let (key, value) = (key.trim().trim_matches(['"', '\'']), value.trim().trim_matches(['"', '\'']));
        if !is_kept(key) {
            continue;
        }
        for variable in variables(value) {
            if let Some(value) = self::variable(environment, variable) {
                settings.secret(variable, value);
            }
        }
        if is_secret(key) {
            settings.hide(Some(value));
        }
        let own = key.rsplit(':').next().unwrap_or(key);
        if FILES.contains(&own) {
            let copy = settings.copy(&file(value, environment), home, &format!("{name}-{number}.pem"))?;
            kept.push_str(&format!("{key}={}\n", shown(&copy)?));
        } else {
            kept.push_str(&format!("{key}={value}\n"));
        }
    }
    Ok(kept)
}

fn is_kept(key: &str) -> bool {
    let of_registry = key.starts_with("//") && !key.contains(char::is_whitespace);
    KEPT.contains(&key) || of_registry || (key.starts_with('@') && key.ends_with(":registry"))
}

fn is_secret(key: &str) -> bool {
    let own = key.rsplit(':').next().unwrap_or(key);
    matches!(own, "_auth" | "_authToken" | "_password" | "key")
}

/// `npm_config_…` variables, by the same list.
fn from_environment(environment: &[(OsString, OsString)], settings: &mut Settings) {
    for (name, value) in environment {
        let (Some(name), Some(value)) = (name.to_str(), value.to_str()) else { continue };
        let Some(prefix) = name.get(..11).filter(|prefix| prefix.eq_ignore_ascii_case("npm_config_")) else {
            continue;
        };
        let key = &name[prefix.len()..];
        let key = match key.starts_with("//") || key.starts_with('@') || key.starts_with('_') {
            true => key.to_owned(),
            false => key.to_ascii_lowercase().replace('_', "-"),
        };
        if !is_kept(&key) || FILES.contains(&key.as_str()) {
            continue;
        }
        match is_secret(&key) {
            true => settings.secret(name, value),
            false => settings.set(name, value),
        }
    }
}

/// `NAME` of every `${NAME}`, `${NAME?}` and `${NAME-…}`.
fn variables(value: &str) -> impl Iterator<Item = &str> {
    value.split("${").skip(1).filter_map(|rest| {
        let inside = rest.split_once('}')?.0;
        let end = inside.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(inside.len());
        Some(&inside[..end]).filter(|name| !name.is_empty())
    })
}

/// A path as npm reads it: `~/` and `${NAME}`.
fn file(value: &str, environment: &[(OsString, OsString)]) -> PathBuf {
    let mut path = value.to_owned();
    let names: Vec<String> = variables(value).map(str::to_owned).collect();
    for name in names {
        let inside = variable(environment, &name).unwrap_or_default();
        path = path.replace(&format!("${{{name}}}"), inside);
    }
    match (path.strip_prefix("~/"), variable(environment, "HOME")) {
        (Some(below), Some(home)) => Path::new(home).join(below),
        _ => PathBuf::from(path),
    }
}

fn variable<'e>(environment: &'e [(OsString, OsString)], name: &str) -> Option<&'e str> {
    let found = environment.iter().find(|(own, _)| own == name);
    found.and_then(|(_, value)| value.to_str()).filter(|value| !value.is_empty())
}

fn shown(path: &Path) -> io::Result<String> {
    let odd = || io::Error::new(io::ErrorKind::InvalidInput, format!("{} is not UTF-8", path.display()));
    path.to_str().map(str::to_owned).ok_or_else(odd)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(pairs: &[(&str, &str)]) -> Vec<(OsString, OsString)> {
        pairs.iter().map(|(name, value)| (OsString::from(name), OsString::from(value))).collect()
    }

    #[test]
    fn registries_tokens_and_certificates_are_taken_over_and_nothing_else() {
        let home = tempfile::tempdir().unwrap();
        let user = home.path().join("user");
        let ca = home.path().join("ca.crt");
        fs::write(&ca, "CERTIFICATE").unwrap();
        fs::write(
            &user,
            format!(
                "; a comment\nregistry=https://me:sesame@r.example/npm/\n@corp:registry = https://corp.example:8443/\n\
                 //corp.example:8443/:_authToken=${{CORP_TOKEN}}\n//r.example/npm/:_password=c2VjcmV0\n\
                 script-shell=/tmp/evil\nignore-scripts=false\nprefix=/tmp\ncache=/tmp\nnode-options=--require=/x\n\
                 cafile={}\n",
                ca.display()
            ),
        )
        .unwrap();
        let said = serde_json::json!({
            "registry": "https://me:sesame@r.example/npm/",
            "@corp:registry": "https://corp.example:8443/",
            "userconfig": user, "globalconfig": "/nowhere/npmrc", "cafile": ca,
            "https-proxy": null, "proxy": "http://proxy.example:3128/",
        });
        let said = Said::parse(said.to_string().as_bytes()).unwrap();
        let environment = environment(&[
            ("CORP_TOKEN", "t0ken"),
            ("npm_config_fetch_retries", "5"),
            ("NPM_CONFIG_SCRIPT_SHELL", "/tmp/evil"),
            ("npm_config_//x.example/:_authToken", "other-token"),
        ]);
        let settings = settings(&said, &environment, None, home.path()).unwrap();
        let mut hosts = settings.hosts.clone();
        hosts.sort();
        let expected = [("corp.example", 8443), ("proxy.example", 3128), ("r.example", 443)];
        assert_eq!(hosts, expected.map(|(host, port)| (host.to_owned(), port)));
        let written = fs::read_to_string(home.path().join("npmrc-user")).unwrap();
        assert!(written.contains("//corp.example:8443/:_authToken=${CORP_TOKEN}\n"), "{written}");
        for other in ["script-shell", "ignore-scripts", "prefix", "cache", "node-options", "comment"] {
            assert!(!written.contains(other), "{other}: {written}");
        }
        assert_eq!(fs::read_to_string(&settings.variables["npm_config_cafile"]).unwrap(), "CERTIFICATE");
        assert_eq!(settings.secrets["CORP_TOKEN"], "t0ken");
        assert!(settings.secrets.contains_key("npm_config_//x.example/:_authToken"));
        assert!(settings.variables.contains_key("npm_config_fetch_retries"));
        assert!(settings.variables.keys().all(|name| !name.to_lowercase().contains("script")));
        let shown = settings.redact("t0ken other-token sesame c2VjcmV0");
        assert_eq!(shown, "[redacted] [redacted] [redacted] [redacted]");
    }

    #[test]
    fn a_registry_of_the_command_line_takes_the_place_of_the_configured_one() {
        let home = tempfile::tempdir().unwrap();
        let said = Said::parse(br#"{"registry": "https://r.example/", "@a:registry": "https://a.example/"}"#)
            .unwrap();
        let index = Index("https://other.example/".into());
        let settings = settings(&said, &[], Some(&index), home.path()).unwrap();
        let hosts: Vec<&str> = settings.hosts.iter().map(|(host, _)| host.as_str()).collect();
        assert_eq!(hosts, ["a.example", "other.example"]);
        assert_eq!(settings.variables["npm_config_registry"], "https://other.example/");
    }

    #[test]
    fn what_a_server_may_know_holds_no_token() {
        let home = tempfile::tempdir().unwrap();
        let (user, ca) = (home.path().join("user"), home.path().join("ca.crt"));
        fs::write(&user, "//corp.example/:_authToken=t0ken\nregistry=https://r.example/\n").unwrap();
        fs::write(&ca, "CERTIFICATE").unwrap();
        let said = serde_json::json!({
            "registry": "https://r.example/", "@corp:registry": "https://me:sesame@corp.example/",
            "userconfig": user, "cafile": ca, "strict-ssl": true, "min-release-age": null,
        });
        let said = Said::parse(said.to_string().as_bytes()).unwrap();
        let settings = known_to_all(&said, &environment(&[]), None, home.path()).unwrap();
        assert_eq!(settings.variables["npm_config_registry"], "https://r.example/");
        assert_eq!(settings.variables["npm_config_strict_ssl"], "true");
        assert_eq!(fs::read_to_string(&settings.variables["npm_config_cafile"]).unwrap(), "CERTIFICATE");
        assert_eq!(settings.hosts.len(), 2);
        let withheld: Vec<&str> = settings.secrets.keys().map(String::as_str).collect();
        assert_eq!(withheld, ["//corp.example/:_authToken", "npm_config_@corp:registry"]);
        assert!(
            settings.variables.values().all(|value| !value.contains("t0ken") && !value.contains("sesame"))
        );
    }

    #[test]
    fn a_certificate_that_is_missing_is_an_error() {
        let home = tempfile::tempdir().unwrap();
        let said = Said::parse(br#"{"registry": "https://r.example/", "cafile": "/nowhere.pem"}"#).unwrap();
        assert!(settings(&said, &[], None, home.path()).is_err());
    }

    #[test]
    fn variables_in_values() {
        let found: Vec<&str> = variables("a${B}c${D?}${E-x}${}${F").collect();
        assert_eq!(found, ["B", "D", "E"]);
    }
}
