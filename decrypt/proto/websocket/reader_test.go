package websocket

import (
	"bytes"
	"io"
	"slices"
	"testing"

	"github.com/clearspan/clearspan/decrypt/proto"
)

var key = [4]byte{1, 0xfe, 0x37, 0}

// read reads all frames of p. The reader sees it up to end at first, then all of it.
// Nothing is read behind a Close frame. read returns the content of messages, what control
// frames say, and the fault.
func read(p []byte, dir proto.Direction, end int) (messages, controls []string, fault Fault) {
	r := NewReader(dir)
	var held []byte
	for at := 0; at < len(p); {
		h, size, fault := r.Next(p[at:max(at, end)])
		if size == 0 && fault == Sound {
			h, size, fault = r.Next(p[at:])
		}
		if fault != Sound || size == 0 || h.Length > int64(len(p)-at-size) {
			return messages, controls, fault
		}
		frame := p[at : at+size+int(h.Length)]
		at += len(frame)
		if h.Opcode.IsControl() {
			payload, _ := io.ReadAll(NewContent(frame))
			if h.Opcode == Close && CheckClose(payload) != Sound {
				return messages, controls, BadClose
			}
			controls = append(controls, string(payload))
			if h.Opcode == Close {
				return messages, controls, Sound
			}
			continue
		}
		held = append(held, frame...)
		if h.Fin {
			content, _ := io.ReadAll(NewContent(held))
			messages, held = append(messages, string(content)), held[:0]
		}
	}
	return messages, controls, Sound
}

// piece returns a frame with its first octet changed.
func piece(first byte, key *[4]byte, payload string) []byte {
	p := AppendFrame(nil, Text, key, []byte(payload))
	p[0] = first
	return p
}

func TestFaults(t *testing.T) {
	text := func(n int) string { return string(bytes.Repeat([]byte("x"), n)) }
	for _, tt := range []struct {
		name string
		in   []byte // of an origin
		want Fault
	}{
		{"text", piece(0x81, nil, "a"), Sound},
		{"fragments with a ping between", slices.Concat(piece(0x01, nil, "a"), piece(0x89, nil, "p"), piece(0x80, nil, "b")), Sound},
		{"compressed", piece(0xc1, nil, "a"), ReservedBits},
		{"second bit", piece(0xa1, nil, "a"), ReservedBits},
		{"third bit", piece(0x91, nil, "a"), ReservedBits},
		{"opcode 3", piece(0x83, nil, "a"), BadOpcode},
		{"opcode 11", piece(0x8b, nil, "a"), BadOpcode},
		{"masked", piece(0x81, &key, "a"), BadMask},
		{"short length in 16 bits", append([]byte{0x81, 126, 0, 125}, text(125)...), BadLength},
		{"short length in 64 bits", []byte{0x81, 127, 0, 0, 0, 0, 0, 0, 0xff, 0xff}, BadLength},
		{"64th bit", []byte{0x81, 127, 0x80, 0, 0, 0, 0, 1, 0, 0}, BadLength},
		{"long ping", piece(0x89, nil, text(126)), BadControl},
		{"part of a ping", piece(0x09, nil, "a"), BadControl},
		{"continuation of nothing", piece(0x80, nil, "a"), BadOrder},
		{"text within text", append(piece(0x01, nil, "a"), piece(0x81, nil, "b")...), BadOrder},
		{"continuation behind the end", slices.Concat(piece(0x01, nil, "a"), piece(0x80, nil, "b"), piece(0x80, nil, "c")), BadOrder},
		{"close", piece(0x88, nil, ""), Sound},
		{"close with a code", piece(0x88, nil, "\x03\xe8bye"), Sound},
		{"close with half a code", piece(0x88, nil, "\x03"), BadClose},
		{"close with code 1005", piece(0x88, nil, "\x03\xed"), BadClose},
		{"close with code 999", piece(0x88, nil, "\x03\xe7"), BadClose},
		{"close with code 5000", piece(0x88, nil, "\x13\x88"), BadClose},
		{"close with a reason that is no text", piece(0x88, nil, "\x03\xe8\xff"), BadClose},
	} {
		if _, _, got := read(tt.in, proto.OriginToClient, 0); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
		for end := range tt.in {
			if _, _, got := read(tt.in, proto.OriginToClient, end); got != tt.want {
				t.Errorf("%s, cut at %d: %v, want %v", tt.name, end, got, tt.want)
			}
		}
	}
	if _, _, got := read(piece(0x81, nil, "a"), proto.ClientToOrigin, 0); got != BadMask {
		t.Errorf("a client without a mask: %v", got)
	}
}

// TestSplits: where octets are cut is of no account, and what is written is read.
func TestSplits(t *testing.T) {
	long, longer := bytes.Repeat([]byte("long"), 100), bytes.Repeat([]byte("longer"), 12_000)
	in := piece(0x01, &key, "frag")
	in = AppendFrame(in, Ping, &key, []byte("ping"))
	in = append(in, piece(0x00, &key, "")...)
	in = append(in, piece(0x80, &key, "ments")...)
	in = AppendFrame(in, Binary, &key, long)
	in = AppendFrame(in, Binary, &key, longer)
	in = AppendClose(in, PolicyViolation, "no", &key)
	want := []string{"fragments", string(long), string(longer)}
	for end := range len(in) {
		if end > 600 && end < len(in)-20 {
			continue
		}
		messages, controls, fault := read(in, proto.ClientToOrigin, end)
		if fault != Sound || !slices.Equal(messages, want) || !slices.Equal(controls, []string{"ping", "\x03\xf0no"}) {
			t.Fatalf("cut at %d: %d messages, %q, %v", end, len(messages), controls, fault)
		}
	}
}

// TestContentPieces: content is the same whatever pieces it is read in.
func TestContentPieces(t *testing.T) {
	in := slices.Concat(piece(0x01, &key, "frag"), piece(0x00, &key, ""), piece(0x80, &key, "ments"))
	for size := 1; size < 12; size++ {
		var got []byte
		c, p := NewContent(in), make([]byte, size)
		for {
			n, err := c.Read(p)
			got = append(got, p[:n]...)
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if string(got) != "fragments" {
			t.Errorf("pieces of %d: %q", size, got)
		}
	}
}

func FuzzReader(f *testing.F) {
	f.Add(piece(0x81, nil, "a"), 1)
	f.Add(piece(0x81, &key, "a"), 3)
	f.Add(slices.Concat(piece(0x01, &key, "a"), piece(0x89, &key, "p"), piece(0x80, &key, "b")), 9)
	f.Add(AppendClose(nil, ProtocolError, "no", nil), 2)
	f.Add([]byte{0x81, 127, 0x80, 0, 0, 0, 0, 1, 0, 0}, 4)
	f.Fuzz(func(t *testing.T, p []byte, end int) {
		for _, dir := range []proto.Direction{proto.ClientToOrigin, proto.OriginToClient} {
			messages, controls, fault := read(p, dir, 0)
			if end < 0 || end > len(p) {
				continue
			}
			m, c, cut := read(p, dir, end)
			if cut != fault || !slices.Equal(m, messages) || !slices.Equal(c, controls) {
				t.Errorf("cut at %d: %v, %q; else %v, %q", end, cut, m, fault, messages)
			}
		}
		NewContent(p).Read(make([]byte, 100))
		io.Copy(io.Discard, NewContent(p))
	})
}

// TestLoose: a reader that only watches takes what extensions and careless ends do.
func TestLoose(t *testing.T) {
	for _, tt := range []struct {
		name string
		in   []byte // of an origin
		want Fault
	}{
		{"compressed", piece(0xc1, nil, "a"), Sound},
		{"compressed continuation", append(piece(0x01, nil, "a"), piece(0xc0, nil, "b")...), ReservedBits},
		{"compressed ping", piece(0xc9, nil, "a"), ReservedBits},
		{"second bit", piece(0xa1, nil, "a"), ReservedBits},
		{"masked", piece(0x81, &key, "a"), Sound},
		{"short length in 16 bits", append([]byte{0x81, 126, 0, 2}, "ab"...), Sound},
		{"64th bit", []byte{0x81, 127, 0x80, 0, 0, 0, 0, 0, 0, 1, 'a'}, BadLength},
	} {
		r, in, got := NewLoose(proto.OriginToClient), tt.in, Sound
		for len(in) > 0 && got == Sound {
			h, size, fault := r.Next(in)
			if got = fault; fault != Sound {
				break
			}
			if h.Compressed != (in[0]&0x40 != 0) {
				t.Errorf("%s: compressed %v", tt.name, h.Compressed)
			}
			in = in[size+int(h.Length):]
		}
		if got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

func TestUnmask(t *testing.T) {
	text := bytes.Repeat([]byte("some octets "), 5)
	for offset := range int64(9) {
		for n := range len(text) {
			want, got := bytes.Clone(text[:n]), make([]byte, n)
			Mask(key, offset, want)
			if Unmask(got, key, offset, text[:n]); !bytes.Equal(got, want) {
				t.Fatalf("%d octets at %d: %q, want %q", n, offset, got, want)
			}
		}
	}
}
