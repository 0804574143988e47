package conformance_test

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"

	"github.com/clearspan/clearspan/mirror/capfile"
	"github.com/clearspan/clearspan/mirror/conformance"
)

// pcapOf writes frames as pcap; those longer than snap octets are cut.
func pcapOf(frames [][]byte, snap int, nanos bool) []byte {
	var b bytes.Buffer
	w := pcapgo.NewWriter(&b)
	if nanos {
		w = pcapgo.NewWriterNanos(&b)
	}
	w.WriteFileHeader(uint32(snap), layers.LinkTypeEthernet)
	for i, f := range frames {
		n := min(len(f), snap)
		w.WritePacket(gopacket.CaptureInfo{Timestamp: start.Add(time.Duration(i) * time.Microsecond), CaptureLength: n, Length: len(f)}, f[:n])
	}
	return b.Bytes()
}

func pcapngOf(frames [][]byte) []byte {
	var b bytes.Buffer
	w, err := pcapgo.NewNgWriter(&b, layers.LinkTypeEthernet)
	if err != nil {
		panic(err)
	}
	for i, f := range frames {
		w.WritePacket(gopacket.CaptureInfo{Timestamp: start.Add(time.Duration(i) * time.Microsecond), CaptureLength: len(f), Length: len(f)}, f)
	}
	w.Flush()
	return b.Bytes()
}

// swapped turns a little-endian pcap stream of whole frames into a big-endian one.
func swapped(p []byte) []byte {
	p = slices.Clone(p)
	turn := func(at, size int) { slices.Reverse(p[at : at+size]) }
	turn(0, 4)
	turn(4, 2)
	turn(6, 2)
	for at := 8; at < 24; at += 4 {
		turn(at, 4)
	}
	for at := 24; at < len(p); {
		n := int(binary.LittleEndian.Uint32(p[at+8:]))
		for i := range 4 {
			turn(at+4*i, 4)
		}
		at += 16 + n
	}
	return p
}

func readAll(data []byte) (list []capfile.Frame, err error) {
	s, err := capfile.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	for {
		f, err := s.Next()
		if errors.Is(err, io.EOF) {
			return list, nil
		}
		if err != nil {
			return list, err
		}
		f.Octets = bytes.Clone(f.Octets)
		list = append(list, f)
	}
}

func TestReaderReadsWhatWasWritten(t *testing.T) {
	frames := append(session(flow4).frames, bytes.Repeat([]byte("jumbo"), 400_000)) // longer than the buffer
	const snap = 4 << 20
	for _, tt := range []struct {
		name string
		data []byte
	}{
		{"pcap", pcapOf(frames, snap, false)},
		{"pcap, nanoseconds", pcapOf(frames, snap, true)},
		{"pcap, big-endian", swapped(pcapOf(frames, snap, false))},
		{"pcapng", pcapngOf(frames)},
		{"pcapng, two sections", append(pcapngOf(frames[:5]), pcapngOf(frames[5:])...)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := readAll(tt.data)
			if err != nil || len(got) != len(frames) {
				t.Fatalf("%d frames, %v", len(got), err)
			}
			for i, f := range got {
				at := start.Add(time.Duration(i) * time.Microsecond)
				if strings.Contains(tt.name, "sections") {
					at = start.Add(time.Duration(i%5) * time.Microsecond)
				}
				if !bytes.Equal(f.Octets, frames[i]) || f.Wire != len(frames[i]) || !f.At.Equal(at) {
					t.Errorf("frame %d: %d of %d octets at %v, want %d at %v", i, len(f.Octets), f.Wire, f.At, len(frames[i]), at)
				}
			}
		})
	}
	t.Run("cut frames", func(t *testing.T) {
		got, err := readAll(pcapOf(session(flow4).frames, 96, false))
		if err != nil || len(got[4].Octets) != 96 || got[4].Wire != len(frames[4]) {
			t.Errorf("%d of %d octets, %v", len(got[4].Octets), got[4].Wire, err)
		}
	})
}

// block is a pcapng block.
func block(order binary.AppendByteOrder, kind uint32, body ...byte) []byte {
	body = append(body, make([]byte, -len(body)&3)...)
	b := order.AppendUint32(nil, kind)
	b = order.AppendUint32(b, uint32(len(body)+12))
	b = append(b, body...)
	return order.AppendUint32(b, uint32(len(body)+12))
}

// TestBlocks reads blocks that the library does not write.
func TestBlocks(t *testing.T) {
	frame := session(flow4).frames[3]
	for _, order := range []binary.AppendByteOrder{binary.LittleEndian, binary.BigEndian} {
		head := block(order, 0x0a0d0d0a, append(order.AppendUint16(order.AppendUint16(order.AppendUint32(nil, 0x1a2b3c4d), 1), 3), 255, 255, 255, 255, 255, 255, 255, 255)...)
		port := func(options ...byte) []byte {
			return block(order, 1, append(order.AppendUint32(order.AppendUint16(order.AppendUint16(nil, 1), 0), 100), options...)...)
		}
		enhanced := func(number uint32, stamp uint64) []byte {
			b := order.AppendUint32(nil, number)
			b = order.AppendUint32(b, uint32(stamp>>32))
			b = order.AppendUint32(b, uint32(stamp))
			b = order.AppendUint32(b, uint32(len(frame)))
			return block(order, 6, append(order.AppendUint32(b, uint32(len(frame)+7)), frame...)...)
		}
		code := func(code, size uint16) []byte { return order.AppendUint16(order.AppendUint16(nil, code), size) }
		second := slices.Concat(code(9, 1), []byte{0, 0, 0, 0}, code(14, 8), order.AppendUint64(nil, 1000), code(0, 0)) // seconds, 1000 of offset
		halves := slices.Concat(code(2, 3), []byte("abc\x00"), code(9, 1), []byte{0x81, 0, 0, 0})
		data := slices.Concat(head, port(second...), port(halves...), port(), block(order, 0x0bad, 1, 2, 3),
			enhanced(0, 5), enhanced(1, 7), enhanced(2, 1_500_000), block(order, 3, append(order.AppendUint32(nil, uint32(len(frame))), frame...)...))
		got, err := readAll(data)
		if err != nil || len(got) != 4 {
			t.Fatalf("%v: %d frames, %v", order, len(got), err)
		}
		for i, want := range []time.Time{time.Unix(1005, 0), time.Unix(3, 5e8), time.Unix(1, 5e8), {}} {
			if f := got[i]; !f.At.Equal(want) || !bytes.Equal(f.Octets, frame[:len(f.Octets)]) || i < 3 && (f.Wire != len(frame)+7 || len(f.Octets) != len(frame)) {
				t.Errorf("%v: frame %d: %d of %d octets at %v, want %v", order, i, len(f.Octets), f.Wire, f.At, want)
			}
		}
		if n := len(got[3].Octets); n != 100 { // its snap length
			t.Errorf("simple packet of %d octets", n)
		}
		for name, wrong := range map[string][]byte{
			"undescribed interface": slices.Concat(head, enhanced(0, 1)),
			"no section":            port(),
			"lengths differ":        append(slices.Clone(head[:len(head)-1]), head[len(head)-1]^1),
			"length":                slices.Concat(head, order.AppendUint32(order.AppendUint32(nil, 1), 13), make([]byte, 20)),
			"huge":                  slices.Concat(head, order.AppendUint32(order.AppendUint32(nil, 1), 1<<31), make([]byte, 20)),
			"cut":                   data[:len(data)-5],
		} {
			if _, err := readAll(wrong); err == nil {
				t.Errorf("%v: %s: no error", order, name)
			}
		}
	}
}

func TestBrokenCaptures(t *testing.T) {
	whole := pcapOf(session(flow4).frames, 1<<16, false)
	linked := slices.Clone(whole)
	linked[20] = 113
	old := slices.Clone(whole)
	old[4] = 1
	huge := slices.Clone(whole)
	copy(huge[24+8:], "\xff\xff\xff\x7f")
	for _, tt := range []struct {
		name   string
		data   []byte
		text   string
		frames int
	}{
		{"empty", nil, "read header of capture: the capture is torn: unexpected EOF", 0},
		{"no capture", []byte("GET / HTTP/1.1\r\nHost: example.test"), "neither pcap nor pcapng", 0},
		{"header only in part", whole[:20], "unexpected EOF", 0},
		{"another link type", linked, "link type Linux cooked (113), want frames of Ethernet", 0},
		{"version 1 of pcap", old, "version 1.4 of pcap, want 2.x", 0},
		{"version 2 of pcapng", section(2, 0), "version 2.0 of pcapng, want 1.x", 0},
		{"xz", []byte("\xfd7zXZ\x00"), "compressed by xz: unpack it first", 0},
		{"gzip, cut", packed(t, whole)[:len(packed(t, whole))-5], "unpack: the capture is torn: unexpected EOF", 9}, // behind the last frame
		{"a packet too large", huge, "2147483647 octets in one packet", 0},
		{"cut in a header", whole[:24+16+len(session(flow4).frames[0])+7], "unexpected EOF", 1},
		{"cut in a packet", whole[:len(whole)-1], "the capture is torn: unexpected EOF", 8},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := conformance.New(conformance.Options{})
			err := c.ReadFrom(t.Context(), bytes.NewReader(tt.data), nil)
			if err == nil || !strings.Contains(err.Error(), tt.text) {
				t.Errorf("error %v, want %q", err, tt.text)
			}
			if r := c.Report(); r.Frames != uint64(tt.frames) {
				t.Errorf("%d frames judged, want %d", r.Frames, tt.frames)
			}
		})
	}
}

func TestReadFromShowsProgress(t *testing.T) {
	var frames [][]byte
	for range 500 {
		frames = append(frames, session(flow4).frames...)
	}
	data := pcapOf(frames, 1<<16, false)
	c := conformance.New(conformance.Options{})
	var shown []uint64
	if err := c.ReadFrom(t.Context(), bytes.NewReader(data), func(n uint64) { shown = append(shown, n) }); err != nil {
		t.Fatal(err)
	}
	if len(shown) < 4 || !slices.IsSorted(shown) || shown[len(shown)-1] > uint64(len(data)) {
		t.Errorf("progress %v of %d", shown, len(data))
	}
	breaks(t, c.Report())
}

// FuzzReader: no capture makes the checker panic, count wrongly, or take more
// than it may.
func FuzzReader(f *testing.F) {
	for _, tt := range bad {
		for _, c := range tt.make() {
			if len(c.frames) < 15 { // longer ones slow the fuzzer down
				f.Add(pcapOf(c.frames, 1<<16, false))
			}
		}
	}
	f.Add(pcapngOf(session(flow6).frames))
	f.Add(swapped(pcapOf(session(flow4).frames, 1<<16, true)))
	f.Add(pcapOf(session(flow6).frames, 60, false))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, o := range []conformance.Options{{}, {Cut: true, Conversations: 2, MTU: 576}} {
			c := conformance.New(o)
			_ = c.ReadFrom(t.Context(), bytes.NewReader(data), nil)
			checkReport(t, c.Report())
		}
	})
}

// checkReport looks for what no capture may make of a report.
func checkReport(t *testing.T, r *conformance.Report) {
	t.Helper()
	if r.TCP > r.Frames || len(r.Results) != len(conformance.Rules()) {
		t.Fatalf("%+v", r)
	}
	for _, result := range r.Results {
		if result.Count > result.Judged+r.Frames || len(result.First) > 5 || (result.Count == 0) != (len(result.First) == 0) {
			t.Fatalf("%+v", result)
		}
		for _, o := range result.First {
			if o.Frame == 0 || o.Frame > r.Frames || o.Text == "" {
				t.Fatalf("%s: %+v", result.Rule, o)
			}
		}
	}
	if err := r.WriteText(io.Discard); err != nil {
		t.Fatal(err)
	}
}

// FuzzSegments shuffles, drops and changes sound frames, sums made good, so that
// the state behind them is reached.
func FuzzSegments(f *testing.F) {
	f.Add([]byte{0, 1, 2, 3, 4, 5, 6, 7, 8}, []byte{})
	f.Add([]byte{0, 1, 2, 3, 5, 4, 4, 6, 7, 8}, []byte{5, 38, 1, 6, 41, 200})
	f.Add([]byte{8, 7, 6, 5, 4, 3, 2, 1, 0}, []byte{3, 47, 4})
	f.Fuzz(func(t *testing.T, order, changes []byte) {
		base := session(flow4)
		var c capture
		for _, i := range order {
			c.frames = append(c.frames, bytes.Clone(base.frames[int(i)%len(base.frames)]))
		}
		for ; len(changes) >= 3 && len(c.frames) > 0; changes = changes[3:] {
			frame := c.frames[int(changes[0])%len(c.frames)]
			at := tcp4 + 4 + int(changes[1])%28 // not the ports
			if at != tcp4+12 {                  // nor the data offset
				frame[at] = changes[2]
				fix(frame)
			}
		}
		checkReport(t, judge(conformance.Options{}, c))
		checkReport(t, judge(conformance.Options{Cut: true}, c, c))
	})
}

// section is the header of a pcapng section of a version.
func section(major, minor uint16) []byte {
	order := binary.LittleEndian
	return block(order, 0x0a0d0d0a, append(order.AppendUint16(order.AppendUint16(order.AppendUint32(nil, 0x1a2b3c4d), major), minor), 255, 255, 255, 255, 255, 255, 255, 255)...)
}

func packed(t *testing.T, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	w.Write(data)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestPackedCaptures: a capture in gzip, in several members, too, is judged like the one
// within it.
func TestPackedCaptures(t *testing.T) {
	whole := pcapOf(session(flow4).frames, 1<<16, false)
	for name, data := range map[string][]byte{"one member": packed(t, whole), "two members": append(packed(t, whole[:77]), packed(t, whole[77:])...)} {
		c := conformance.New(conformance.Options{})
		var read uint64
		if err := c.ReadFrom(t.Context(), bytes.NewReader(data), func(n uint64) { read = n }); err != nil || !c.Report().Ready {
			t.Errorf("%s: %v, %v", name, err, c.Report().Broken(conformance.Fail))
		}
		if read == 0 || read > uint64(len(data)) {
			t.Errorf("%s: progress of %d in %d octets", name, read, len(data))
		}
	}
}

// TestLinkReader reads frames of every link type, and tells which.
func TestLinkReader(t *testing.T) {
	data := pcapOf(session(flow4).frames, 1<<16, false)
	data[20] = 113
	r, err := capfile.NewReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	if f, err := r.Next(); err != nil || f.Link != 113 {
		t.Errorf("link type %d, %v", f.Link, err)
	}
}
