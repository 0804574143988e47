package lab

import (
	"encoding/binary"
	"net"
	"testing"
	"time"

	"github.com/clearspan/clearspan/hack/netlab"
)

// TestImpair sends numbered datagrams over a bad line and finds all that it is to
// do to them.
func TestImpair(t *testing.T) {
	w, err := NewWire(netlab.ForTest(t))
	if err != nil {
		t.Fatal(err)
	}
	// Client and origin, joined by a plain link of their own.
	if err := w.Lab.Link(
		netlab.End{Namespace: w.Client, Name: "line0", Addresses: hosts("203.0.113.1")},
		netlab.End{Namespace: w.Origin, Name: "line0", Addresses: hosts("203.0.113.2")},
		netlab.LinkOptions{}); err != nil {
		t.Fatal(err)
	}
	to, err := w.Origin.ListenPacket("udp", "203.0.113.2:7000")
	if err != nil {
		t.Fatal(err)
	}
	defer to.Close()
	from, err := w.Client.Dial("udp", "203.0.113.2:7000")
	if err != nil {
		t.Fatal(err)
	}
	defer from.Close()
	buf := make([]byte, 2000)
	from.Write(buf[:1]) // the neighbours find each other
	if _, _, err := to.ReadFrom(buf); err != nil {
		t.Fatal(err)
	}
	if err := Impair(w.Lab, w.Client, "line0", Impairment{Loss: 0.1, Repetition: 0.1, Lateness: 0.1}); err != nil {
		t.Fatal(err)
	}
	const n = 1000
	go func() {
		payload := make([]byte, 1200)
		for i := range uint32(n) {
			binary.BigEndian.PutUint32(payload, i)
			from.Write(payload)
			if i%20 == 19 {
				time.Sleep(2 * lateness)
			}
		}
	}()
	seen := make(map[uint32]bool)
	var repeated, late int
	highest := uint32(0)
	for {
		to.SetReadDeadline(time.Now().Add(time.Second))
		if _, _, err := to.ReadFrom(buf); err != nil {
			if e, ok := err.(net.Error); !ok || !e.Timeout() {
				t.Fatal(err)
			}
			break
		}
		i := binary.BigEndian.Uint32(buf)
		switch {
		case seen[i]:
			repeated++
		case i < highest:
			late++
		default:
			highest = i
		}
		seen[i] = true
	}
	lost := n - len(seen)
	t.Logf("of %d: %d lost, %d repeated, %d late", n, lost, repeated, late)
	for what, count := range map[string]int{"lost": lost, "repeated": repeated, "late": late} {
		if count < n/50 || count > n/4 {
			t.Errorf("%d of %d are %s, want about %d", count, n, what, n/10)
		}
	}
}
