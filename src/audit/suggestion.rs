//! The smallest line that would allow a refused thing, and what is never proposed.
//!
//! The log's own `remedy` is made in the moment of the refusal and for the usual case (a whole folder for writing,
//! because editors replace files). Here it is narrowed to what was asked, and refused where following it would hand out
//! a secret, a client's configuration, or a socket whose owner is as good as root.

use std::path::{Path, PathBuf};

use crate::audit::query::record::Record;
use crate::audit::replay::Judgement;
use crate::audit::replay::question::Question;
use crate::policy::grant::Access;
use crate::policy::profile_line::adding;
use crate::policy::shells;

/// A line for a profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suggestion {
    /// TOML, as it stands in a profile.
    pub line: String,
    /// What it grants, when it is a path.
    pub grant: Option<(Access, PathBuf)>,
}

/// A suggestion, or why there is none.
pub type Proposed = Result<Suggestion, String>;

/// What would allow `question`, which `record` tells of. `judged` is what a profile says to it, when one is at hand.
pub fn propose(record: &Record<'_>, question: &Question, judged: Option<&Judgement>) -> Proposed {
    let recorded = || match (record.remedy.as_deref(), record.why_not.as_deref()) {
        (Some(line), _) if is_toml(line) => Ok(Suggestion { line: line.to_owned(), grant: None }),
        (_, Some(why)) => Err(why.to_owned()),
        (Some(other), None) => Err(format!("it is no line to add: {other}")),
        (None, None) => Err("nothing is known that would allow it".to_owned()),
    };
    let from_profile = || match judged.map(|judged| (&judged.remedy, &judged.why_not)) {
        Some((Some(line), _)) if is_toml(line) => Ok(Suggestion { line: line.clone(), grant: None }),
        Some((Some(other), _)) => Err(format!("the profile says so on purpose; whoever owns it can {other}")),
        Some((None, Some(why))) => Err(why.clone()),
        _ => recorded(),
    };
    match question {
        Question::Path(access, path) => {
            if judged.and_then(|judged| judged.reason.as_deref()) == Some("fs.write.protected") {
                return from_profile();
            }
            let grant = if record.reason.as_deref() == Some("fs.link.across") {
                None
            } else {
                Some((*access, path.clone()))
            };
            grant.map_or_else(recorded, |grant| granting(record, grant))
        }
        Question::Name(path) => {
            let reason = judged.and_then(|judged| judged.reason.as_deref()).or(record.reason.as_deref());
            match (reason, path.parent()) {
                (Some("fs.write.protected"), _) => from_profile(),
                // Two folders: the log knows both.
                (Some("fs.link.across"), _) => recorded(),
                (_, Some(folder)) if record.reason.as_deref() != Some("fs.link.across") => {
                    granting(record, (Access::Write, folder.to_owned()))
                }
                _ => recorded(),
            }
        }
        Question::Kept { .. } => match record.why_not.as_deref() {
            Some(why) => Err(why.to_owned()),
            None => Err("no line of a profile decides it".to_owned()),
        },
        Question::Tool(_) => from_profile(),
        _ => from_profile(),
    }
}

fn granting(record: &Record<'_>, (access, path): (Access, PathBuf)) -> Proposed {
    if let Some(why) = dangerous(access, &path) {
        return Err(why);
    }
    // The log knew places that are never granted; a file that has no name of its own has no grant either.
    if let (None, Some(why)) = (record.remedy.as_deref(), record.why_not.as_deref()) {
        return Err(why.to_owned());
    }
    let line = adding(access.key(), &path.to_string_lossy());
    Ok(Suggestion { line, grant: Some((access, path)) })
}

/// Whether it is a line for a profile, and not words.
fn is_toml(line: &str) -> bool {
    line.split_once(" = ")
        .is_some_and(|(key, _)| key.chars().all(|c| c.is_ascii_alphanumeric() || "._-\"".contains(c)))
}

/// Sockets whose owner is as good as root.
const SOCKETS: &[&str] = &[
    "docker.sock",
    "podman.sock",
    "containerd.sock",
    "crio.sock",
    "buildkitd.sock",
    "libvirt-sock",
    "snapd.socket",
    "system_bus_socket",
];

/// Endings and names of files that are secrets wherever they lie.
const SECRET_ENDINGS: &[&str] =
    &[".pem", ".key", ".p12", ".pfx", ".kdbx", ".jks", ".keystore", ".ppk", ".gpg", ".asc"];
const SECRET_NAMES: &[&str] = &[
    "id_rsa",
    "id_dsa",
    "id_ecdsa",
    "id_ed25519",
    ".env",
    ".netrc",
    ".pgpass",
    ".git-credentials",
    ".npmrc",
    ".pypirc",
    ".htpasswd",
    "credentials",
    "credentials.json",
    "secrets.json",
    "secrets.yaml",
    "secrets.yml",
    "shadow",
    "gshadow",
    "sudoers",
];
/// Folders that hold nothing else.
const SECRET_FOLDERS: &[&str] = &[".ssh", ".aws", ".gnupg", ".kube", ".azure", ".docker", ".password-store"];
/// What starts servers, for whoever believes it.
const CLIENT_NAMES: &[&str] = &[
    ".mcp.json",
    "mcp.json",
    "claude_desktop_config.json",
    ".claude.json",
    "mcp_config.json",
    "mcp-config.json",
];

/// Whether its name says that a file holds a secret.
pub fn is_secret_name(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let template = [".example", ".sample", ".template", ".pub"].iter().any(|ending| name.ends_with(ending));
    !template
        && (SECRET_NAMES.contains(&name.as_str())
            || name.starts_with(".env.")
            || SECRET_ENDINGS.iter().any(|ending| name.ends_with(ending)))
}

/// Why this is never proposed, whatever the profile would accept.
pub fn dangerous(access: Access, path: &Path) -> Option<String> {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    if SOCKETS.contains(&name.as_str()) {
        return Some("whoever speaks to this socket can do what root can: no grant is proposed".to_owned());
    }
    let folder = path.components().find_map(|part| {
        let part = part.as_os_str().to_str()?;
        SECRET_FOLDERS.contains(&part).then(|| part.to_owned())
    });
    if let Some(folder) = folder {
        return Some(format!("it lies in {folder}, which holds secrets: no grant is proposed"));
    }
    if is_secret_name(&name) && access != Access::Execute {
        return Some("its name says that it holds a secret: hand the server the value that it needs by other means (`process.env.secret`)".to_owned());
    }
    if CLIENT_NAMES.contains(&name.as_str()) {
        return Some(
            "it is a client's configuration: it says which servers a client starts, and holds their tokens"
                .to_owned(),
        );
    }
    if access == Access::Execute && path.file_name().is_some_and(shells::is_shell_name) {
        return Some(
            "a shell runs anything that its arguments say; name the program that is needed instead"
                .to_owned(),
        );
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proposed(fields: &str) -> Proposed {
        let line = format!(
            r#"{{"v":1,"seq":1,"time":"t","session":"S","server":"s","event":"file.access","verdict":"deny",{fields},"prev":""}}"#
        );
        let record: Record<'_> = serde_json::from_str(&line).unwrap();
        propose(&record, &Question::of(&record).unwrap(), None)
    }

    #[test]
    fn the_smallest_grant_is_proposed() {
        for (fields, expected) in [
            (
                r#""access":"read","path":"/a/b","remedy":"filesystem.read = [\"/a/b\"]""#,
                r#"filesystem.read = ["/a/b"]"#,
            ),
            // The log says the folder; a file that is there needs itself only.
            (
                r#""access":"write","path":"/a/b","remedy":"filesystem.write = [\"/a\"]""#,
                r#"filesystem.write = ["/a/b"]"#,
            ),
            (
                r#""access":"create","path":"/a/b","remedy":"filesystem.write = [\"/a\"]""#,
                r#"filesystem.write = ["/a"]"#,
            ),
            (
                r#""access":"execute","path":"/a/b","remedy":"process.execute = [\"/a/b\"]""#,
                r#"process.execute = ["/a/b"]"#,
            ),
            (
                r#""access":"rename","path":"/a/b","reason":"fs.link.across","remedy":"filesystem.write = [\"/a\", \"/c\"]""#,
                r#"filesystem.write = ["/a", "/c"]"#,
            ),
            (
                r#""access":"create","path":"/a/.vscode/x","reason":"fs.write.protected","remedy":"filesystem.unprotected = [\".vscode\"]""#,
                r#"filesystem.unprotected = [".vscode"]"#,
            ),
        ] {
            assert_eq!(proposed(fields).unwrap().line, expected);
        }
    }

    #[test]
    fn what_is_dangerous_is_not_proposed() {
        for (access, path, word) in [
            ("read", "/srv/keys/id_rsa", "secret"),
            ("read", "/srv/app/.env", "secret"),
            ("read", "/srv/x/.aws/config", ".aws"),
            ("write", "/etc/shadow", "secret"),
            ("read", "/srv/tls/site.key", "secret"),
            ("write", "/run/docker.sock", "root"),
            ("create", "/home/me/.ssh/authorized_keys", ".ssh"),
            ("read", "/p/.mcp.json", "client"),
            ("execute", "/usr/bin/dash", "shell"),
        ] {
            let fields =
                format!(r#""access":"{access}","path":"{path}","remedy":"filesystem.read = [\"x\"]""#);
            let why = proposed(&fields).unwrap_err();
            assert!(why.contains(word), "{path}: {why}");
        }
        assert!(
            proposed(
                r#""access":"read","path":"/srv/app/.env.example","remedy":"filesystem.read = [\"x\"]""#
            )
            .is_ok()
        );
        let never = proposed(
            r#""access":"read","path":"/home/me/x","remedy":null,"why_not":"never","reason":"fs.read.secret""#,
        );
        assert_eq!(never.unwrap_err(), "never");
    }
}
