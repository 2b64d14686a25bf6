//! D and F: local services, and the network as far as the kernel and the broker answer without one.

use std::fs;
use std::os::unix::net::UnixListener;
use std::thread;

use crate::pen::ground::Ground;
use crate::trial::{Open, Record, Trial};

#[test]
fn d01_d08_no_local_service_is_reached() {
    Trial::new(
        "d01_unix_socket",
        &["{outside}/agent.sock", "{workspace}/agent.sock", "{unique}", "{workspace}"],
    )
    .works("pair")
    .blocked("outside", "EACCES", Record::unix("{outside}/agent.sock"))
    .blocked("inside", "EACCES", Record::unix("{workspace}/agent.sock"))
    .blocked("symlink", "EACCES", Record::unix("{outside}/agent.sock").or("path", "{workspace}/arrow"))
    .blocked("magic", "EACCES", Record::unix("{outside}/agent.sock").without("path"))
    .blocked("abstract", "EACCES", Record::unix("@{unique}"))
    .blocked_unrecorded("nscd", "ENOENT")
    .in_the_open(Open::Refused("ENOENT"))
    .run();
}

#[test]
fn d06_d11_f02_f05_f07_f17_other_kinds_of_socket_do_not_exist() {
    let kind = || Record::syscall("socket", "net.socket.kind");
    Trial::new("d06_socket_kinds", &[])
        .works("tcp")
        .works("tcp6")
        .works("route")
        .blocked("udp", "EACCES", kind())
        .blocked("udp6", "EACCES", kind())
        .blocked("udp-high-bits", "EACCES", kind())
        .blocked("mptcp", "EACCES", kind())
        .in_the_open(Open::Depends("EPROTONOSUPPORT"))
        .blocked("mptcp-high-bits", "EACCES", kind())
        .in_the_open(Open::Depends("EPROTONOSUPPORT"))
        .blocked("raw", "EACCES", kind())
        .in_the_open(Open::RefusedForUser("EPERM"))
        .blocked("ping", "EACCES", kind())
        .in_the_open(Open::Depends("EACCES"))
        .blocked("packet", "EACCES", kind())
        .in_the_open(Open::RefusedForUser("EPERM"))
        .blocked("unix-datagram", "EACCES", kind())
        .blocked("unix-datagram-pair", "EACCES", Record::syscall("socketpair", "net.socket.kind"))
        .blocked("vsock", "EACCES", kind())
        .in_the_open(Open::Depends("EAFNOSUPPORT"))
        .blocked("netlink-audit", "EACCES", kind())
        .in_the_open(Open::Depends("EPROTONOSUPPORT"))
        .blocked("netlink-uevent", "EACCES", kind())
        .blocked("netlink-generic", "EACCES", kind())
        .blocked("netlink-diag", "EACCES", kind())
        .in_the_open(Open::Depends("EPROTONOSUPPORT"))
        .blocked("alg", "EACCES", kind())
        .in_the_open(Open::Depends("EAFNOSUPPORT"))
        .run();
}

#[test]
fn d09_d10_nothing_is_shared_through_the_kernel() {
    let refused = |call: &str| Record::syscall(call, "syscall.not-allowed");
    Trial::new("d09_ipc", &["/{unique}"])
        .blocked("shm", "EPERM", refused("shmget"))
        .blocked("sem", "EPERM", refused("semget"))
        .blocked("msg", "EPERM", refused("msgget"))
        .blocked("mq", "EPERM", refused("mq_open"))
        .blocked("add-key", "EPERM", refused("add_key"))
        .blocked("keyctl", "EPERM", refused("keyctl"))
        .blocked("request-key", "EPERM", refused("request_key"))
        .run();
}

#[test]
fn f03_f18_there_is_no_network() {
    let to = |address: &str| Record::network(address, "{port}");
    // The flag is refused on registers alone: no address was looked at.
    let fast = |call: &str| Record::syscall(call, "net.none");
    let bound = |address: &str| Record::network(address, "0");
    Trial::new("f01_tcp", &["{port}"])
        .blocked("connect", "EACCES", to("127.0.0.1"))
        .blocked("wildcard", "EACCES", to("0.0.0.0"))
        .blocked("mapped", "EACCES", to("::ffff:127.0.0.1").or("address", "127.0.0.1"))
        .blocked("unspecified", "EACCES", Record::network("", "0").without("address"))
        .blocked("non-blocking", "EACCES", to("127.0.0.1"))
        .blocked("fast-connect", "EACCES", to("127.0.0.1"))
        .blocked("fast-sendto", "EACCES", fast("sendto"))
        .blocked("fast-sendmsg", "EACCES", fast("sendmsg"))
        .blocked("fast-sendmmsg", "EACCES", fast("sendmmsg"))
        .blocked("fast-high-bits", "EACCES", fast("sendto"))
        .blocked("bind", "EACCES", bound("0.0.0.0"))
        .blocked("bind6", "EACCES", bound("::"))
        .blocked("autobind", "EACCES", Record::syscall("listen", "net.none"))
        .run();
}

/// Services that accept whoever comes, for as long as the test program runs.
fn serve(ground: &Ground) {
    for folder in ["tmux-0", "granted"] {
        fs::create_dir_all(ground.path("outside").join(folder)).expect(folder);
    }
    for name in [
        "docker.sock",
        "bus",
        "S.gpg-agent",
        "wayland-0",
        "pipewire-0",
        "tmux-0/default",
        "vscode-ipc-0.sock",
        "plain.sock",
        "listed.sock",
        "lister.sock",
        "granted/docker.sock",
    ] {
        let listener = UnixListener::bind(ground.path("outside").join(name)).expect(name);
        thread::spawn(move || listener.incoming().for_each(drop));
    }
}

#[test]
fn d01_d03_d04_d05_services_are_refused_by_name_and_listed_sockets_work() {
    let to = |reason: &str, name: &str| Record::unix(&format!("{{outside}}/{name}")).with("reason", reason);
    let allowed = |path: &str| Record::allowed_socket(path);
    Trial::new("d01_services", &["{workspace}", "{outside}"])
        .env("TMPDIR", "{ground}/user/home")
        .network(
            "unix",
            "[{ path = \"{outside}/listed.sock\", reason = \"the one it needs\" }, \
             \"{outside}/granted/docker.sock\", \"{workspace}/mine.sock\"]",
        )
        .stage(serve)
        .blocked("docker", "EACCES", to("unix.docker", "docker.sock"))
        .blocked("bus", "EACCES", to("unix.dbus", "bus"))
        .blocked("agent", "EACCES", to("unix.agent", "S.gpg-agent"))
        .blocked("display", "EACCES", to("unix.display", "wayland-0"))
        .blocked("sound", "EACCES", to("unix.sound", "pipewire-0"))
        .blocked("terminal", "EACCES", to("unix.terminal", "tmux-0/default"))
        .blocked("editor", "EACCES", to("unix.editor", "vscode-ipc-0.sock"))
        .blocked("plain", "EACCES", to("unix.not-listed", "plain.sock"))
        .works("listed")
        .recorded(allowed("{outside}/listed.sock"))
        .works("listed-docker")
        .recorded(allowed("{outside}/granted/docker.sock"))
        .blocked("symlink", "EACCES", to("unix.docker", "docker.sock"))
        .blocked("listed-name", "EACCES", to("unix.docker", "docker.sock"))
        .works("way-to-listed")
        .blocked_unrecorded("no-socket", "ECONNREFUSED")
        .in_the_open(Open::Refused("ECONNREFUSED"))
        .blocked_unrecorded("none", "ENOENT")
        .in_the_open(Open::Refused("ENOENT"))
        .works("own")
        .recorded(allowed("{workspace}/own.sock"))
        .works("own-folder")
        .works("full")
        .blocked_unrecorded("taken", "EADDRINUSE")
        .in_the_open(Open::Refused("EADDRINUSE"))
        .blocked("bind-outside", "EACCES", to("fs.write.not-granted", "planted.sock"))
        .blocked(
            "bind-protected",
            "EACCES",
            Record::unix("{workspace}/.envrc").with("reason", "fs.write.protected"),
        )
        .blocked("race", "EACCES", to("unix.not-listed", "lister.sock"))
        .run();
}
