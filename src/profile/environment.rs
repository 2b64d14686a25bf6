//! Names of environment variables: which may be passed on, and which look like a credential.
//!
//! A variable that makes a program load or run something else ([`INJECTION`]) is never passed on from outside; a
//! profile can only set it to a value that is written down (environ(7), ld.so(8)).

use crate::profile::problem::Problem;
use crate::profile::tree::{Reading, Sourced};

/// Variables by which whoever sets the environment chooses what code runs; `*` at the end stands for any ending.
pub const INJECTION: &[&str] = &[
    "LD_*",
    "GCONV_PATH",
    "GLIBC_TUNABLES",
    "NODE_OPTIONS",
    "NODE_PATH",
    "NODE_REPL_EXTERNAL_MODULE",
    "PYTHONSTARTUP",
    "PYTHONPATH",
    "PYTHONHOME",
    "PYTHONINSPECT",
    "PYTHONBREAKPOINT",
    "PYTHONUSERBASE",
    "PYTHONWARNINGS",
    "BASH_ENV",
    "BASH_FUNC_*",
    "ENV",
    "PROMPT_COMMAND",
    "SHELLOPTS",
    "PERL5OPT",
    "PERL5LIB",
    "PERL5DB",
    "RUBYOPT",
    "RUBYLIB",
    "JAVA_TOOL_OPTIONS",
    "JDK_JAVA_OPTIONS",
    "_JAVA_OPTIONS",
    "DOTNET_STARTUP_HOOKS",
    "CORECLR_PROFILER*",
    "GIT_SSH",
    "GIT_SSH_COMMAND",
    "GIT_EXEC_PATH",
    "GIT_CONFIG*",
    "GIT_EXTERNAL_DIFF",
    "GIT_EDITOR",
    "GIT_PAGER",
    "GIT_ASKPASS",
    "GIT_PROXY_COMMAND",
    "GIT_TEMPLATE_DIR",
    "EDITOR",
    "VISUAL",
    "PAGER",
    "npm_config_*",
];

/// Whether the name is in [`INJECTION`].
pub fn injects(name: &str) -> bool {
    INJECTION.iter().any(|known| match known.strip_suffix('*') {
        Some(start) => name.starts_with(start),
        None => name == *known,
    })
}

/// Whether the name is that of a credential, as far as a name can tell.
pub fn looks_secret(name: &str) -> bool {
    const WORDS: &[&str] = &[
        "TOKEN",
        "SECRET",
        "PASSWORD",
        "PASSWD",
        "PASSPHRASE",
        "APIKEY",
        "KEY",
        "CREDENTIALS",
        "CREDENTIAL",
        "PAT",
    ];
    name.to_ascii_uppercase().split('_').any(|word| WORDS.contains(&word))
}

/// Whether a variable can have this name (POSIX.1, chapter 8).
fn is_name(name: &str) -> bool {
    let mut letters = name.chars();
    letters.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && letters.all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// Reports a name that no variable can have.
pub(super) fn check_name(reading: &Reading<'_>, name: &Sourced<String>) {
    if !is_name(&name.value) {
        let message = format!("`{}` cannot be a variable's name", name.value.escape_debug());
        reading.report(Problem::new(name.origin.clone(), message));
    }
}

/// Reports names that may not be passed on.
pub(super) fn check_passed<'a>(reading: &Reading<'_>, names: impl Iterator<Item = &'a Sourced<String>>) {
    for name in names {
        check_name(reading, name);
        if injects(&name.value) {
            let message = format!("`{}` decides which code runs, so it is never passed on", name.value);
            let help =
                format!("if the server needs it, write its value: env.set = {{ {} = \"…\" }}", name.value);
            reading.report(Problem::new(name.origin.clone(), message).help(help));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn injection_variables_are_known() {
        for name in
            ["LD_PRELOAD", "LD_AUDIT", "NODE_OPTIONS", "BASH_ENV", "GIT_CONFIG_COUNT", "PYTHONSTARTUP"]
        {
            assert!(injects(name), "{name}");
        }
        for name in ["LANG", "TZ", "GIT_AUTHOR_NAME", "NODE_ENV", "ENVIRONMENT"] {
            assert!(!injects(name), "{name}");
        }
    }

    #[test]
    fn credentials_are_seen_by_whole_words() {
        assert!(
            looks_secret("GITHUB_TOKEN") && looks_secret("API_KEY") && looks_secret("aws_secret_access_key")
        );
        assert!(
            !looks_secret("KEYBOARD") && !looks_secret("PATH") && !looks_secret("TOKENIZERS_PARALLELISM")
        );
    }
}
