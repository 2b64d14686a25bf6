//! Variables that a client must not be able to hand to a server, by what they do.
//!
//! Each of them makes some program run code, trust someone, or speak to something that no profile granted. They are
//! never passed on; a profile that needs one writes its value (`env.set`), where it can be reviewed. Names are
//! compared without case: programs differ (`http_proxy`), and nobody needs `ld_preload`.

/// What a variable of this kind does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Read by the C library or the dynamic loader of every program.
    Loader,
    /// Code or modules for an interpreter.
    Interpreter,
    /// A command that another program runs.
    Command,
    /// Sends traffic elsewhere, or changes whom to trust.
    Traffic,
    /// A socket or session of the user's.
    Session,
    /// Settings of a package manager.
    Packages,
    /// Our own.
    Own,
}

impl Kind {
    /// The end of "`NAME` …".
    pub fn explanation(self) -> &'static str {
        match self {
            Kind::Loader => "changes what the C library and the dynamic loader do in every program",
            Kind::Interpreter => "makes an interpreter load code or settings that no profile granted",
            Kind::Command => "names a command or settings that another program acts on",
            Kind::Traffic => "sends network traffic elsewhere or changes whom to trust",
            Kind::Session => {
                "leads to a socket or session of the user's, which the pen keeps the server from"
            }
            Kind::Packages => "changes where a package manager fetches code from and what it runs",
            Kind::Own => "belongs to caponier itself",
        }
    }
}

/// Names. One that ends in `*` is a prefix.
const NAMES: &[(Kind, &[&str])] = &[
    (
        Kind::Loader,
        &[
            "GCONV_PATH",
            "GETCONF_DIR",
            "GLIBC_TUNABLES",
            "HOSTALIASES",
            "LD_*",
            "LOCALDOMAIN",
            "LOCPATH",
            "MALLOC_*",
            "NIS_PATH",
            "NLSPATH",
            "OPENSSL_CONF",
            "OPENSSL_ENGINES",
            "OPENSSL_MODULES",
            "RESOLV_*",
            "RES_OPTIONS",
            "TZDIR",
        ],
    ),
    (
        Kind::Interpreter,
        &[
            "BASHOPTS",
            "BASH_*",
            "BUN_INSPECT*",
            "BUN_OPTIONS",
            "CDPATH",
            "CLASSPATH",
            "COMPLUS_*",
            "CORECLR_*",
            "COR_*",
            "DOTNET_ADDITIONAL_DEPS",
            "DOTNET_SHARED_STORE",
            "DOTNET_STARTUP_HOOKS",
            "ELECTRON_RUN_AS_NODE",
            "ELIXIR_ERL_OPTIONS",
            "ENV",
            "ERL_AFLAGS",
            "ERL_FLAGS",
            "ERL_LIBS",
            "ERL_ZFLAGS",
            "FPATH",
            "GEM_HOME",
            "GEM_PATH",
            "GLOBIGNORE",
            "IBM_JAVA_OPTIONS",
            "IFS",
            "JAVA_OPTS",
            "JAVA_TOOL_OPTIONS",
            "JDK_JAVA_OPTIONS",
            "JULIA_*",
            "LUA_*",
            "NODE_CHANNEL_FD",
            "NODE_COMPILE_CACHE",
            "NODE_ICU_DATA",
            "NODE_OPTIONS",
            "NODE_PATH",
            "NODE_REDIRECT_WARNINGS",
            "NODE_REPL_*",
            "NODE_V8_COVERAGE",
            "OPENJ9_JAVA_OPTIONS",
            "PERL5*",
            "PERLLIB",
            "PERL_*",
            "PHPRC",
            "PHP_INI_SCAN_DIR",
            "PROMPT_COMMAND",
            "PS4",
            "PYTHONBREAKPOINT",
            "PYTHONCASEOK",
            "PYTHONEXECUTABLE",
            "PYTHONHOME",
            "PYTHONINSPECT",
            "PYTHONPATH",
            "PYTHONPLATLIBDIR",
            "PYTHONPYCACHEPREFIX",
            "PYTHONSTARTUP",
            "PYTHONUSERBASE",
            "PYTHONWARNINGS",
            "PYTHON_PRESITE",
            "RUBYLIB",
            "RUBYOPT",
            "RUBYPATH",
            "RUBYSHELL",
            "R_ENVIRON*",
            "R_LIBS*",
            "R_PROFILE*",
            "SHELLOPTS",
            "ZDOTDIR",
            "_JAVA_OPTIONS",
            "__PYVENV_LAUNCHER__",
        ],
    ),
    (
        Kind::Command,
        &[
            "BROWSER",
            "EDITOR",
            "GIT_*",
            "LESS",
            "LESSCLOSE",
            "LESSOPEN",
            "MANPAGER",
            "PAGER",
            "RUSTC_*",
            "SSH_ASKPASS*",
            "SUDO_ASKPASS",
            "SUDO_EDITOR",
            "VISUAL",
            "XDG_CONFIG_DIRS",
            "XDG_DATA_DIRS",
        ],
    ),
    (
        Kind::Traffic,
        &[
            "ALL_PROXY",
            "AWS_CA_BUNDLE",
            "CURL_CA_BUNDLE",
            "DENO_CERT",
            "DENO_TLS_CA_STORE",
            "FTP_PROXY",
            "GLOBAL_AGENT_*",
            "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH",
            "GRPC_PROXY",
            "HTTPS_PROXY",
            "HTTP_PROXY",
            "NODE_EXTRA_CA_CERTS",
            "NODE_TLS_REJECT_UNAUTHORIZED",
            "NODE_USE_ENV_PROXY",
            "NO_PROXY",
            "PYTHONHTTPSVERIFY",
            "REQUESTS_CA_BUNDLE",
            "SOCKS_PROXY",
            "SSLKEYLOGFILE",
            "SSL_CERT_DIR",
            "SSL_CERT_FILE",
            "WSS_PROXY",
            "WS_PROXY",
        ],
    ),
    (
        Kind::Session,
        &[
            "CONTAINER_HOST",
            "DBUS_*",
            "DISPLAY",
            "DOCKER_*",
            "GNOME_KEYRING_*",
            "GPG_AGENT_INFO",
            "INVOCATION_ID",
            "KITTY_*",
            "LISTEN_FDNAMES",
            "LISTEN_FDS",
            "LISTEN_PID",
            "NOTIFY_SOCKET",
            "PULSE_*",
            "SESSION_MANAGER",
            "SSH_AGENT_PID",
            "SSH_AUTH_SOCK",
            "SSH_CLIENT",
            "SSH_CONNECTION",
            "SSH_TTY",
            "STY",
            "TMUX*",
            "VSCODE_*",
            "WAYLAND_*",
            "WEZTERM_*",
            "XAUTHORITY",
            "XDG_RUNTIME_DIR",
            "XDG_SESSION_*",
        ],
    ),
    (
        Kind::Packages,
        &[
            "BUNDLE_*",
            "BUN_INSTALL*",
            "COREPACK_*",
            "GOFLAGS",
            "GOPROXY",
            "NPM_CONFIG_*",
            "PIPX_*",
            "PIP_*",
            "PNPM_*",
            "UV_*",
            "YARN_*",
        ],
    ),
    (Kind::Own, &["CAPONIER_*"]),
];

/// Names that a prefix above would take, and that are plain facts.
const HARMLESS: &[&str] = &[
    "GIT_AUTHOR_DATE",
    "GIT_AUTHOR_EMAIL",
    "GIT_AUTHOR_NAME",
    "GIT_COMMITTER_DATE",
    "GIT_COMMITTER_EMAIL",
    "GIT_COMMITTER_NAME",
    "UV_THREADPOOL_SIZE",
];

/// What a variable of this name would do; `None` for one that may be passed on when a profile or the user says so.
pub fn kind(name: &str) -> Option<Kind> {
    let name = name.to_ascii_uppercase();
    if HARMLESS.contains(&name.as_str()) {
        return None;
    }
    let matches = |pattern: &&str| match pattern.strip_suffix('*') {
        Some(prefix) => name.starts_with(prefix),
        None => name == **pattern,
    };
    NAMES.iter().find(|(_, names)| names.iter().any(&matches)).map(|(kind, _)| *kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_known_by_what_it_does() {
        for (name, expected) in [
            ("LD_PRELOAD", Kind::Loader),
            ("LD_AUDIT", Kind::Loader),
            ("GLIBC_TUNABLES", Kind::Loader),
            ("NODE_OPTIONS", Kind::Interpreter),
            ("PYTHONSTARTUP", Kind::Interpreter),
            ("PERL5OPT", Kind::Interpreter),
            ("BASH_ENV", Kind::Interpreter),
            ("BASH_FUNC_ls%%", Kind::Interpreter),
            ("ENV", Kind::Interpreter),
            ("RUBYOPT", Kind::Interpreter),
            ("JAVA_TOOL_OPTIONS", Kind::Interpreter),
            ("BUN_OPTIONS", Kind::Interpreter),
            ("BUN_INSPECT_PRELOAD", Kind::Interpreter),
            ("ERL_AFLAGS", Kind::Interpreter),
            ("JULIA_LOAD_PATH", Kind::Interpreter),
            ("grpc_proxy", Kind::Traffic),
            ("GIT_SSH_COMMAND", Kind::Command),
            ("GIT_CONFIG_KEY_0", Kind::Command),
            ("https_proxy", Kind::Traffic),
            ("NODE_EXTRA_CA_CERTS", Kind::Traffic),
            ("SSH_AUTH_SOCK", Kind::Session),
            ("TMUX_PANE", Kind::Session),
            ("VSCODE_IPC_HOOK_CLI", Kind::Session),
            ("npm_config_registry", Kind::Packages),
            ("CAPONIER_X", Kind::Own),
        ] {
            assert_eq!(kind(name), Some(expected), "{name}");
        }
    }

    #[test]
    fn plain_facts_may_be_passed_on() {
        for name in [
            "NODE_ENV",
            "GITHUB_TOKEN",
            "GIT_AUTHOR_NAME",
            "LANG",
            "TERM",
            "ENVIRONMENT",
            "PYTHONUTF8",
            "KUBECONFIG",
        ] {
            assert_eq!(kind(name), None, "{name}");
        }
    }
}
