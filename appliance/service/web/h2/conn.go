package h2

import (
	"bytes"
	"sync"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/clearspan/clearspan/appliance/service/web/adapt"
	"github.com/clearspan/clearspan/appliance/service/web/buffered"
)

const (
	defaultWindow = 65535     // RFC 9113, Section 6.9.2
	maxWindow     = 1<<31 - 1 // RFC 9113, Section 6.9.1
	maxFrame      = 16384     // RFC 9113, Section 6.5.2

	// maxQueue is what waits to be written to a leg before who passes on more
	// waits too. One header block and answers of our own, maxAnswers, go beyond it.
	maxQueue   = 64 << 10
	maxAnswers = 64 << 10

	maxFields = 256 << 10 // of one message, by the measure of RFC 9113, Section 6.5.2
)

// conn is one HTTP/2 connection of a session. All but reading is guarded by
// the session's lock.
type conn struct {
	kind   adapt.Kind // of what comes from it
	reader *http2.Framer
	writer *http2.Framer // into out
	coder  *hpack.Encoder
	block  bytes.Buffer

	session *Session
	end     *buffered.End
	out     queue     // to be written
	open    bool      // its first SETTINGS may be, or are, written
	ended   bool      // nothing more is to be written; close then
	wake    sync.Cond // for who writes out
	cond    sync.Cond // for who waits for room, or for the end of messages

	send    int64 // window of the connection for what we write
	initial int64 // window of a new stream for what we write
	recv    int64 // window of the connection for what we read
	debt    int64 // of window that this leg opens: so much is not passed to the other
	credit  int64 // of window for what we read, not yet announced

	// Windows that were opened while the leg was behind.
	lateAll int64                // of the connection
	late    map[*stream]struct{} // streams that have any
}

func newConn(x *Session, kind adapt.Kind, end *buffered.End) *conn {
	c := &conn{session: x, kind: kind, end: end, send: defaultWindow, initial: defaultWindow, recv: defaultWindow, late: make(map[*stream]struct{})}
	c.wake.L, c.cond.L = &x.mu, &x.mu
	c.reader = http2.NewFramer(nil, end)
	c.reader.SetMaxReadFrameSize(maxFrame)
	c.reader.SetReuseFrames()
	c.reader.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	c.reader.MaxHeaderListSize = maxFields
	c.writer = http2.NewFramer(&c.out, nil)
	c.coder = hpack.NewEncoder(&c.block)
	return c
}

// headers writes a header block. The caller holds the lock.
func (c *conn) headers(id uint32, list []hpack.HeaderField, end bool) {
	c.block.Reset()
	for _, f := range list {
		c.coder.WriteField(f)
	}
	p := c.block.Bytes()
	n := min(len(p), maxFrame)
	c.writer.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: p[:n], EndStream: end, EndHeaders: n == len(p)})
	for p = p[n:]; len(p) > 0; p = p[n:] {
		n = min(len(p), maxFrame)
		c.writer.WriteContinuation(id, n == len(p), p[:n])
	}
	c.kick()
}

// kick has what is queued written, unless its reader is about to add more.
func (c *conn) kick() {
	if !c.session.lazy || c.out.Len() > maxQueue/2 {
		c.wake.Signal()
	}
}

// ahead tells that reading the next frame, with those of the same header block,
// waits for nobody.
func (c *conn) ahead() bool {
	p := c.end.Unread()
	if len(p) < 9 || len(p)-9 < int(p[0])<<16|int(p[1])<<8|int(p[2]) {
		return false
	}
	return http2.FrameType(p[3]) != http2.FrameHeaders || http2.Flags(p[4]).Has(http2.FlagHeadersEndHeaders)
}

// refund gives back n octets of the connection's window for what was read and
// did not reach the other leg. The caller holds the lock.
func (c *conn) refund(n int) {
	c.credit += int64(n)
	if c.credit >= maxFrame/2 || c.recv < maxFrame {
		c.grant(c.credit)
		c.credit = 0
	}
}

// behind tells that so much waits to be written that no more is to be added.
func (c *conn) behind() bool { return c.out.Len() > maxQueue }
