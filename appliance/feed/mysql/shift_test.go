package mysql

import (
	"bytes"
	"testing"

	"github.com/clearspan/clearspan/mirror"
)

// packet returns a packet of MySQL.
func packet(sequence byte, payload string) string {
	return string([]byte{byte(len(payload)), byte(len(payload) >> 8), byte(len(payload) >> 16), sequence}) + payload
}

// say is what one end sends of a session, and what is to be seen of it.
type say struct {
	dir       mirror.Direction
	sent, see string
}

var login = []say{
	{mirror.ClientToOrigin, packet(2, "\x85\xae\xff\x19rest of the login"), packet(1, "\x85\xa6\xff\x19rest of the login")},
	{mirror.OriginToClient, packet(3, "\xfeswitch"), packet(2, "\xfeswitch")},
	{mirror.ClientToOrigin, packet(4, ""), packet(3, "")},
	{mirror.OriginToClient, packet(5, "\x01more") + packet(6, "\x00\x00\x00"), packet(4, "\x01more") + packet(5, "\x00\x00\x00")},
	{mirror.ClientToOrigin, packet(0, "\x03select 1"), packet(0, "\x03select 1")},
	{mirror.OriginToClient, packet(1, "\x01") + packet(2, "row"), packet(1, "\x01") + packet(2, "row")},
	{mirror.ClientToOrigin, packet(0, "\x01\xff"), packet(0, "\x01\xff")},
}

func TestSequenceShift(t *testing.T) {
	for size := 1; size < 40; size++ {
		var d SequenceShift
		for i, s := range login {
			var seen []byte
			for rest := []byte(s.sent); len(rest) > 0; {
				n := min(size, len(rest))
				seen = append(seen, d.Rewrite(s.dir, rest[:n])...)
				rest = rest[n:]
			}
			if string(seen) != s.see {
				t.Fatalf("in pieces of %d, turn %d: %q, want %q", size, i, seen, s.see)
			}
		}
		if !d.over || d.scratch != nil {
			t.Errorf("in pieces of %d: not over behind a command", size)
		}
	}
}

// Behind the first command octets are passed as they are, in the same slice.
func TestSequenceShiftEnds(t *testing.T) {
	var d SequenceShift
	d.Rewrite(mirror.ClientToOrigin, []byte(packet(0, "\x01")))
	p := []byte(packet(7, "x"))
	if n := testing.AllocsPerRun(100, func() {
		if got := d.Rewrite(mirror.OriginToClient, p); &got[0] != &p[0] {
			t.Fatal("copied")
		}
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

// FuzzSequenceShift holds octets at once against the same in pieces: the same number
// comes back, and the same octets.
func FuzzSequenceShift(f *testing.F) {
	for _, s := range login {
		f.Add([]byte(s.sent), uint8(2), s.dir == mirror.OriginToClient)
	}
	f.Fuzz(func(t *testing.T, p []byte, size uint8, origin bool) {
		dir := mirror.ClientToOrigin
		if origin {
			dir = mirror.OriginToClient
		}
		var whole, parts SequenceShift
		want := bytes.Clone(whole.Rewrite(dir, p))
		var got []byte
		for rest := p; len(rest) > 0; {
			n := min(1+int(size), len(rest))
			got = append(got, parts.Rewrite(dir, rest[:n])...)
			rest = rest[n:]
		}
		if len(want) != len(p) || !bytes.Equal(got, want) {
			t.Fatalf("%q at once, %q in pieces, of %q", want, got, p)
		}
	})
}
