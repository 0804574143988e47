package h1

import (
	"testing"

	"github.com/clearspan/clearspan/appliance/service/web/adapt"
	"github.com/clearspan/clearspan/appliance/service/web/buffered"
	"github.com/clearspan/clearspan/decrypt/proto/http1"
)

// TestParsingAllocatesNothing holds the promise of the parser.
func TestParsingAllocatesNothing(t *testing.T) {
	request := []byte("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\nUpgrade: h2c, x\r\n\r\n")
	response := []byte("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Type: a/b\r\n\r\n")
	if n := testing.AllocsPerRun(100, func() {
		parseRequest(request)
		parseResponse(response)
	}); n != 0 {
		t.Errorf("parsing heads allocates %v times", n)
	}
}

// TestChunksAllocateOnce: of a chunked body, the line behind the last chunk is kept.
func TestChunksAllocateOnce(t *testing.T) {
	octets := []byte("5\r\nhello\r\n3;a=b\r\nyou\r\n0\r\n\r\n")
	if n := testing.AllocsPerRun(100, func() {
		c := http1.NewContent(http1.Framing{Extent: http1.ByChunks}, http1.Strict, false)
		for rest := octets; len(rest) > 0; {
			n, _, fault := c.Next(rest)
			if fault != http1.Sound {
				t.Fatal(fault)
			}
			rest = rest[n:]
		}
	}); n > 1 {
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
	b := newBody(in, adapt.Response, http1.Framing{Extent: http1.ByLength, Length: 1 << 40})
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

// BenchmarkParse has a request parsed, and nothing else.
func BenchmarkParse(b *testing.B) {
	raw := []byte("GET /some/path?and=query HTTP/1.1\r\nHost: www.example.test\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64)\r\n" +
		"Accept: text/html,application/xhtml+xml\r\nAccept-Language: en-US,en;q=0.5\r\nAccept-Encoding: gzip, deflate, br\r\nCookie: session=0123456789abcdef0123456789abcdef\r\n\r\n")
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		if _, fault := parseRequest(raw); fault != http1.Sound {
			b.Fatal(fault)
		}
	}
}
