// Package inline carries the cleartext of sessions through a device that stands
// between two ports of this machine: a bridge, an intrusion prevention system in
// bridge mode, or a router. The device sees ordinary TCP with the addresses and
// ports of the real client and origin, except for the origin's port, which may be
// that of the protocol in clear. It may change what passes, reset a connection,
// end it, or swallow it; what it does is done to the session.
//
// Each port lives in a network namespace of its own, because the two ends of a
// connection would meet inside one: a socket on the first port connects, in the
// client's name, to the origin; a listener on the second port takes what comes
// out of the device in the origin's name. The two are paired by addresses and
// ports. Programs at the ports (eBPF) drop and count frames that belong to no
// session, a SYN that was not announced above all, and keep the kernel from
// saying anything of its own.
//
// What was handed to the device and has not come out is unknown. So a session
// whose device vanishes in the middle is reset; on_failure is about sessions that
// the device has not seen an octet of. Not known either is why a device swallows:
// a SYN that it drops is a failure of the device, one that it answers with RST is
// its decision.
//
// The package needs Linux 6.6, and CAP_NET_ADMIN, CAP_BPF, CAP_PERFMON and
// CAP_SYS_ADMIN to open a [Device]. An open one, its end included, needs
// CAP_NET_ADMIN, and CAP_NET_BIND_SERVICE for clients' ports below 1024.
package inline

//go:generate go run github.com/cilium/ebpf/cmd/bpf2go -cc clang-14 -strip llvm-strip-14 -go-package inline -target bpfel -type tuple -type inline_path -output-stem kernel kernel bpf/inline.c -- -O2 -g -Wall -Wextra -Werror -Wno-unused-parameter -mcpu=v3 -I/usr/include/x86_64-linux-gnu
