//! The scripts of `caponier completions`, in the real shells: what a person who presses Tab is offered.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "pen/mod.rs"]
mod pen;

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;

use pen::ground::Ground;
use pen::launch;
use pen::program::require;

/// A person with `caponier` on PATH, the script of a shell, a profile of their own, and servers that were seen: one of them
/// with a name that a shell would run.
struct Person {
    ground: Ground,
}

impl Person {
    fn new(shell: &str, script: &str) -> Person {
        require(shell);
        let person = Person { ground: Ground::new() };
        let ground = &person.ground;
        fs::create_dir_all(ground.path("user/bin")).unwrap();
        symlink(launch::binary(), ground.path("user/bin/caponier")).unwrap();
        fs::write(ground.path("user/config/caponier/profiles/my-notes.toml"), "version = 1\n").unwrap();
        let pins = ground.path("user/state/caponier/pins");
        fs::create_dir_all(&pins).unwrap();
        for server in ["seen-server", "$(touch hacked)", "`touch hacked`"] {
            fs::write(pins.join(format!("{server}.json")), "{}").unwrap();
        }
        let made = launch::start(person.command(launch::binary().to_str().unwrap(), &["completions", shell]));
        let made = made.finish();
        assert_eq!(made.code(), Some(0), "{made:?}");
        fs::create_dir_all(ground.path("user/scripts")).unwrap();
        fs::write(ground.path("user/scripts").join(script), made.stdout).unwrap();
        person
    }

    fn command(&self, program: &str, words: &[&str]) -> Command {
        let mut command = launch::at_home(Command::new(program), &self.ground);
        let path = format!("{}:/usr/local/bin:/usr/bin:/bin", self.ground.text("user/bin"));
        command.args(words).env("PATH", path).env("TERM", "dumb").env("LANG", "C.UTF-8");
        command
    }

    /// What a shell prints; a name of a server that is run in place of being offered leaves a file.
    fn prints(&self, program: &str, words: &[&str]) -> String {
        let done = launch::start(self.command(program, words)).finish();
        assert!(!self.ground.path("workspace/hacked").exists(), "the name of a server was run");
        assert_eq!(done.stderr, "", "{program} {words:?}");
        String::from_utf8(done.stdout).unwrap()
    }
}

/// What bash offers for a line that ends with the word that is completed.
fn bash(person: &Person, line: &str) -> Vec<String> {
    let words: Vec<&str> = line.split(' ').collect();
    let quoted: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
    let (last, before) = (words.len() - 1, words[words.len().saturating_sub(2)]);
    let script = format!(
        "source {}; COMP_WORDS=({}); COMP_CWORD={last}; COMP_LINE='{line}'; COMP_POINT={}; \
         _caponier caponier '{}' '{before}'; printf '%s\\n' \"${{COMPREPLY[@]}}\"",
        person.ground.text("user/scripts/caponier.bash"),
        quoted.join(" "),
        line.len(),
        words[last]
    );
    let printed = person.prints("bash", &["--norc", "--noprofile", "-c", &script]);
    printed.split_whitespace().map(str::to_owned).collect()
}

#[test]
fn bash_offers_commands_options_and_names() {
    let person = Person::new("bash", "caponier.bash");
    for (line, offered, not_offered) in [
        (
            "caponier ",
            &["run", "demo", "doctor", "audit", "completions"][..],
            &["demo-server", "doctor-attacker", "--names"][..],
        ),
        ("caponier ru", &["run"], &["demo"]),
        ("caponier run --p", &["--profile", "--pass-env"], &["--read"]),
        ("caponier run --profile ", &["filesystem", "runtime/node", "my-notes"], &["seen-server"]),
        ("caponier run --profile my", &["my-notes"], &["filesystem"]),
        ("caponier profile show fi", &["filesystem"], &["memory"]),
        ("caponier audit query --server ", &["seen-server"], &["my-notes"]),
        ("caponier server diff ", &["seen-server"], &["my-notes"]),
        ("caponier audit export --format ", &["ocsf", "otlp-json", "csv"], &["xml"]),
    ] {
        let found = bash(&person, line);
        for word in offered {
            assert!(found.iter().any(|found| found == word), "{line:?}: no {word:?} in {found:?}");
        }
        for word in not_offered {
            assert!(!found.iter().any(|found| found == word), "{line:?}: {word:?} in {found:?}");
        }
        assert!(!found.iter().any(|found| found.contains("CAPONIER_")), "{line:?}: {found:?}");
    }
}

#[test]
fn fish_offers_commands_options_and_names() {
    let person = Person::new("fish", "caponier.fish");
    let script = person.ground.text("user/scripts/caponier.fish");
    for (line, offered, not_offered) in [
        ("caponier ", &["run", "demo", "doctor", "audit"][..], &["demo-server"][..]),
        ("caponier run --p", &["--profile", "--pass-env"], &["--read"]),
        ("caponier run --profile ", &["filesystem", "runtime/node", "my-notes"], &["seen-server"]),
        ("caponier audit query --server ", &["seen-server"], &["my-notes"]),
        ("caponier audit export --format ", &["ocsf", "otlp-json", "csv"], &["xml"]),
    ] {
        let ask = format!("source {script}; complete --do-complete '{line}'");
        let printed = person.prints("fish", &["--no-config", "--command", &ask]);
        let found: Vec<&str> = printed.lines().filter_map(|line| line.split('\t').next()).collect();
        for word in offered {
            assert!(found.contains(word), "{line:?}: no {word:?} in {found:?}");
        }
        for word in not_offered {
            assert!(!found.contains(word), "{line:?}: {word:?} in {found:?}");
        }
    }
}

/// zsh completes only at a terminal: one is made, the line is typed with its Tab, and what it became is run.
#[test]
fn zsh_completes_what_is_typed() {
    let person = Person::new("zsh", "_caponier");
    let driver = person.ground.path("user/driver.zsh");
    fs::write(
        &driver,
        r#"
zmodload zsh/zpty
zpty shell zsh -f -i
# Reads until a line of the shell's says it.
until_said() {
    local line
    while zpty -r shell line; do
        print -r -- "$line"
        [[ $line == *$~1* ]] && return 0
    done
    return 1
}
# A line that is edited says so: only then is a Tab a Tab.
zpty -w shell "PROMPT='' RPROMPT='' ; unsetopt prompt_sp; fpath=($1 \$fpath); autoload -Uz compinit; compinit -u -d $2; zle-line-init() { print -r -- 'rea''dy' }; zle -N zle-line-init"
until_said '*ready*' || exit 1
zpty -w shell "$3"
until_said "$4"
"#,
    )
    .unwrap();
    for (typed, became) in [
        // The option and the name are both completed; the program shows that it got them.
        ("caponier profile ch\tmy-no\t\n", "*my-notes: no errors*"),
        ("caponier profile list --js\t\n", r#"*"version":1*"#),
        ("caponier server dif\tseen-s\t\n", "*understood*seen-server*"),
    ] {
        let words = [
            "-f",
            driver.to_str().unwrap(),
            &person.ground.text("user/scripts"),
            &person.ground.text("user/dump"),
            typed,
            became,
        ];
        let printed = person.prints("zsh", &words);
        let wanted = became.trim_matches('*').split('*').next_back().unwrap();
        assert!(printed.contains(wanted), "{typed:?}: no {wanted:?} in\n{printed}");
    }
}
