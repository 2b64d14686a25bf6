//! Certificates of the tests' own, made on the spot with openssl(1).

use std::path::Path;
use std::process::Command;

/// What [`make`] leaves in the folder.
pub(crate) const FILES: &[&str] = &["authority.pem", "site.pem", "site.key"];

/// Names that the site's certificate is for.
const NAMES: &str = "subjectAltName=DNS:example.com,DNS:*.example.com,DNS:*.api.example.com,DNS:github.com,\
                     DNS:*.github.com,DNS:notgithub.com,DNS:evil.io,DNS:*.evil.io,DNS:github.com.evil.io,\
                     DNS:example.com.evil.io,DNS:context7.com,DNS:raw.githubusercontent.com,\
                     IP:93.184.216.34,IP:93.184.216.66";

/// An authority, and a certificate of the site that it signed.
pub(crate) fn make(folder: &Path) {
    let found = Command::new("openssl").arg("version").output().is_ok_and(|output| output.status.success());
    assert!(found, "`openssl` is missing: run scripts/peers.sh");
    let key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30"];
    let openssl = |words: &[&str]| {
        let output = Command::new("openssl")
            .args(["req", "-x509"])
            .args(key)
            .args(words)
            .current_dir(folder)
            .env("OPENSSL_CONF", "/dev/null")
            .output()
            .expect("openssl runs");
        assert!(output.status.success(), "openssl {words:?}: {}", String::from_utf8_lossy(&output.stderr));
    };
    openssl(&[
        "-subj",
        "/CN=authority of a test",
        "-addext",
        "basicConstraints=critical,CA:TRUE",
        "-addext",
        "keyUsage=critical,keyCertSign,cRLSign",
        "-keyout",
        "authority.key",
        "-out",
        "authority.pem",
    ]);
    openssl(&[
        "-CA",
        "authority.pem",
        "-CAkey",
        "authority.key",
        "-subj",
        "/CN=site of a test",
        "-addext",
        "basicConstraints=critical,CA:FALSE",
        "-addext",
        "extendedKeyUsage=serverAuth",
        "-addext",
        NAMES,
        "-keyout",
        "site.key",
        "-out",
        "site.pem",
    ]);
}
