package recorder

import (
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/pcapgo"

	"github.com/clearspan/clearspan/appliance/recorder/engine"
	"github.com/clearspan/clearspan/appliance/recorder/flow"
	"github.com/clearspan/clearspan/appliance/recorder/trail"
	"github.com/clearspan/clearspan/appliance/recorder/volume"
	"github.com/clearspan/clearspan/decrypt/proto"
	"github.com/clearspan/clearspan/mirror"
)

// rendering writes sessions that came as records as frames: those that the live feed would have
// shown. It is the sink of their conversations.
type rendering struct {
	w      *pcapgo.NgWriter
	words  map[trail.ID]string // protocols of the sessions that are wanted
	table  *engine.Table
	at     time.Time
	frames int
	err    error
}

func newRendering(w *pcapgo.NgWriter, words map[trail.ID]string) *rendering {
	r := &rendering{w: w, words: words}
	r.table = engine.NewTable(r)
	return r
}

// add takes a record.
func (r *rendering) add(f *volume.Frame) error {
	r.at = f.At
	r.table.Add(f.Octets, f.At, f.Comment)
	return r.err
}

// close ends what is open.
func (r *rendering) close() error {
	r.table.Close()
	return r.err
}

// Open implements [flow.Handler].
func (r *rendering) Open(s *flow.Session) flow.Stream {
	word, wanted := r.words[trail.ID(s.ID)]
	if !wanted {
		return nil
	}
	note := ""
	if len(s.Comments) > 0 {
		note = s.Comments[0]
	}
	return &rendered{s, mirror.Open(r, mirror.Flow{Client: s.Client, Origin: s.Server}, mirror.Options{
		Protocol: portWord(word), Note: note, Now: func() time.Time { return r.at },
	})}
}

// portWord returns a protocol in the words of [mirror.PortMap].
func portWord(word string) string {
	switch word {
	case "http", "websocket":
		return "http/1.1"
	case "http2":
		return "h2"
	}
	return word
}

// Send implements [mirror.Sink].
func (r *rendering) Send(frames []mirror.Frame) (int, error) {
	for i := range frames {
		f := &frames[i]
		p := append(append([]byte(nil), f.Header...), f.Payload...)
		o := pcapgo.NgPacketOptions{}
		if f.Note != "" {
			o.Comments = []string{f.Note}
		}
		err := r.w.WritePacketWithOptions(gopacket.CaptureInfo{Timestamp: r.at, CaptureLength: len(p), Length: len(p)}, p, o)
		if err != nil {
			r.err = err
			return i, err
		}
		r.frames++
	}
	return len(frames), nil
}

// MTU implements [mirror.Sink].
func (r *rendering) MTU() int { return 1500 }

// Idle implements [mirror.Sink].
func (r *rendering) Idle() bool { return false }

// rendered is one session.
type rendered struct {
	s *flow.Session
	c *mirror.Conversation
}

func (r *rendered) Data(dir proto.Direction, p []byte) { r.c.Data(mirror.Direction(dir), p) }
func (r *rendered) Gap(dir proto.Direction, n uint64) {
	r.c.Skip(mirror.Direction(dir), n, mirror.ReasonOther)
}
func (r *rendered) End(dir proto.Direction) { r.c.End(mirror.Direction(dir)) }
func (r *rendered) Close() {
	if r.s.Flags&flow.Reset != 0 {
		r.c.Reset(mirror.OriginToClient)
	}
	r.c.Close()
}
