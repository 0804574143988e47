package http2

import (
	"bytes"
	"fmt"
	"net/netip"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/clearspan/clearspan/mirror"
	"github.com/clearspan/clearspan/mirror/mirrortest"
)

const (
	up   = mirror.ClientToOrigin
	down = mirror.OriginToClient
)

var flow = mirror.Flow{Client: netip.MustParseAddrPort("192.0.2.1:50000"), Origin: netip.MustParseAddrPort("198.51.100.2:443")}

// step is what one direction says at one time.
type step struct {
	dir    mirror.Direction
	octets []byte
	end    bool
	reset  bool
}

// wire writes the frames of a session by hand.
type wire struct {
	steps  []step
	buffer bytes.Buffer
	framer *http2.Framer
	block  [2]bytes.Buffer
	coder  [2]*hpack.Encoder
}

// newWire returns one on which preface and SETTINGS have been said.
func newWire() *wire {
	w := &wire{}
	w.framer = http2.NewFramer(&w.buffer, nil)
	w.framer.AllowIllegalWrites = true
	for dir := range w.coder {
		w.coder[dir] = hpack.NewEncoder(&w.block[dir])
	}
	w.raw(up, http2.ClientPreface)
	w.frames(up, func(f *http2.Framer) { f.WriteSettings() })
	w.frames(down, func(f *http2.Framer) { f.WriteSettings(); f.WriteSettingsAck() })
	return w
}

func (w *wire) raw(dir mirror.Direction, octets string) *wire {
	w.steps = append(w.steps, step{dir: dir, octets: []byte(octets)})
	return w
}

func (w *wire) end(dir mirror.Direction) *wire {
	w.steps = append(w.steps, step{dir: dir, end: true})
	return w
}

func (w *wire) reset(dir mirror.Direction) *wire {
	w.steps = append(w.steps, step{dir: dir, reset: true})
	return w
}

// frames adds what write says.
func (w *wire) frames(dir mirror.Direction, write func(*http2.Framer)) *wire {
	write(w.framer)
	w.raw(dir, w.buffer.String())
	w.buffer.Reset()
	return w
}

// encode returns a header block of names and values.
func (w *wire) encode(dir mirror.Direction, fields ...string) []byte {
	w.block[dir].Reset()
	for i := 0; i+1 < len(fields); i += 2 {
		w.coder[dir].WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]})
	}
	return bytes.Clone(w.block[dir].Bytes())
}

func (w *wire) headers(dir mirror.Direction, id uint32, end bool, fields ...string) *wire {
	block := w.encode(dir, fields...)
	return w.frames(dir, func(f *http2.Framer) {
		f.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: block, EndStream: end, EndHeaders: true})
	})
}

// get is a request without content.
func (w *wire) get(id uint32, path string, fields ...string) *wire {
	return w.headers(up, id, true, append([]string{":method", "GET", ":scheme", "https", ":authority", "a.test", ":path", path}, fields...)...)
}

func (w *wire) data(dir mirror.Direction, id uint32, end bool, content string) *wire {
	return w.frames(dir, func(f *http2.Framer) { f.WriteData(id, end, []byte(content)) })
}

func (w *wire) settings(dir mirror.Direction, id http2.SettingID, v uint32) *wire {
	return w.frames(dir, func(f *http2.Framer) { f.WriteSettings(http2.Setting{ID: id, Val: v}) })
}

func (w *wire) rst(dir mirror.Direction, id uint32) *wire {
	return w.frames(dir, func(f *http2.Framer) { f.WriteRSTStream(id, http2.ErrCodeCancel) })
}

// result is a rendered session.
type result struct {
	recorder      *mirrortest.Recorder
	account       mirror.Account
	report        Report
	conversations []mirrortest.Conversation
	given         [2]uint64
}

// play renders steps cut into chunks: cut returns the length of the next one,
// of at most that many octets.
func play(steps []step, recorder *mirrortest.Recorder, opts Options, cut func(int) int) result {
	s := Open(recorder, flow, opts)
	r := result{recorder: recorder}
	for _, st := range steps {
		for p := st.octets; len(p) > 0; {
			n := cut(len(p))
			chunk := bytes.Clone(p[:n])
			s.Data(st.dir, chunk)
			clear(chunk) // it was borrowed
			r.given[st.dir] += uint64(n)
			p = p[n:]
		}
		switch {
		case st.end:
			s.End(st.dir)
		case st.reset:
			s.Reset(st.dir)
		}
	}
	r.account = s.Close()
	r.report = s.Report()
	return r
}

func wholly(n int) int { return n }

// judge holds the account of a session against what the sink took. It returns
// what is wrong.
func (r *result) judge(lossy bool) error {
	a := mirrortest.NewAnalyzer(mirrortest.Options{})
	frames := r.recorder.Frames()
	for _, f := range frames {
		a.Add(f)
	}
	list, findings := a.Finish()
	r.conversations = list
	var seen [2]uint64
	for _, c := range list {
		findings = append(findings, c.Findings...)
		seen[0] += c.Octets[0]
		seen[1] += c.Octets[1]
	}
	for _, f := range findings {
		if lossy && (f.Kind == mirrortest.BadHandshake || f.Kind == mirrortest.NoEnd) {
			continue
		}
		return fmt.Errorf("frames: %s", f)
	}
	for dir := range r.given {
		if got := r.account.Octets[dir] + r.account.LostOctets(mirror.Direction(dir)); got != r.given[dir] {
			return fmt.Errorf("direction %d: %d octets framed and %d lost, %d relayed", dir, r.account.Octets[dir], r.account.LostOctets(mirror.Direction(dir)), r.given[dir])
		}
		if r.account.Octets[dir] > r.given[dir] {
			return fmt.Errorf("direction %d: %d octets framed of %d", dir, r.account.Octets[dir], r.given[dir])
		}
	}
	if seen != r.report.Rendered {
		return fmt.Errorf("%v octets recorded, %v rendered", seen, r.report.Rendered)
	}
	if r.account.Frames != uint64(len(frames)) || r.account.FramesLost != uint64(r.recorder.Refused()) {
		return fmt.Errorf("%d frames and %d lost, sink took %d and refused %d", r.account.Frames, r.account.FramesLost, len(frames), r.recorder.Refused())
	}
	return nil
}

// text writes conversations as a test compares them: what the client said, what
// the origin said, and R if it was reset.
func (r *result) text() [][]string {
	var list [][]string
	for _, c := range r.conversations {
		row := []string{string(c.Streams[0]), string(c.Streams[1])}
		if c.Reset {
			row = append(row, "R")
		}
		list = append(list, row)
	}
	return list
}

// check renders a wire whole, in octets, and with a sink that nobody reads, and
// judges all of it.
func check(t *testing.T, w *wire) result {
	t.Helper()
	idle := &mirrortest.Recorder{}
	idle.SetIdle(true)
	unseen := play(w.steps, idle, Options{}, wholly)
	if err := unseen.judge(true); err != nil {
		t.Errorf("nobody reads: %v", err)
	}
	single := play(w.steps, &mirrortest.Recorder{}, Options{}, func(int) int { return 1 })
	if err := single.judge(false); err != nil {
		t.Errorf("in single octets: %v", err)
	}
	r := play(w.steps, &mirrortest.Recorder{}, Options{}, wholly)
	if err := r.judge(false); err != nil {
		t.Error(err)
	}
	if a, b := fmt.Sprintf("%q", r.text()), fmt.Sprintf("%q", single.text()); a != b {
		t.Errorf("chunks make a difference:\nwhole  %.3000s\nsingle %.3000s", a, b)
	}
	return r
}
