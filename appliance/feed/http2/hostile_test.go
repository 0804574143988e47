package http2

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/http2"

	syntax "github.com/clearspan/clearspan/decrypt/proto/http2"
	"github.com/clearspan/clearspan/mirror"
	"github.com/clearspan/clearspan/mirror/mirrortest"
)

// TestInjection: no octet of a field makes a line, a field or a message.
func TestInjection(t *testing.T) {
	w := newWire()
	w.headers(up, 1, true, ":method", "GET / HTTP/1.1\r\nx: y\r\n\r\nGET", ":scheme", "https", ":authority", "a\r\nb: c", ":path", "/ HTTP/1.1\r\n\r\n",
		":path", "/second", ":strange", "v", "na me:\r\n", "v", "", "v", "v", "a\r\nset-cookie: b\x00", "Transfer-Encoding", "chunked", "connection", "close",
		"Content-Length", "5", "content-length", "6", "upgrade", "h2c", "cookie", "a\nb", "proxy-connection", "x")
	w.headers(down, 1, false, ":status", "200\r\n", "content-length", "+5", "content-length", "5, 5", "keep-alive", "x", ":path", "/")
	w.data(down, 1, true, "HTTP/1.1 200 OK\r\n\r\n")
	w.get(3, "").headers(down, 3, true, ":status", "101")
	w.headers(up, 5, true, "x", "y").headers(down, 5, true, ":status", "99")
	w.headers(up, 7, true, ":method", "CONNECT", ":protocol", "a b\r\n", ":path", "").headers(down, 7, true)
	r := check(t, w)
	want := [][]string{
		{"GET_/_HTTP/1.1__x__y____GET /%20HTTP/1.1%0D%0A%0D%0A HTTP/1.1\r\nhost: a  b: c\r\nx-http2-path: /second\r\nx-http2-strange: v\r\nna_me___: v\r\n_: v\r\n" +
			"v: a  set-cookie: b \r\nx-http2-Transfer-Encoding: chunked\r\nx-http2-connection: close\r\nContent-Length: 5\r\nx-http2-content-length: 6\r\nx-http2-upgrade: h2c\r\ncookie: a b\r\nx-http2-proxy-connection: x\r\n\r\n",
			"HTTP/1.1 599 \r\nx-http2-content-length: +5\r\nx-http2-content-length: 5, 5\r\nx-http2-keep-alive: x\r\nx-http2-path: /\r\ntransfer-encoding: chunked\r\n\r\n13\r\nHTTP/1.1 200 OK\r\n\r\n\r\n0\r\n\r\n"},
		{"GET / HTTP/1.1\r\nhost: a.test\r\n\r\n", "HTTP/1.1 599 \r\ncontent-length: 0\r\n\r\n"},
		{"MALFORMED / HTTP/1.1\r\nhost: \r\nx: y\r\n\r\n", "HTTP/1.1 599 \r\ncontent-length: 0\r\n\r\n"},
		{"GET / HTTP/1.1\r\nhost: \r\nconnection: Upgrade\r\nupgrade: a_b__\r\n\r\n", "HTTP/1.1 599 \r\ncontent-length: 0\r\n\r\n"},
	}
	want[0][0] = strings.Replace(want[0][0], "GET_/_", "GET___", 1) // "/" is no part of a token
	want[0][0] = strings.Replace(want[0][0], "HTTP/1.1__x", "HTTP_1.1__x", 1)
	if diff := cmp.Diff(want, r.text()); diff != "" {
		t.Errorf("conversations (-want +got):\n%s", diff)
	}
	if r.report.Replaced < 20 {
		t.Errorf("%d replaced", r.report.Replaced)
	}
}

// TestPassedOn: from the first octet of what cannot be rendered on, the session
// is shown as it was.
func TestPassedOn(t *testing.T) {
	raw := func(length int, kind syntax.Type, flags syntax.Flags, stream uint32, payload string) string {
		return string(syntax.Header{Length: length, Type: kind, Flags: flags, Stream: stream}.Append(nil)) + payload
	}
	whole := func(kind syntax.Type, flags syntax.Flags, stream uint32, payload string) string {
		return raw(len(payload), kind, flags, stream, payload)
	}
	for _, tt := range []struct {
		name   string
		dir    mirror.Direction
		octets string
		reason string
	}{
		{"data on stream 0", up, whole(syntax.Data, 0, 0, "x"), rawProtocol},
		{"data on a stream that never was", down, whole(syntax.Data, 0, 9, "x"), rawProtocol},
		{"padding longer than the frame", up, whole(syntax.Data, syntax.Padded, 1, "\x05abcd"), rawProtocol},
		{"padded flag on an empty frame", up, whole(syntax.Data, syntax.Padded, 1, "") + "\x00", rawProtocol},
		{"header of stream 0", up, whole(syntax.Headers, syntax.EndHeaders, 0, "\x82"), rawProtocol},
		{"client opens an even stream", up, whole(syntax.Headers, syntax.EndHeaders, 8, "\x82"), rawProtocol},
		{"answer to no request", down, whole(syntax.Headers, syntax.EndHeaders, 9, "\x88"), rawProtocol},
		{"padding longer than the header", up, whole(syntax.Headers, syntax.EndHeaders|syntax.Padded, 3, "\x05\x82"), rawProtocol},
		{"short priority", up, whole(syntax.Headers, syntax.EndHeaders|syntax.HasPriority, 3, "\x82"), rawProtocol},
		{"continuation of nothing", up, whole(syntax.Continuation, syntax.EndHeaders, 1, "\x82"), rawProtocol},
		{"another frame within a block", up, whole(syntax.Headers, 0, 3, "\x82") + whole(0x6, 0, 0, "12345678"), rawProtocol},
		{"continuation of another stream", up, whole(syntax.Headers, 0, 3, "\x82") + whole(syntax.Continuation, syntax.EndHeaders, 5, ""), rawProtocol},
		{"promise by the client", up, whole(syntax.PushPromise, syntax.EndHeaders, 1, "\x00\x00\x00\x02\x82"), rawProtocol},
		{"promise of an odd stream", down, whole(syntax.PushPromise, syntax.EndHeaders, 1, "\x00\x00\x00\x03\x82"), rawProtocol},
		{"promise of stream 0", down, whole(syntax.PushPromise, syntax.EndHeaders, 1, "\x00\x00\x00\x00\x82"), rawProtocol},
		{"promise on a stream that never was", down, whole(syntax.PushPromise, syntax.EndHeaders, 9, "\x00\x00\x00\x02\x82"), rawProtocol},
		{"long RST_STREAM", up, whole(syntax.RSTStream, 0, 1, "12345"), rawProtocol},
		{"reset of a stream that never was", up, whole(syntax.RSTStream, 0, 9, "1234"), rawProtocol},
		{"broken SETTINGS", down, whole(syntax.Settings, 0, 0, "12345"), rawProtocol},
		{"SETTINGS of a stream", down, whole(syntax.Settings, 0, 1, ""), rawProtocol},
		{"short GOAWAY", down, whole(syntax.GoAway, 0, 0, "1234"), rawProtocol},
		{"index that is not in the table", up, whole(syntax.Headers, syntax.EndHeaders, 3, "\xff\x20"), rawHPACK},
		{"truncated block", up, whole(syntax.Headers, syntax.EndHeaders, 3, "\x40\x05ab"), rawHPACK},
		{"truncated block in two frames", up, whole(syntax.Headers, 0, 3, "\x40\x05ab") + whole(syntax.Continuation, syntax.EndHeaders, 3, "c"), rawHPACK},
		{"table larger than both ends said", up, whole(syntax.Headers, syntax.EndHeaders, 3, "\x3f\xe2\x1f\x82"), rawHPACK},
		{"block beyond the bound", up, raw(maxBlock, syntax.Headers, 0, 3, ""), rawHeaderSize},
		{"flood of continuations", up, whole(syntax.Headers, 0, 3, "\x82") + strings.Repeat(whole(syntax.Continuation, 0, 3, ""), maxFrames), rawHeaderSize},
		{"large field over and over", up, whole(syntax.Headers, syntax.EndHeaders, 3, "\x40\x01a\x7f\xa1\x1e"+strings.Repeat("v", 4000)+strings.Repeat("\xbe", 1000)), rawHeaderSize},
		{"no frame to its end", up, raw(9, syntax.Headers, syntax.EndHeaders, 3, "\x82"), rawIncomplete},
		{"no header to its end", down, "\x00\x00", rawIncomplete},
		{"block without end", up, whole(syntax.Headers, 0, 3, "\x82"), rawIncomplete},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWire().get(1, "/")
			w.raw(tt.dir, tt.octets)
			want := [2]string{}
			want[tt.dir] = tt.octets
			if tt.reason != rawIncomplete {
				w.raw(tt.dir, "rest").raw(tt.dir^1, "rest of the other")
				want[tt.dir] += "rest"
				want[tt.dir^1] = "rest of the other"
			}
			r := check(t, w)
			if r.report.RawReason != tt.reason || len(r.conversations) != 2 {
				t.Fatalf("passed on for %q, want %q; %d conversations", r.report.RawReason, tt.reason, len(r.conversations))
			}
			c := r.conversations[1]
			if got := [2]string{string(c.Streams[0]), string(c.Streams[1])}; got != want {
				t.Errorf("passed on %.200q, want %.200q", got, want)
			}
			if c.Client.Port() != 50000 || c.Origin.Port() != 80 {
				t.Errorf("from %v to %v", c.Client, c.Origin)
			}
			if r.report.Raw != [2]uint64{uint64(len(want[0])), uint64(len(want[1]))} || len(r.account.Lost) > 0 {
				t.Errorf("report %+v, lost %v", r.report, r.account.Lost)
			}
		})
	}
}

// TestOtherProtocol: what is no HTTP/2 is shown as it is.
func TestOtherProtocol(t *testing.T) {
	for _, tt := range []struct {
		name       string
		up, down   string
		wantReason string
	}{
		{"another preface", "PRI * HTTP/3.0\r\n", "", rawPreface},
		{"preface cut off", "PRI * HT", "", rawIncomplete},
		{"no SETTINGS of the client", http2.ClientPreface + "\x00\x00\x08\x06\x00\x00\x00\x00\x0012345678", "", rawPreface},
		{"origin speaks HTTP/1.1", "", "HTTP/1.1 400 Bad Request\r\n\r\n", rawPreface},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := &wire{}
			w.raw(up, tt.up).raw(down, tt.down)
			r := check(t, w)
			if r.report.RawReason != tt.wantReason || len(r.conversations) != 1 {
				t.Fatalf("%+v", r.report)
			}
			got := string(r.conversations[0].Streams[0])
			if !strings.HasSuffix(tt.up, got) || string(r.conversations[0].Streams[1]) != tt.down {
				t.Errorf("passed on %q", r.conversations[0].Streams)
			}
		})
	}
}

// TestTables: what both ends say about dynamic tables is obeyed, up to the bound.
func TestTables(t *testing.T) {
	for _, tt := range []struct {
		name      string
		announced uint32
		used      uint32
		reason    string
	}{
		{"larger", 65536, 65536, ""},
		{"smaller than used before the other end knows", 0, 4096, ""},
		{"larger than the bound, used up to it", 1 << 20, 64 << 10, ""},
		{"larger than the bound, used beyond", 1 << 20, 64<<10 + 1, rawHPACK},
		{"not announced", 4096, 8192, rawHPACK},
	} {
		for _, dir := range []mirror.Direction{up, down} {
			t.Run(fmt.Sprint(tt.name, dir), func(t *testing.T) {
				w := newWire()
				w.settings(dir^1, http2.SettingHeaderTableSize, tt.announced)
				w.coder[dir].SetMaxDynamicTableSizeLimit(1 << 30)
				w.coder[dir].SetMaxDynamicTableSize(0)
				w.coder[dir].SetMaxDynamicTableSize(tt.used)
				w.get(1, "/").headers(down, 1, true, ":status", "200")
				if r := check(t, w); r.report.RawReason != tt.reason {
					t.Errorf("passed on for %q, want %q", r.report.RawReason, tt.reason)
				}
			})
		}
	}
}

// TestFloods: what an end opens, resets or repeats without bound is rendered up
// to one.
func TestFloods(t *testing.T) {
	for _, tt := range []struct {
		name   string
		add    func(w *wire, id uint32)
		count  int
		reason string
	}{
		{"open streams", func(w *wire, id uint32) { w.get(id, "/") }, maxStreams + 1, rawStreams},
		{"as many as allowed", func(w *wire, id uint32) { w.get(id, "/") }, maxStreams, ""},
		{"resets", func(w *wire, id uint32) { w.get(id, "/").rst(up, id) }, maxResets + 2, rawResets},
		{"cancelled answers", func(w *wire, id uint32) {
			w.get(id, "/").headers(down, id, false, ":status", "200").rst(up, id)
		}, maxResets + 2, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWire()
			for i := range tt.count {
				tt.add(w, uint32(2*i+1))
			}
			r := play(w.steps, &mirrortest.Recorder{}, Options{}, wholly)
			if err := r.judge(false); err != nil {
				t.Error(err)
			}
			if r.report.RawReason != tt.reason || len(r.report.Mapped) != maxMapped {
				t.Errorf("passed on for %q, want %q; %d ports", r.report.RawReason, tt.reason, len(r.report.Mapped))
			}
		})
	}
	t.Run("fields", func(t *testing.T) { // two octets that stand for 4 KiB, again and again
		w := newWire()
		w.get(1, "/", "large", strings.Repeat("v", 3900)).headers(down, 1, true, ":status", "200")
		s := Open(idleSink{}, flow, Options{})
		for _, st := range w.steps {
			s.Data(st.dir, st.octets)
		}
		for id := uint32(3); s.raw == nil && id < 100_000; id += 2 {
			block := "\x82\x87\xbf\x84" + strings.Repeat("\xbe", 100)
			s.Data(up, syntax.AppendHeaders(nil, id, true, []byte(block)))
			s.Data(down, syntax.AppendHeaders(nil, id, true, []byte{0x88}))
		}
		r := s.Report()
		if r.RawReason != rawHeaderSize || r.RenderedLost[0] > 64<<20 {
			t.Errorf("%+v", r)
		}
	})
}

// idleSink has no reader.
type idleSink struct{}

func (idleSink) Send(frames []mirror.Frame) (int, error) { return len(frames), nil }
func (idleSink) MTU() int                                { return 1500 }
func (idleSink) Idle() bool                              { return true }

func TestSessionHoldsNoLargeBuffer(t *testing.T) {
	w := newWire()
	w.get(1, "/", "x", strings.Repeat("y", 50_000))
	s := Open(idleSink{}, flow, Options{})
	for _, st := range w.steps {
		for p := range bytes.SplitSeq(st.octets, nil) {
			s.Data(st.dir, p)
		}
	}
	if cap(s.sides[0].reader.Unit()) > spare || cap(s.render.text) > spare || len(s.streams.open) != 1 {
		t.Errorf("%d and %d octets held", cap(s.sides[0].reader.Unit()), cap(s.render.text))
	}
}
