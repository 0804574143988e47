// Package afpacket sends mirrored frames out of a Linux network interface, a
// mirror port, through an AF_PACKET socket.
//
// The sink never receives: its socket has protocol 0. It has no queue and no
// goroutine on the data path either; a frame is in the interface's transmit
// queue, or refused, when [Sink.Send] returns. The kernel copies each frame
// straight from the caller's header and payload (sendmmsg with two iovecs a
// frame, up to 64 frames a call), and a Send allocates nothing.
//
// With [Config].GSO the sink takes super-segments of up to 64 KiB
// (PACKET_VNET_HDR), which the kernel cuts behind the socket, or a network
// adapter that can (TSO). What reaches the recorder is the same, octet for octet,
// for less than half the cost. A software device such as veth would pass on the
// checksums of such segments unfinished: its transmit checksum offload is
// switched off while the sink is open. Where super-segments cannot be had
// ([Sink.SegmentLimit] is 0), single segments are sent.
//
// A recorder whose interface has generic receive offload on merges what was cut
// (ethtool -K IF gro off).
//
// The interface need not exist. While it is missing, down, without carrier or
// not Ethernet, frames are lost with [mirror.ErrNoLink]; a watcher follows
// its state, its MTU and its re-creation under the same name. The network
// namespace is that of the thread that calls [Open], for the sink's whole life.
//
// What happens when the transmit queue is full is [Config].Full: [Drop] loses
// the rest of the batch with [mirror.ErrFull], [Block] makes Send wait, with a
// bound, and also for an interface that cannot be used at the moment. Of a super-segment of which a device without a queue took only the
// first segments, the rest is lost or sent again: the device's counter tells
// how many these were. Some drivers drop frames after they took them (the far
// end lost its carrier a moment ago, or cannot keep up); no sender sees that,
// and it is counted in [Stats].DeviceDropped. The kernel counts nowhere what it
// swallows during the milliseconds in which an interface goes down.
//
// Open needs CAP_NET_RAW, with GSO also CAP_NET_ADMIN. The sink gives the
// interface no address and changes none of its settings but that offload.
package afpacket
