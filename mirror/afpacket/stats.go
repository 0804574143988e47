package afpacket

// Stats is what a sink did since it was opened. Frames delivered plus frames
// lost is the number of frames offered to Send.
type Stats struct {
	Frames uint64            // frames the interface took
	Octets uint64            // octets in them, without FCS
	Lost   map[string]uint64 // frames lost, by the word of mirror.LossReason; no zero entries
	// DevicePackets and DeviceDropped count frames that the device itself sent
	// and dropped (tx_packets, tx_dropped), whoever offered them, since the sink
	// first saw it; up to 200 ms old. While nobody else sends on the interface
	// and it stays up, Frames is at most their sum. Drivers that tell the sender
	// (recent veth) drop nothing silently: such a frame is offered again, or in
	// Lost too.
	DevicePackets, DeviceDropped uint64
	Up                           bool // frames can be sent now
	// Link is the state of the interface: "up", "missing", "down", "no carrier" or "not
	// ethernet".
	Link   string
	Queued uint64 // octets of kernel memory that wait in transmit queues
}
