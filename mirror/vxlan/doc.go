// Package vxlan sends mirrored frames to a remote recorder. Each frame goes in a UDP
// datagram with a VXLAN header (RFC 7348), from ordinary sockets without privileges.
//
// The frames of a conversation leave from one of 16 source ports. A hash that is the
// same in both directions chooses the port. Conversations thus share the paths and
// queues on the way, and each stays in order. Outer packets are never fragmented
// (RFC 7348, Section 4.3). [Sink.MTU] is the MTU of the path to the remote, as far as
// the kernel knows it, less the headers. It changes with the path. Over an Ethernet
// of 1500 octets it is 1446 with an IPv4 remote and 1426 with an IPv6 remote. There
// is always room for an inner VLAN tag.
//
// Like package afpacket, the sink has no queue. When [Sink.Send] returns, the kernel
// has taken a frame, or the frame is lost. A Send allocates nothing. [Config].Full
// decides if the socket's buffer is full.
//
// The remote answers with ICMP if nobody listens there, a router if it cannot reach
// the remote. For the next two seconds all frames are lost, with [mirror.ErrNoReader]
// or [mirror.ErrNoLink]. After that the next frames try again. The frames that caused
// the answer count as delivered, because no sender can tell which of the others
// arrived. [Stats].Refused counts the answers. UDP has no other signal: the sink does
// not see drops of a silent network or of the recorder.
//
// While there is no route, frames are lost with [mirror.ErrNoLink]. The network
// namespace is that of the thread that calls [Open], for the sink's whole life. The
// sink sends cleartext: use a network to the recorder that nobody else reads.
package vxlan
