//! Real servers, upgraded by a year: what of it is a change that somebody has to look at, and what is not.

use std::ffi::OsString;
use std::process::Command;

use serde_json::Value;

use crate::peers;
use crate::session::Stage;

struct Upgrade {
    name: &'static str,
    before: Vec<OsString>,
    after: Vec<OsString>,
}

/// `NAME FATE CLASS POINTERS`, a line for each change; the pointers are those of the highest class, where that is more than
/// cosmetic.
#[allow(clippy::print_stdout, reason = "the table is for whoever reads the test's output")]
fn table(upgrade: &Upgrade, stage: &Stage) -> Vec<String> {
    for words in [&upgrade.before, &upgrade.after] {
        let mut session = stage.penned_as(upgrade.name, words);
        assert!(!session.tools().is_empty() || words == &upgrade.after);
        session.end();
    }
    let mut diff = Command::new(peers::caponier());
    diff.args(["server", "diff", "--json", upgrade.name]).env("HOME", stage.at("home"));
    for variable in ["XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_DATA_HOME", "XDG_RUNTIME_DIR"] {
        diff.env_remove(variable);
    }
    let output = diff.output().unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
    let line = |change: &Value| {
        let word = |of: &Value| of.as_str().unwrap().to_owned();
        let differences = change["differences"].as_array().unwrap().iter();
        let at: Vec<String> = differences
            .filter(|it| it["class"] == change["class"] && it["class"] != "cosmetic")
            .map(|it| word(&it["at"]))
            .collect();
        let (name, fate, class) = (word(&change["name"]), word(&change["fate"]), word(&change["class"]));
        format!("{name} {fate} {class} {}", at.join(" ")).trim_end().to_owned()
    };
    let table: Vec<String> = report["changes"].as_array().unwrap().iter().map(line).collect();
    println!("{}:\n{}", upgrade.name, table.join("\n"));
    table
}

fn earlier_npm(name: &str) -> OsString {
    let file = format!("npm/earlier/node_modules/@modelcontextprotocol/server-{name}/dist/index.js");
    peers::folder().join(file).into()
}

#[test]
fn the_filesystem_server_of_a_year_later_says_that_it_reads() {
    let stage = Stage::set();
    let node = || OsString::from(peers::program("node"));
    let upgrade = Upgrade {
        name: "filesystem",
        before: vec![node(), earlier_npm("filesystem"), stage.at("work").into()],
        after: vec![node(), peers::npm_server("filesystem").into(), stage.at("work").into()],
    };
    assert_eq!(table(&upgrade, &stage), FILESYSTEM);
}

#[test]
fn the_memory_server_of_a_year_later_says_that_it_reads() {
    let stage = Stage::set();
    let node = || OsString::from(peers::program("node"));
    let upgrade = Upgrade {
        name: "memory",
        before: vec![node(), earlier_npm("memory")],
        after: vec![node(), peers::npm_server("memory").into()],
    };
    assert_eq!(table(&upgrade, &stage), MEMORY);
}

#[test]
fn the_git_server_of_a_year_later_takes_more() {
    let stage = Stage::set();
    stage.make_repository();
    let words = |python: OsString| {
        let rest = ["-m", "mcp_server_git", "--repository"].map(OsString::from);
        [vec![python], rest.to_vec(), vec![stage.at("work").into()]].concat()
    };
    let upgrade = Upgrade {
        name: "git",
        before: words(peers::folder().join("python/earlier/bin/python").into()),
        after: words(peers::python_of_servers().into()),
    };
    assert_eq!(table(&upgrade, &stage), GIT);
}

/// Six tools now say that they only read, one of them takes more; the texts of four are others.
const FILESYSTEM: [&str; 14] = [
    "create_directory changed cosmetic",
    "directory_tree changed widening /annotations/readOnlyHint /inputSchema/properties/excludePatterns",
    "edit_file changed cosmetic",
    "get_file_info changed widening /annotations/readOnlyHint",
    "list_allowed_directories changed instruction /description",
    "list_directory changed widening /annotations/readOnlyHint",
    "list_directory_with_sizes changed widening /annotations/readOnlyHint",
    "move_file changed cosmetic",
    "read_file changed widening /annotations/readOnlyHint",
    "read_media_file changed instruction /description",
    "read_multiple_files changed instruction /inputSchema/properties/paths/description",
    "read_text_file changed widening /annotations/readOnlyHint",
    "search_files changed instruction /description",
    "write_file changed cosmetic",
];

const MEMORY: [&str; 9] = [
    "add_observations changed cosmetic",
    "create_entities changed cosmetic",
    "create_relations changed cosmetic",
    "delete_entities changed cosmetic",
    "delete_observations changed cosmetic",
    "delete_relations changed cosmetic",
    "open_nodes changed widening /annotations/readOnlyHint",
    "read_graph changed widening /annotations/readOnlyHint",
    "search_nodes changed widening /annotations/readOnlyHint",
];

const GIT: [&str; 13] = [
    "git_add changed narrowing /inputSchema/properties/files/minItems",
    "git_branch changed widening /annotations/readOnlyHint",
    "git_checkout changed cosmetic",
    "git_commit changed cosmetic",
    "git_create_branch changed cosmetic",
    "git_diff changed widening /annotations/readOnlyHint",
    "git_diff_staged changed widening /annotations/readOnlyHint",
    "git_diff_unstaged changed widening /annotations/readOnlyHint",
    "git_init removed narrowing",
    "git_log changed widening /annotations/readOnlyHint /inputSchema/properties/end_timestamp /inputSchema/properties/start_timestamp",
    "git_reset changed cosmetic",
    "git_show changed instruction /description",
    "git_status changed widening /annotations/readOnlyHint",
];
