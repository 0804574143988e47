package flow

import (
	"bytes"
	"container/list"
	"github.com/clearspan/clearspan/decrypt/proto"
	"time"
)

// Frame is one frame of a capture. Its octets are borrowed.
type Frame struct {
	Octets  []byte // those captured
	Wire    int    // how many there were on the wire; 0: the same
	At      time.Time
	Link    uint16 // type of the link; 1 is Ethernet
	Comment string // of the packet, in pcapng
}

// Config is what a table needs to know. The zero value is usable.
type Config struct {
	Sessions int           // open ones at most; default 1,000,000
	Idle     time.Duration // after which silence closes a TCP session; default 1 h
	Early    int           // octets that wait, of all sessions together; default 256 MiB
}

// idleUDP is after which silence the datagrams between two ports are another session.
const idleUDP = time.Minute

// lingering is how long a session that ended is known: what is sent again is no new one.
const lingering = time.Minute

// Tally counts frames.
type Tally struct {
	Frames    uint64 // all of them
	Segments  uint64 // of TCP and UDP
	Fragments uint64 // parts of datagrams that were not complete yet
	Other     uint64 // other protocols
	Broken    uint64 // lengths in them do not agree
	Lost      uint64 // fragmented datagrams that were never complete
	Sessions  uint64
}

// Table follows the sessions of a capture. It is not safe for concurrent use.
type Table struct {
	handler Handler
	cfg     Config
	decoder decoder
	open    map[key]*conversation
	silent  [classes]list.List // of *conversation by class, the one that was silent for longest first
	held    int
	maxHeld int
	tally   Tally
	clock   Clock
}

// key tells sessions apart: both ends, the lower one first, and the virtual network, where
// the same addresses may be others.
type key struct {
	low, high endpoint
	transport Transport
	network   uint32
}

func keyOf(p *packet) key {
	if bytes.Compare(p.from.octets[:], p.to.octets[:]) <= 0 {
		return key{p.from, p.to, p.transport, p.tunnel.network()}
	}
	return key{p.to, p.from, p.transport, p.tunnel.network()}
}

// New returns an empty table.
func New(c Config, h Handler) *Table {
	if c.Sessions <= 0 {
		c.Sessions = 1_000_000
	}
	if c.Idle <= 0 {
		c.Idle = time.Hour
	}
	if c.Early <= 0 {
		c.Early = 256 << 20
	}
	return &Table{handler: h, cfg: c, open: make(map[key]*conversation), maxHeld: c.Early}
}

// Add takes the next frame.
func (t *Table) Add(f Frame) {
	t.tally.Frames++
	if t.clock.Tick(f.At, max(t.cfg.Idle, idleUDP, lingering)+time.Second) {
		t.expire()
	}
	switch t.decoder.frame(f.Link, f.Octets, max(f.Wire, len(f.Octets)), nanoseconds(f.At)) {
	case fragment:
		t.tally.Fragments++
		return
	case other:
		t.tally.Other++
		return
	case broken:
		t.tally.Broken++
		return
	}
	t.tally.Segments++
	k := &t.decoder.packet
	c := t.find(k, f.At)
	if c == nil {
		return
	}
	c.Last, c.heard = f.At, t.clock.Elapsed()
	t.silent[c.class()].MoveToBack(c.place)
	if f.Comment != "" && len(c.Comments) < maxComments && len(f.Comment) <= maxComment {
		c.Comments = append(c.Comments, f.Comment)
	}
	if !c.closed {
		c.add(k)
	}
}

// find returns the session of a packet. It begins one, if the packet may.
func (t *Table) find(k *packet, at time.Time) *conversation {
	name := keyOf(k)
	c := t.open[name]
	opening := k.transport == TCP && k.flags&(flagSYN|flagACK|flagRST) == flagSYN
	if c != nil && !(opening && c.another(k)) {
		return c
	}
	if k.transport == TCP && !opening && k.flags&flagSYN == 0 && (k.length == 0 || k.flags&flagRST != 0) {
		return nil // nothing begins with it
	}
	again := uint32(0)
	if c != nil {
		if c.Start.Equal(at) {
			again = c.again + 1
		}
		t.close(c)
		t.forget(c)
	}
	if len(t.open) >= t.cfg.Sessions {
		t.makeRoom()
	}
	c = &conversation{table: t, key: name, client: client(k), again: again, heard: t.clock.Elapsed()}
	c.Session = Session{ID: newID(at, &name, again), Client: c.client.addrPort(), Transport: k.transport, VLAN: k.vlan, Tunnel: k.tunnel.String(), Start: at, Last: at}
	server := k.to
	if c.client == k.to {
		server = k.from
	}
	c.Server = server.addrPort()
	switch {
	case k.transport == UDP:
	case k.flags&(flagSYN|flagACK) == flagSYN:
		c.syn = k.seq
	case k.flags&flagSYN != 0 && k.flags&flagACK != 0: // the SYN may still come, from another port of a monitor
		c.syn = k.ack - 1
		c.half[proto.ClientToOrigin].began, c.half[proto.ClientToOrigin].next = true, k.ack
	default:
		c.Flags |= Midstream
	}
	c.place = t.silent[c.class()].PushBack(c)
	t.open[name] = c
	t.tally.Sessions++
	c.stream = t.handler.Open(&c.Session)
	return c
}

// close ends a session. It is known for a while.
func (t *Table) close(c *conversation) {
	if c.closed {
		return
	}
	if c.Transport == TCP {
		c.flush()
	}
	if c.stream != nil {
		c.stream.Close()
	}
	t.silent[c.class()].Remove(c.place)
	c.closed = true
	c.place = t.silent[ended].PushBack(c)
	c.stream, c.Comments = nil, nil
}

// makeRoom has one session go: the one that was silent for the longest time, if possible
// one that has ended.
func (t *Table) makeRoom() {
	for _, class := range []int{ended, datagrams, streams} {
		e := t.silent[class].Front()
		if e == nil {
			continue
		}
		c := e.Value.(*conversation)
		if !c.closed {
			c.Flags |= Idle
			t.close(c)
		}
		t.forget(c)
		return
	}
}

// forget takes a session that is closed out of the table.
func (t *Table) forget(c *conversation) {
	t.silent[c.class()].Remove(c.place)
	delete(t.open, c.key)
}

// expire closes sessions that are silent, and forgets those that ended.
func (t *Table) expire() {
	for class, limit := range [classes]time.Duration{streams: t.cfg.Idle, datagrams: idleUDP, ended: lingering} {
		for e := t.silent[class].Front(); e != nil; e = t.silent[class].Front() {
			c := e.Value.(*conversation)
			if t.clock.Elapsed()-c.heard <= limit.Milliseconds() {
				break
			}
			if !c.closed {
				c.Flags |= Idle
				t.close(c)
			}
			t.forget(c)
		}
	}
}

// Settle tells what waits for octets that did not come, with the gaps in front of it. It is for
// times in which no frames come: what is missing then does not come either.
func (t *Table) Settle() {
	for e := t.silent[streams].Front(); e != nil; {
		c := e.Value.(*conversation)
		e = e.Next() // c may be closed
		if len(c.half[0].early) == 0 && len(c.half[1].early) == 0 && c.half[0].ends == c.half[0].ended && c.half[1].ends == c.half[1].ended {
			continue
		}
		if c.flush(); c.half[0].ended && c.half[1].ended {
			t.close(c)
		}
	}
}

// Close closes all sessions. The table takes no more frames.
func (t *Table) Close() {
	for class := range t.silent {
		for e := t.silent[class].Front(); e != nil; e = t.silent[class].Front() {
			c := e.Value.(*conversation)
			t.close(c)
			t.forget(c)
		}
	}
}

// Tally returns the counts up to now.
func (t *Table) Tally() Tally {
	n := t.tally
	n.Lost = t.decoder.fragments.lost
	return n
}
