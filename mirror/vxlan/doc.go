// Package vxlan sends mirrored frames to a remote recorder: each in a UDP
// datagram with a VXLAN header (RFC 7348), from ordinary sockets that need no
// privileges.
//
// The frames of a conversation leave from one of 16 source ports, chosen by a hash
// that is the same for both directions, so that the paths and queues between are
// shared among conversations and each stays in order. Outer packets are never
// fragmented (RFC 7348, Section 4.3): [Sink.MTU] is what the path to the remote
// takes, as far as the kernel knows it, less the headers, and changes with it.
// Over an Ethernet of 1500 octets these are 1446 with an IPv4 remote and 1426 with
// an IPv6 one; room for an inner VLAN tag is always left.
//
// Like package afpacket the sink has no queue: a frame was taken by the kernel, or
// is lost, when [Sink.Send] returns, and a Send allocates nothing. What happens
// when the socket's buffer is full is [Config].Full.
//
// A remote that answers with ICMP that nobody listens, or a router that it cannot
// be reached, is given a rest: for two seconds all frames are lost, with
// [mirror.ErrNoReader] or [mirror.ErrNoLink], and then the next ones try again. The
// frames that brought the answer count as delivered, since no sender can tell
// which of the others arrived; [Stats].Refused counts the answers. UDP has no other
// way to know: what a silent network or the recorder drops is not seen here.
//
// While there is no route, frames are lost with [mirror.ErrNoLink]. The network
// namespace is that of the thread that calls [Open], for the sink's whole life.
// What is sent is cleartext: the network to the recorder must be one that nobody
// else reads.
package vxlan
