// Package inline carries the cleartext of sessions through a device between two
// ports of this machine. The device is a bridge, an intrusion prevention system in
// bridge mode, or a router. It sees ordinary TCP with the addresses and ports of the
// real client and origin. The origin's port is an exception: it may be that of the
// protocol in clear. The device may change octets, reset a connection, end it, or
// swallow packets. Its actions apply to the session.
//
// Each port lives in a network namespace of its own, because the two ends of a
// connection would meet inside one. A socket on the first port connects, in the
// client's name, to the origin. A listener on the second port accepts the
// connection that comes out of the device, in the origin's name. The package pairs
// the two by addresses and ports. Programs at the ports (eBPF) drop and count frames
// of no session, above all SYNs that were not announced. They also keep the kernel
// from sending packets of its own.
//
// Several processes can send through a device at a time. One holds the [Chain]: the legs and
// the programs. Each of the others uses [Join], and gets the connections back that it has
// announced.
//
// The package cannot know the state of octets that the device has not passed on. If
// the device vanishes in the middle of a session, the package resets the session.
// The setting on_failure applies only before the device has seen an octet. The
// package cannot know either why a device swallows packets. A dropped SYN is a
// failure of the device. A RST in answer to a SYN is its decision.
//
// The package needs Linux 6.6. To open a [Device] or a [Chain], it needs CAP_NET_ADMIN,
// CAP_BPF, CAP_PERFMON and CAP_SYS_ADMIN. To use and close it, it needs CAP_NET_ADMIN, and
// CAP_NET_BIND_SERVICE for clients' ports below 1024.
package inline

//go:generate go run github.com/cilium/ebpf/cmd/bpf2go -cc clang-14 -strip llvm-strip-14 -go-package inline -target bpfel -type tuple -type inline_path -output-stem kernel kernel bpf/inline.c -- -O2 -g -Wall -Wextra -Werror -Wno-unused-parameter -mcpu=v3 -I/usr/include/x86_64-linux-gnu
