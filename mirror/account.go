package mirror

// Reasons under which octets are counted as lost. The reference page is generated from
// the comments.
const (
	// The queue of the mirror was full.
	// Cause: The link, the adapter or the reader is slower than the traffic.
	// Do: Use more or faster interfaces. `full: block` makes sessions wait instead.
	ReasonFull = "queue-full"
	// The interface, or the path to the remote recorder, is missing or down.
	// Cause: A cable, a switched off recorder, a renamed interface.
	// Do: Check `ip link` and the log.
	ReasonNoLink = "no-link"
	// Frames could not be written to a file.
	// Cause: The disk is full or faulty.
	// Do: See the log line `capture storage failed`. Make room, or lower `rotate.keep`.
	ReasonStorage = "storage"
	// No reader was connected.
	// Cause: A `pcap-over-ip` mirror without a recorder.
	// Do: Connect a recorder, or remove the mirror.
	ReasonNoReader = "no-reader"
	// The mirror was closed.
	// Cause: clearspan stops.
	// Do: Nothing.
	ReasonClosed = "closed"
	// The frame is longer than the medium takes.
	// Cause: A smaller MTU on the interface or the path, or super-segments refused.
	// Do: Set `mtu`, or raise that of the interface.
	ReasonTooLong = "too-long"
	// The octets came after the end of their direction.
	// Cause: A fault in clearspan.
	// Do: Report it.
	ReasonEnded = "ended"
	// The loss has another cause, or the session has too many causes to count apart.
	// Cause: An error of the kernel.
	// Do: See the log.
	ReasonOther = "other"
)

// LossReasons are the words above.
var LossReasons = []string{ReasonFull, ReasonNoLink, ReasonStorage, ReasonNoReader, ReasonClosed, ReasonTooLong, ReasonEnded, ReasonOther}

// Account is what became of a conversation's octets. For each direction the
// octets given to Data and Skip equal Octets plus the sum over Lost, exactly.
type Account struct {
	Frames     uint64               // frames delivered to the sink
	FramesLost uint64               // frames that the sink refused, with or without payload
	Octets     [2]uint64            // payload delivered, by Direction
	Lost       map[string][2]uint64 // payload lost, by reason and Direction; nil if none
}

// LostOctets returns the octets lost in one direction, for any reason.
func (a Account) LostOctets(dir Direction) uint64 {
	var sum uint64
	for _, octets := range a.Lost {
		sum += octets[dir&1]
	}
	return sum
}
