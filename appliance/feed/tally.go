package feed

import (
	"strings"
	"sync/atomic"

	"github.com/clearspan/clearspan/appliance/audit"
	"github.com/clearspan/clearspan/appliance/feed/http2"
	"github.com/clearspan/clearspan/decrypt"
	"github.com/clearspan/clearspan/mirror"
)

// tally is what a sink got of a session so far, for any goroutine.
type tally struct {
	frames, octets, lost atomic.Uint64
	reasons              atomic.Pointer[string] // of the losses, with commas; nil: none
}

// meant are the reasons for which octets do not reach a mirror although nothing failed:
// somebody wants it so, or nobody listens.
var meant = map[string]bool{lostConcealed: true, lostUnselected: true, mirror.ReasonNoReader: true}

// lost counts octets that the sink does not get.
func (d *delivery) lost(reason string, octets uint64) {
	d.tally.lost.Add(octets)
	d.tally.blame(reason)
	if !meant[reason] {
		d.session.Miss(octets)
	}
	if d.sink.metrics != nil {
		d.sink.metrics.MirrorLost(d.sink.name, reason, octets)
	}
}

// blame notes a reason. Those of a session are few.
func (t *tally) blame(reason string) {
	list := t.reasons.Load()
	switch {
	case list == nil:
		t.reasons.Store(&reason)
	case *list != reason && !strings.Contains(","+*list+",", ","+reason+","):
		both := *list + "," + reason
		t.reasons.Store(&both)
	}
}

// delivered counts what the sink has got.
func (d *delivery) delivered(frames, octets uint64) {
	d.tally.frames.Add(frames)
	d.tally.octets.Add(octets)
	if d.sink.metrics != nil {
		d.sink.metrics.Mirrored(d.sink.name, frames, octets)
	}
}

// countStreams counts what became of an HTTP/2 session since the last count.
func (d *delivery) countStreams() {
	h, ok := d.conversation.(*http2.Session)
	if !ok || d.sink.metrics == nil {
		return
	}
	before, now := d.transcoded, transcoded(h.Report())
	if now == before {
		return
	}
	d.transcoded = now
	d.sink.metrics.Transcoded(d.sink.name, now.Streams-before.Streams, now.Octets-before.Octets, now.Replaced-before.Replaced, now.Raw-before.Raw, now.Reason)
}

// Progress tells what each sink got of a session so far. t is what Open returned for it, or
// nil. It may be called at any time, and does not wait for the session.
func (f *Feed) Progress(t decrypt.Stream) map[string]audit.Mirror {
	mirrors := make(map[string]audit.Mirror)
	to := fanoutOf(t)
	if to == nil {
		return mirrors
	}
	for _, d := range to.deliveries { // never changed behind Open
		m := audit.Mirror{Frames: d.tally.frames.Load(), Octets: d.tally.octets.Load(), Lost: d.tally.lost.Load()}
		if reasons := d.tally.reasons.Load(); reasons != nil {
			m.Reason = *reasons
		}
		mirrors[d.sink.name] = m
	}
	return mirrors
}

// blind is the fan-out of a tunnel that no sink is shown.
type blind struct{ *fanout }

// Passed implements [decrypt.Blind].
func (b *blind) Passed(dir decrypt.Direction, octets uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, d := range b.deliveries {
		d.omit(dir, lostUnselected, octets)
	}
}

// Data implements [decrypt.Stream].
func (b *blind) Data(dir decrypt.Direction, _ decrypt.Content, p []byte) {
	b.Passed(dir, uint64(len(p)))
}

// Assemble implements [decrypt.Assembler].
func (b *blind) Assemble(dir decrypt.Direction, _ []decrypt.Part, p []byte) {
	b.Passed(dir, uint64(len(p)))
}

// fanoutOf returns the fan-out behind a stream, nil for none.
func fanoutOf(t decrypt.Stream) *fanout {
	switch t := t.(type) {
	case *fanout:
		return t
	case *blind:
		return t.fanout
	}
	return nil
}
