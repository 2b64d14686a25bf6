//! Where a server's interpreter, package and standard library are found.

use super::User;

const PYTHON: &str = "[filesystem]\nread = [\n{ path = \"${server.dir}\", optional = true },\n{ path = \
                      \"${runtime.python.venv}\", optional = true },\n\"${runtime.python.lib}\"]\n[process]\nexecute = \
                      [\"${runtime.python}\"]";
const NODE: &str = "[filesystem]\nread = [\"${server.dir}\"]\n[process]\nexecute = [\"${runtime.node}\"]";

fn reads(user: &User, body: &str) -> Vec<String> {
    match user.of(body) {
        Ok(resolved) => user.paths(&resolved.policy.filesystem.read),
        Err(problems) => panic!("{}", user.report(&problems)),
    }
}

/// A python installation, a virtual environment made from it, and a console script in that.
fn venv(user: &User) {
    user.program("versions/3.11.7/bin/python3.11", "\x7fELF");
    user.dir("versions/3.11.7/lib/python3.11");
    user.link("python3.11", "versions/3.11.7/bin/python3");
    user.link(user.at("versions/3.11.7/bin/python3"), "venv/bin/python");
    let home = user.at("versions/3.11.7/bin");
    user.file(
        "venv/pyvenv.cfg",
        &format!("include-system-site-packages = false\nhome = {}\n", home.display()),
    );
    user.program("venv/bin/mcp-server-git", "#!python\n");
}

#[test]
fn a_python_of_a_version_manager_brings_its_library() {
    let mut user = User::new();
    venv(&user);
    user.file("app/server.py", "");
    user.command(&["$ROOT/versions/3.11.7/bin/python3", "-X", "dev", "$ROOT/app/server.py", "/x"], &[]);
    assert_eq!(reads(&user, PYTHON), ["$ROOT/app", "$ROOT/versions/3.11.7/lib"]);
}

#[test]
fn a_virtual_environment_brings_itself_and_its_base() {
    let mut user = User::new();
    venv(&user);
    user.command(&["$ROOT/venv/bin/python", "-m", "mcp_server_git", "--repository", "/x"], &[]);
    assert_eq!(reads(&user, PYTHON), ["$ROOT/venv", "$ROOT/versions/3.11.7/lib"]);
    user.file("app/server.py", "");
    user.command(&["$ROOT/venv/bin/python", "$ROOT/app/server.py"], &[]);
    assert_eq!(reads(&user, PYTHON), ["$ROOT/app", "$ROOT/venv", "$ROOT/versions/3.11.7/lib"]);
}

#[test]
fn a_console_script_stands_for_its_virtual_environment() {
    let mut user = User::new();
    venv(&user);
    user.link(user.at("venv/bin/mcp-server-git"), "bin/mcp-server-git");
    for script in ["$ROOT/venv/bin/mcp-server-git", "$ROOT/bin/mcp-server-git"] {
        user.command(&[script], &["venv/bin/python"]);
        assert_eq!(reads(&user, PYTHON), ["$ROOT/venv", "$ROOT/versions/3.11.7/lib"]);
        let execute = user.paths(&user.of(PYTHON).unwrap().policy.process.execute);
        assert_eq!(execute, [script, "$ROOT/venv/bin/python"]);
    }
}

#[test]
fn without_a_python_command_the_one_on_path_is_taken_and_shims_are_not() {
    let mut user = User::new();
    venv(&user);
    user.program("bin/python3", "#!/bin/sh\nexec pyenv exec python3\n");
    user.program("bin/server", "\x7fELF");
    user.command(&["$ROOT/bin/server"], &[]);
    assert!(user.wrong(PYTHON).contains("there is no python on PATH (a version manager's shim is none)"));
    let paths = [user.at("bin"), user.at("versions/3.11.7/bin")];
    user.context.path = std::env::join_paths(paths).unwrap();
    let execute = user.of(PYTHON).unwrap().policy.process.execute;
    assert_eq!(user.paths(&execute), ["$ROOT/bin/server", "$ROOT/versions/3.11.7/bin/python3"]);
}

#[test]
fn a_node_package_is_the_outermost_node_modules() {
    let mut user = User::new();
    user.program("bin/node", "\x7fELF");
    user.file("app/node_modules/@scope/pkg/dist/index.js", "");
    user.file("app/node_modules/.pnpm/x@1/node_modules/x/dist/index.js", "");
    user.link("../app/node_modules/@scope/pkg/dist/index.js", "bin/mcp-server");
    for script in [
        "app/node_modules/@scope/pkg/dist/index.js",
        "app/node_modules/.pnpm/x@1/node_modules/x/dist/index.js",
    ] {
        user.command(&["$ROOT/bin/node", "--no-warnings", &format!("$ROOT/{script}")], &[]);
        assert_eq!(reads(&user, NODE), ["$ROOT/app/node_modules"]);
    }
    user.command(&["$ROOT/bin/mcp-server"], &["bin/node"]);
    assert_eq!(reads(&user, NODE), ["$ROOT/app/node_modules"]);
}

#[test]
fn a_node_project_is_the_nearest_package() {
    let mut user = User::new();
    user.program("bin/node", "\x7fELF");
    user.file("app/package.json", "{}");
    user.file("app/src/server.mjs", "");
    user.command(&["$ROOT/bin/node", "$ROOT/app/src/server.mjs"], &[]);
    assert_eq!(reads(&user, NODE), ["$ROOT/app"]);
}

#[test]
fn a_script_in_a_home_stands_for_itself() {
    let mut user = User::new();
    user.program("bin/node", "\x7fELF");
    user.file("home/package.json", "{}");
    user.file("home/server.js", "");
    user.file("home/tools/server.js", "");
    user.command(&["$ROOT/bin/node", "$ROOT/home/server.js"], &[]);
    assert_eq!(reads(&user, NODE), ["$ROOT/home/server.js"]);
    user.command(&["$ROOT/bin/node", "$ROOT/home/tools/server.js"], &[]);
    assert_eq!(reads(&user, NODE), ["$ROOT/home/tools"]);
}

#[test]
fn a_link_named_node_that_is_something_else_is_no_node() {
    let mut user = User::new();
    user.program("bin/volta-shim", "\x7fELF");
    user.link("volta-shim", "bin/node");
    user.program("bin/server", "\x7fELF");
    user.command(&["$ROOT/bin/server"], &[]);
    assert!(user.wrong(NODE).contains("there is no node on PATH"));
}

/// The profile that is chosen for these words.
fn chosen(user: &mut User, words: &[&str], interpreters: &[&str]) -> Option<&'static str> {
    user.command(words, interpreters);
    crate::profile::packages::of_command(&user.context).map(|known| known.profile)
}

#[test]
fn a_package_of_npm_is_known_by_its_place_and_by_its_own_word() {
    const NAME: &str = "@modelcontextprotocol/server-memory";
    let mut user = User::new();
    user.program("bin/node", "\x7fELF");
    for (folder, says, expected) in [
        (NAME, NAME, Some("memory")),
        ("memory", NAME, None),
        (NAME, "something-else", None),
        ("outer/node_modules/@modelcontextprotocol/server-memory", NAME, Some("memory")),
        ("@modelcontextprotocol/server-memory/node_modules/dependency", "dependency", None),
    ] {
        let package = format!("app/node_modules/{folder}");
        let script = format!("$ROOT/{package}/dist/index.js");
        user.file(
            &format!("{package}/package.json"),
            &format!("{{\"name\": \"{says}\", \"version\": \"1\"}}"),
        );
        user.file(&format!("{package}/dist/index.js"), "");
        assert_eq!(chosen(&mut user, &["$ROOT/bin/node", &script], &[]), expected, "{folder} says {says}");
    }
    // npm's link in .bin leads to the package.
    let real = user.at("app/node_modules/@modelcontextprotocol/server-memory/dist/index.js");
    user.file(
        "app/node_modules/@modelcontextprotocol/server-memory/package.json",
        &format!("{{\"name\": \"{NAME}\"}}"),
    );
    user.link(real, "app/node_modules/.bin/mcp-server-memory");
    let link = "$ROOT/app/node_modules/.bin/mcp-server-memory";
    assert_eq!(chosen(&mut user, &[link], &["bin/node"]), Some("memory"));
    assert_eq!(chosen(&mut user, &["$ROOT/bin/node", "-e", "1"], &[]), None);
    std::fs::remove_file(user.at("app/node_modules/@modelcontextprotocol/server-memory/package.json"))
        .unwrap();
    assert_eq!(chosen(&mut user, &[link], &["bin/node"]), None);
}

#[test]
fn a_package_of_pypi_is_known_by_what_it_installed() {
    let mut user = User::new();
    venv(&user);
    let info = "venv/lib/python3.11/site-packages/mcp_server_git-2026.10.19.dist-info";
    user.file(
        &format!("{info}/RECORD"),
        "../../../bin/mcp-server-git,sha256=x,240\nmcp_server_git/__init__.py,,\nmcp_server_git/__main__.py,,\n",
    );
    let python = "$ROOT/venv/bin/python";
    let script = "$ROOT/venv/bin/mcp-server-git";
    assert_eq!(chosen(&mut user, &[python, "-m", "mcp_server_git", "--repository", "/x"], &[]), Some("git"));
    assert_eq!(chosen(&mut user, &[script], &["venv/bin/python"]), Some("git"));
    assert_eq!(chosen(&mut user, &[python, script], &[]), Some("git"));
    user.program("venv/bin/other", "#!python\n");
    assert_eq!(
        chosen(&mut user, &[python, "$ROOT/venv/bin/other"], &[]),
        None,
        "another script of the same folder"
    );
    assert_eq!(chosen(&mut user, &[python, "-m", "mcp_server"], &[]), None);
    user.program("work/mcp-server-git", "#!python\n");
    assert_eq!(
        chosen(&mut user, &[python, "$ROOT/work/mcp-server-git"], &[]),
        None,
        "a script of that name elsewhere"
    );
    std::fs::remove_file(user.at(info).join("RECORD")).unwrap();
    assert_eq!(chosen(&mut user, &[script], &["venv/bin/python"]), None);
}
