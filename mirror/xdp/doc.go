// Package xdp sends mirrored frames out of a Linux network interface, a mirror port,
// through an AF_XDP socket in copy mode.
//
// The sink copies frames into memory that it shares with the kernel. One system call
// announces up to 256 of them. When [Sink.Send] returns, the kernel has taken or
// refused each frame. There is no queue and no goroutine on the data path. There is
// no BPF program, because the socket only sends. A Send allocates nothing. Frames
// bypass the interface's queueing discipline. On a veth pair this is the cheapest
// way to the far end for frames of one segment each.
//
// The interface need not exist; see package afpacket, whose words and statistics
// this package shares. The socket is bound to transmit queue 0, one sink at a time.
// The sink binds it again if the interface was re-created or an MTU does not fit.
// Frames have at most [MaxMTU] octets.
//
// Open needs CAP_NET_RAW, and locked memory of 2 or 4 MiB.
package xdp
