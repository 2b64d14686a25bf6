//! The configuration of pip and uv, as their user has it: indexes, folders of wheels, certificates, proxies.
//!
//! The files of the machine and of the user and the environment count, and no file of a project: a repository does not
//! choose where code comes from. What is found becomes variables of pip's; pip itself reads no file in the install phase.
//! Rests on the configuration chapter of pip's documentation and on "Settings" and "Environment variables" of uv's.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use crate::store::package::Index;
use crate::store::settings::{Settings, read};

/// Options of pip that say where packages come from, how patiently they are fetched, and whom to trust.
const KEPT: &[&str] = &[
    "cert",
    "client-cert",
    "default-timeout",
    "extra-index-url",
    "find-links",
    "index-url",
    "no-index",
    "pre",
    "prefer-binary",
    "proxy",
    "retries",
    "timeout",
    "trusted-host",
    "use-deprecated",
    "use-feature",
];

/// Where pip looks when nobody says otherwise.
const DEFAULT_INDEX: &str = "https://pypi.org/simple";
/// Where that index has its files.
const FILES_OF_DEFAULT: &str = "https://files.pythonhosted.org/";

/// Where configuration may be.
pub(crate) struct Places {
    /// The user's home.
    pub(crate) home: PathBuf,
    /// Files of pip, least important first.
    pip: Vec<PathBuf>,
    /// Files of uv, least important first.
    uv: Vec<PathBuf>,
}

impl Places {
    /// As the environment says.
    pub(crate) fn new(environment: &[(OsString, OsString)]) -> Places {
        let folder =
            |name: &str| variable(environment, name).map(PathBuf::from).filter(|it| it.is_absolute());
        let home = folder("HOME").unwrap_or_default();
        let config = folder("XDG_CONFIG_HOME").unwrap_or_else(|| home.join(".config"));
        let mut pip: Vec<PathBuf> =
            std::env::split_paths(variable(environment, "XDG_CONFIG_DIRS").unwrap_or("/etc/xdg"))
                .map(|folder| folder.join("pip/pip.conf"))
                .collect();
        pip.extend(["/etc/pip.conf".into(), home.join(".pip/pip.conf"), config.join("pip/pip.conf")]);
        match variable(environment, "PIP_CONFIG_FILE") {
            Some("/dev/null") => pip.clear(),
            Some(file) => pip.push(file.into()),
            None => {}
        }
        let uv = match variable(environment, "UV_CONFIG_FILE") {
            Some(file) => vec![file.into()],
            None => vec!["/etc/uv/uv.toml".into(), config.join("uv/uv.toml")],
        };
        Places { home, pip, uv }
    }
}

/// Settings for an install phase whose HOME is `home`. Of the two, uv's own come first for whoever called uv.
///
/// # Errors
/// A file that the configuration names cannot be read.
pub(crate) fn settings(
    places: &Places,
    environment: &[(OsString, OsString)],
    index: Option<&Index>,
    home: &Path,
) -> io::Result<Settings> {
    let mut options = BTreeMap::new();
    for file in &places.pip {
        match read(file) {
            Ok(text) => ini(&String::from_utf8_lossy(&text), &mut options),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(at(file, &error)),
        }
    }
    for (name, value) in environment {
        let (Some(name), Some(value)) = (name.to_str(), value.to_str()) else { continue };
        if let Some(option) = name.strip_prefix("PIP_").filter(|_| !value.is_empty()) {
            options.insert(option.to_ascii_lowercase().replace('_', "-"), value.to_owned());
        }
    }
    options.retain(|option, _| KEPT.contains(&option.as_str()));
    for file in &places.uv {
        match read(file) {
            Ok(text) => {
                uv_file(&String::from_utf8_lossy(&text), &mut options).map_err(|error| at(file, &error))?
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(at(file, &error)),
        }
    }
    uv_environment(environment, &mut options);
    if let Some(Index(url)) = index {
        options.insert("index-url".to_owned(), url.clone());
    }
    let mut settings = Settings::default();
    trusted(environment, &mut options);
    let default = options.get("index-url").map_or(DEFAULT_INDEX, String::as_str).to_owned();
    for url in
        default.split_whitespace().chain(words(&options, "extra-index-url")).chain(words(&options, "proxy"))
    {
        settings.registry(url);
        if url.trim_end_matches('/') == DEFAULT_INDEX {
            settings.registry(FILES_OF_DEFAULT);
        }
    }
    for link in words(&options, "find-links") {
        let folder = match link.strip_prefix("~/") {
            Some(below) => places.home.join(below),
            None => PathBuf::from(link.strip_prefix("file://").unwrap_or(link)),
        };
        match folder.is_absolute() {
            true => settings.reads.push(folder),
            false => settings.registry(link),
        }
    }
    for (option, name) in [("cert", "cert.pem"), ("client-cert", "client-cert.pem")] {
        if let Some(file) = options.get_mut(option) {
            let from = match file.strip_prefix("~/") {
                Some(below) => places.home.join(below),
                None => PathBuf::from(&*file),
            };
            let copy = settings.copy(&from, home, name).map_err(|error| at(&from, &error))?;
            *file = copy.to_string_lossy().into_owned();
        }
    }
    for (option, value) in &options {
        settings.set(&format!("PIP_{}", option.to_ascii_uppercase().replace('-', "_")), value);
    }
    Ok(settings)
}

/// Whom to trust, where pip was not told: what the user tells every other program of his.
fn trusted(environment: &[(OsString, OsString)], options: &mut BTreeMap<String, String>) {
    let of_others = ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"];
    if !options.contains_key("cert")
        && let Some(file) = of_others.iter().find_map(|name| variable(environment, name))
    {
        options.insert("cert".to_owned(), file.to_owned());
    }
    let proxies = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];
    if !options.contains_key("proxy")
        && let Some(proxy) = proxies.iter().find_map(|name| variable(environment, name))
    {
        options.insert("proxy".to_owned(), proxy.to_owned());
    }
}

fn words<'o>(options: &'o BTreeMap<String, String>, option: &str) -> impl Iterator<Item = &'o str> {
    options.get(option).map(String::as_str).unwrap_or_default().split_whitespace()
}

/// `[global]` and `[install]` of a `pip.conf`: Python's own dialect, in which a line that is indented goes on with a
/// value.
fn ini(text: &str, options: &mut BTreeMap<String, String>) {
    let mut counts = false;
    let mut last: Option<String> = None;
    for line in text.lines() {
        let trimmed = line.trim();
        if trimmed.is_empty() || trimmed.starts_with(['#', ';']) {
            continue;
        }
        if let (Some(option), true) = (&last, line.starts_with([' ', '\t'])) {
            let value = options.entry(option.clone()).or_default();
            value.push(' ');
            value.push_str(trimmed);
        } else if let Some(section) = trimmed.strip_prefix('[') {
            counts = matches!(section.trim_end_matches(']').trim(), "global" | "install");
            last = None;
        } else if let (true, Some(at)) = (counts, trimmed.find(['=', ':'])) {
            let option = trimmed[..at].trim().to_ascii_lowercase().replace('_', "-");
            options.insert(option.clone(), trimmed[at + 1..].trim().to_owned());
            last = Some(option);
        } else {
            last = None;
        }
    }
}

/// `uv.toml`: its indexes and folders, in the place of pip's.
fn uv_file(text: &str, options: &mut BTreeMap<String, String>) -> io::Result<()> {
    let table: toml::Table =
        text.parse().map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is no TOML"))?;
    let pip = table.get("pip").and_then(toml::Value::as_table);
    let get = |key: &str| table.get(key).or_else(|| pip?.get(key));
    let list = |value: &toml::Value| -> Vec<String> {
        let items = value.as_array().map_or_else(|| vec![value], |items| items.iter().collect());
        items.into_iter().filter_map(|item| item.as_str().map(str::to_owned)).collect()
    };
    for (key, option) in
        [("index-url", "index-url"), ("extra-index-url", "extra-index-url"), ("find-links", "find-links")]
    {
        if let Some(value) = get(key) {
            options.insert(option.to_owned(), list(value).join(" "));
        }
    }
    for index in table.get("index").and_then(toml::Value::as_array).into_iter().flatten() {
        let Some(url) = index.get("url").and_then(toml::Value::as_str) else { continue };
        add_index(options, url, index.get("default").and_then(toml::Value::as_bool) == Some(true));
    }
    Ok(())
}

fn add_index(options: &mut BTreeMap<String, String>, url: &str, is_default: bool) {
    if is_default {
        options.insert("index-url".to_owned(), url.to_owned());
        return;
    }
    let extra = options.entry("extra-index-url".to_owned()).or_default();
    extra.push(' ');
    extra.push_str(url);
}

fn uv_environment(environment: &[(OsString, OsString)], options: &mut BTreeMap<String, String>) {
    for (name, option) in [
        ("UV_INDEX_URL", "index-url"),
        ("UV_DEFAULT_INDEX", "index-url"),
        ("UV_EXTRA_INDEX_URL", "extra-index-url"),
        ("UV_FIND_LINKS", "find-links"),
    ] {
        if let Some(value) = variable(environment, name) {
            options.insert(option.to_owned(), unnamed(value).to_owned());
        }
    }
    for index in variable(environment, "UV_INDEX").unwrap_or_default().split_whitespace() {
        add_index(options, unnamed(index), false);
    }
}

/// `NAME=URL` is how uv lets an index be named.
fn unnamed(index: &str) -> &str {
    match index.split_once('=') {
        Some((name, url))
            if name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.')) =>
        {
            url
        }
        _ => index,
    }
}

fn variable<'e>(environment: &'e [(OsString, OsString)], name: &str) -> Option<&'e str> {
    let found = environment.iter().find(|(own, _)| own == name);
    found.and_then(|(_, value)| value.to_str()).filter(|value| !value.is_empty())
}

fn at(file: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", file.display()))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn environment(pairs: &[(&str, &str)]) -> Vec<(OsString, OsString)> {
        pairs.iter().map(|(name, value)| (OsString::from(name), OsString::from(value))).collect()
    }

    fn hosts(settings: &Settings) -> Vec<String> {
        let mut hosts: Vec<String> =
            settings.hosts.iter().map(|(host, port)| format!("{host}:{port}")).collect();
        hosts.sort();
        hosts
    }

    fn nowhere(home: &Path) -> Places {
        Places { home: home.to_owned(), pip: Vec::new(), uv: Vec::new() }
    }

    #[test]
    fn without_configuration_it_is_the_usual_index() {
        let home = tempfile::tempdir().unwrap();
        let settings = settings(&nowhere(home.path()), &[], None, home.path()).unwrap();
        assert_eq!(hosts(&settings), ["files.pythonhosted.org:443", "pypi.org:443"]);
    }

    #[test]
    fn files_of_pip_are_read_as_python_does() {
        let home = tempfile::tempdir().unwrap();
        let cert = home.path().join("ca.pem");
        fs::write(&cert, "CERTIFICATE").unwrap();
        let file = home.path().join("pip.conf");
        fs::write(
            &file,
            format!(
                "# a comment\n[global]\nindex-url = https://me:sesame@i.example:8443/simple\ncert: {}\n\
                 target = /somewhere\n[install]\nextra_index_url =\n    https://a.example/simple\n\n    http://b.example/simple\n\
                 [list]\nindex-url = https://not.example/\n[install]\nfind-links = /opt/wheels ~/wheels\n",
                cert.display()
            ),
        )
        .unwrap();
        let places = Places { pip: vec![file], ..nowhere(home.path()) };
        let settings = settings(&places, &environment(&[("PIP_RETRIES", "9")]), None, home.path()).unwrap();
        assert_eq!(hosts(&settings), ["a.example:443", "b.example:80", "i.example:8443"]);
        assert_eq!(settings.reads, [PathBuf::from("/opt/wheels"), home.path().join("wheels")]);
        assert!(settings.secrets["PIP_INDEX_URL"].contains("sesame"));
        assert_eq!(settings.variables["PIP_RETRIES"], "9");
        assert!(!settings.variables.contains_key("PIP_TARGET"));
        assert_eq!(fs::read_to_string(&settings.variables["PIP_CERT"]).unwrap(), "CERTIFICATE");
        assert_eq!(settings.redact("sesame"), "[redacted]");
    }

    #[test]
    fn uv_and_the_environment_come_later() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("uv.toml");
        fs::write(
            &file,
            "[[index]]\nname = \"corp\"\nurl = \"https://corp.example/simple\"\n[[index]]\nurl = \
             \"https://main.example/simple\"\ndefault = true\n[pip]\nfind-links = [\"/w\"]\n",
        )
        .unwrap();
        let places = Places { uv: vec![file], ..nowhere(home.path()) };
        let from_file = settings(&places, &[], None, home.path()).unwrap();
        assert_eq!(hosts(&from_file), ["corp.example:443", "main.example:443"]);
        let set = environment(&[
            ("UV_DEFAULT_INDEX", "x=https://env.example/simple"),
            ("HTTPS_PROXY", "http://p.example:3128"),
        ]);
        let from_environment = settings(&places, &set, None, home.path()).unwrap();
        assert_eq!(hosts(&from_environment), ["corp.example:443", "env.example:443", "p.example:3128"]);
        let index = Index("https://line.example/simple".into());
        let from_line = settings(&nowhere(home.path()), &set[..1], Some(&index), home.path()).unwrap();
        assert_eq!(hosts(&from_line), ["line.example:443"]);
    }

    #[test]
    fn places_are_those_of_the_user_and_the_machine() {
        let places = Places::new(&environment(&[("HOME", "/h"), ("XDG_CONFIG_HOME", "/c")]));
        let expected = ["/etc/xdg/pip/pip.conf", "/etc/pip.conf", "/h/.pip/pip.conf", "/c/pip/pip.conf"];
        assert_eq!(places.pip, expected.map(PathBuf::from));
        assert_eq!(places.uv, ["/etc/uv/uv.toml", "/c/uv/uv.toml"].map(PathBuf::from));
        assert!(Places::new(&environment(&[("PIP_CONFIG_FILE", "/dev/null")])).pip.is_empty());
    }
}
