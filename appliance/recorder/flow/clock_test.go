package flow

import (
	"encoding/binary"
	"runtime"
	"testing"
	"time"

	"github.com/clearspan/clearspan/decrypt/proto"
	"github.com/clearspan/clearspan/hack/tempo"
)

// TestClockSetBack: sessions that are silent end in time if the clock is set back by a day.
func TestClockSetBack(t *testing.T) {
	b := &book{}
	table := New(Config{}, b)
	at := time.Unix(1_800_000_000, 0)
	add := func(f []byte) { table.Add(Frame{Octets: f, At: at, Link: linkEthernet}) }
	question := datagramFrame("192.0.2.9:5000", "10.1.2.3:53", 0)
	add(frame(proto.ClientToOrigin, 1000, 0, flagSYN, nil))
	add(question)
	at = at.Add(-24 * time.Hour)
	add(question) // goes on
	if len(b.sessions) != 2 {
		t.Fatalf("%d sessions", len(b.sessions))
	}
	at = at.Add(2 * time.Minute)
	add(question) // another one
	if len(b.sessions) != 3 || !b.sessions[1].closed || b.sessions[0].closed {
		t.Fatalf("%d sessions", len(b.sessions))
	}
	at = at.Add(2 * time.Hour)
	add(question)
	if !b.sessions[0].closed || len(table.open) != 1 {
		t.Errorf("%d sessions are open", len(table.open))
	}
}

// TestClockJumps: no order of times makes a session end too late for good.
func TestClockJumps(t *testing.T) {
	table := New(Config{}, &book{})
	question := datagramFrame("192.0.2.9:5000", "10.1.2.3:53", 0)
	for i := range 100 {
		table.Add(Frame{Octets: question, At: time.Unix(1<<40*int64(i%2), 0), Link: linkEthernet})
		table.Add(Frame{Octets: question, At: time.Unix(int64(i), 999_999), Link: linkEthernet})
	}
	if table.clock.Elapsed() < 0 || len(table.open) != 1 {
		t.Errorf("%d ms, %d sessions", table.clock.Elapsed(), len(table.open))
	}
}

// none wants no session.
type none struct{}

func (none) Open(*Session) Stream { return nil }

// TestManySessions: sessions of one packet have bounded memory.
func TestManySessions(t *testing.T) {
	all := tempo.Of(40_000, 1_300_000)
	table := New(Config{Sessions: tempo.Of(10_000, 1_000_000)}, none{})
	p := datagramFrame("192.0.2.9:5000", "10.1.2.3:53", 0)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for i := range all {
		binary.BigEndian.PutUint32(p[26:], 0x0a000000|uint32(i))
		table.Add(Frame{Octets: p, At: time.Unix(1_800_000_000, int64(i)), Link: linkEthernet})
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if n := len(table.open); n != table.cfg.Sessions || table.Tally().Sessions != uint64(all) {
		t.Errorf("%d of %d sessions are open", n, table.Tally().Sessions)
	}
	each := int64(after.HeapAlloc-before.HeapAlloc) / int64(len(table.open))
	t.Logf("%d octets a session", each)
	if each > 2048 {
		t.Errorf("%d octets a session", each)
	}
	runtime.KeepAlive(table)
}

// counting counts octets, and keeps none.
type counting struct{ octets, gaps uint64 }

func (c *counting) Open(*Session) Stream             { return c }
func (c *counting) Data(_ proto.Direction, p []byte) { c.octets += uint64(len(p)) }
func (c *counting) Gap(_ proto.Direction, n uint64)  { c.gaps += n }
func (c *counting) End(proto.Direction)              {}
func (c *counting) Close()                           {}

// TestLongSession: a session of 1 TiB, whose sequence numbers begin anew 256 times, is one. Each
// segment stands for many: frames were cut by the capture.
func TestLongSession(t *testing.T) {
	c := &counting{}
	table := New(Config{}, c)
	at := time.Unix(1_800_000_000, 0)
	add := func(f []byte, wire int) {
		at = at.Add(100 * time.Microsecond)
		table.Add(Frame{Octets: f, Wire: wire, At: at, Link: linkEthernet})
	}
	add(frame(proto.ClientToOrigin, 999, 0, flagSYN, nil), 0)
	add(frame(proto.OriginToClient, 4999, 1000, flagSYN|flagACK, nil), 0)
	size := uint64(tempo.Of(32<<30, 1<<40))
	const segment = 65_000 // on the wire; 10 octets are captured
	sent := uint64(0)
	f := frame(proto.ClientToOrigin, 0, 5000, flagACK, make([]byte, 10))
	binary.BigEndian.PutUint16(f[16:], 40+segment)
	for ; sent < size; sent += segment {
		binary.BigEndian.PutUint32(f[38:], uint32(1000+sent))
		add(f, 54+segment)
	}
	table.Close()
	if n := table.Tally().Sessions; n != 1 || c.octets+c.gaps != sent || c.octets != sent/segment*10 {
		t.Errorf("%d sessions, %d octets and %d in gaps of %d", n, c.octets, c.gaps, sent)
	}
}
