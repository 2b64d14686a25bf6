//! Each client's file: wrapped as the golden file says, valid for another parser, listed, and undone to the byte.

use std::collections::BTreeSet;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use crate::fixtures::{FIXTURES, Fixture, folder};
use crate::home::{Home, peers, program};

/// What stands for the program in a golden file.
const PROGRAM: &str = "@CAPONIER@";

fn states(fixture: &Fixture, after: bool) -> Vec<(String, String)> {
    let state = |(name, is, will): &(&str, &str, &str)| {
        (format!("{}/{name}", fixture.client), (if after { *will } else { *is }).to_owned())
    };
    fixture.servers.iter().map(state).collect()
}

fn golden(fixture: &Fixture) {
    let home = Home::new();
    fixture.put(&home);
    let path = home.path(fixture.place);
    fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
    assert_eq!(home.states(), states(fixture, false));

    let shown = home.client(&["wrap", "--client", fixture.client]).ended(0);
    assert_eq!(home.read(fixture.place), fixture.before(), "a preview changed it: {shown:#?}");
    let done = home.client(&["wrap", "--client", fixture.client, "--yes"]).ended(0);
    let wrapped = home.text(fixture.place);
    let expected = folder().join("wrapped").join(fixture.file);
    let masked = wrapped.replace(&program(), PROGRAM);
    if std::env::var_os("CAPONIER_UPDATE").is_some() {
        fs::write(&expected, &masked).unwrap();
    }
    assert_eq!(masked, fs::read_to_string(&expected).unwrap(), "{done:#?}");
    assert_eq!(home.states(), states(fixture, true));
    let mode = fs::metadata(&path).unwrap().permissions().mode() & 0o7777;
    assert_eq!(mode, 0o640);
    assert_eq!(wrapped == String::from_utf8(fixture.before()).unwrap(), !fixture.is_written());

    // Once more changes nothing.
    let again = home.client(&["wrap", "--client", fixture.client, "--yes"]).ended(0);
    assert!(again.stdout.contains("nothing to wrap"), "{again:#?}");
    assert_eq!(home.text(fixture.place), wrapped);

    if fixture.is_written() {
        home.client(&["unwrap", "--client", fixture.client]).ended(0);
        assert_eq!(home.text(fixture.place), wrapped);
    }
    let undone = home.client(&["unwrap", "--yes"]).ended(0);
    assert_eq!(home.read(fixture.place), fixture.before(), "{undone:#?}");
    assert_eq!(home.states(), states(fixture, false));
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o640);
}

macro_rules! golden {
    ($($name:ident: $file:literal;)*) => {$(
        #[test]
        fn $name() {
            golden(&Fixture::named($file));
        }
    )*

    /// No fixture without its test.
    #[test]
    fn every_fixture_is_tried() {
        let tried = [$($file),*];
        let all: Vec<&str> = FIXTURES.iter().map(|fixture| fixture.file).collect();
        assert_eq!(tried.to_vec(), all);
        let clients = caponier::clients::table::CLIENTS.iter().map(|client| client.id);
        let with_one: BTreeSet<&str> = FIXTURES.iter().map(|fixture| fixture.client).collect();
        assert_eq!(with_one, clients.collect());
    }};
}

golden! {
    claude_desktop: "claude-desktop.json";
    claude_code_user: "claude-code-user.json";
    claude_code_project: "claude-code-project.json";
    cursor: "cursor.json";
    vscode: "vscode.json";
    vscode_profile: "vscode-profile.json";
    copilot_cli: "copilot-cli.json";
    windsurf: "windsurf.json";
    zed: "zed.json";
    codex: "codex.toml";
    codex_dotted: "codex-dotted.toml";
    gemini_cli: "gemini-cli.json";
    cline: "cline.json";
    lm_studio: "lm-studio.json";
    amazon_q: "amazon-q.json";
    kiro: "kiro.json";
    junie: "junie.json";
    opencode: "opencode.json";
    crush: "crush.json";
    amp: "amp.json";
    continue_: "continue.yaml";
    continue_block: "continue-block.yaml";
    continue_json: "continue-block.json";
    goose: "goose.yaml";
}

/// Two parsers that are not ours, VS Code's own and Python's, read each wrapped file, and read the same changes: a server that
/// is wrapped starts caponier with its old words behind `--`, and nothing else is another.
#[test]
fn other_parsers_read_the_same() {
    let home = Home::new();
    let mut words = vec![peers().join("npm/clients/node_modules").into_os_string()];
    for fixture in FIXTURES.iter().filter(|fixture| fixture.is_written()) {
        home.write(
            &format!("after/{}", fixture.file),
            fs::read(folder().join("wrapped").join(fixture.file)).unwrap(),
        );
        home.write(&format!("before/{}", fixture.file), fixture.before());
        words.push(fixture.file.into());
    }
    let driver = folder().join("../drivers/compare");
    for (interpreter, extension) in [("node", "mjs"), ("python3", "py")] {
        let output = home
            .command(interpreter)
            .arg(driver.with_extension(extension))
            .args([home.path("before"), home.path("after")])
            .args(&words)
            .output()
            .unwrap();
        let said =
            String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{interpreter}: {said}");
        let compared = said.lines().filter(|line| line.starts_with("same: ")).count();
        assert!(compared >= if extension == "py" { 10 } else { 17 }, "{interpreter}: {said}");
    }
}
