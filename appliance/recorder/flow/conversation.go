package flow

import (
	"container/list"

	"github.com/clearspan/clearspan/decrypt/proto"
)

// conversation is a session while it is followed.
type conversation struct {
	Session
	table  *Table
	key    key
	client endpoint
	stream Stream
	half   [2]half
	kept   uint64 // segments that had to wait
	turns  int    // of the ends, while segments wait
	turn   proto.Direction
	syn    uint32 // the first sequence number of the client, if its SYN was captured
	again  uint32 // sessions of the same ends and the same beginning, before it
	closed bool
	place  *list.Element
	heard  int64 // when something came, as [Table.elapsed]
}

// Classes of sessions, by how long they may be silent.
const (
	streams   = iota // of TCP
	datagrams        // of UDP
	ended
	classes
)

// class returns the class of a session.
func (c *conversation) class() int {
	switch {
	case c.closed:
		return ended
	case c.Transport == UDP:
		return datagrams
	}
	return streams
}

// client returns which end of a packet is the client, if the packet is the first of a
// session.
func client(k *packet) endpoint {
	if k.transport == TCP && k.flags&flagSYN != 0 {
		if k.flags&flagACK != 0 {
			return k.to
		}
		return k.from
	}
	const (
		known     = 1024
		ephemeral = 32768 // of clients on Linux; others begin at 49152 (RFC 6335, Section 6)
	)
	from, to := k.from.port(), k.to.port()
	if from < known && to >= known || k.transport == TCP && from < ephemeral && to >= ephemeral {
		return k.to
	}
	return k.from
}

// another reports whether a SYN begins another session between the same ports.
func (c *conversation) another(k *packet) bool {
	if c.closed || c.client != k.from || c.Flags&Midstream != 0 {
		return true
	}
	return c.syn != k.seq
}

// add takes a packet of the session.
func (c *conversation) add(k *packet) {
	dir := proto.ClientToOrigin
	if k.from != c.client {
		dir = proto.OriginToClient
	}
	c.Counts[dir].Packets++
	if c.Transport == UDP {
		if k.length > 0 {
			c.tell(dir, k.payload[:min(len(k.payload), k.length)], k.length)
		}
		return
	}
	if k.flags&flagACK != 0 {
		c.acknowledged(dir.Opposite(), k.ack)
	}
	if k.flags&flagRST != 0 {
		c.Flags |= Reset
		c.table.close(c)
		return
	}
	if k.length > 0 || k.flags&(flagSYN|flagFIN) != 0 {
		c.segment(dir, k)
	}
	if c.half[0].ended && c.half[1].ended {
		c.table.close(c)
	}
}
