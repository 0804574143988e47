package engine

import (
	"encoding/binary"
	"hash/fnv"
	"time"

	"github.com/clearspan/clearspan/appliance/recorder/flow"
	"github.com/clearspan/clearspan/decrypt/proto"
	"github.com/clearspan/clearspan/mirror"
)

// Conversation is one session on its way to the recorder. It is not safe for concurrent use.
type Conversation struct {
	s       *Sender
	flow    mirror.Flow
	opts    mirror.Options
	id      flow.ID
	opened  bool
	note    string
	offsets [2]uint64
	ended   [2]bool // it was to be told
	told    [2]bool
	reset   bool
	closed  bool
	sum     mirror.Account
}

// Begin begins a session that has a name and a beginning. Of the options, Note, Lost and
// Delivered count.
func (s *Sender) Begin(name string, start time.Time, f mirror.Flow, o mirror.Options) *Conversation {
	c := &Conversation{s: s, flow: f, opts: o, note: o.Note}
	binary.BigEndian.PutUint64(c.id[:], uint64(start.UnixNano()))
	h := fnv.New64a()
	h.Write([]byte(name))
	h.Sum(c.id[8:8])
	c.open()
	return c
}

// Flow returns the ends of the session.
func (c *Conversation) Flow() mirror.Flow { return c.flow }

// Note gives a further comment, which goes with the next record.
func (c *Conversation) Note(text string) { c.note = text }

// open says that the session began, if that was not said.
func (c *Conversation) open() error {
	if c.opened {
		return nil
	}
	err := c.put(&Record{Kind: Open, Sender: c.s.id, Client: c.flow.Client, Server: c.flow.Origin})
	c.opened = err == nil
	return err
}

// put sends a record of the session.
func (c *Conversation) put(r *Record) error {
	r.Session = c.id
	err := c.s.put(r, time.Now(), c.note)
	if err == nil {
		c.note = ""
		c.sum.Frames++
	} else {
		c.sum.FramesLost++
	}
	return err
}

// Data records octets of one direction, which it borrows.
func (c *Conversation) Data(dir mirror.Direction, p []byte) {
	for dir &= 1; len(p) > 0; {
		n := min(len(p), MaxOctets)
		err := mirror.ErrClosed
		if !c.ended[dir] && !c.closed {
			if err = c.open(); err == nil {
				err = c.put(&Record{Kind: Data, Direction: proto.Direction(dir), Offset: c.offsets[dir], Octets: p[:n]})
			}
		}
		c.offsets[dir] += uint64(n)
		c.count(dir, uint64(n), err)
		p = p[n:]
	}
}

// count counts octets that were recorded, or why they were not.
func (c *Conversation) count(dir mirror.Direction, n uint64, err error) {
	if err == nil {
		c.sum.Octets[dir] += n
		if c.opts.Delivered != nil {
			c.opts.Delivered(1, n)
		}
		return
	}
	reason := mirror.LossReason(err)
	if c.sum.Lost == nil {
		c.sum.Lost = make(map[string][2]uint64)
	}
	lost := c.sum.Lost[reason]
	lost[dir] += n
	c.sum.Lost[reason] = lost
	if c.opts.Lost != nil {
		c.opts.Lost(dir, n, reason)
	}
}

// End records that a direction ended in order.
func (c *Conversation) End(dir mirror.Direction) {
	dir &= 1
	c.ended[dir] = true
	c.finish()
}

// finish tells what has ended, if that was not told.
func (c *Conversation) finish() {
	for dir, ended := range c.ended {
		if ended && !c.told[dir] && c.open() == nil {
			c.told[dir] = c.put(&Record{Kind: End, Direction: proto.Direction(dir), Offset: c.offsets[dir]}) == nil
		}
	}
}

// Reset records that an end broke the session off.
func (c *Conversation) Reset(mirror.Direction) { c.reset = true }

// Close ends the session, and returns what became of its octets.
func (c *Conversation) Close() mirror.Account {
	if !c.closed {
		if !c.reset {
			c.finish()
		}
		if c.open() == nil {
			c.put(&Record{Kind: Close, Reset: c.reset, Sizes: c.offsets})
		}
		c.closed = true
	}
	return c.sum
}
