//! A hostile package that npx itself runs (`--no-resolve`): it has a shell and executes what it writes in its cache, and
//! that is all that it has more than others.

use std::ffi::OsString;
use std::fs;
use std::process::Command;

use serde_json::Value;

use crate::attacks::{ATTACKS, Ground};
use crate::stage::beside;

/// What a package does beside what every server tries; open without the pen.
const MORE: &[(&str, &str, Option<&str>)] = &[
    ("run_workspace", "EACCES", Some("exec.not-granted")),
    ("run_tmp", "EACCES", Some("exec.not-granted")),
    ("run_home", "EACCES", Some("exec.not-granted")),
    ("neighbour_read", "EACCES", Some("fs.read.secret")),
    ("neighbour_write", "EACCES", Some("fs.write.not-granted")),
    ("new_cache", "EACCES", Some("fs.write.not-granted")),
];

const CODE: &str = r##"
const work = at.work;
const script = (name, folder) => attempt(name, () => {
  fs.mkdirSync(folder, { recursive: true });
  const path = `${folder}/${at.name}.sh`;
  fs.writeFileSync(path, "#!/bin/sh\nexit 0\n", { mode: 0o755 });
  try {
    run(path, []);
  } finally {
    fs.unlinkSync(path);
  }
});
import os from "node:os";
script("run_workspace", work);
script("run_tmp", os.tmpdir());
script("run_home", os.homedir());
script("run_cache", `${process.env.npm_config_cache}/_npx/planted`);
attempt("neighbour_read", () => fs.readFileSync(`${at.caches}/other/npm/_npx/index.js`));
attempt("neighbour_write", () => fs.appendFileSync(`${at.caches}/other/npm/_npx/index.js`, "x"));
attempt("new_cache", () => fs.mkdirSync(`${at.caches}/evil`));
"##;

/// A package of one program, as a file that npx can be given.
fn package(ground: &Ground, code: &str) -> String {
    let folder = ground.stage.at("o/package");
    fs::create_dir_all(&folder).unwrap();
    let manifest = r#"{"name": "evil", "version": "1.0.0", "bin": "evil.mjs"}"#;
    fs::write(folder.join("package.json"), manifest).unwrap();
    fs::write(folder.join("evil.mjs"), format!("#!/usr/bin/env node\n{code}")).unwrap();
    // Where the package is read from is no place that the attacks are about.
    let archive = ground.stage.at("w").join("evil-1.0.0.tgz");
    let mut tar = Command::new("tar");
    tar.arg("-czf").arg(&archive).arg("-C").arg(ground.stage.at("o")).arg("package");
    assert!(tar.status().unwrap().success());
    archive.to_str().unwrap().to_owned()
}

fn npx(archive: &str) -> Vec<OsString> {
    ["npx", "-y", "-p", archive, "evil"].map(OsString::from).into()
}

fn penned(ground: &Ground, server: &[OsString]) -> Vec<OsString> {
    let work = ground.stage.at("w").to_str().unwrap().to_owned();
    let options = ["--no-resolve", "--profile", "runtime/npx", "--write", &work];
    ground.stage.penned(&options, server)
}

pub(crate) fn every_attack_is_refused() {
    let ground = Ground::lay();
    let caches = ground.stage.at("h/.local/share/caponier/caches");
    fs::create_dir_all(caches.join("other/npm/_npx")).unwrap();
    fs::write(caches.join("other/npm/_npx/index.js"), "").unwrap();
    let mut at = ground.at();
    at["work"] = ground.stage.at("w").to_str().unwrap().into();
    // One that nobody else has in a folder for everyone.
    let name = ground.stage.at("").file_name().unwrap().to_str().unwrap().to_owned();
    at["name"] = name.as_str().into();
    at["caches"] = caches.to_str().unwrap().into();
    let all = fs::read_to_string(beside("profiles/attacks.mjs")).unwrap();
    let (begin, end) = all.rsplit_once("process.stderr.write").unwrap();
    let code = format!("const at = {at};\n{begin}\n{CODE}\nprocess.stderr.write{end}");
    let server = npx(&package(&ground, &code));

    let attacks = || ATTACKS.iter().chain(MORE);
    let open = ground.results(&server);
    for (attack, _, _) in attacks() {
        assert_eq!(open[attack], "done", "the attack has to work without the pen: {open}");
    }
    fs::write(ground.stage.at("h/.bashrc"), "").unwrap();
    fs::remove_file(ground.stage.at("o/planted.txt")).unwrap();
    fs::remove_dir(caches.join("evil")).unwrap();
    fs::write(caches.join("other/npm/_npx/index.js"), "").unwrap();

    let held = ground.results(&penned(&ground, &server));
    let denied = ground.stage.denied();
    // The two things that --no-resolve gives, on purpose.
    for given in ["shell", "run_cache"] {
        assert_eq!(held[given], "done", "{held}");
    }
    for (attack, answer, reason) in attacks().filter(|(attack, ..)| *attack != "shell") {
        assert_eq!(held[attack], *answer, "{attack}: {held}");
        let Some(reason) = reason else { continue };
        let is_told = |event: &Value| event["reason"].as_str().is_some_and(|told| told.starts_with(reason));
        assert!(denied.iter().any(is_told), "{attack}: no {reason} in {denied:#?}");
    }
    let path = ground.stage.at("w").join(format!("{name}.sh"));
    let is_it = |event: &Value| event["access"] == "execute" && event["path"] == *path.to_str().unwrap();
    assert!(denied.iter().any(is_it), "{denied:#?}");
    assert!(fs::read(caches.join("other/npm/_npx/index.js")).unwrap().is_empty());
    assert!(fs::read(ground.stage.at("h/.bashrc")).unwrap().is_empty());
    assert!(!caches.join("evil").exists() && !ground.stage.at("o/planted.txt").exists());
}

/// A start leaves a link to the workspace where its cache is executed from: the next one does not execute there.
#[test]
fn a_link_in_the_place_of_the_cache_is_not_followed() {
    let ground = Ground::lay();
    let work = ground.stage.at("w");
    let code = format!(
        "import fs from 'node:fs';\nconst cache = process.env.npm_config_cache;\nfs.renameSync(`${{cache}}/_npx`, \
         `${{cache}}/old`);\nfs.symlinkSync({work:?}, `${{cache}}/_npx`);\nprocess.stderr.write('RESULTS {{}}\\n');\n"
    );
    let words = penned(&ground, &npx(&package(&ground, &code)));
    ground.results(&words);
    let second = ground.stage.run(&words);
    let stderr = String::from_utf8_lossy(&second.stderr).into_owned();
    assert_eq!(second.status.code(), Some(125), "{stderr}");
    assert!(stderr.contains("put a symbolic link in its place"), "{stderr}");
}
