//! A network of the test's own, in namespaces that the test enters by itself: public addresses that exist nowhere else,
//! a resolver, a site, certificates.
//!
//! [`inside`] starts the test program once more, for that one test, in a fresh network and mount namespace: as an
//! ordinary user by way of a user namespace in which the user keeps its number and, when the stage is set, has no
//! capability left; as root without one. Nothing leaves the machine: there is no interface but `lo`. caponier is run as
//! it is: it finds another `/etc/resolv.conf` there, and no switch.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::certificates;
use crate::pen::{launch, program};
use crate::resolver::Resolver;
use crate::site::Site;

/// Where the test finds its world, when it is in one.
const PLACE: &str = "CAPONIER_TEST_WORLD";

/// The site: answers for every name, over HTTP and HTTPS.
pub(crate) const SITE: &str = "93.184.216.34";
/// The site's second address: where the other party lives.
pub(crate) const OTHER: &str = "93.184.216.66";
/// The site over IPv6.
pub(crate) const SITE6: &str = "2606:2800:220:1::34";
/// For servers that a test starts itself.
pub(crate) const OWN: &str = "93.184.216.80";
/// The resolver.
pub(crate) const RESOLVER: &str = "93.184.216.53";

/// Addresses that no name may lead to. They answer here: in the open each is reached.
pub(crate) const PRIVATE: &[&str] = &[
    "127.0.0.1",
    "10.1.2.3",
    "172.16.5.6",
    "192.168.7.8",
    "169.254.169.254",
    "169.254.1.2",
    "100.64.0.9",
    "::1",
    "fd00:ec2::254",
    "fd12:3456::7",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b::7f00:1",
    "2002:a9fe:a9fe::1",
];

/// What a test runs in.
pub(crate) struct World {
    folder: PathBuf,
    pub(crate) resolver: Resolver,
    pub(crate) site: Site,
}

/// Runs the test that `play` is written in, in a world of its own. It has to be called by the test function itself.
pub(crate) fn inside<F: FnOnce(&World)>(play: F) {
    if let Some(folder) = std::env::var_os(PLACE) {
        return play(&World::begin(folder.into()));
    }
    // `network::part::name::{{closure}}` is the test `part::name`; the check below fails when that is ever otherwise.
    let name = std::any::type_name::<F>();
    let name = name.split_once("::").map_or(name, |(_, rest)| rest);
    let name = name.split_once("::{{").map_or(name, |(test, _)| test);
    let folder = stage();
    let mut command = namespaces();
    command
        .arg("sh")
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/network/programs/enter.sh"))
        .arg(folder.path())
        .arg(std::env::current_exe().expect("this program"))
        .args(["--exact", name, "--nocapture", "--test-threads=1"])
        .env(PLACE, folder.path());
    let finished = launch::start(command).finish();
    let stdout = String::from_utf8_lossy(&finished.stdout);
    assert!(finished.code() == Some(0), "{}\n{stdout}\n{}", finished.status, finished.stderr);
    assert!(stdout.contains("1 passed; 0 failed"), "{name} did not run in its world:\n{stdout}");
}

/// `unshare` with its options: what comes next is the command.
fn namespaces() -> Command {
    for tool in ["unshare", "setpriv"] {
        program::require(tool);
    }
    let mut command = Command::new("unshare");
    if !nix::unistd::geteuid().is_root() {
        command.args(["--user", "--map-current-user", "--keep-caps"]);
    }
    command.args(["--net", "--mount", "--"]);
    command
}

/// Files of a world: what is mounted over `/etc`, its addresses, its certificates.
fn stage() -> tempfile::TempDir {
    static CERTIFICATES: OnceLock<tempfile::TempDir> = OnceLock::new();
    let fresh = || tempfile::Builder::new().prefix("world-").tempdir_in("/var/tmp").expect("a folder");
    let certificates = CERTIFICATES.get_or_init(|| {
        let folder = fresh();
        certificates::make(folder.path());
        folder
    });
    let folder = fresh();
    for file in certificates::FILES {
        fs::copy(certificates.path().join(file), folder.path().join(file)).expect(file);
    }
    let public = [SITE, OTHER, SITE6, OWN, RESOLVER];
    let addresses = public.iter().chain(PRIVATE).filter(|address| !matches!(**address, "127.0.0.1" | "::1"));
    let lines: String = addresses
        .map(|address| match address.contains(':') {
            true => format!("address add {address}/128 dev lo nodad\n"),
            false => format!("address add {address}/32 dev lo\n"),
        })
        .collect();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).expect(name);
    write("addresses", &lines);
    write("resolv.conf", &format!("nameserver {RESOLVER}\n"));
    write("hosts", "127.0.0.1 localhost\n::1 localhost\n");
    write("nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n");
    folder
}

impl World {
    fn begin(folder: PathBuf) -> World {
        let served = [&[SITE, OTHER, SITE6], PRIVATE].concat();
        let world =
            World { resolver: Resolver::start(RESOLVER), site: Site::start(&folder, 8080, &served), folder };
        for name in
            ["example.com", "www.example.com", "api.example.com", "deep.api.example.com", "github.com"]
        {
            world.resolver.answers(name, &[SITE, SITE6]);
        }
        for name in ["evil.io", "www.evil.io", "notgithub.com", "github.com.evil.io", "example.com.evil.io"] {
            world.resolver.answers(name, &[OTHER]);
        }
        world.resolver.answers("own.example.com", &[OWN]);
        world
    }

    /// Another site, at [`OWN`]: for a test that ends it.
    pub(crate) fn second_site(&self) -> Site {
        Site::start(&self.folder, 8081, &[OWN])
    }

    /// A file of this world.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// The certificate that signed the site's: given to clients by the clients' own means.
    pub(crate) fn authority(&self) -> String {
        self.path("authority.pem").to_str().expect("UTF-8").to_owned()
    }
}
