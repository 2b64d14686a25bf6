//! Variables, programs by name, flags and arguments.

use super::User;
use crate::policy::grant::Origin;
use crate::profile::problem::Code;

#[test]
fn variables_are_expanded_once() {
    let mut user = User::new();
    user.dir("work/${home}");
    user.dir("home/notes");
    user.program("bin/server", "");
    user.command(&["$ROOT/bin/server", "$ROOT/work/${home}"], &[]);
    let body = "[filesystem]\nread = [\"${server.args[0]}\", \"~/notes\", \"${home}/notes\"]\nwrite = [\"${workspace}\"]";
    let policy = user.of(body).unwrap().policy;
    assert_eq!(user.paths(&policy.filesystem.read), ["$ROOT/home/notes", "$ROOT/work/${home}"]);
    assert_eq!(user.paths(&policy.filesystem.write), ["$ROOT/work"]);
}

#[test]
fn what_cannot_be_expanded_is_an_error() {
    let mut user = User::new();
    user.command(&["$ROOT/bin/server"], &[]);
    user.program("bin/server", "");
    for (path, why) in [
        ("${workspce}/x", "`${workspce}` is not a variable | did you mean `${workspace}`?"),
        ("${banana}", "`${banana}` is not a variable | the variables are: workspace, home, server.args[N]"),
        ("${workspace", "`${` without `}`"),
        ("~root/x", "`~` stands for the home only in front of a `/`"),
        (
            "${server.args[0]}",
            "`${server.args[0]}` has no value: the server has 0 arguments | if the entry may be left",
        ),
        ("${server.args[x]}", "`${server.args[x]}` is not a variable"),
        ("${runtime.node}", "has no value: there is no node on PATH"),
        ("notes", "is not an absolute path"),
        ("${workspace}/../x", "has `..` in it"),
        ("", "is not an absolute path"),
    ] {
        let report = user.wrong(&format!("[filesystem]\nread = [\"{path}\"]"));
        assert!(report.starts_with("3:9: ") && report.contains(why), "{path}: {report}");
    }
}

#[test]
fn an_optional_entry_may_have_no_value_and_no_file() {
    let mut user = User::new();
    user.command(&["$ROOT/bin/server"], &[]);
    user.program("bin/server", "");
    let body = "[filesystem]\nread = [{ path = \"${runtime.node}\", optional = true }, { path = \"$ROOT/none\", optional \
                = true }]";
    let policy = user.of(body).unwrap().policy;
    assert_eq!(user.paths(&policy.filesystem.read), ["$ROOT/none"]);
    let report = user.wrong("[filesystem]\nread = [\"$ROOT/none\"]");
    assert_eq!(
        report,
        "3:9: `filesystem.read` of $ROOT/none: it does not exist | create it, or mark the entry `optional = true`"
    );
}

#[test]
fn a_workspace_that_nobody_chose_is_no_home_and_no_root() {
    for (cwd, what) in [("/", "the whole file system"), ("home", "a whole home"), ("", "above a home")] {
        let mut user = User::new();
        user.context.cwd = user.root.join(cwd);
        let report = user.wrong("[filesystem]\nread = [\"${workspace}/x\"]");
        assert!(report.contains(&format!("which is {what} | say which folder is meant")), "{report}");
        assert!(report.contains("caponier run --workspace"), "{report}");
        assert!(user.of("[limits]\nprocesses = 3").is_ok(), "a profile that does not use it is not bothered");
        user.dir("work/x");
        user.context.workspace = Some(user.at("work"));
        assert!(user.of("[filesystem]\nread = [\"${workspace}/x\"]").is_ok());
    }
}

#[test]
fn programs_are_found_by_name_on_path() {
    let mut user = User::new();
    let git = user.program("bin/git", "");
    user.file("bin/plain", "");
    user.context.path = format!("relative:{}", user.at("bin").display()).into();
    let policy = user.of("[process]\nexecute = [\"git\"]").unwrap().policy;
    assert_eq!(policy.process.execute[0].path, git);
    for name in ["plain", "nothing"] {
        let report = user.wrong(&format!("[process]\nexecute = [\"{name}\"]"));
        assert!(report.starts_with(&format!("3:12: there is no program `{name}` on PATH")), "{report}");
    }
}

#[test]
fn the_command_itself_may_be_executed() {
    let mut user = User::new();
    user.program("bin/node", "");
    user.program("app/server.js", "#!/usr/bin/env node\n");
    user.command(&["$ROOT/app/server.js"], &["bin/node"]);
    let policy = user.of("").unwrap().policy;
    assert_eq!(user.paths(&policy.process.execute), ["$ROOT/app/server.js", "$ROOT/bin/node"]);
    assert_eq!(policy.process.execute[0].origin, Origin::caponier());
}

#[test]
fn flags_add_grants() {
    let mut user = User::new();
    user.dir("work/notes");
    user.flags.read = vec!["notes".into()];
    user.flags.write = vec![user.at("work/notes")];
    let policy = user.of("").unwrap().policy;
    assert_eq!(user.paths(&policy.filesystem.read), ["$ROOT/work/notes"]);
    assert_eq!(policy.filesystem.write[0].origin, Origin::command_line());
}

#[test]
fn path_arguments_become_grants() {
    let mut user = User::new();
    user.program("bin/server", "");
    for folder in ["a", "b", "c"] {
        user.dir(&format!("work/{folder}"));
    }
    user.command(&["$ROOT/bin/server", "$ROOT/work/a", "--root=$ROOT/work/b", "c", "--url=/api", "-x"], &[]);
    let resolved = user.of("[process]\narguments_as_paths = \"filesystem.write\"").unwrap();
    assert_eq!(user.paths(&resolved.policy.filesystem.write), ["$ROOT/work/a", "$ROOT/work/b"]);
    let noticed: Vec<_> = resolved
        .warnings
        .iter()
        .filter(|w| w.code == Code::ArgumentNotGranted)
        .map(|w| w.message.as_str())
        .collect();
    assert_eq!(
        noticed,
        [
            "argument `--url=/api` of the command names nothing that exists, so it grants nothing",
            "argument `c` of the command is a relative path, so it grants nothing",
        ]
    );
}

#[test]
fn the_interpreter_and_the_script_are_no_path_arguments() {
    let mut user = User::new();
    user.program("bin/node", "");
    user.file("app/node_modules/x/index.js", "");
    user.dir("work/a");
    let script = "$ROOT/app/node_modules/x/index.js";
    user.command(&["$ROOT/bin/node", "--require", "/nothing", script, "$ROOT/work/a"], &[]);
    let policy = user.of("[process]\narguments_as_paths = \"filesystem.read\"").unwrap().policy;
    assert_eq!(user.paths(&policy.filesystem.read), ["$ROOT/work/a"]);
}

#[test]
fn a_path_argument_that_is_missing_or_refused_is_an_error() {
    let mut user = User::new();
    user.program("bin/server", "");
    user.dir("home/.ssh");
    let body = "[process]\narguments_as_paths = \"filesystem.read\"";
    for (argument, why) in [
        ("$ROOT/none", "argument `$ROOT/none` of the command does not exist"),
        ("$ROOT/work/../home", "argument `$ROOT/work/../home` has `..` in it"),
        ("$ROOT/home", "`filesystem.read` of $ROOT/home would reach $ROOT/home/.ssh (a secret store)"),
        ("/", "`filesystem.read` of / would reach "),
    ] {
        user.command(&["$ROOT/bin/server", argument], &[]);
        let report = user.wrong(body);
        assert!(report.starts_with("command line: ") && report.contains(why), "{argument}: {report}");
    }
}

#[test]
fn without_a_command_the_servers_variables_stay_as_written() {
    let mut user = User::new();
    user.context.session = None;
    let policy =
        user.of("[filesystem]\nread = [\"${server.dir}\"]\nwrite = [\"${session.tmp}/x\"]").unwrap().policy;
    assert_eq!(policy.filesystem.read[0].path.to_str(), Some("${server.dir}"));
    assert_eq!(policy.filesystem.write[0].path.to_str(), Some("${session.tmp}/x"));
}

#[test]
fn of_two_entries_for_one_path_the_demanding_one_stays() {
    let user = User::new();
    user.profile("lax", "[filesystem]\nread = [{ path = \"$ROOT/work\", optional = true }]");
    let policy = user
        .of("extends = [\"lax\"]\n[filesystem]\nread = [{ path = \"$ROOT/work/\", reason = \"here\" }]")
        .unwrap()
        .policy;
    assert_eq!(policy.filesystem.read.len(), 1);
    assert!(!policy.filesystem.read[0].optional);
    assert_eq!(policy.filesystem.read[0].reason.as_deref(), Some("here"));
}
