//! The refusal table, row by row; what a server could have planted; what could be written and executed.

use super::User;
use crate::policy::grant::{Access, Origin};
use crate::policy::reason::Reason;
use crate::policy::verdict::Ruling;
use crate::profile::problem::Code;
use crate::profile::{secrets, why};

fn line(access: Access, path: &str) -> String {
    match access {
        Access::Read => format!("[filesystem]\nread = [\"{path}\"]"),
        Access::Write => format!("[filesystem]\nwrite = [\"{path}\"]"),
        Access::Execute => format!("[process]\nexecute = [\"{path}\"]"),
    }
}

#[test]
fn secrets_clients_and_our_own_folders_are_never_granted() {
    let user = User::new();
    user.file("home/.ssh/id", "");
    user.file("home/.cursor/mcp.json", "");
    user.file("state/audit/log", "");
    for (path, why) in [
        ("/", "would reach"),
        ("$ROOT", "would reach"),
        ("$ROOT/home", "would reach"),
        ("~/.ssh", "is never granted: a secret store"),
        ("~/.ssh/id", "lies in $ROOT/home/.ssh: a secret store"),
        ("~/.cursor", "would reach $ROOT/home/.cursor/mcp.json (a client's configuration)"),
        ("$ROOT/config", "is never granted: one of caponier's own folders"),
        ("$ROOT/state/audit/log", "lies in $ROOT/state/audit: where the log is"),
        ("$ROOT/data", "is never granted: one of caponier's own folders"),
        ("/proc", "is never granted: served by the broker"),
        ("/proc/self", "served by the broker"),
        ("/proc/self/root/usr/share", "leads through /proc"),
        ("/proc/self/exe", "leads through /proc"),
        ("/dev", "is never granted: the folder of all devices"),
    ] {
        for access in [Access::Read, Access::Write, Access::Execute] {
            let report = user.wrong(&line(access, path));
            assert!(report.contains(why), "{access:?} {path}: {report}");
        }
    }
}

#[test]
fn every_secret_store_and_client_file_is_refused_even_while_it_is_missing() {
    let user = User::new();
    for secret in secrets::SECRET_STORES.iter().chain(secrets::CLIENT_FILES) {
        let entry = format!("[filesystem]\nread = [{{ path = \"~/{secret}\", optional = true }}]");
        let report = user.wrong(&entry);
        assert!(report.contains("is never granted") || report.contains("lies in"), "{secret}: {report}");
    }
    let report = user.wrong("[filesystem]\nread = [\"~\"]");
    assert!(report.contains("would reach"), "a home without any secret yet: {report}");
}

#[test]
fn the_table_goes_by_inode_not_by_text() {
    let user = User::new();
    user.dir("home/.aws");
    user.link(user.at("home"), "alias");
    user.link("/", "root");
    user.link(user.at("home/.aws"), "innocent");
    for path in ["$ROOT/alias", "$ROOT/root", "$ROOT/innocent", "$ROOT/alias/.aws", "$ROOT//home/./"] {
        let report = user.wrong(&line(Access::Read, path));
        assert!(report.contains("would reach") || report.contains("is never granted"), "{path}: {report}");
    }
    user.dir("home-too");
    assert!(user.of(&line(Access::Read, "$ROOT/home-too")).is_ok(), "a shared prefix of letters is nothing");
}

#[test]
fn the_refusal_names_the_split() {
    let user = User::new();
    for folder in [".ssh", "notes", "projects"] {
        user.dir(&format!("home/{folder}"));
    }
    let report = user.wrong(&line(Access::Read, "~"));
    assert!(
        report.ends_with(
            "| grant what is needed instead, out of: \"$ROOT/home/notes\", \"$ROOT/home/projects\""
        ),
        "{report}"
    );
}

#[test]
fn system_folders_are_not_written_but_may_be_read() {
    let mut user = User::new();
    std::fs::write(user.at("work/caponier"), "").unwrap();
    user.context.program = user.at("work/caponier");
    for path in [
        "/etc",
        "/usr",
        "/run",
        "/tmp",
        "/sys",
        "/sys/kernel",
        "/var/tmp",
        "$ROOT/work",
        "$ROOT/work/caponier",
    ] {
        let report = user.wrong(&line(Access::Write, path));
        assert!(
            report.contains("is never granted")
                || report.contains("lies in")
                || report.contains("would reach"),
            "{path}: {report}"
        );
    }
    for path in ["/etc", "/usr", "/sys/kernel", "$ROOT/work"] {
        assert!(user.of(&line(Access::Read, path)).is_ok(), "{path}");
    }
    assert!(user.of(&line(Access::Write, "$ROOT/bin")).is_ok(), "a folder below /tmp is fine");
}

#[test]
fn the_servers_own_folders_and_packages_are_the_exception() {
    let user = User::new();
    user.dir("data/servers/x/node_modules");
    assert!(user.of(&line(Access::Read, "$ROOT/data/servers/x")).is_ok());
    assert!(user.of(&line(Access::Execute, "$ROOT/data/servers/x")).is_ok());
    assert!(user.wrong(&line(Access::Write, "$ROOT/data/servers/x")).contains("caponier's own folders"));
    assert!(user.of(&line(Access::Write, "${session.tmp}")).is_ok());
    assert!(user.wrong(&line(Access::Execute, "${session.tmp}")).contains("caponier's own folders"));
    assert!(user.wrong(&line(Access::Write, "$ROOT/data/tmp")).contains("caponier's own folders"));
}

#[test]
fn an_audit_dir_of_ones_own_is_refused_too() {
    let mut user = User::new();
    user.dir("work/logs");
    user.context.audit_dir = Some(user.at("work/logs"));
    let report = user.wrong(&line(Access::Write, "$ROOT/work"));
    assert!(report.contains("would reach $ROOT/work/logs (where the log is)"), "{report}");
}

#[test]
fn the_home_of_the_password_file_counts_whatever_home_says() {
    let mut user = User::new();
    user.dir("real/.ssh");
    user.context.other_homes = vec![user.at("real")];
    assert!(user.wrong(&line(Access::Read, "$ROOT/real")).contains("(a secret store)"));
}

#[test]
fn five_devices_and_no_more() {
    let user = User::new();
    assert!(user.of(&line(Access::Write, "/dev/null")).is_ok());
    for (access, path) in
        [(Access::Read, "/dev/tty"), (Access::Write, "/dev/tty"), (Access::Execute, "/dev/null")]
    {
        let report = user.wrong(&line(access, path));
        assert!(report.contains("is a device, not a file or folder | the only devices"), "{path}: {report}");
    }
    nix::unistd::mkfifo(&user.at("work/fifo"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    assert!(user.wrong(&line(Access::Read, "$ROOT/work/fifo")).contains("is a FIFO"));
}

#[test]
fn what_can_be_written_is_never_executed() {
    let user = User::new();
    user.program("work/tools/run", "");
    user.link(user.at("work/tools"), "elsewhere");
    for (write, execute) in [
        ("$ROOT/work", "$ROOT/work/tools/run"),
        ("$ROOT/work/tools/run", "$ROOT/work/tools/run"),
        ("$ROOT/work/tools", "$ROOT/work"),
        ("$ROOT/elsewhere", "$ROOT/work/tools/run"),
    ] {
        let body = format!("{}\n{}", line(Access::Write, write), line(Access::Execute, execute));
        let report = user.wrong(&body);
        assert!(
            report.contains("overlap (") && report.contains("what can be written is never executed"),
            "{report}"
        );
    }
}

#[test]
fn a_link_that_a_server_could_have_planted_is_not_followed() {
    let user = User::new();
    user.dir("target");
    user.link(user.at("target"), "work/data");
    user.link(user.at("work/data"), "second");
    for path in ["$ROOT/work/data", "$ROOT/second"] {
        let body = format!("[filesystem]\nread = [\"{path}\"]\nwrite = [\"$ROOT/work\"]");
        let report = user.wrong(&body);
        assert!(
            report.contains("goes through a symlink in $ROOT/work that a server could have planted: $ROOT/work can be written (4:10)"),
            "{report}"
        );
        assert!(
            report.ends_with(
                "| name the target itself (\"$ROOT/target\"), or let the server write somewhere else"
            ),
            "{report}"
        );
        assert!(
            user.of(&format!("[filesystem]\nread = [\"{path}\"]")).is_ok(),
            "where nobody can plant, it is followed"
        );
    }
}

#[test]
fn an_environment_inside_what_is_written_says_what_helps() {
    let user = User::new();
    user.program("python3.11", "");
    user.file("work/.venv/pyvenv.cfg", "home = /usr/bin\n");
    user.link(user.at("python3.11"), "work/.venv/bin/python");
    user.program("work/.venv/bin/server", "");
    for program in ["python", "server"] {
        let execute = line(Access::Execute, &format!("$ROOT/work/.venv/bin/{program}"));
        let report = user.wrong(&format!("{}\n{execute}", line(Access::Write, "$ROOT/work")));
        assert!(
            report.contains("the environment $ROOT/work/.venv lies in what the server may write"),
            "{report}"
        );
        assert!(report.contains("UV_PROJECT_ENVIRONMENT=/elsewhere uv sync"), "{report}");
        assert!(user.of(&execute).is_ok(), "where it is not written, it is executed");
    }
}

#[test]
fn a_grant_on_a_file_is_warned_of() {
    let user = User::new();
    user.file("work/notes.txt", "");
    std::fs::hard_link(user.at("work/notes.txt"), user.at("work/other.txt")).unwrap();
    let codes = |access| -> Vec<Code> {
        let resolved = user.of(&line(access, "$ROOT/work/notes.txt")).unwrap();
        let codes = resolved.warnings.iter().map(|warning| warning.code);
        codes.filter(|code| matches!(code, Code::StaleFileGrant | Code::HardLinkedFile)).collect()
    };
    assert_eq!(codes(Access::Read), [Code::StaleFileGrant]);
    assert_eq!(codes(Access::Write), [Code::StaleFileGrant, Code::HardLinkedFile]);
}

#[test]
fn dangerous_combinations_have_codes() {
    let user = User::new();
    user.program("work/bin/bash", "");
    let body = "[filesystem]\nread = [\"/etc\"]\nwrite = [\"$ROOT/home/x\"]\nunprotected = [\".vscode\", \".git/hooks\"]\n\
                [process]\nexecute = [\"$ROOT/work/bin\", \"$ROOT/work/bin/bash\"]\nnested_seccomp = true\nenv = { pass = \
                [\"API_KEY\"] }\n[limits]\nmemory = \"none\"\n[audit]\nfile_reads = false\n";
    user.dir("home/x");
    let resolved = user.of(body).unwrap();
    let codes: std::collections::BTreeSet<Code> =
        resolved.warnings.iter().map(|warning| warning.code).collect();
    let expected = [
        Code::ExecuteFolder,
        Code::ExecuteShell,
        Code::BroadRead,
        Code::WriteShared,
        Code::WritableClientConfiguration,
        Code::UnprotectedName,
        Code::NoReason,
        Code::NestedSeccomp,
        Code::AuditGap,
        Code::Unlimited,
        Code::PassedCredential,
    ];
    assert_eq!(codes, expected.into_iter().collect());
}

#[test]
fn why_names_the_line_that_decides() {
    let user = User::new();
    user.dir("work/docs/.git");
    user.dir("home/.ssh");
    user.link(user.at("work/docs"), "alias");
    let body = "[filesystem]\nread = [\"$ROOT/work\"]\nwrite = [\"$ROOT/work/docs\"]\n[tools]\ndeny = [\"*_delete*\"]";
    let resolved = user.of(body).unwrap();
    let ask = |access, path: &str| why::path(&resolved, &user.context, access, &user.at(path)).unwrap();
    let verdict = |access, path: &str| {
        let answer = ask(access, path);
        (answer.denial.map(|denial| denial.reason), answer.line.map(|line: Origin| line.line))
    };
    assert_eq!(verdict(Access::Read, "work/new/file"), (None, Some(3)));
    assert_eq!(verdict(Access::Read, "work/docs/file"), (None, Some(4)));
    assert_eq!(verdict(Access::Write, "alias/file"), (None, Some(4)));
    assert_eq!(verdict(Access::Write, "work/file"), (Some(Reason::FsWriteReadOnly), Some(3)));
    assert_eq!(verdict(Access::Write, "work/docs/.git/hooks/x"), (Some(Reason::FsWriteProtected), Some(4)));
    assert_eq!(verdict(Access::Read, "work-secret"), (Some(Reason::FsReadNotGranted), None));
    assert_eq!(verdict(Access::Write, "bin"), (Some(Reason::FsWriteNotGranted), None));
    assert_eq!(verdict(Access::Execute, "work/x"), (Some(Reason::ExecNotGranted), None));
    user.program("bin/bash", "");
    assert_eq!(verdict(Access::Execute, "bin/bash"), (Some(Reason::ExecShell), None));
    let secret = ask(Access::Read, "home/.ssh/id").denial.unwrap();
    assert_eq!(secret.reason, Reason::FsReadSecret);
    assert_eq!(secret.remedy.line(), None, "nothing is proposed that would be refused");
    assert_eq!(why::tool(&resolved, "file_delete_all").verdict, Ruling::Deny);
    assert_eq!(why::tool(&resolved, "file_delete_all").line.unwrap().line, 6);
    assert_eq!(why::tool(&resolved, "read_file").verdict, Ruling::Allow);
    let host = why::host(&resolved, "example.com:443").unwrap();
    assert_eq!(host.denial.unwrap().reason, Reason::NetNone);
}

#[test]
fn why_knows_hosts_and_its_remedies_are_lines() {
    let user = User::new();
    let body = "[network]\nallow = [\n\"api.github.com:443\", \"*.example.com:443\",\n{ host = \"10.1.2.3:80\", private = true } ]\n\
                local = [\"localhost:5432\"]";
    let resolved = user.of(body).unwrap();
    let ask = |host: &str| {
        let answer = why::host(&resolved, host).unwrap();
        (answer.denial.map(|denial| denial.reason), answer.line.map(|line: Origin| line.line))
    };
    assert_eq!(ask("API.github.com.:443"), (None, Some(4)));
    assert_eq!(ask("a.b.example.com:443"), (None, Some(4)));
    assert_eq!(ask("10.1.2.3:80"), (None, Some(5)));
    assert_eq!(ask("localhost:5432"), (None, Some(6)));
    assert_eq!(ask("127.0.0.1:5432"), (None, Some(6)));
    for (host, reason) in [
        ("example.com:443", Reason::NetHostNotListed),
        ("api.github.com:22", Reason::NetHostNotListed),
        ("notexample.com:443", Reason::NetHostNotListed),
        ("10.1.2.4:80", Reason::NetAddressPrivate),
        ("localhost:5433", Reason::NetHostNotListed),
        ("127.0.0.1:6379", Reason::NetAddressPrivate),
        ("169.254.169.254:80", Reason::NetAddressPrivate),
        ("93.184.216.34:443", Reason::NetAddressNotResolved),
        ("0x7f.1:80", Reason::NetHostMalformed),
        ("evil.com\0.example.com:443", Reason::NetHostMalformed),
    ] {
        let denial = why::host(&resolved, host).unwrap().denial.unwrap();
        assert_eq!(denial.reason, reason, "{host}");
        let Some(line) = denial.remedy.line() else { continue };
        let granted = user.of(line).unwrap();
        assert_eq!(why::host(&granted, host).unwrap().verdict, Ruling::Allow, "{line}");
    }
    let never = why::host(&resolved, "169.254.169.254:80").unwrap();
    assert_eq!(never.denial.unwrap().remedy.line(), None);
    assert!(why::host(&resolved, "example.com").is_err(), "a host without a port is no question");
}

#[test]
fn hosts_that_no_profile_can_grant() {
    let user = User::new();
    for (entry, why) in [
        ("\"api.github.com\"", "has no port"),
        ("\"a.com:0\"", "has no port between"),
        ("\"*.com:443\"", "covers a whole top-level domain"),
        ("\"*:443\"", "has a star"),
        ("\"0x7f.1:80\"", "would be taken for an address"),
        ("\"b\u{fc}cher.example:443\"", "is not ASCII"),
        ("\"10.0.0.1:80\"", "is a private address"),
        ("{ host = \"169.254.169.254:80\", private = true }", "can be granted by no profile"),
        ("{ host = \"[fd00:ec2::254]:80\", private = true }", "can be granted by no profile"),
        ("\"[::ffff:10.0.0.1]:80\"", "in IPv6 dress"),
        ("\"127.0.0.1:80\"", "is this machine"),
        ("\"localhost:80\"", "is this machine"),
        ("{ reason = \"x\" }", "has no `host`"),
        ("443", "it must be HOST:PORT"),
    ] {
        let report = user.wrong(&format!("[network]\nallow = [{entry}]"));
        assert!(report.starts_with("3:") && report.contains(why), "{entry}: {report}");
    }
    for (key, entry, why) in [
        ("local", "93.184.216.34:80", "is not a loopback address"),
        ("local", "example.com:80", "is not this machine"),
        ("local", "localhost:0", "has no port between"),
        ("listen", "example.com:80", "is not this machine"),
    ] {
        let report = user.wrong(&format!("[network]\n{key} = [\"{entry}\"]"));
        assert!(report.starts_with("3:") && report.contains(why), "{entry}: {report}");
    }
}

#[test]
fn the_flag_adds_a_host_and_this_machine_goes_where_it_belongs() {
    let mut user = User::new();
    user.flags.host = ["example.com:443", "10.0.0.1:80", "localhost:5432"].map(String::from).to_vec();
    let network = user.of("").unwrap().policy.network;
    let shown: Vec<String> = network
        .allow
        .iter()
        .map(|grant| format!("{}:{} {}", grant.host, grant.port, grant.private))
        .collect();
    assert_eq!(shown, ["example.com:443 false", "10.0.0.1:80 true"]);
    assert_eq!(network.local.len(), 1);
    user.flags.host = vec!["*.com:443".into()];
    let report = user.report(&user.of("").unwrap_err());
    assert_eq!(report, "command line: --host `*.com:443` covers a whole top-level domain");
}

#[test]
fn wide_hosts_are_warned_of() {
    let body = "[network]\nallow = [{ host = \"*.github.io:443\", reason = \"x\" }, \"a.com:443\"]\nlisten = [\"0.0.0.0:80\"]";
    let warnings = User::new().of(body).unwrap().warnings;
    let of = |code| warnings.iter().filter(|warning| warning.code == code).count();
    assert_eq!((of(Code::MultiTenantHost), of(Code::ListenOpen), of(Code::NoReason)), (1, 1, 2));
}

#[test]
fn what_why_allows_and_denies_agrees_with_its_own_remedy() {
    let user = User::new();
    user.dir("work/a/b");
    let resolved = user.of("").unwrap();
    let answer = why::path(&resolved, &user.context, Access::Read, &user.at("work/a/b")).unwrap();
    let remedy = answer.denial.unwrap().remedy;
    let resolved = user.of(remedy.line().unwrap()).unwrap();
    let answer = why::path(&resolved, &user.context, Access::Read, &user.at("work/a/b")).unwrap();
    assert_eq!(answer.verdict, Ruling::Allow);
}
