//! G4, G5: what can be written as a host, and what each entry says of a host that is asked about.
//!
//! An entry that two readers could take for different hosts is refused where it is written: nothing is started, 78.

use crate::pen::ground::Ground;
use crate::pen::launch;

/// A profile that lists this and nothing else; the text is put into the file as a TOML string with these bytes.
fn profile(ground: &Ground, entry: &str) -> std::path::PathBuf {
    let quoted: String = entry
        .chars()
        .map(|c| match c {
            '"' | '\\' => format!("\\{c}"),
            c if c.is_control() => format!("\\u{:04x}", u32::from(c)),
            c => c.to_string(),
        })
        .collect();
    ground.profile(&format!(
        "version = 1\ndescription = \"hosts\"\nextends = [\"base\"]\n[network]\nallow = [\"{quoted}\"]\n"
    ))
}

fn caponier(ground: &Ground, words: &[&str], profile: &std::path::Path) -> (Option<i32>, String) {
    let mut command = launch::caponier(ground);
    command.args(words).arg(profile);
    let finished = launch::start(command).finish();
    (finished.code(), format!("{}{}", String::from_utf8_lossy(&finished.stdout), finished.stderr))
}

#[test]
fn g04_g05_what_could_be_read_in_two_ways_is_refused_where_it_is_written() {
    let long_label = format!("{}.example:443", "a".repeat(64));
    let long_name = format!("{}example:443", "abc.".repeat(70));
    let entries = [
        // No port, or none that there is.
        "example.com",
        "example.com:",
        "example.com:0",
        "example.com:65536",
        "example.com:https",
        "example.com:+443",
        "example.com:443:443",
        // Not a host.
        "http://example.com:80",
        "example.com/:80",
        "user@example.com:80",
        "exa mple.com:80",
        "example.com :80",
        "example..com:443",
        ".example.com:443",
        "ex%61mple.com:443",
        "example.com\0.evil.io:443",
        "example.com\r\nevil.io:443",
        "example.com\t:443",
        "b\u{fc}cher.example:443",
        "ex\u{430}mple.com:443",
        &long_label,
        &long_name,
        // Stars.
        "*:443",
        "*.com:443",
        "**.example.com:443",
        "*example.com:443",
        "www.*.com:443",
        "*.*.example.com:443",
        "*.127.0.0.1:80",
        // Numbers that some readers take for addresses.
        "2130706433:80",
        "0x7f.1:80",
        "0x7f000001:80",
        "0177.0.0.1:80",
        "127.1:80",
        "127.0.0.1.:80",
        "93.184.216.034:80",
        "::1:80",
        "[fe80::1%lo]:80",
        "[fe80::1%25lo]:80",
        "[::ffff:93.184.216.34]:80",
        // Addresses that no entry of this list can mean.
        "127.0.0.1:80",
        "localhost:80",
        "sub.localhost:80",
        "[::1]:80",
        "10.1.2.3:80",
        "100.64.0.9:80",
        "0.0.0.0:80",
        "[::]:80",
        "169.254.169.254:80",
        "[fd00:ec2::254]:80",
        "[fe80::1]:80",
        "[64:ff9b::7f00:1]:80",
        "[64:ff9b::a9fe:a9fe]:80",
        "[2002:a9fe:a9fe::1]:80",
    ];
    let ground = Ground::new();
    for entry in entries {
        let file = profile(&ground, entry);
        let (code, said) = caponier(&ground, &["profile", "check"], &file);
        assert_eq!(code, Some(78), "{entry:?}: {said}");
        assert!(said.contains("profile.toml:5:"), "{entry:?}: no place in {said}");
        let control = said.chars().find(|c| c.is_control() && *c != '\n');
        assert_eq!(control, None, "{entry:?}: {said:?}");
    }
}

/// The positive control: what is written in one of the spellings that there are is taken.
#[test]
fn what_can_be_read_in_one_way_is_taken() {
    let ground = Ground::new();
    for entry in [
        "example.com:443",
        "EXAMPLE.com:443",
        "example.com.:443",
        "a.b.c.example.com:8443",
        "xn--bcher-kva.example:443",
        "*.example.com:443",
        "93.184.216.34:443",
        "[2606:2800:220:1::34]:443",
        "under_score.example.com:443",
        "intranet:8080",
    ] {
        let (code, said) = caponier(&ground, &["profile", "check"], &profile(&ground, entry));
        assert_eq!(code, Some(0), "{entry:?}: {said}");
    }
}

/// What is asked about, and whether the entry covers it.
#[test]
fn g04_an_entry_covers_labels_and_not_letters() {
    let asked = [
        ("github.com:443", "github.com:443", true),
        ("github.com:443", "GitHub.COM:443", true),
        ("github.com:443", "github.com.:443", true),
        ("github.com:443", "github.com:80", false),
        ("github.com:443", "www.github.com:443", false),
        ("github.com:443", "notgithub.com:443", false),
        ("github.com:443", "github.com.evil.io:443", false),
        ("*.github.com:443", "api.github.com:443", true),
        ("*.github.com:443", "a.b.github.com:443", true),
        ("*.github.com:443", "github.com:443", false),
        ("*.github.com:443", "notgithub.com:443", false),
        ("*.github.com:443", "xgithub.com:443", false),
        ("*.github.com:443", "api.github.com.evil.io:443", false),
        ("*.github.com:443", "93.184.216.34:443", false),
        ("93.184.216.34:443", "93.184.216.34:443", true),
        ("93.184.216.34:443", "93.184.216.35:443", false),
        ("93.184.216.34:443", "example.com:443", false),
    ];
    let ground = Ground::new();
    for (entry, host, covered) in asked {
        let words = ["profile", "why", "--host", host, "--profile"];
        let (code, said) = caponier(&ground, &words, &profile(&ground, entry));
        let (wanted, word) = if covered { (0, "allow") } else { (1, "deny[net.") };
        assert!(code == Some(wanted) && said.starts_with(word), "{entry} {host}: {code:?} {said}");
        assert_eq!(said.contains("profile.toml:5:"), covered, "the deciding line: {said}");
    }
}
