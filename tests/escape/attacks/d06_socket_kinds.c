/* Attacks D6, D11, F2, F5, F7 and F17.
 * Vulnerability: kinds of socket that path rules and TCP rules do not see: datagrams, MPTCP, raw, vsock, netlink.
 * Vector: socket(2) and socketpair(2) for each kind, with the type flags and with high bits set.
 * Expected: EACCES, reason net.socket.kind; TCP sockets and the routing netlink socket may exist. */
#include "attack.h"
#include <linux/if_ether.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <sys/socket.h>
#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif

int main(int argc, char **argv) {
    int pair[2];
    (void)argc, (void)argv;
    begin();
    STEP("tcp", socket(AF_INET, SOCK_STREAM, 0));
    STEP("tcp6", socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK, IPPROTO_TCP));
    STEP("route", socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
    STEP("udp", socket(AF_INET, SOCK_DGRAM, 0));
    STEP("udp6", socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, IPPROTO_UDP));
    STEP("udp-high-bits", syscall(SYS_socket, AF_INET + (1UL << 32), SOCK_DGRAM + (1UL << 32), 0));
    STEP("mptcp", socket(AF_INET, SOCK_STREAM, IPPROTO_MPTCP));
    STEP("mptcp-high-bits", syscall(SYS_socket, AF_INET, SOCK_STREAM, IPPROTO_MPTCP + (1UL << 32)));
    STEP("raw", socket(AF_INET, SOCK_RAW, IPPROTO_ICMP));
    STEP("ping", socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP));
    STEP("packet", socket(AF_PACKET, SOCK_DGRAM, htons(ETH_P_ALL)));
    STEP("unix-datagram", socket(AF_UNIX, SOCK_DGRAM, 0));
    STEP("unix-datagram-pair", socketpair(AF_UNIX, SOCK_DGRAM, 0, pair));
    STEP("vsock", socket(AF_VSOCK, SOCK_STREAM, 0));
    STEP("netlink-audit", socket(AF_NETLINK, SOCK_RAW, NETLINK_AUDIT));
    STEP("netlink-uevent", socket(AF_NETLINK, SOCK_RAW, NETLINK_KOBJECT_UEVENT));
    STEP("netlink-generic", socket(AF_NETLINK, SOCK_RAW, NETLINK_GENERIC));
    STEP("netlink-diag", socket(AF_NETLINK, SOCK_RAW, NETLINK_SOCK_DIAG));
    STEP("alg", socket(AF_ALG, SOCK_SEQPACKET, 0));
    return finish();
}
