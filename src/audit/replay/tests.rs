//! Every kind of line, judged by profiles that allow and that refuse it.

use super::*;
use crate::audit::query::record::Record;
use crate::policy::Environment;
use crate::policy::directories::Directories;
use crate::profile::{Flags, Request};

struct Stage {
    root: tempfile::TempDir,
    context: Context,
}

impl Stage {
    fn new() -> Stage {
        let root = tempfile::Builder::new().prefix("replay-").tempdir_in("/var/tmp").unwrap();
        let at = |name: &str| root.path().join(name);
        for folder in ["home/.ssh", "open", "closed"] {
            std::fs::create_dir_all(at(folder)).unwrap();
        }
        for file in ["open/a", "closed/b", "tool"] {
            std::fs::write(at(file), "x").unwrap();
        }
        let context = Context {
            cwd: root.path().to_owned(),
            workspace: None,
            home: at("home"),
            other_homes: Vec::new(),
            cache: at("home/.cache"),
            path: "/usr/bin".into(),
            program: "/nowhere/caponier".into(),
            directories: Directories {
                config: at("config"),
                state: at("state"),
                data: at("data"),
                runtime: at("run"),
            },
            audit_dir: None,
            command: None,
            session: None,
        };
        Stage { root, context }
    }

    fn at(&self, name: &str) -> String {
        self.root.path().join(name).display().to_string()
    }

    /// The verdict, and the line or the reason.
    fn judge(&self, profile: &str, fields: &str) -> String {
        let file = self.root.path().join("p.toml");
        std::fs::write(&file, format!("version = 1\n{profile}")).unwrap();
        let request = Request {
            profile: file.display().to_string(),
            environment: Environment::Prod,
            flags: Flags::default(),
        };
        let resolved = crate::profile::resolve(&request, &self.context).unwrap();
        let own = vec![self.root.path().join("data/tmp/S")];
        let mut judge = Judge::new(&resolved, &self.context, own).unwrap();
        let line = format!(
            r#"{{"v":1,"seq":1,"time":"t","session":"S","server":"s",{},"prev":""}}"#,
            fields.replace("$", &self.root.path().display().to_string())
        );
        let record: Record<'_> = serde_json::from_str(&line).unwrap();
        let Some((_, judgement)) = judge.judge(&record) else { return "nothing".into() };
        let line = judgement.line.as_ref().map(|line| format!(" :{}", line.line)).unwrap_or_default();
        match judgement.verdict {
            Some(Ruling::Allow) => format!("allow{line}"),
            Some(Ruling::Deny) => format!("deny {}{line}", judgement.reason.unwrap_or_default()),
            None => "open".into(),
        }
    }
}

#[test]
fn every_kind_of_line_is_judged() {
    let stage = Stage::new();
    let read = format!("[filesystem]\nread = [\"{}\"]\n", stage.at("open"));
    let write = format!("[filesystem]\nwrite = [\"{}\"]\n", stage.at("open"));
    let one = format!("[filesystem]\nwrite = [\"{}\"]\n", stage.at("open/a"));
    let execute = format!("[process]\nexecute = [\"{}\"]\n", stage.at("tool"));
    let tools = "[tools]\ndefault = \"deny\"\nallow = [\"read_*\"]\ndeny = [\"rm\"]\n";
    let hosts = "[network]\nallow = [\"a.example:443\"]\n";
    let was = r#""verdict":"deny","reason":"fs.write.not-granted","layer":"landlock","remedy":"x""#;
    let file = |access: &str, path: &str, was: &str| {
        format!(r#""event":"file.access","access":"{access}","path":"{path}","result":"ok",{was}"#)
    };
    let allowed = r#""verdict":"allow""#;
    let cases: &[(&str, String, &str)] = &[
        (&read, file("read", "$/open/a", allowed), "allow :3"),
        (&read, file("list", "$/open", allowed), "allow :3"),
        (&read, file("read", "$/closed/b", allowed), "deny fs.read.not-granted"),
        (&read, file("write", "$/open/a", was), "deny fs.write.read-only :3"),
        (&write, file("write", "$/open/a", was), "allow :3"),
        (&write, file("create", "$/open/new/file", was), "allow :3"),
        (&write, file("create", "$/open/.git/hooks/x", was), "deny fs.write.protected :3"),
        // A file's own grant lets nobody make or remove its name.
        (&one, file("truncate", "$/open/a", was), "allow :3"),
        (&one, file("delete", "$/open/a", was), "deny fs.write.not-granted"),
        (&one, file("metadata", "$/open/a", was), "allow :3"),
        ("", file("write", "$/data/tmp/S/x", allowed), "allow :0"),
        ("", file("execute", "$/data/tmp/S/x", allowed), "deny exec.not-granted"),
        ("", file("read", "pipe:[1]", allowed), "allow"),
        ("", file("read", "/proc/self/maps", allowed), "allow"),
        (&read, r#""event":"file.access","access":"read","path":"$/closed/none","verdict":"allow","result":"ENOENT""#.into(), "allow"),
        (&execute, r#""event":"process.start","exe":"$/tool""#.into(), "allow :3"),
        ("", r#""event":"process.start","exe":"$/tool""#.into(), "deny exec.not-granted"),
        (tools, r#""event":"call.start","call":1,"tool":"read_file""#.into(), "allow :4"),
        (tools, r#""event":"call.start","call":1,"tool":"rm""#.into(), "deny tool.denied :5"),
        (tools, r#""event":"message.denied","reason":"tool.not-listed","tool":"write""#.into(), "deny tool.not-listed :3"),
        ("", r#""event":"message.denied","reason":"tool.denied","tool":"rm""#.into(), "allow"),
        ("", r#""event":"message.denied","reason":"message.malformed""#.into(), "deny message.malformed"),
        ("", r#""event":"message.denied","reason":"args.unknown-field","tool":"x""#.into(), "open"),
        ("[protocol]\nmax_message = \"1MiB\"\n", r#""event":"message.denied","reason":"message.too-long","bytes":2000000,"remedy":"x""#.into(), "deny message.too-long :3"),
        ("", r#""event":"message.denied","reason":"message.too-long","bytes":2000000,"remedy":"x""#.into(), "allow"),
        ("[limits]\nprocesses = 8\n", r#""event":"syscall.denied","reason":"process.limit","remedy":"limits.processes = 16""#.into(), "deny process.limit :3"),
        ("[limits]\nprocesses = 9\n", r#""event":"syscall.denied","reason":"process.limit","remedy":"limits.processes = 16""#.into(), "allow :3"),
        ("", r#""event":"syscall.denied","reason":"syscall.seccomp","remedy":"x""#.into(), "deny syscall.seccomp"),
        ("[process]\nnested_seccomp = true\n", r#""event":"syscall.denied","reason":"syscall.seccomp""#.into(), "allow :3"),
        ("", r#""event":"syscall.denied","reason":"syscall.namespace""#.into(), "deny syscall.namespace"),
        (hosts, r#""event":"network.resolve","host":"a.example","verdict":"allow""#.into(), "allow :3"),
        (hosts, r#""event":"network.resolve","host":"b.example","verdict":"deny""#.into(), "deny net.host.not-listed"),
        (hosts, r#""event":"network.connect","host":"a.example","address":"93.184.216.34","port":443"#.into(), "allow :3"),
        (hosts, r#""event":"network.connect","host":"a.example","address":"10.0.0.1","port":443"#.into(), "deny net.address.private :3"),
        (hosts, r#""event":"network.connect","host":"a.example","address":"93.184.216.34","port":80"#.into(), "deny net.host.not-listed"),
        (hosts, r#""event":"network.connect","host":null,"address":"2606:2800::1","port":443"#.into(), "deny net.address.not-resolved"),
        ("", r#""event":"network.connect","host":null,"address":"93.184.216.34","port":443"#.into(), "deny net.none"),
        (hosts, r#""event":"network.connect","host":"a.example","address":"1.1.1.1","port":443,"verdict":"deny","reason":"net.sni.mismatch""#.into(), "deny net.sni.mismatch"),
        (hosts, r#""event":"network.connect","host":null,"address":"127.0.0.1","port":0,"backend":"listen""#.into(), "deny net.listen.not-listed"),
        ("", r#""event":"session.end","calls":1"#.into(), "nothing"),
        ("", r#""event":"some.new","path":"/x""#.into(), "nothing"),
    ];
    for (profile, fields, expected) in cases {
        assert_eq!(stage.judge(profile, fields), *expected, "{profile}{fields}");
    }
}

#[test]
fn a_proposal_is_tried_before_it_is_made() {
    let stage = Stage::new();
    let file = stage.root.path().join("p.toml");
    std::fs::write(&file, "version = 1\n").unwrap();
    let request = Request {
        profile: file.display().to_string(),
        environment: Environment::Prod,
        flags: Flags::default(),
    };
    let adding = |line: String| crate::profile::resolve_adding(&request, &stage.context, &line);
    let with = adding(format!("filesystem.read = [\"{}\"]", stage.at("closed"))).unwrap();
    let mut judge = Judge::new(&with, &stage.context, Vec::new()).unwrap();
    let line = format!(
        r#"{{"v":1,"seq":1,"time":"t","session":"S","server":"s","event":"file.access","access":"read","path":"{}","prev":""}}"#,
        stage.at("closed/b")
    );
    let (_, judgement) = judge.judge(&serde_json::from_str(&line).unwrap()).unwrap();
    assert!(judgement.is_allowed());
    assert_eq!(judgement.line.unwrap().file, crate::profile::ADDED);
    assert!(adding(format!("filesystem.read = [\"{}\"]", stage.at("home/.ssh"))).is_err());
    assert!(adding("take it out of tools.deny".into()).is_err());
}
