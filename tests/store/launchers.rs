//! Launcher lines that are not what they seem are refused, with what to do instead; nothing is installed for them.

use crate::pen::launch;
use crate::scene::Scene;

#[test]
fn what_is_not_understood_is_refused_and_taught() {
    let scene = Scene::set();
    for (line, why, instead) in [
        ("npx -c ls", "runs a shell's command line", "npx -y -p PACKAGE PROGRAM"),
        ("npx --node-options=--inspect a", "--node-options", "caponier server add"),
        ("npx", "no package is named", "npx -y"),
        ("npx github:a/b", "no package of a registry", "node FOLDER/index.js"),
        ("npx ./server", "no package of a registry", "node FOLDER/index.js"),
        ("uvx --from git+https://h.example/x x", "no package of a registry", ".venv/bin/NAME"),
        ("uvx --with-editable . x", "--with-editable", "caponier server add"),
        ("pipx run server.py", "is a script", "uv run SCRIPT.py"),
        ("uvx server.py", "is a script", "uv run SCRIPT.py"),
        ("uv run", "nothing to run", "uv run server.py"),
        ("uv run --env-file .env server.py", "--env-file", "--pass-env NAME"),
        ("uv run --with-editable . a", "--with-editable", "FOLDER/bin/NAME"),
        ("uv run --active server.py", "--active", "FOLDER/bin/python"),
        ("uv run --isolated server.py", "--isolated", "as it lies there"),
        (
            "uv run --with a --extra-index-url https://h.example/ a",
            "--extra-index-url",
            "uv.toml or pip.conf",
        ),
        ("uv run --with a --find-links /w a", "--find-links", "uv.toml or pip.conf"),
        ("uv run https://h.example/x.py", "fetched from elsewhere", "fetch it once"),
        ("uv run ./bin/tool", "path of a program", "caponier run -- PROGRAM"),
        ("docker run -i image", "container daemon's socket is root", "run it directly"),
    ] {
        let finished = launch::start(scene.run(line)).finish();
        // Where there is no docker on PATH, nothing is found.
        let statuses = if line.starts_with("docker") { [126, 127] } else { [126, 126] };
        assert!(finished.code().is_some_and(|code| statuses.contains(&code)), "{line}: {}", finished.stderr);
        if finished.code() == Some(126) {
            assert!(finished.stderr.contains(why), "{line}: {}", finished.stderr);
            assert!(finished.stderr.contains(instead), "{line}: {}", finished.stderr);
        }
        assert!(finished.stdout.is_empty());
    }
    assert!(!scene.data().join("servers").exists());
}

#[test]
fn add_takes_packages_of_registries_only() {
    let scene = Scene::set();
    for word in
        ["server-memory", "npm:../x", "npm:a/b", "pypi:git+https://h/x", "crates:x", "npm:-g", "pypi:-r"]
    {
        let finished = scene.caponier(&["server", "add", "--", word]);
        assert_eq!(finished.code(), Some(78), "{word}: {}", finished.stderr);
    }
    assert!(!scene.data().join("servers").exists());
}
