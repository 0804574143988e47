// Package port opens the sink of a mirror port, a Linux network interface, by the
// method asked for or by the best that works there.
//
// [SendMMsg] and [GSO] are package afpacket, [XDP] is package xdp. [Auto] tries
// GSO, then XDP, then SendMMsg, which always works: GSO costs least, because a
// whole chunk of cleartext passes through the kernel at once and segmentation and
// checksums are done there, or by the adapter. A method that opens is put to the
// test, if the interface is up: a frame that no recorder takes for traffic (the
// local experimental EtherType 88b5, to a reserved multicast address) must be
// counted by the device. What was chosen, and why not the others, is logged.
package port
