package recorder

import (
	"bytes"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/clearspan/clearspan/appliance/recorder/engine"
	"github.com/clearspan/clearspan/appliance/recorder/flow"
	"github.com/clearspan/clearspan/appliance/recorder/trail"
	"github.com/clearspan/clearspan/appliance/recorder/volume"
	"github.com/clearspan/clearspan/decrypt/proto"
	"github.com/clearspan/clearspan/mirror/capfile"
)

// collected has the octets of both directions of the sessions of a capture.
type collected struct {
	sessions int
	octets   [2]bytes.Buffer
	gap      uint64
}

func (c *collected) Open(*flow.Session) flow.Stream {
	c.sessions++
	return c
}
func (c *collected) Data(dir proto.Direction, p []byte) { c.octets[dir].Write(p) }
func (c *collected) Gap(_ proto.Direction, n uint64)    { c.gap += n }
func (c *collected) End(proto.Direction)                {}
func (c *collected) Close()                             {}

// TestPacketsOfEngine: a session of an engine, which has no frames, is exported as frames from
// which its octets and gaps come back.
func TestPacketsOfEngine(t *testing.T) {
	dir := t.TempDir()
	w, err := volume.Open(filepath.Join(dir, volumeDir), volume.Options{})
	if err != nil {
		t.Fatal(err)
	}
	start := time.Unix(1_800_000_000, 0)
	client, server := netip.MustParseAddrPort("192.0.2.7:40000"), netip.MustParseAddrPort("198.51.100.1:443")
	n := 0
	add := func(id byte, r engine.Record) {
		r.Session = flow.ID{0: id}
		p := r.Append(nil)
		n++
		w.Add(volume.Frame{Octets: p, Wire: len(p), At: start.Add(time.Duration(n) * time.Millisecond), Link: engine.LinkType})
	}
	question, answer := bytes.Repeat([]byte("question"), 500), bytes.Repeat([]byte("answer"), 30_000)
	for id := range byte(2) {
		add(id, engine.Record{Kind: engine.Open, Client: client, Server: server})
		add(id, engine.Record{Kind: engine.Data, Octets: question})
		for at := 0; at < len(answer); at += 60_000 {
			add(id, engine.Record{Kind: engine.Data, Direction: proto.OriginToClient, Offset: uint64(at), Octets: answer[at : at+60_000]})
		}
		add(id, engine.Record{Kind: engine.Data, Offset: uint64(len(question)) + 1000, Octets: []byte("more")})
		add(id, engine.Record{Kind: engine.Close, Sizes: [2]uint64{uint64(len(question)) + 1004, uint64(len(answer))}})
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(t.TempDir(), "out.pcapng")
	f, err := os.Create(out)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	session := trail.Session{ID: trail.ID{0: 1}, Client: client, Server: server, Transport: "tcp", Start: start, End: start.Add(time.Second)}
	frames, err := (&Archive{}).Packets(t.Context(), dir, &session, f)
	if err != nil || frames < 100 {
		t.Fatalf("%d frames, %v", frames, err)
	}
	if _, err := f.Seek(0, 0); err != nil {
		t.Fatal(err)
	}
	in, err := capfile.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	var c collected
	table := flow.New(flow.Config{}, &c)
	for {
		p, err := in.Next()
		if err != nil {
			break
		}
		if p.At.Before(start) || p.At.After(start.Add(time.Minute)) {
			t.Fatalf("a frame at %v", p.At)
		}
		table.Add(flow.Frame{Octets: p.Octets, Wire: p.Wire, At: p.At, Link: p.Link})
	}
	table.Close()
	if c.sessions != 1 || c.octets[0].String() != string(question)+"more" || c.octets[1].String() != string(answer) || c.gap != 1000 {
		t.Errorf("%d sessions, %d and %d octets, %d in gaps", c.sessions, c.octets[0].Len(), c.octets[1].Len(), c.gap)
	}
}
