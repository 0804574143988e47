package mirror

import (
	"errors"
	"time"
)

// Frame is one Ethernet frame in two parts, so that a sink can gather them
// without a copy.
type Frame struct {
	Header  []byte // Ethernet, IP and TCP headers; checksums are complete
	Payload []byte // TCP payload, may be empty
	Note    string // comment for formats that can hold one, mostly empty

	// Segment, if not 0, makes the frame a super-segment, which only a
	// [Segmenter] is given: TCP data that go out in frames with Segment octets of
	// Payload each, the last with what remains. Header is that of the whole;
	// each frame has a copy in which lengths are its own, the sequence number and
	// the IPv4 identification count on, PSH is set in the last only, and sums are
	// complete. In Header the TCP checksum is the sum of the pseudo-header alone,
	// folded and not inverted, as network adapters expect it.
	Segment int

	// Time is when the frame was sent, for formats that hold a time; zero: now.
	Time time.Time
}

// Len returns the frame's length in octets, without FCS; that of a
// super-segment before it is cut.
func (f *Frame) Len() int { return len(f.Header) + len(f.Payload) }

// Sink takes frames to where recorders read them. Implementations are safe for
// concurrent use by many conversations; the frames of one call stay together
// and in order, as far as the medium allows.
type Sink interface {
	// Send borrows frames and all they point to until it returns. It reports how
	// many were delivered, from the first on; the rest is lost, for the reason
	// that err gives (see [LossReason]). n < len(frames) if and only if
	// err != nil.
	Send(frames []Frame) (n int, err error)
	// MTU is the largest IP packet, in octets, that a frame may hold. It may
	// change during the sink's life.
	MTU() int
	// Idle reports that nobody would see a frame sent now (no reader is
	// connected). A conversation then spares itself the work and counts the
	// octets as lost with reason "no-reader".
	Idle() bool
}

// Reasons why octets did not reach a sink. Sinks wrap or return these.
var (
	ErrFull     = errors.New("queue full")
	ErrNoLink   = errors.New("interface missing or down")
	ErrStorage  = errors.New("storage failed")
	ErrNoReader = errors.New("no reader")
	ErrClosed   = errors.New("sink closed")
	ErrTooLong  = errors.New("frame longer than the medium takes")
)

// LossReason returns the fixed word under which a loss is counted, such as
// [ReasonFull]; [ReasonOther] for an error that is none of the above.
func LossReason(err error) string {
	switch {
	case errors.Is(err, ErrFull):
		return ReasonFull
	case errors.Is(err, ErrNoLink):
		return ReasonNoLink
	case errors.Is(err, ErrStorage):
		return ReasonStorage
	case errors.Is(err, ErrNoReader):
		return ReasonNoReader
	case errors.Is(err, ErrClosed):
		return ReasonClosed
	case errors.Is(err, ErrTooLong):
		return ReasonTooLong
	}
	return ReasonOther
}
