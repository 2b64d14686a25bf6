//! Sockets by which another program lends its rights to whoever connects, known by their usual places.
//!
//! Such a socket has a reason code of its own, and no line of a profile is proposed for it. Pure: only names are
//! looked at here; what a path leads to is the broker's to find out.

use std::path::Path;

use crate::policy::reason::Reason;

/// What kind of service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// Containers and virtual machines: docker, containerd, podman, libvirt …
    Engine,
    /// D-Bus and systemd.
    Bus,
    /// Keys: the agents of SSH and GnuPG, keyrings.
    Agent,
    /// X11, Wayland.
    Display,
    /// PulseAudio, PipeWire.
    Sound,
    /// tmux, screen, kitty …
    Terminal,
    /// Editors that run what they are told.
    Editor,
}

impl Service {
    /// The service that is usually found at this path, which is the socket's real one.
    pub fn of(path: &Path) -> Option<Service> {
        let name = path.file_name()?.to_str()?;
        let folders: Vec<&str> = path.parent()?.iter().filter_map(|part| part.to_str()).collect();
        let inside = |words: &[&str]| folders.iter().any(|folder| words.contains(folder));
        let below =
            |starts: &[&str]| folders.iter().any(|folder| starts.iter().any(|s| folder.starts_with(s)));
        let called = |starts: &[&str]| starts.iter().any(|start| name.starts_with(start));
        let engines = [
            "docker",
            "containerd",
            "podman",
            "crio",
            "buildkit",
            "lxd",
            "incus",
            "libvirt",
            "virtqemud",
            "snapd",
        ];
        if called(&engines) || inside(&engines) || inside(&[".docker", "k3s", "docker-desktop"]) {
            Some(Service::Engine)
        } else if called(&["vscode-", "nvim", "zed-", "code-", "cursor-"])
            || below(&["emacs", "nvim", "vscode"])
        {
            Some(Service::Editor)
        } else if inside(&["dbus", "systemd", "at-spi"]) || called(&["dbus-"]) || name == "bus" {
            Some(Service::Bus)
        } else if called(&["S.gpg-agent", "S.scdaemon", "S.keyboxd", "S.dirmngr", "ssh-agent", "ssh_auth"])
            || below(&["ssh-", "keyring", "gcr", ".gnupg", "gnupg", ".1password"])
        {
            Some(Service::Agent)
        } else if inside(&[".X11-unix", ".ICE-unix"]) || called(&["wayland-", ".Xauthority"]) {
            Some(Service::Display)
        } else if inside(&["pulse"]) || called(&["pipewire-"]) {
            Some(Service::Sound)
        } else if below(&["tmux-", "S-", "screen", "zellij", "wezterm"]) || called(&["kitty", "mykitty"]) {
            Some(Service::Terminal)
        } else {
            None
        }
    }

    /// Its reason code.
    pub fn reason(self) -> Reason {
        match self {
            Service::Engine => Reason::UnixDocker,
            Service::Bus => Reason::UnixDbus,
            Service::Agent => Reason::UnixAgent,
            Service::Display => Reason::UnixDisplay,
            Service::Sound => Reason::UnixSound,
            Service::Terminal => Reason::UnixTerminal,
            Service::Editor => Reason::UnixEditor,
        }
    }

    /// What granting it would give away.
    pub fn danger(self) -> &'static str {
        match self {
            Service::Engine => {
                "whoever speaks to a container engine can start anything with the rights of root"
            }
            Service::Bus => "on a message bus a server can start programs outside its pen and read secrets",
            Service::Agent => "an agent uses your keys for whoever asks",
            Service::Display => "on a display a server can read what is typed and type itself",
            Service::Sound => "a sound server lets its clients listen, and load modules",
            Service::Terminal => "in a terminal a server can type commands outside its pen",
            Service::Editor => "an editor runs what it is told outside the pen",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_are_known_by_their_usual_places() {
        for (path, service) in [
            ("/run/docker.sock", Service::Engine),
            ("/home/me/.docker/run/docker.sock", Service::Engine),
            ("/run/containerd/containerd.sock", Service::Engine),
            ("/run/user/1000/podman/podman.sock", Service::Engine),
            ("/run/dbus/system_bus_socket", Service::Bus),
            ("/run/user/1000/bus", Service::Bus),
            ("/run/user/1000/systemd/private", Service::Bus),
            ("/tmp/ssh-XXXXabcd/agent.17", Service::Agent),
            ("/run/user/1000/gnupg/S.gpg-agent.ssh", Service::Agent),
            ("/run/user/1000/keyring/ssh", Service::Agent),
            ("/tmp/.X11-unix/X0", Service::Display),
            ("/run/user/1000/wayland-0", Service::Display),
            ("/run/user/1000/pulse/native", Service::Sound),
            ("/run/user/1000/pipewire-0", Service::Sound),
            ("/tmp/tmux-1000/default", Service::Terminal),
            ("/run/screen/S-me/17.pts-0.host", Service::Terminal),
            ("/run/user/1000/vscode-ipc-0a.sock", Service::Editor),
            ("/run/user/1000/vscode-git-0a.sock", Service::Editor),
        ] {
            assert_eq!(Service::of(Path::new(path)), Some(service), "{path}");
        }
        for path in
            ["/run/postgresql/.s.PGSQL.5432", "/home/me/project/app.sock", "/", "/run/mysqld/mysqld.sock"]
        {
            assert_eq!(Service::of(Path::new(path)), None, "{path}");
        }
    }
}
