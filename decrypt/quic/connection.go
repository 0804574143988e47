package quic

import (
	"bytes"

	"github.com/clearspan/clearspan/decrypt/clienthello"
)

// connection is what a client has said so far in the keys of one connection ID: the
// destination of its first Initial, or of the first one after a Retry.
type connection struct {
	id      []byte
	version uint32   // of its first packet
	keys    [2]*keys // of versions 1 and 2; nil until needed
	largest int64    // packet number
	stream  stream
	read    int                // octets of the stream that are whole messages
	hello   *clienthello.Hello // the first one
	fault   State              // Whole while there is none
	judged  bool               // all that was said so far
	told    bool               // the hello was judged
	closed  bool               // a fault was judged: nothing more is to be said
}

// newConnection makes one of its first packet.
func newConnection(h *header) *connection {
	return &connection{id: bytes.Clone(h.destination), version: h.version, largest: -1}
}

// packet takes an Initial packet, unless it is of another connection, and reports
// whether it did. A client may change the version in mid-connection (RFC 9369,
// Section 4.1), and keeps the connection ID for the keys.
func (c *connection) packet(o *opener, b []byte, h *header) bool {
	k := &c.keys[0]
	if h.version == Version2 {
		k = &c.keys[1]
	}
	if *k == nil {
		if *k = newKeys(h.version, c.id, clientEnd); *k == nil {
			return false
		}
	}
	frames, number, ok := o.open(*k, b[:h.end], h.number, c.largest)
	if !ok {
		return false
	}
	c.largest = max(c.largest, number)
	if c.fault == Whole {
		if c.fault = c.stream.frames(frames); c.fault == Whole {
			c.fault = c.messages()
		}
	}
	return true
}

// messages reads the hellos that the stream holds. There are two if the server asks
// for another one; it has to be for the same name then (RFC 8446, Section 4.1.2).
func (c *connection) messages() State {
	for {
		rest := c.stream.prefix()[c.read:]
		hello, n, err := clienthello.ParseMessage(rest)
		switch {
		case c.read+n > maxStream:
			return Excess
		case err == clienthello.ErrShort:
			return Whole
		case err != nil:
			return Malformed
		case c.hello == nil:
			c.hello = hello
		case c.hello.ServerName != hello.ServerName || c.hello.Name != hello.Name:
			return Malformed
		}
		c.read += n
	}
}

// whole reports whether everything that the client said is known, and there is a
// hello.
func (c *connection) whole() bool {
	return c.hello != nil && !c.stream.gap() && c.read == len(c.stream.prefix())
}

// says reports whether two connections have the same hello.
func (c *connection) says(other *connection) bool {
	return bytes.Equal(c.stream.prefix(), other.stream.prefix())
}

// rest frees what can be made again.
func (c *connection) rest() { c.keys = [2]*keys{} }

// Octets of memory, about.
const (
	flowCost  = 600
	keysCost  = 2000
	helloCost = 1500
)

// cost is how much memory the connection takes, about.
func (c *connection) cost() int {
	n := 300 + cap(c.stream.data) + 16*cap(c.stream.spans)
	if c.hello != nil {
		n += helloCost
	}
	for _, k := range c.keys {
		if k != nil {
			n += keysCost
		}
	}
	return n
}
