package http2

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"golang.org/x/net/http2/hpack"

	syntax "github.com/clearspan/clearspan/decrypt/proto/http2"
	"github.com/clearspan/clearspan/mirror"
	"github.com/clearspan/clearspan/mirror/mirrortest"
)

// FuzzFrames renders any octets of both directions: whole and in single octets,
// with a sink that takes everything and one that fails. The order in which the
// directions take turns is part of the input: each chunk is a direction, a length
// and the octets. Preface and SETTINGS stand before it, if it is to begin so.
func FuzzFrames(f *testing.F) {
	begun := len(newWire().steps)
	for _, w := range seeds() {
		f.Add(pack(w.steps), false)
		f.Add(pack(w.steps[begun:]), true)
	}
	f.Fuzz(func(t *testing.T, input []byte, begins bool) {
		steps := unpack(input)
		if begins {
			steps = append(newWire().steps, steps...)
		}
		whole := play(steps, &mirrortest.Recorder{}, Options{}, wholly)
		if err := whole.judge(false); err != nil {
			t.Fatal(err)
		}
		single := play(steps, &mirrortest.Recorder{}, Options{}, func(int) int { return 1 })
		if err := single.judge(false); err != nil {
			t.Fatal(err)
		}
		if a, b := fmt.Sprintf("%q", whole.text()), fmt.Sprintf("%q", single.text()); a != b {
			t.Fatalf("chunks make a difference:\n%s\n%s", a, b)
		}
		calls := 0
		recorder := &mirrortest.Recorder{Fail: func(frames []mirror.Frame) (int, error) {
			if calls++; calls%3 == 0 {
				return len(frames) / 2, mirror.ErrFull
			}
			return len(frames), nil
		}}
		lossy := play(steps, recorder, Options{}, wholly)
		if err := lossy.judge(true); err != nil {
			t.Fatal(err)
		}
	})
}

// FuzzBlocks renders any header block as a request, an answer and trailers. What
// is shown holds as many lines as the block has fields, and not one more.
func FuzzBlocks(f *testing.F) {
	w := newWire()
	f.Add(w.encode(up, ":method", "GET", ":scheme", "https", ":authority", "a.test", ":path", "/", "cookie", "a", "cookie", "b"))
	f.Add(w.encode(up, ":status", "200", "content-length", "5", "set-cookie", "a\r\nb: c"))
	f.Add(w.encode(up, "na\r\nme", "v", "transfer-encoding", "chunked", "host", "x", "Host", "y", ":", "", "", ""))
	f.Add(w.encode(up, ":method", "CONNECT", ":protocol", "websocket", ":path", "/ HTTP/1.1\r\n"))
	f.Add([]byte("\x3f\xe1\x1f\x82\x40\x01a\x85\xff\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, block []byte) {
		if len(block) > 16<<10 {
			return
		}
		fields, err := hpack.NewDecoder(syntax.DefaultTable, nil).DecodeFull(block)
		sound := err == nil
		for _, shape := range []string{"request", "answer", "trailers"} {
			w, dir := newWire(), down
			frame := func() {
				w.raw(dir, string(syntax.AppendHeaders(nil, 1, true, block)))
			}
			switch shape {
			case "request":
				dir = up
				frame()
			case "answer":
				w.get(1, "/")
				frame()
			default:
				w.get(1, "/").headers(down, 1, false, ":status", "200")
				frame()
			}
			r := play(w.steps, &mirrortest.Recorder{}, Options{}, wholly)
			if err := r.judge(false); err != nil {
				t.Fatalf("%s: %v", shape, err)
			}
			if sound != (r.report.RawReason == "") {
				t.Fatalf("%s: passed on for %q, block: %v", shape, r.report.RawReason, err)
			}
			if !sound {
				continue
			}
			text := string(r.conversations[0].Streams[dir])
			most := 1 + len(fields) + 4
			if shape == "trailers" {
				_, text, _ = strings.Cut(text, "\r\n\r\n")
				most = 1 + len(fields)
			}
			lines := strings.Count(text, "\r\n") - 1
			if text == "0\r\n\r\n" {
				lines = 1
			}
			if lines > most {
				t.Fatalf("%s: %d lines of %d fields:\n%q", shape, lines, len(fields), text)
			}
			if err := countLines(text, lines); err != nil {
				t.Fatalf("%s: %v:\n%q", shape, err, text)
			}
		}
	})
}

// seeds are sessions in which everything happens.
func seeds() []*wire {
	plain := newWire()
	plain.settings(up, 1, 65536).get(1, "/", "cookie", "a", "cookie", "b").headers(up, 3, false, ":method", "POST", ":path", "/p").data(up, 3, false, "some").data(up, 3, true, "more")
	plain.headers(down, 1, false, ":status", "200", "content-length", "3").headers(down, 3, false, ":status", "200", "trailer", "x").data(down, 1, true, "abc").data(down, 3, false, "def").headers(down, 3, true, "x", "y").end(up).end(down)
	odd := newWire()
	odd.headers(up, 1, false, ":method", "CONNECT", ":protocol", "websocket", ":path", "/").headers(down, 1, false, ":status", "103").headers(down, 1, false, ":status", "200").data(up, 1, false, "\x81\x00")
	odd.raw(down, "\x00\x00\x05\x05\x04\x00\x00\x00\x01\x00\x00\x00\x02\x82").headers(down, 2, true, ":status", "404").rst(up, 1).data(down, 1, false, "late")
	odd.raw(up, "\x00\x00\x06\x00\x08\x00\x00\x00\x01\x03abc\x00\x00").raw(down, "\x00\x00\x08\x07\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00").reset(down)
	broken := newWire()
	broken.get(1, "/").raw(up, "\x00\x00\x01\x01\x00\x00\x00\x00\x03\x82\x00\x00\x01\x09\x04\x00\x00\x00\x03\xff").raw(down, "rest")
	return []*wire{plain, odd, broken}
}

// pack writes steps as input of FuzzFrames.
func pack(steps []step) []byte {
	var b bytes.Buffer
	for _, st := range steps {
		kind := byte(st.dir)
		switch {
		case st.end:
			kind |= 2
		case st.reset:
			kind |= 4
		}
		for p := st.octets; ; {
			n := min(len(p), 255)
			b.WriteByte(kind)
			b.WriteByte(byte(n))
			b.Write(p[:n])
			if p = p[n:]; len(p) == 0 {
				break
			}
		}
	}
	return b.Bytes()
}

// unpack reads them.
func unpack(p []byte) (steps []step) {
	for len(p) >= 2 {
		n := min(int(p[1]), len(p)-2)
		st := step{dir: mirror.Direction(p[0] & 1), octets: p[2 : 2+n]}
		st.end, st.reset = p[0]&6 == 2, p[0]&6 == 4
		steps = append(steps, st)
		p = p[2+n:]
	}
	return steps
}
