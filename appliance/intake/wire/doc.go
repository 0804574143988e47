// Package wire is the intake of a bump in the wire. Frames pass between two network
// ports without addresses, the legs, as if these were one cable. The package takes
// TCP connections to selected ports out of that traffic. Neither end sees anything
// of the box: addresses, ports, MACs, VLAN tag and TTL are those of the other end.
//
// Both legs live in a network namespace of the intake's own. Nothing else of the
// host sends on them. Programs at their ingress pass all traffic that is not
// selected to the other leg, unchanged. While a process takes connections, they drop
// what is selected and cannot be judged: fragments, IP options, foreign tags, unknown
// connections. [Config.Open] prevents that. Programs at their egress give the packets
// of our sockets the headers of their flow. They drop packets of no flow.
//
// With [Late] the TCP handshake passes end to end. The package holds the client's
// first payload and examines it. If the connection is to pass, the package sends these
// octets itself and waits until the origin has acknowledged them. It never touches the
// connection again. If it is to be taken, the package makes two sockets in the middle
// of it ([tcp(7)] TCP_REPAIR). With [Accept] the package takes and answers the SYN.
//
// When the process ends, in whatever way, the programs stay attached and the legs
// stay in place. Traffic then passes, or selected connections are blocked, as
// configured. With [Both], a leg goes down with the other one's carrier while a process
// runs. The next start replaces the programs, whatever their version.
// [Remove] undoes everything. Software cannot help against a loss of power; that
// needs a bypass adapter.
//
// The package needs CAP_NET_ADMIN, CAP_NET_RAW, CAP_BPF and CAP_PERFMON. It needs
// CAP_SYS_ADMIN to make the namespace and to mount.
//
// [tcp(7)]: https://man7.org/linux/man-pages/man7/tcp.7.html
package wire

//go:generate go run github.com/cilium/ebpf/cmd/bpf2go -cc clang-14 -strip llvm-strip-14 -go-package wire -target bpfel -type tuple -type flow -type side -type event -type transition -type prefix -type wire_path -type state -type quic_key -type quic_flow -type quic_event -type quic_state -output-stem kernel kernel bpf/wire.c -- -O2 -g -Wall -Wextra -Werror -Wno-unused-parameter -mcpu=v3 -I/usr/include/x86_64-linux-gnu
