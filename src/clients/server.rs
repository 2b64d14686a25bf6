//! The servers of one file, and what each of them is.

use std::ffi::OsStr;
use std::path::Path;

use crate::clients::argv::{Unlaunched, launch};
use crate::clients::table::{Keys, Listed, Shape};
use crate::clients::tree::{Node, Value};
use crate::policy::shells;

/// One server, as its client knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// Its name.
    pub name: String,
    /// The keys that lead to its entry.
    pub path: Vec<String>,
    /// The project that it is for, where one file is for many.
    pub project: Option<String>,
    /// What it is to us.
    pub state: State,
    /// What the client starts.
    pub words: Vec<String>,
    /// Names of the variables that its entry sets or passes on; never their values.
    pub env: Vec<String>,
    /// A file with more of them.
    pub env_file: Option<String>,
    /// The folder that it is started in, when its entry names one.
    pub cwd: Option<String>,
    /// Whether the client is told not to start it.
    pub disabled: bool,
}

/// What a server is to us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// It is started as it is.
    Bare,
    /// caponier stands in front of it.
    Wrapped(Wrapper),
    /// It is reached by an address: nothing of it runs here.
    Remote,
    /// It cannot be told what it starts, and why.
    Odd(String),
}

impl State {
    /// In one word.
    pub fn name(&self) -> &'static str {
        match self {
            State::Bare => "bare",
            State::Wrapped(_) => "wrapped",
            State::Remote => "remote",
            State::Odd(_) => "odd",
        }
    }
}

/// A caponier in front of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrapper {
    /// The program.
    pub program: String,
    /// What `--profile` says.
    pub profile: Option<String>,
    /// What `--name` says.
    pub name: Option<String>,
    /// The server's own words.
    pub words: Vec<String>,
}

/// The servers in a tree, in the order of the text.
pub(super) fn servers(tree: &Node, listed: &Listed) -> Vec<Server> {
    let mut found = Vec::new();
    for keys in listed.servers {
        collect(tree, keys, &mut Vec::new(), None, listed.shape, &mut found);
    }
    found
}

fn collect(
    node: &Node,
    keys: Keys,
    path: &mut Vec<String>,
    project: Option<&str>,
    shape: Shape,
    found: &mut Vec<Server>,
) {
    let mut step = |path: &mut Vec<String>, key: &str, node: &Node, rest: Keys, project: Option<&str>| {
        path.push(key.to_owned());
        collect(node, rest, path, project, shape, found);
        path.pop();
    };
    match keys {
        ["*", rest @ ..] => {
            for member in node.members() {
                step(path, &member.key, &member.node, rest, Some(&member.key));
            }
        }
        [key, rest @ ..] => {
            if let Some(inner) = node.get(key) {
                step(path, key, inner, rest, project);
            }
        }
        [] => {
            let of = |name: &str, entry: &Node| {
                let path = path.iter().cloned().chain([name.to_owned()]).collect();
                Server { path, project: project.map(str::to_owned), ..server(name.to_owned(), entry, shape) }
            };
            found.extend(node.members().iter().map(|member| of(&member.key, &member.node)));
            // Continue's are a list, each with its name.
            let listed = node.elements().unwrap_or_default();
            found.extend(
                listed.iter().map(|entry| of(entry.get("name").and_then(Node::text).unwrap_or("?"), entry)),
            );
        }
    }
}

fn server(name: String, entry: &Node, shape: Shape) -> Server {
    let text = |key: &str| entry.get(key).and_then(Node::text).map(str::to_owned);
    let (state, words, env) = match launch(entry, shape) {
        Ok(launch) => {
            let words = launch.words();
            (state_of(&words), words, variables(launch.owner, shape))
        }
        Err(Unlaunched::Remote) => (State::Remote, Vec::new(), Vec::new()),
        Err(Unlaunched::Odd(why)) => (State::Odd(why.to_owned()), Vec::new(), Vec::new()),
    };
    Server {
        name,
        path: Vec::new(),
        project: None,
        state,
        words,
        env,
        env_file: text("envFile"),
        cwd: text("cwd"),
        disabled: is_disabled(entry),
    }
}

pub(super) fn state_of(words: &[String]) -> State {
    match wrapper(words) {
        None => State::Bare,
        Some(Ok(wrapper)) => State::Wrapped(wrapper),
        Some(Err(why)) => State::Odd(why.to_owned()),
    }
}

fn is_disabled(entry: &Node) -> bool {
    // Booleans are no texts: their place tells, and there are but two of them.
    let says = |key: &str, length: usize| {
        entry.get(key).is_some_and(|node| matches!(node.value, Value::Other) && node.span.len() == length)
    };
    says("disabled", "true".len()) || says("enabled", "false".len())
}

/// The names of the variables that reach the server by way of its entry.
fn variables(owner: &Node, shape: Shape) -> Vec<String> {
    let (block, more) = match shape {
        Shape::Words => ("environment", None),
        Shape::Goose => ("envs", Some("env_keys")),
        Shape::Codex => ("env", Some("env_vars")),
        _ => ("env", None),
    };
    let mut names: Vec<String> = owner
        .get(block)
        .map(Node::members)
        .unwrap_or_default()
        .iter()
        .map(|member| member.key.clone())
        .collect();
    let passed = more.and_then(|more| owner.get(more)).and_then(Node::elements).unwrap_or_default();
    let name = |node: &Node| node.text().or_else(|| node.get("name")?.text()).map(str::to_owned);
    for name in passed.iter().filter_map(name) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// The file name of the first word.
pub(super) fn program(words: &[String]) -> Option<&str> {
    Path::new(words.first()?).file_name()?.to_str()
}

/// Whether a program of this path would be known for caponier: by its name, with a version behind it or not.
pub fn is_caponier(program: &str) -> bool {
    let name = Path::new(program).file_name().and_then(OsStr::to_str).unwrap_or_default();
    name == "caponier"
        || name.strip_prefix("caponier-").is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}

/// caponier in front of a command, also after `env NAME=value`; an error when it has no command behind it.
fn wrapper(words: &[String]) -> Option<Result<Wrapper, &'static str>> {
    if program(words) == Some("env") {
        let rest = words.get(1..)?;
        let skipped = rest.iter().take_while(|word| word.contains('=') && !word.starts_with('-')).count();
        return wrapper(rest.get(skipped..)?);
    }
    let (first, rest) = words.split_first()?;
    if !is_caponier(first) || rest.first().is_none_or(|word| word != "run") {
        return None;
    }
    let Some(end) = rest.iter().position(|word| word == "--").filter(|end| rest.len() > end + 1) else {
        return Some(Err("it starts caponier without a command after `--`"));
    };
    let options = rest.get(1..end).unwrap_or_default();
    let option = |name: &str| {
        options.iter().enumerate().find_map(|(at, word)| match word.strip_prefix(name) {
            Some("") => options.get(at + 1).cloned(),
            Some(value) => value.strip_prefix('=').map(str::to_owned),
            None => None,
        })
    };
    let words = rest.get(end + 1..).unwrap_or_default().to_vec();
    Some(Ok(Wrapper { program: first.clone(), profile: option("--profile"), name: option("--name"), words }))
}

/// What stands between a client and the program of the server, where it is not that program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Through {
    /// A package manager: it fetches the server, and starts it.
    PackageManager,
    /// A container engine.
    Container,
    /// A shell.
    Shell,
    /// It starts another program in other surroundings.
    Starter,
}

/// What a command goes through, by the name of its program and its first words.
pub fn through(words: &[String]) -> Option<(Through, String)> {
    let name = program(words)?;
    let next = words.get(1).map(String::as_str).unwrap_or_default();
    let with = |through| Some((through, format!("{name} {next}")));
    let alone = |through| Some((through, name.to_owned()));
    match name {
        "npx" | "pnpx" | "bunx" | "uvx" => alone(Through::PackageManager),
        "npm" if matches!(next, "exec" | "x") => with(Through::PackageManager),
        "pnpm" | "yarn" if next == "dlx" => with(Through::PackageManager),
        "bun" if next == "x" => with(Through::PackageManager),
        // Options may come first, some with a value: `uv --directory DIR run`.
        "uv" => {
            let mut before = words.iter().skip(1).map(String::as_str).take_while(|word| *word != "--");
            let next = before.find(|word| matches!(*word, "run" | "tool" | "pip" | "sync"))?;
            matches!(next, "run" | "tool").then(|| (Through::PackageManager, format!("uv {next}")))
        }
        "pipx" if next == "run" => with(Through::PackageManager),
        "docker" | "podman" | "nerdctl" => with(Through::Container),
        "env" | "nohup" | "nice" | "setsid" | "sudo" | "doas" | "bwrap" | "firejail" | "srt" | "nono"
        | "systemd-run" | "flatpak" | "snap" | "distrobox" | "toolbox" => alone(Through::Starter),
        _ if shells::is_shell_name(OsStr::new(name)) => match words.iter().any(|word| word == "-c") {
            true => Some((Through::Shell, format!("{name} -c"))),
            false => alone(Through::Shell),
        },
        _ => None,
    }
}

/// Why putting caponier in front of this command would not work, or not as meant. A profile that was chosen on purpose can
/// allow what is between, but no container engine.
pub fn obstacle(words: &[String], has_profile: bool) -> Option<String> {
    match through(words)? {
        (Through::PackageManager, _) => None,
        (Through::Container, name) => Some(format!(
            "`{name}` has a daemon start the server, outside of any pen; its socket is as good as root"
        )),
        (Through::Shell | Through::Starter, _) if has_profile => None,
        (Through::Shell, name) => Some(format!(
            "`{name}` is a shell: name the server's own program, or a profile that grants the shell (--profile SERVER=PROFILE)"
        )),
        (Through::Starter, name) => Some(format!(
            "`{name}` starts another program: name the server's own, or a profile that grants both (--profile SERVER=PROFILE)"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn a_wrapper_is_known_however_it_is_called() {
        for line in [
            "caponier run -- node x",
            "/opt/bin/caponier run --profile a --name b -- node x",
            "/opt/caponier-0.2.1 run -- node x",
            "env A=1 caponier run --profile=a --name=b --pass-env X -- node x",
        ] {
            let State::Wrapped(wrapper) = state_of(&words(line)) else { panic!("{line}") };
            assert_eq!(wrapper.words, ["node", "x"]);
            assert_eq!(wrapper.profile.is_some(), line.contains("profile"), "{line}");
        }
        assert_eq!(state_of(&words("caponier ps")), State::Bare);
        assert_eq!(state_of(&words("/x/my-caponier run -- y")), State::Bare);
        assert!(matches!(state_of(&words("caponier run --")), State::Odd(_)));
        assert!(matches!(state_of(&words("caponier run")), State::Odd(_)));
    }

    #[test]
    fn what_stands_between_is_named() {
        for (line, name) in [
            ("npx -y x", "npx"),
            ("/usr/bin/docker run -i x", "docker run"),
            ("sh -c x", "sh -c"),
            ("bash x.sh", "bash"),
            ("env A=1 node", "env"),
            ("uv run x", "uv run"),
            ("uv --directory /x run server.py", "uv run"),
        ] {
            assert_eq!(through(&words(line)).map(|(_, name)| name).as_deref(), Some(name), "{line}");
        }
        for line in ["node x", "npm start", "uv pip", "python3 -m x"] {
            assert_eq!(through(&words(line)), None, "{line}");
        }
        assert!(obstacle(&words("docker run x"), true).is_some());
        assert!(obstacle(&words("sh -c x"), false).is_some() && obstacle(&words("sh -c x"), true).is_none());
        assert_eq!(obstacle(&words("npx x"), false), None);
    }
}
