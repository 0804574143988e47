// Package xdp sends mirrored frames out of a Linux network interface, a mirror
// port, through an AF_XDP socket in copy mode.
//
// Frames are copied into memory shared with the kernel, which is told of up to
// 256 of them by one system call, and has taken or refused each when
// [Sink.Send] returns: there is no queue, no goroutine on the data path, and no
// BPF program, since the socket only sends. A Send allocates nothing. Frames pass
// by the interface's queueing discipline; on a veth pair that is the cheapest way
// into the far end for frames that come one segment each.
//
// The interface need not exist; see package afpacket, whose words and
// statistics this package shares. The socket is bound to transmit queue 0, one
// sink at a time, and again when the interface was re-created or an MTU does not
// fit. Frames go to [MaxMTU] octets.
//
// Open needs CAP_NET_RAW, and locked memory of 2 or 4 MiB.
package xdp
