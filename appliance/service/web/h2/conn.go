package h2

import (
	"bytes"
	"io"
	"sync"

	"golang.org/x/net/http2/hpack"

	"github.com/clearspan/clearspan/appliance/service/web/adapt"
	"github.com/clearspan/clearspan/appliance/service/web/buffered"
	"github.com/clearspan/clearspan/decrypt/proto"
	"github.com/clearspan/clearspan/decrypt/proto/http2"
)

const (
	maxWindow = http2.MaxStream // RFC 9113, Section 6.9.1

	// maxQueue is what waits to be written to a connection before who passes on more
	// waits too. One header block and answers of our own, maxAnswers, go beyond it.
	maxQueue   = 64 << 10
	maxAnswers = 64 << 10

	maxFields = 256 << 10 // of one message, by the measure of RFC 9113, Section 6.5.2
)

// conn is one HTTP/2 connection of a session. All but reading is guarded by
// the session's lock.
type conn struct {
	kind    adapt.Kind // of what comes from it
	session *Session
	end     *buffered.End

	// Of the goroutine that reads.
	reader  *http2.Reader
	decoder *http2.Decoder

	coder *hpack.Encoder // into block
	block bytes.Buffer
	out   queue     // to be written
	open  bool      // its first SETTINGS may be, or are, written
	ended bool      // nothing more is to be written; close then
	wake  sync.Cond // for who writes out
	cond  sync.Cond // for who waits for room, or for the end of messages

	send    int64 // window of the connection for what we write
	initial int64 // window of a new stream for what we write
	recv    int64 // window of the connection for what we read
	debt    int64 // of window that this connection opens: so much is not passed to the other
	credit  int64 // of window for what we read, not yet announced

	// Windows that were opened while the connection was behind.
	lateAll int64                // of the connection
	late    map[*stream]struct{} // streams that have any
}

func newConn(x *Session, kind adapt.Kind, end *buffered.End) *conn {
	dir := proto.ClientToOrigin
	if kind == adapt.Response {
		dir = proto.OriginToClient
	}
	c := &conn{
		session: x, kind: kind, end: end,
		reader: http2.NewReader(dir, http2.Strict, http2.Limits{}), decoder: http2.NewDecoder(maxFields),
		send: http2.DefaultWindow, initial: http2.DefaultWindow, recv: http2.DefaultWindow, late: make(map[*stream]struct{}),
	}
	c.wake.L, c.cond.L = &x.mu, &x.mu
	c.coder = hpack.NewEncoder(&c.block)
	return c
}

// readPreface reads the preface of a client that speaks HTTP/2, and nothing of one
// that ends without a word.
func (c *conn) readPreface() error {
	for left := len(http2.Preface); left > 0; {
		p, err := c.await(1)
		switch {
		case err == io.EOF && left == len(http2.Preface):
			return nil
		case err == io.EOF:
			return http2.ErrPreface
		case err != nil:
			return err
		}
		_, n, err := c.reader.Next(p[:min(len(p), left)])
		if err != nil {
			return err
		}
		c.end.Consume(n)
		left -= n
	}
	return nil
}

// read returns the next frame, or header block, whole. It is valid until the next
// call. The error is io.EOF at the end of the connection, or an [*http2.Fault].
func (c *conn) read() (*http2.Frame, error) {
	c.reader.Release() // it holds no header block while the connection is idle
	for {
		p, err := c.await(http2.HeaderLength)
		if err != nil {
			return nil, err
		}
		size := http2.HeaderLength
		if n := http2.ParseHeader(p).Length; n <= http2.DefaultFrame { // above, the header is enough to refuse it
			size += n
		}
		if p, err = c.await(size); err != nil {
			return nil, err
		}
		f, n, err := c.reader.Next(p[:size])
		c.end.Consume(n)
		if f != nil || err != nil {
			return f, err
		}
	}
}

// await waits until n octets are at hand, and returns what is.
func (c *conn) await(n int) ([]byte, error) {
	for {
		p := c.end.Unread()
		if len(p) >= n {
			return p, nil
		}
		if err := c.end.Await(); err != nil {
			return nil, err
		}
		switch err := c.end.Fill(); {
		case err == io.EOF && len(p) > 0:
			return nil, io.ErrUnexpectedEOF
		case err != nil:
			return nil, err
		}
	}
}

// headerBlock is a header block, decoded.
type headerBlock struct {
	stream    uint32
	ends      bool // the stream
	fields    []hpack.HeaderField
	sound     bool // the fields have no octets and pseudo-header fields out of place
	truncated bool // it is longer than maxFields
}

// decode decodes the header block of a frame.
func (c *conn) decode(f *http2.Frame) (*headerBlock, error) {
	fields, size, err := c.decoder.Decode(nil, f)
	if err != nil {
		return nil, err
	}
	return &headerBlock{
		stream: f.Stream, ends: f.EndsStream(), fields: fields,
		sound: f.CheckFields(fields) == nil, truncated: size > maxFields,
	}, nil
}

// ahead tells that reading the next frame, with those of the same header block,
// waits for nobody.
func (c *conn) ahead() bool {
	p := c.end.Unread()
	if len(p) < http2.HeaderLength {
		return false
	}
	h := http2.ParseHeader(p)
	return len(p)-http2.HeaderLength >= h.Length && (h.Type != http2.Headers || h.Has(http2.EndHeaders))
}

// refund gives back n octets of the connection's window for what was read and
// did not reach the other connection. The caller holds the lock.
func (c *conn) refund(n int) {
	c.credit += int64(n)
	if c.credit >= http2.DefaultFrame/2 || c.recv < http2.DefaultFrame {
		c.grant(c.credit)
		c.credit = 0
	}
}

// behind tells that so much waits to be written that no more is to be added.
func (c *conn) behind() bool { return c.out.len() > maxQueue }
