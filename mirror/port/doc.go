// Package port opens the sink of a mirror port, a Linux network interface. It uses
// the given method, or the best method that works there.
//
// [SendMMsg] and [GSO] are package afpacket, [XDP] is package xdp. [Auto] tries GSO,
// then XDP, then SendMMsg, which always works. GSO costs least: a whole chunk of
// cleartext passes through the kernel at once. The kernel or the adapter makes
// segments and checksums.
//
// If the interface is up, the package tests a method after it opened. It sends a
// frame that no recorder takes for traffic (the local experimental EtherType 88b5, to
// a reserved multicast address). The device must count this frame. The package logs
// the chosen method and the reasons against the others.
//
// An interface has one queue for AF_XDP. If another process has it, such as one that ends
// its sessions, frames go by SendMMsg until the queue is free.
package port
