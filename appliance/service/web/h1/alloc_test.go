package h1

import (
	"testing"

	"github.com/clearspan/clearspan/appliance/service/web/adapt"
	"github.com/clearspan/clearspan/appliance/service/web/buffered"
)

// TestParsingAllocatesNothing holds the promise of the parser.
func TestParsingAllocatesNothing(t *testing.T) {
	request := []byte("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Type: a/b; c=d\r\n\r\n")
	response := []byte("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Type: a/b\r\n\r\n")
	chunks := []byte("5\r\nhello\r\n3;a=b\r\nyou\r\n0\r\n\r\n")
	if n := testing.AllocsPerRun(100, func() {
		adapt.ParseRequest(request)
		adapt.ParseResponse(response)
	}); n != 0 {
		t.Errorf("parsing heads allocates %v times", n)
	}
	var c chunker
	c.pending = make([]byte, 0, 16)
	if n := testing.AllocsPerRun(100, func() {
		p := c.pending
		c = chunker{pending: p}
		for rest := chunks; len(rest) > 0; {
			n, _, word := c.next(rest)
			if word != "" {
				t.Fatal(word)
			}
			rest = rest[n:]
		}
		c.pending = p
	}); n != 0 {
		t.Errorf("parsing chunks allocates %v times", n)
	}
}

// plenty is an end from which there is always something to read.
type plenty struct{ *script }

func (plenty) Read(p []byte) (int, error) { return len(p), nil }

// TestBodiesAllocateNothing has a service read a long body, and what it made of it
// sent in chunks.
func TestBodiesAllocateNothing(t *testing.T) {
	in := buffered.New(plenty{})
	b := newBody(in, adapt.Response, byLength, 1<<40)
	p := make([]byte, buffered.Large)
	for range 4 { // the first ones fill buffers
		b.Read(p)
	}
	if n := testing.AllocsPerRun(100, func() {
		if n, err := b.Read(p); n != len(p) || err != nil {
			t.Fatal(n, err)
		}
		if c := chunk(p, 0, 1024); string(c[:5]) != "400\r\n" || len(c) != 5+1024+2 {
			t.Fatalf("chunk of %d octets: %q", len(c), c[:8])
		}
	}); n != 0 {
		t.Errorf("a body allocates %v times a read", n)
	}
}
