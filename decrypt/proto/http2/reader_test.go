package http2

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/http2/hpack"

	"github.com/clearspan/clearspan/decrypt/proto"
)

// frame writes one, well-formed or not.
func frame(kind Type, flags Flags, stream uint32, payload string) string {
	return string(Header{len(payload), kind, flags, stream}.Append(nil)) + payload
}

// settings is the first frame of each direction.
var settings = frame(Settings, 0, 0, "")

// block encodes fields without a table.
func block(fields ...string) string {
	var b bytes.Buffer
	e := hpack.NewEncoder(&b)
	for i := 0; i < len(fields); i += 2 {
		e.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]})
	}
	return b.String()
}

// transcript is what a reader returned: a line for each frame, pieces of one joined,
// then the fault.
type transcript struct {
	frames []string
	taken  int // octets
	rest   int // octets from the faulty unit on
}

// readAll reads input in pieces of a size.
func readAll(tb testing.TB, r *Reader, input string, size int) (out transcript) {
	tb.Helper()
	d := NewDecoder(1 << 16)
	var body []byte
	for p := []byte(input); len(p) > 0; {
		piece := p[:min(size, len(p))]
		f, n, err := r.Next(piece)
		if n < 0 || n > len(piece) || n == 0 && f == nil && err == nil || len(r.held) > r.limits.Block+HeaderLength {
			tb.Fatalf("took %d of %d octets, holds %d", n, len(piece), len(r.held))
		}
		p = p[n:]
		out.taken += n
		var fault *Fault
		if errors.As(err, &fault) {
			out.frames = append(out.frames, fmt.Sprintf("%v stream=%d passed=%v", fault.Code, fault.Stream, fault.Passed))
			if !fault.Passed {
				out.rest = len(r.Unit()) + len(p)
				return out
			}
		}
		if f == nil {
			continue
		}
		if f.First {
			body = body[:0]
			if !strings.HasSuffix(input[:out.taken], string(r.Unit())) {
				tb.Fatalf("unit %x is not the end of what was taken", r.Unit())
			}
		}
		if body = append(body, f.Body...); f.Last {
			out.frames = append(out.frames, describe(tb, r, d, f, body))
		}
	}
	return out
}

// describe writes a frame with its whole body.
func describe(tb testing.TB, r *Reader, d *Decoder, f *Frame, body []byte) string {
	if f.Type == Data && len(body) != f.ContentLength() {
		tb.Fatalf("%d octets of content, announced %d", len(body), f.ContentLength())
	}
	if f.bearsBlock() && !r.skips {
		fields, _, err := d.Decode(nil, f)
		return fmt.Sprint(f.Stream, f.Type, f.Flags, f.Promised, f.Priority, fields, err)
	}
	return fmt.Sprintf("%d %d %x %q", f.Stream, f.Type, f.Flags, body)
}

func TestReader(t *testing.T) {
	get := block(":method", "GET", ":path", "/", "cookie", strings.Repeat("c", 300))
	for _, tt := range []struct {
		name   string
		input  string // behind the preface and SETTINGS
		strict []string
		loose  []string // nil: as strict
	}{
		{"content", frame(Data, EndStream, 1, "abc"), []string{`1 0 1 "abc"`}, nil},
		{"no content", frame(Data, EndStream, 1, ""), []string{`1 0 1 ""`}, nil},
		{"padding", frame(Data, Padded, 1, "\x03abc\x00\x00\x00"), []string{`1 0 8 "abc"`}, nil},
		{"padding alone", frame(Data, Padded, 1, "\x02\x00\x00"), []string{`1 0 8 ""`}, nil},
		{"no padding", frame(Data, Padded, 1, "\x00abc"), []string{`1 0 8 "abc"`}, nil},
		{"padding too long", frame(Data, Padded, 1, "\x02a"), []string{"PROTOCOL_ERROR stream=0 passed=false"}, nil},
		{"no length of padding", frame(Data, Padded, 1, ""), []string{"FRAME_SIZE_ERROR stream=0 passed=false"}, nil},
		{"content of the connection", frame(Data, 0, 0, "a"), []string{"PROTOCOL_ERROR stream=0 passed=false"}, nil},
		{"header", frame(Headers, EndHeaders|EndStream, 1, block(":method", "GET")), []string{`1 1 5 0 {0 false 0} [header field ":method" = "GET"] <nil>`}, nil},
		{"header with padding and priority", frame(Headers, EndHeaders|Padded|HasPriority, 1, "\x02\x80\x00\x00\x03\x10"+block(":method", "GET")+"\x00\x00"),
			[]string{`1 1 44 0 {3 true 16} [header field ":method" = "GET"] <nil>`}, nil},
		{"header in frames", frame(Headers, EndStream, 1, get[:1]) + frame(Continuation, 0, 1, "") + frame(Continuation, 0, 1, get[1:100]) + frame(Continuation, EndHeaders, 1, get[100:]),
			[]string{fmt.Sprintf(`1 1 1 0 {0 false 0} [header field ":method" = "GET" header field ":path" = "/" header field "cookie" = %q] <nil>`, strings.Repeat("c", 300))}, nil},
		{"header broken", frame(Headers, EndHeaders, 1, "\xff\xff\x7f"), []string{"1 1 4 0 {0 false 0} [] http2: COMPRESSION_ERROR: header block cannot be decoded"}, nil},
		{"padding of a header too long", frame(Headers, EndHeaders|Padded, 1, "\x09ab"), []string{"PROTOCOL_ERROR stream=0 passed=false"}, nil},
		{"header too short for a priority", frame(Headers, EndHeaders|HasPriority, 1, "abcd"), []string{"FRAME_SIZE_ERROR stream=0 passed=false"}, nil},
		{"header interrupted", frame(Headers, 0, 1, get) + frame(Ping, 0, 0, "12345678"), []string{"PROTOCOL_ERROR stream=0 passed=false"}, nil},
		{"header of another stream", frame(Headers, 0, 1, get) + frame(Continuation, EndHeaders, 3, ""), []string{"PROTOCOL_ERROR stream=0 passed=false"}, nil},
		{"continuation of nothing", frame(Continuation, EndHeaders, 1, get), []string{"PROTOCOL_ERROR stream=0 passed=false"}, nil},
		{"too many frames", frame(Headers, 0, 1, get) + strings.Repeat(frame(Continuation, 0, 1, ""), 200), []string{"ENHANCE_YOUR_CALM stream=0 passed=false"}, nil},
		{"too long a block", frame(Headers, 0, 1, get) + strings.Repeat(frame(Continuation, 0, 1, strings.Repeat("x", 16000)), 20), []string{"ENHANCE_YOUR_CALM stream=0 passed=false"}, nil},
		{"reset", frame(RSTStream, 0, 5, "\x00\x00\x00\x08"), []string{`5 3 0 ""`}, nil},
		{"reset too short", frame(RSTStream, 0, 5, "\x00\x00\x08") + frame(Data, 0, 1, "a"), []string{"FRAME_SIZE_ERROR stream=0 passed=false"},
			[]string{"FRAME_SIZE_ERROR stream=0 passed=true", `1 0 0 "a"`}},
		{"settings", frame(Settings, 0, 0, "\x00\x01\x00\x00\x20\x00"), []string{`0 4 0 "\x00\x01\x00\x00 \x00"`}, nil},
		{"settings of a stream", frame(Settings, 0, 1, "") + frame(Data, 0, 1, "a"), []string{"PROTOCOL_ERROR stream=0 passed=false"},
			[]string{"PROTOCOL_ERROR stream=0 passed=true", `1 0 0 "a"`}},
		{"settings cut", frame(Settings, 0, 0, "\x00\x01\x00") + frame(Data, 0, 1, "a"), []string{"FRAME_SIZE_ERROR stream=0 passed=false"},
			[]string{"FRAME_SIZE_ERROR stream=0 passed=true", `1 0 0 "a"`}},
		{"settings with ACK", frame(Settings, ACK, 0, "\x00\x01\x00\x00\x20\x00"), []string{"FRAME_SIZE_ERROR stream=0 passed=false"},
			[]string{"FRAME_SIZE_ERROR stream=0 passed=true"}},
		{"window of a setting", frame(Settings, 0, 0, "\x00\x04\x80\x00\x00\x00"), []string{"FLOW_CONTROL_ERROR stream=0 passed=false"}, []string{`0 4 0 "\x00\x04\x80\x00\x00\x00"`}},
		{"frame size of a setting", frame(Settings, 0, 0, "\x00\x05\x00\x00\x00\x01"), []string{"PROTOCOL_ERROR stream=0 passed=false"}, []string{`0 4 0 "\x00\x05\x00\x00\x00\x01"`}},
		{"push of a setting", frame(Settings, 0, 0, "\x00\x02\x00\x00\x00\x02"), []string{"PROTOCOL_ERROR stream=0 passed=false"}, []string{`0 4 0 "\x00\x02\x00\x00\x00\x02"`}},
		{"promise of a client", frame(PushPromise, EndHeaders, 1, "\x00\x00\x00\x02"+get), []string{"PROTOCOL_ERROR stream=0 passed=false"}, nil},
		{"ping", frame(Ping, ACK, 0, "12345678"), []string{`0 6 1 "12345678"`}, nil},
		{"ping too short", frame(Ping, 0, 0, "1234567"), []string{"FRAME_SIZE_ERROR stream=0 passed=false"}, []string{`0 6 0 "1234567"`}},
		{"ping of a stream", frame(Ping, 0, 1, "12345678"), []string{"PROTOCOL_ERROR stream=0 passed=false"}, []string{`1 6 0 "12345678"`}},
		{"goaway", frame(GoAway, 0, 0, "\x00\x00\x00\x05\x00\x00\x00\x02bye"), []string{`0 7 0 "bye"`}, nil},
		{"goaway too short", frame(GoAway, 0, 0, "\x00\x00\x00\x05"), []string{"FRAME_SIZE_ERROR stream=0 passed=false"}, []string{"FRAME_SIZE_ERROR stream=0 passed=true"}},
		{"window", frame(WindowUpdate, 0, 0, "\x00\x00\x00\x05"), []string{`0 8 0 ""`}, []string{`0 8 0 "\x00\x00\x00\x05"`}},
		{"window of nothing", frame(WindowUpdate, 0, 0, "\x00\x00\x00\x00"), []string{"PROTOCOL_ERROR stream=0 passed=false"}, []string{`0 8 0 "\x00\x00\x00\x00"`}},
		{"window of nothing for a stream", frame(WindowUpdate, 0, 1, "\x80\x00\x00\x00") + frame(Data, 0, 1, "a"), []string{"PROTOCOL_ERROR stream=1 passed=true", `1 0 0 "a"`},
			[]string{`1 8 0 "\x80\x00\x00\x00"`, `1 0 0 "a"`}},
		{"priority", frame(Priority, 0, 3, "\x80\x00\x00\x01\x10"), []string{`3 2 0 ""`}, []string{`3 2 0 "\x80\x00\x00\x01\x10"`}},
		{"priority too short", frame(Priority, 0, 3, "\x80\x00") + frame(Data, 0, 1, "a"), []string{"FRAME_SIZE_ERROR stream=3 passed=true", `1 0 0 "a"`}, []string{`3 2 0 "\x80\x00"`, `1 0 0 "a"`}},
		{"extension", frame(0xbe, 0xff, 0, "grease"), []string{`0 190 ff "grease"`}, nil},
		{"frame too long", frame(Data, 0, 1, strings.Repeat("a", DefaultFrame+1)), []string{"FRAME_SIZE_ERROR stream=0 passed=false"},
			[]string{fmt.Sprintf("1 0 0 %q", strings.Repeat("a", DefaultFrame+1))}},
		{"reserved bit of the stream", frame(Data, 0, 1, "a")[:5] + "\x80" + frame(Data, 0, 1, "a")[6:], []string{`1 0 0 "a"`}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			input := Preface + settings + tt.input
			for mode, want := range [][]string{tt.strict, tt.loose} {
				if want == nil {
					want = tt.strict
				}
				want = append([]string{`0 4 0 ""`}, want...)
				for _, size := range []int{1 << 20, 1, 2, 7, 9, 10, 100} {
					r := NewReader(proto.ClientToOrigin, Mode(mode), Limits{})
					got := readAll(t, r, input, size)
					if diff := cmp.Diff(want, got.frames); diff != "" {
						t.Fatalf("mode %d, pieces of %d (-want +got):\n%s", mode, size, diff)
					}
					if got.rest == 0 && got.taken != len(input) {
						t.Errorf("mode %d, pieces of %d: %d octets taken of %d", mode, size, got.taken, len(input))
					}
				}
			}
		})
	}
}

// TestFaultyUnit: what the reader holds and what it left begin with the faulty unit.
func TestFaultyUnit(t *testing.T) {
	begin := frame(Headers, 0, 1, "\x82") + frame(Continuation, 0, 1, "\x84")
	for name, unit := range map[string]string{
		"one frame":       frame(Data, Padded, 1, "\x09a") + "more",
		"in its header":   frame(Data, 0, 0, "abc") + "more",
		"header block":    begin + frame(Ping, 0, 0, "12345678") + "more",
		"padding":         frame(Headers, EndHeaders|Padded, 1, "\x09a") + "more",
		"bound of frames": frame(Headers, 0, 1, "") + strings.Repeat(frame(Continuation, 0, 1, ""), 128) + "more",
	} {
		for _, size := range []int{1 << 20, 1, 9, 11, 20} {
			r := NewReader(proto.ClientToOrigin, Loose, Limits{})
			got := readAll(t, r, Preface+settings+frame(Data, 0, 1, "abc")+unit, size)
			if got.rest != len(unit) {
				t.Errorf("%s, pieces of %d: %d octets from the faulty unit on, want %d", name, size, got.rest, len(unit))
			}
		}
	}
}

// TestPreface: both ends begin with SETTINGS, a client with the preface before it.
func TestPreface(t *testing.T) {
	for _, tt := range []struct {
		name  string
		dir   proto.Direction
		mode  Mode
		input string
		want  error
	}{
		{"client", proto.ClientToOrigin, Strict, Preface + settings, nil},
		{"origin", proto.OriginToClient, Strict, settings, nil},
		{"HTTP/1", proto.ClientToOrigin, Loose, "PRI * HTTP/1.1\r\n", ErrPreface},
		{"another first frame", proto.OriginToClient, Strict, frame(Ping, 0, 0, "12345678"), ErrPreface},
		{"another first frame, watched", proto.OriginToClient, Loose, frame(Ping, 0, 0, "12345678"), nil},
	} {
		r := NewReader(tt.dir, tt.mode, Limits{})
		var err error
		for p := []byte(tt.input); len(p) > 0 && err == nil; {
			var n int
			_, n, err = r.Next(p)
			p = p[n:]
		}
		if err != tt.want && !(err == nil && tt.want == nil) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
	}
}

// TestSkipBlocks: a reader that counts streams goes on behind any header block.
func TestSkipBlocks(t *testing.T) {
	input := Preface + settings + frame(Headers, 0, 1, "\xff\xff") + frame(Continuation, EndHeaders, 1, "\xff") + frame(Data, EndStream, 1, "a")
	for _, size := range []int{1 << 20, 1, 10} {
		r := NewReader(proto.ClientToOrigin, Loose, Limits{})
		r.SkipBlocks()
		got := readAll(t, r, input, size)
		want := []string{`0 4 0 ""`, `1 1 0 "\xff\xff"`, `1 9 4 "\xff"`, `1 0 1 "a"`}
		if diff := cmp.Diff(want, got.frames); diff != "" {
			t.Errorf("pieces of %d (-want +got):\n%s", size, diff)
		}
	}
}

// TestAllocatesNothing: content and frames of the connection cost no memory.
func TestAllocatesNothing(t *testing.T) {
	input := []byte(frame(Data, 0, 1, strings.Repeat("x", 9000)) + frame(WindowUpdate, 0, 1, "\x00\x00\x00\x01") + frame(Data, Padded, 1, "\x01x\x00") +
		frame(Settings, 0, 0, "\x00\x01\x00\x00\x20\x00") + frame(Headers, EndHeaders, 1, "\x88"))
	for _, mode := range []Mode{Strict, Loose} {
		for _, size := range []int{1 << 20, 1000} {
			r := NewReader(proto.OriginToClient, mode, Limits{})
			readAll(t, r, settings, 1<<20)
			total := 0
			if n := testing.AllocsPerRun(100, func() {
				for rest := input; len(rest) > 0; {
					f, n, err := r.Next(rest[:min(size, len(rest))])
					if err != nil {
						t.Fatal(err)
					}
					if f != nil {
						total += len(f.Body)
						for s := range f.Settings() {
							total += int(s.Value)
						}
					}
					rest = rest[n:]
				}
			}); n > 0 {
				t.Errorf("mode %d, pieces of %d: %v allocations", mode, size, n)
			}
		}
	}
}

// BenchmarkReader reads DATA frames of 16 KiB.
func BenchmarkReader(b *testing.B) {
	p := []byte(frame(Data, 0, 1, strings.Repeat("x", DefaultFrame)))
	for name, mode := range map[string]Mode{"strict": Strict, "loose": Loose} {
		b.Run(name, func(b *testing.B) {
			r := NewReader(proto.OriginToClient, mode, Limits{})
			readAll(b, r, settings, 1<<20)
			b.SetBytes(int64(len(p)))
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := r.Next(p); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// TestSkip: a frame in pieces goes on behind a gap within it; nothing else does.
func TestSkip(t *testing.T) {
	data := frame(Data, Padded|EndStream, 1, "\x02abcdef\x00\x00")
	for _, tt := range []struct {
		name    string
		read    int // octets of the frame before the gap
		lost    uint64
		content uint64
		ok      bool
		rest    string // content behind the gap
	}{
		{"content", HeaderLength + 2, 3, 3, true, "ef"},
		{"content and padding", HeaderLength + 5, 4, 2, true, ""},
		{"padding", HeaderLength + 7, 1, 0, true, ""},
		{"beyond the frame", HeaderLength + 5, 5, 0, false, ""},
		{"the length of padding", HeaderLength, 1, 0, false, ""},
		{"the header", 3, 1, 0, false, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := NewReader(proto.OriginToClient, Loose, Limits{})
			for p := []byte(data[:tt.read]); len(p) > 0; {
				_, n, err := r.Next(p)
				if err != nil {
					t.Fatal(err)
				}
				p = p[n:]
			}
			f, content, ok := r.Skip(tt.lost)
			if content != tt.content || ok != tt.ok {
				t.Fatalf("%d octets of content, %v", content, ok)
			}
			if !ok {
				return
			}
			rest, last := "", f.Last
			for p := []byte(data[tt.read+int(tt.lost):]); len(p) > 0; {
				f, n, err := r.Next(p)
				if err != nil {
					t.Fatal(err)
				}
				rest, last, p = rest+string(f.Body), f.Last, p[n:]
			}
			if rest != tt.rest || !last {
				t.Errorf("then %q, last %v", rest, last)
			}
		})
	}
}

// TestRelease: a reader keeps no memory of a large block when it waits for more.
func TestRelease(t *testing.T) {
	r := NewReader(proto.OriginToClient, Strict, Limits{})
	readAll(t, r, settings+string(AppendHeaders(nil, 1, true, []byte(block("x", strings.Repeat("y", 40_000))))), 1000)
	if r.Release(); cap(r.held) > spare || len(r.Unit()) > 0 {
		t.Errorf("holds %d octets", cap(r.held))
	}
}
