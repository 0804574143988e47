package conformance_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/clearspan/clearspan/mirror"
	"github.com/clearspan/clearspan/mirror/conformance"
	"github.com/clearspan/clearspan/mirror/mirrortest"
)

// web is an HTTP session: frame 3 is the request, 4 to 7 are the answer with an
// object of 5000 octets.
func web() (c capture, object string) {
	object = octets(5000)
	return talk(toPort(flow4, 80), mirror.Options{}, 1500, word{toOrigin, "GET /object HTTP/1.1\r\nHost: example.test\r\n\r\n"},
		word{toClient, fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: %d\r\n\r\n%s", len(object), object)}), object
}

// exported reports whether tshark exports the object.
func exported(t *testing.T, c capture, object string) bool {
	dir := t.TempDir()
	mirrortest.Tool(t, "", "tshark", "-n", "-q", "-r", mirrortest.WritePcap(t, c.frames), "-o", "tcp.check_checksum:TRUE", "--export-objects", "http,"+dir)
	got, err := os.ReadFile(filepath.Join(dir, "object"))
	return err == nil && string(got) == object
}

// TestWhatReadersMakeOfIt holds what the rules say of readers that are at hand
// against what they do.
func TestWhatReadersMakeOfIt(t *testing.T) {
	if c, object := web(); !exported(t, c, object) {
		t.Fatal("tshark does not export the object of a sound session")
	}
	for _, tt := range []struct {
		rule   conformance.Rule
		change func(*capture)
	}{
		{conformance.AckBeforeData, func(c *capture) { // of all that was said
			c.insert(7, 10, func(f []byte) { again(f); add32(f, seqAt, -1); add32(f, ackAt, -1) })
		}},
		{conformance.Order, func(c *capture) { c.swap(4, 5) }},
		{conformance.Gap, func(c *capture) { c.drop(5, 6) }},
		{conformance.TCPSum, func(c *capture) { c.frames[5][tcp4+16] ^= 1 }},
	} {
		t.Run("tshark loses the object: "+tt.rule.String(), func(t *testing.T) {
			c, object := web()
			tt.change(&c)
			breaks(t, judge(conformance.Options{}, c), tt.rule)
			if exported(t, c, object) {
				t.Error("tshark exports the object")
			}
		})
	}
	t.Run("tshark: window full", func(t *testing.T) {
		i := slices.IndexFunc(bad, func(b breach) bool { return b.rule == conformance.WindowFull })
		c := bad[i].make()[0]
		complaints := strings.Join(mirrortest.TsharkComplaints(t, mirrortest.WritePcap(t, c.frames)), "\n")
		if !strings.Contains(complaints, "TCP window specified by the receiver is now completely full") {
			t.Errorf("tshark says %q", complaints)
		}
	})
	t.Run("tcpflow: padding", func(t *testing.T) {
		c := session(flow4)
		c.insert(5, 8, func(f []byte) { again(f); add32(f, seqAt, -1); add32(f, ackAt, -553) })
		c.frames[5] = append(bare(c.frames[5]), bytes.Repeat([]byte("p"), 6)...)
		breaks(t, judge(conformance.Options{}, c), conformance.Padding)
		if n := clientOctets(t, c); n <= 100 {
			t.Errorf("tcpflow wrote %d octets of the client: the padding is not in the stream", n)
		}
	})
	t.Run("chaosreader: loopback", func(t *testing.T) {
		c := session(flow4)
		for i := range c.frames {
			c.edit(i, func(f []byte) { copy(f, "\x02\x00\x00\x00") })
		}
		dir := t.TempDir()
		mirrortest.Tool(t, dir, "chaosreader", "-q", "-r", "-D", dir, mirrortest.WritePcap(t, c.frames))
		if files, _ := filepath.Glob(filepath.Join(dir, "session_*.raw1")); len(files) != 0 {
			t.Errorf("chaosreader found %v", files)
		}
	})
}

// clientOctets returns how many octets tcpflow finds in the client's stream.
func clientOctets(t *testing.T, c capture) int {
	dir := t.TempDir()
	mirrortest.Tool(t, dir, "tcpflow", "-r", mirrortest.WritePcap(t, c.frames), "-o", dir, "-X", "/dev/null")
	got, err := os.ReadFile(filepath.Join(dir, "192.000.002.001.50000-198.051.100.002.08080"))
	if err != nil {
		t.Fatal(err)
	}
	return len(got)
}
