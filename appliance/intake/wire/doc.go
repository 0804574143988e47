// Package wire is the intake of a bump in the wire: two network ports, the legs,
// with no address, between which frames pass as if they were one cable. TCP
// connections to selected ports are taken out of that stream. Neither end
// sees anything of the box: addresses, ports, MACs, VLAN tag and TTL are those
// of the other end.
//
// Both legs live in a network namespace of the intake's own, so that nothing
// else of the host speaks on them. Programs at their ingress pass what is not
// selected unchanged to the other leg. What is selected and cannot be judged
// (fragments, IP options, foreign tags, unknown connections) they drop while
// somebody takes connections, unless the wire is [Config.Open]. At their egress
// they give the packets of our sockets the looks of the flow they belong to. What
// belongs to no flow is dropped there.
//
// With [Late] the TCP handshake passes end to end. The client's first payload is
// held while its content is looked at. The origin of a connection that shall pass
// gets these octets from us and has to acknowledge them; the connection is never
// heard of again. For one that is taken, two sockets are made in the middle of it
// ([tcp(7)] TCP_REPAIR). With [Accept] the SYN is taken and answered.
//
// The programs stay attached, and the legs where they are, when the process
// ends, however it ends: traffic then passes, or selected connections are
// blocked, as configured. The next start replaces the programs, whatever version
// they are of. [Remove] undoes everything. A loss of power is beyond software
// and takes a bypass adapter.
//
// The package needs CAP_NET_ADMIN, CAP_NET_RAW, CAP_BPF and CAP_PERFMON, and
// CAP_SYS_ADMIN to make the namespace and to mount.
//
// [tcp(7)]: https://man7.org/linux/man-pages/man7/tcp.7.html
package wire

//go:generate go run github.com/cilium/ebpf/cmd/bpf2go -cc clang-14 -strip llvm-strip-14 -go-package wire -target bpfel -type tuple -type flow -type side -type event -type transition -type prefix -type wire_path -type state -output-stem kernel kernel bpf/wire.c -- -O2 -g -Wall -Wextra -Werror -Wno-unused-parameter -mcpu=v3 -I/usr/include/x86_64-linux-gnu
