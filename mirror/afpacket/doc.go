// Package afpacket sends mirrored frames out of a Linux network interface, a mirror
// port, through an AF_PACKET socket.
//
// The sink never receives: its socket has protocol 0. It has no queue, and no
// goroutine on the data path. When [Sink.Send] returns, each frame is in the
// interface's transmit queue or refused. The kernel copies each frame straight from
// the caller's header and payload (sendmmsg with two iovecs a frame, up to 64 frames
// a call). A Send allocates nothing.
//
// With [Config].GSO the sink takes super-segments of up to 64 KiB (PACKET_VNET_HDR).
// The kernel cuts them behind the socket, or the network adapter does (TSO). The
// recorder gets the same octets, for less than half the cost. A software device
// such as veth would pass on the checksums of such segments unfinished. While the
// sink is open, it therefore switches off the device's transmit checksum offload. If
// super-segments are not possible ([Sink.SegmentLimit] is 0), the sink sends single
// segments.
//
// If generic receive offload is on, the recorder's interface merges segments again.
// Switch it off: ethtool -K IF gro off.
//
// The interface need not exist. While it is missing, down, without carrier or not
// Ethernet, frames are lost with [mirror.ErrNoLink]. A watcher follows its state, its
// MTU and its re-creation under the same name. The network namespace is that of the
// thread that calls [Open], for the sink's whole life.
//
// [Config].Full decides if the transmit queue is full. [mirror.Drop] loses the rest of the
// batch with [mirror.ErrFull]. [mirror.Block] makes Send wait for a bounded time; it also
// waits for an interface that cannot be used at the moment. If a device without a
// queue took only the first segments of a super-segment, the rest is lost or sent
// again. The device's counter tells the number of segments that it took. Some
// drivers take frames and drop them later, because the far end just lost its carrier
// or is too slow. No sender sees that; [Stats].DeviceDropped counts it. The kernel
// does not count frames that it swallows during the milliseconds in which an
// interface goes down.
//
// Open needs CAP_NET_RAW, with GSO also CAP_NET_ADMIN. The sink gives the interface
// no address. It changes no setting but that offload.
package afpacket
