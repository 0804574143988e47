package relay

import (
	"errors"
	"io"
	"time"

	"github.com/clearspan/clearspan/decrypt/internal/leg"
	"github.com/clearspan/clearspan/decrypt/proto"
)

// readHeld is Read of what is held, when it is known not to begin another session. If it
// does the service meets the end on both sides, which goes no further.
func (e *LegEnd) readHeld(p []byte) (int, error) {
	if e.judged == 0 {
		if err := e.judge(); err != nil {
			e.ending, e.held = err, nil
			return 0, err
		}
	}
	n := copy(p, e.held[:e.judged])
	e.judged -= n
	if e.held = e.held[n:]; len(e.held) == 0 {
		e.held = nil
	}
	return n, nil
}

// judge asks the Recorder about what is held, of which judged octets may go on then. It
// returns [io.EOF] if the session turns.
func (e *LegEnd) judge() error {
	r, begun := e.relay, time.Now()
	for {
		b, err := r.Recorder.Begin(e.held)
		switch {
		case err != nil:
			return err
		case b.Turn && !r.Finished(proto.OriginToClient):
			e.turn()
			return io.EOF
		case b.Hold > 0 && e.more(begun.Add(b.Hold)):
			continue
		case b.Turn, b.Hold > 0:
			b.N = len(e.held)
		}
		e.judged, r.divided = b.N, b.N < len(e.held)
		return nil
	}
}

// turn leaves what is held to the session that it begins.
func (e *LegEnd) turn() {
	if e.text == Cleartext(e.leg) {
		e.leg.Return(e.held)
	} else {
		e.relay.rest = e.held
	}
	e.relay.turn(e.opposite.leg)
}

// more holds more of what the client says, and reports whether there is. An end is met
// again by who reads next.
func (e *LegEnd) more(until time.Time) bool {
	p := make([]byte, 4<<10)
	for {
		n, err := e.text.Read(p)
		switch {
		case n > 0:
			e.held = append(e.held, p[:n]...)
			return true
		case err != nil && (!errors.Is(err, leg.ErrAgain) || !more(e.leg, until)):
			return false
		}
	}
}
