//! Commands in a temporary folder: what is found, what is granted, and what each refusal says.

use std::os::unix::process::CommandExt;
use std::process;

use super::*;
use crate::sandbox::shims::Family;
use crate::sandbox::shims::tests::Layout;

/// A layout whose `bin` is all the `PATH` there is, with a native program `native` in it.
fn layout() -> Layout {
    let mut layout = Layout::new();
    let native = std::fs::read("/bin/echo").unwrap();
    let path = layout.program("bin/native");
    std::fs::write(&path, native).unwrap();
    layout.lookup.path = Some(layout.at("bin").into());
    layout
}

fn words(line: &str) -> Vec<OsString> {
    line.split_whitespace().map(Into::into).collect()
}

fn run(layout: &Layout, line: &str) -> Result<Command, Error> {
    resolve(&words(line), &layout.lookup)
}

fn paths(list: &[Interpreter]) -> Vec<PathBuf> {
    list.iter().map(|interpreter| interpreter.path.clone()).collect()
}

#[test]
fn a_name_is_searched_once_and_executed_as_found() {
    let layout = layout();
    let link = layout.link("bin/tool", "native");
    let command = run(&layout, "tool -x --").unwrap();
    assert_eq!(command.path, link);
    assert_eq!(command.target, layout.at("bin/native"));
    assert_eq!((command.argv, command.given), (words("tool -x --"), words("tool -x --")));
    assert_eq!(command.interpreters, []);
    assert_eq!(command.loaders.len(), 1, "the dynamic loader of a glibc program");
}

#[test]
fn a_word_with_a_slash_is_relative_to_the_working_directory() {
    let layout = layout();
    layout.link("project/below/venv/bin/python", "../../../../bin/native");
    for word in ["venv/bin/python", "./venv/bin/python"] {
        let command = run(&layout, word).unwrap();
        assert_eq!(
            command.path,
            layout.at("project/below/venv/bin/python"),
            "the link, so that the venv is found"
        );
        assert_eq!(command.target, layout.at("bin/native"));
        assert_eq!(command.argv, words(word));
    }
}

#[test]
fn what_is_missing_is_127_and_what_is_no_program_126() {
    let layout = layout();
    layout.file("bin/text", "hello");
    layout.script("bin/nothing", "hello\n");
    layout.script("bin/broken", "#!\n");
    layout.link("bin/dangling", "gone");
    layout.program("bin/folder/x");
    layout.script("bin/orphan", "#!/no/such/interpreter\n");
    layout.script("bin/windows", "#!/bin/native\r\n");
    for (line, code, text, help) in [
        ("", 127, "no command", "--"),
        ("missing", 127, "is not in PATH; searched: ", "full path"),
        ("docker run -i x", 127, "is not in PATH", "is root on this machine"),
        ("dangling", 127, "is not in PATH", "full path"),
        ("./missing", 127, "does not exist", "working directory"),
        ("../../bin/dangling", 127, "symbolic link to \"gone\"", "link"),
        ("orphan", 127, "\"/no/such/interpreter\"", "virtual environment"),
        ("windows", 127, "\\r", "carriage return"),
        ("text", 126, "not executable (mode 0644)", "chmod +x"),
        ("folder", 126, "is a folder", "in it"),
        ("../../bin/text", 126, "not executable", "chmod"),
        ("nothing", 126, "neither a program", "#! line"),
        ("broken", 126, "names no interpreter", "mend"),
    ] {
        let error = run(&layout, line).unwrap_err();
        assert_eq!(error.exit_code(), code, "{line}: {error}");
        assert!(error.to_string().contains(text), "{line}: {error}");
        assert!(error.help().contains(help), "{line}: {}", error.help());
    }
    assert!(matches!(resolve(&[OsString::new()], &layout.lookup), Err(Error::NoCommand)));
}

#[test]
fn a_program_of_another_machine_is_126() {
    let layout = layout();
    let mut bytes = std::fs::read("/bin/echo").unwrap();
    bytes[18..20].copy_from_slice(&8u16.to_le_bytes());
    std::fs::write(layout.program("bin/mips"), &bytes).unwrap();
    let error = run(&layout, "mips").unwrap_err();
    assert!(matches!(error, Error::Foreign { machine: 8, .. }), "{error}");
    assert_eq!(error.exit_code(), 126);
}

#[test]
fn a_missing_loader_is_said_to_be_one() {
    let layout = layout();
    let mut bytes = std::fs::read("/bin/echo").unwrap();
    let at = memchr::memmem::find(&bytes, b"/ld-linux").unwrap();
    bytes[at..at + 9].copy_from_slice(b"/ld-other");
    std::fs::write(layout.program("bin/other"), &bytes).unwrap();
    let error = run(&layout, "other").unwrap_err();
    assert!(matches!(error, Error::Loader { .. }), "{error}");
    assert_eq!(error.exit_code(), 127);
}

#[test]
fn hostile_names_are_shown_escaped() {
    let layout = layout();
    let error = run(&layout, "\u{1b}[2Jx").unwrap_err();
    assert!(!error.to_string().contains('\u{1b}'), "{error}");
}

#[test]
fn interpreters_are_followed_to_the_end() {
    let layout = layout();
    let native = layout.at("bin/native");
    let inner = layout.script("bin/inner", &format!("#!{}\n", native.display()));
    layout.script("bin/outer", &format!("#!{} -x\n", inner.display()));
    let command = run(&layout, "outer").unwrap();
    assert_eq!(command.path, layout.at("bin/outer"));
    assert_eq!(paths(&command.interpreters), [inner, native]);
}

#[test]
fn env_is_followed_along_the_server_s_path() {
    let mut layout = layout();
    layout.script("bin/tool", "#!/usr/bin/env native\n");
    layout.script("bin/flags", "#!/usr/bin/env -S A=B native --flag\n");
    layout.script("bin/chain", "#!/usr/bin/env tool\n");
    let native = layout.at("bin/native");
    for name in ["tool", "flags"] {
        let command = run(&layout, name).unwrap();
        assert_eq!(paths(&command.interpreters), [PathBuf::from("/usr/bin/env"), native.clone()], "{name}");
    }
    let command = run(&layout, "chain").unwrap();
    assert_eq!(paths(&command.interpreters), [PathBuf::from("/usr/bin/env"), layout.at("bin/tool"), native]);
    // The user finds it through a relative element; the server does not get that element.
    layout.lookup.path = Some("../../bin".into());
    let error = run(&layout, "tool").unwrap_err();
    assert!(matches!(&error, Error::NotFound { script: Some(_), .. }), "{error}");
    layout.lookup.server_path = Some(layout.at("bin").into());
    assert!(run(&layout, "tool").is_ok());
}

#[test]
fn an_env_line_that_cannot_be_told_is_126() {
    let layout = layout();
    layout.script("bin/blank", "#!/usr/bin/env native --flag\n");
    let error = run(&layout, "blank").unwrap_err();
    assert!(error.exit_code() == 127 && error.help().contains("-S"), "{error}: {}", error.help());
    for line in ["", " -i native", " -S PATH=/evil native", " -S $HOME/native"] {
        layout.script("bin/unclear", &format!("#!/usr/bin/env{line}\n"));
        let error = run(&layout, "unclear").unwrap_err();
        assert!(matches!(error, Error::EnvLine { .. }), "{line}: {error}");
        assert_eq!(error.exit_code(), 126);
    }
}

#[test]
fn circles_end() {
    let layout = layout();
    layout.script("bin/again", "#!/usr/bin/env again\n");
    assert!(matches!(run(&layout, "again"), Err(Error::TooDeep { .. })));
    let own = layout.at("bin/own");
    layout.script("bin/own", &format!("#!{}\n", own.display()));
    assert!(matches!(run(&layout, "own"), Err(Error::TooDeep { .. })));
}

#[test]
fn as_many_scripts_in_a_row_as_the_kernel_takes() {
    let layout = layout();
    let mut interpreter = layout.at("bin/native");
    for depth in 1..=program::script::MAX_NESTED + 1 {
        interpreter = layout.script(&format!("bin/s{depth}"), &format!("#!{}\n", interpreter.display()));
        assert_eq!(
            run(&layout, &format!("s{depth}")).is_ok(),
            depth <= program::script::MAX_NESTED,
            "{depth} scripts"
        );
    }
}

#[test]
fn shell_scripts_are_refused_however_the_shell_is_named() {
    let layout = layout();
    layout.link("bin/bash", "native");
    layout.link("bin/sh", "/bin/sh");
    layout.link("bin/innocent", "/bin/sh");
    let at = |name: &str| layout.at(name).display().to_string();
    for line in [
        "/bin/sh".into(),
        "/bin/sh -e".into(),
        "/usr/bin/env sh".into(),
        "/usr/bin/env bash".into(),
        at("bin/innocent"),
    ] {
        layout.script("bin/start", &format!("#!{line}\nexec native\n"));
        let error = run(&layout, "start").unwrap_err();
        assert!(matches!(error, Error::ShellScript { launcher: None, .. }), "{line}: {error}");
        assert_eq!(error.exit_code(), 126);
        assert!(error.to_string().contains("shell script"), "{error}");
    }
    layout.script("bin/npx", "#!/bin/sh\nexec node npx-cli.js\n");
    let error = run(&layout, "npx -y server").unwrap_err();
    assert!(error.help().contains("npm install"), "the better explanation: {}", error.help());
}

#[test]
fn a_shell_as_the_command_is_marked() {
    let layout = layout();
    layout.link("bin/innocent", "/bin/sh");
    assert!(run(&layout, "innocent -c id").unwrap().shell);
    assert!(!run(&layout, "native").unwrap().shell);
    assert!(is_shell(Path::new("/bin/sh")));
    assert!(is_shell(&layout.at("bin/innocent")));
    assert!(is_shell(Path::new("/nowhere/zsh")), "by its name alone");
    assert!(!is_shell(&layout.at("bin/native")));
}

#[test]
fn launchers_are_marked_by_the_file_behind_the_name_too() {
    let layout = layout();
    layout.program("lib/npx-cli.js");
    layout.link("bin/npx", "../lib/npx-cli.js");
    layout.link("bin/run-it", "npx");
    for name in ["npx", "run-it"] {
        assert_eq!(run(&layout, name).unwrap().launcher, Some(Launcher::Npx), "{name}");
    }
    assert_eq!(run(&layout, "native npx").unwrap().launcher, None);
}

const PYENV: &str =
    "#!/usr/bin/env bash\nexport PYENV_ROOT=\"/x\"\nexec \"/x/libexec/pyenv\" exec \"$program\" \"$@\"\n";

/// pyenv's shims before `bin` in the `PATH`, and one version, whose `python` is native.
fn pyenv() -> Layout {
    let mut layout = layout();
    layout.script("pyenv/shims/python", PYENV);
    layout.file("pyenv/version", "3.11.7\n");
    layout.link("pyenv/versions/3.11.7/bin/python", "../../../../bin/native");
    layout.lookup.path = Some(std::env::join_paths([layout.at("pyenv/shims"), layout.at("bin")]).unwrap());
    layout
}

#[test]
fn a_shim_is_what_it_stands_for_called_by_its_own_path() {
    let layout = pyenv();
    let python = layout.at("pyenv/versions/3.11.7/bin/python");
    let command = run(&layout, "python -m x").unwrap();
    assert_eq!(command.path, python);
    assert_eq!(command.argv[0], python);
    assert_eq!(command.argv[1..], words("-m x"));
    assert_eq!(command.given, words("python -m x"));
    assert_eq!(command.path_first, [layout.at("pyenv/versions/3.11.7/bin")]);
    let shim = command.shim.unwrap();
    assert_eq!(
        (shim.family, shim.path, shim.version.as_str()),
        (Family::Pyenv, layout.at("pyenv/shims/python"), "3.11.7")
    );
}

#[test]
fn env_would_find_the_shim_so_its_program_comes_first() {
    let layout = pyenv();
    layout.script("bin/tool", "#!/usr/bin/env python\n");
    let command = run(&layout, "tool").unwrap();
    assert_eq!(command.interpreters[1].path, layout.at("pyenv/versions/3.11.7/bin/python"));
    assert_eq!(command.path_first, [layout.at("pyenv/versions/3.11.7/bin")]);
    assert_eq!(command.argv, words("tool"));
}

#[test]
fn a_missing_version_is_127_and_a_broken_file_126() {
    let layout = pyenv();
    layout.file("project/.python-version", "3.12.1");
    let error = run(&layout, "python").unwrap_err();
    assert_eq!(error.exit_code(), 127);
    assert!(
        error.to_string().contains("3.12.1") && error.to_string().contains("installed: 3.11.7"),
        "{error}"
    );
    layout.file("project/.python-version", &"x".repeat(1 << 20));
    assert_eq!(run(&layout, "python").unwrap_err().exit_code(), 126);
}

#[test]
fn one_version_manager_may_lead_to_another() {
    let mut layout = pyenv();
    layout.file("pyenv/version", "system\n");
    layout.script("asdf/shims/python", "#!/usr/bin/env bash\n# asdf-plugin: python 3.10.1\n");
    layout.link("asdf/installs/python/3.10.1/bin/python", "../../../../../bin/native");
    layout.file(".tool-versions", "python 3.10.1\n");
    let shims = ["pyenv/shims", "asdf/shims"].map(|folder| layout.at(folder));
    layout.lookup.path = Some(std::env::join_paths(shims).unwrap());
    let command = run(&layout, "python").unwrap();
    assert_eq!(command.path, layout.at("asdf/installs/python/3.10.1/bin/python"));
    assert_eq!(command.path_first[0], layout.at("asdf/installs/python/3.10.1/bin"));
    // And back again, for ever.
    layout.file(".tool-versions", "python system\n");
    assert!(matches!(run(&layout, "python"), Err(Error::TooManyShims { .. })));
}

#[test]
fn a_console_script_becomes_an_argument_of_its_interpreter() {
    let layout = layout();
    let python = layout.link("a venv/bin/python", "../../bin/native");
    let script = layout.script(
        "a venv/bin/server",
        &format!("#!/bin/sh\n'''exec' \"{}\" \"$0\" \"$@\"\n' '''\nimport sys\n", python.display()),
    );
    layout.link("bin/server", "../a venv/bin/server");
    let command = run(&layout, "server --flag").unwrap();
    assert_eq!(command.path, python);
    let expected = [python.clone().into(), layout.at("bin/server").into(), OsString::from("--flag")];
    assert_eq!(command.argv, expected);
    let read = Interpreter { path: layout.at("bin/server"), target: script };
    assert_eq!(command.script, Some(read));
    std::fs::remove_file(&python).unwrap();
    assert_eq!(run(&layout, "server").unwrap_err().exit_code(), 127);
}

/// What is resolved is what the kernel executes: run bare and by its resolved path, the output is the same.
#[test]
fn the_resolved_command_does_what_the_bare_one_does() {
    let layout = layout();
    layout.script("bin/tool", "#!/usr/bin/env -S native one\n");
    let command = run(&layout, "tool two").unwrap();
    let start = |path: &Path| loop {
        let mut process = process::Command::new(path);
        process.arg0(&command.argv[0]).args(&command.argv[1..]).env_clear().env("PATH", layout.at("bin"));
        match process.output() {
            // Another test's fork may hold a file open that was just written.
            Err(error) if error.raw_os_error() == Some(libc::ETXTBSY) => std::thread::yield_now(),
            output => break output.unwrap().stdout,
        }
    };
    let expected = format!("one {} two\n", layout.at("bin/tool").display());
    assert_eq!(start(&command.path), expected.as_bytes());
}

#[test]
fn servers_of_one_interpreter_are_told_apart() {
    let layout = layout();
    layout.script("one/server.js", "");
    layout.script("two/server.js", "");
    let identity = |line: &str| run(&layout, line).unwrap().identity(&layout.at(""));
    assert_eq!(identity("native one/server.js /a"), identity("native one/server.js /b"));
    assert_ne!(identity("native one/server.js"), identity("native two/server.js"));
    assert_ne!(identity("native -m one"), identity("native -m two"));
    assert_eq!(identity("native one"), identity("native two"));
}
