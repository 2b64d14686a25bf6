//! The ground of one run and what lives on it, outside the pen: a victim, a port, sockets. Only what the attack's
//! words ask for is there.

use std::net::TcpListener;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::pen::ground::Ground;
use crate::pen::{launch, program};

/// One scene; what lives on it ends with it.
pub(crate) struct Scene {
    pub(crate) ground: Ground,
    victim: Option<(Child, ChildStdin)>,
    tcp: Option<TcpListener>,
    unix: Vec<UnixListener>,
    unique: String,
}

static SCENES: AtomicU32 = AtomicU32::new(0);

impl Scene {
    /// Sets it for an attack with these words.
    pub(crate) fn set(words: &[String]) -> Scene {
        let number = SCENES.fetch_add(1, Ordering::Relaxed);
        let unique = format!("caponier-attack-{}-{number}", std::process::id());
        let mut scene = Scene { ground: Ground::new(), victim: None, tcp: None, unix: Vec::new(), unique };
        let needs = |place: &str| words.iter().any(|word| word.contains(place));
        if needs("{victim}") {
            scene.start_victim();
        }
        if needs("{port}") {
            // Every address of the machine: the attack tries several spellings.
            scene.tcp = Some(TcpListener::bind("[::]:0").expect("a port"));
        }
        if needs(".sock") {
            for place in ["outside/agent.sock", "workspace/agent.sock"] {
                scene.unix.push(UnixListener::bind(scene.ground.path(place)).expect("a socket"));
            }
            let name = SocketAddr::from_abstract_name(&scene.unique).expect("a name");
            scene.unix.push(UnixListener::bind_addr(&name).expect("a socket"));
        }
        scene
    }

    fn start_victim(&mut self) {
        let mut command = launch::at_home(Command::new(program::attack("victim")), &self.ground);
        command.arg(self.ground.path("outside")).env("VICTIM_TOKEN", "SECRET: of another process");
        let mut victim = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("victim");
        let stdin = victim.stdin.take().expect("piped");
        let mut ready = [0; 6];
        let stdout = victim.stdout.as_mut().expect("piped");
        std::io::Read::read_exact(stdout, &mut ready).expect("the victim is ready");
        self.victim = Some((victim, stdin));
    }

    /// Fills in `{workspace} {reading} {outside} {audit} {ground} {victim} {port} {unique}`.
    pub(crate) fn fill(&self, text: &str) -> String {
        let mut filled = text.to_owned();
        for place in ["workspace", "reading", "outside", "audit"] {
            filled = filled.replace(&format!("{{{place}}}"), &self.ground.text(place));
        }
        let port = || self.tcp.as_ref().expect("a port").local_addr().expect("an address").port().to_string();
        let victim = || self.victim.as_ref().expect("a victim").0.id().to_string();
        let lazily: [(&str, &dyn Fn() -> String); 4] = [
            ("{ground}", &|| self.ground.text("")),
            ("{victim}", &victim),
            ("{port}", &port),
            ("{unique}", &|| self.unique.clone()),
        ];
        for (place, value) in lazily {
            if filled.contains(place) {
                filled = filled.replace(place, &value());
            }
        }
        filled
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        if let Some((mut victim, stdin)) = self.victim.take() {
            drop(stdin);
            let _ = victim.wait();
        }
    }
}
