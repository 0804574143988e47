package dissect

import (
	"github.com/clearspan/clearspan/decrypt/proto"
	"github.com/clearspan/clearspan/decrypt/proto/http1"
	"github.com/clearspan/clearspan/decrypt/sniff"
)

const maxPending = 128 // requests whose answers are not complete

// http1Reader follows HTTP/1 (RFC 9112).
type http1Reader struct {
	s     *Session
	sides [2]http1Side
	open  []*http1Exchange // the oldest first
	deep  *http1Deep       // nil: nobody asks for contents
}

// http1Deep is what a reader needs only if somebody asks for contents.
type http1Deep struct {
	held   []byte // of the client, behind a request that asks for another protocol
	logins webLogins
	unsure bool // it began in the middle of a session, and no answer was read
	sides  [2]http1Chunks
}

// http1Chunks is what is known of the chunks of one direction.
type http1Chunks struct {
	chunks
	search  *chunkSearch // the next one is looked for
	doubted bool         // and was found
}

// http1Exchange is an exchange of which a message is not complete.
type http1Exchange struct {
	Exchange
	method   []byte // if it matters for the answer
	switches bool   // it asks for another protocol
	settings []byte // of HTTP/2, if it asks for that
}

var headMethod, connectMethod = []byte("HEAD"), []byte("CONNECT")

// http1Side is one direction.
type http1Side struct {
	begun   []byte // the beginning of a head that came in pieces
	head    http1.Head
	message *http1Exchange // whose content is under way; nil between messages
	content *http1.Content // of message
}

func newHTTP1(s *Session) *http1Reader {
	h := &http1Reader{s: s}
	if s.contents != nil {
		h.deep = new(http1Deep)
	}
	return h
}

// chunks returns what is known of the chunks of a direction, nil if nobody asks.
func (h *http1Reader) chunks(dir proto.Direction) *http1Chunks {
	if h.deep == nil {
		return nil
	}
	return &h.deep.sides[dir]
}

func (h *http1Reader) data(dir proto.Direction, p []byte) (cause Cause) {
	side, chunks := &h.sides[dir], h.chunks(dir)
	for len(p) > 0 && cause == reading && h.s.reader == h {
		switch {
		case dir == proto.ClientToOrigin && h.waits():
			p, cause = h.hold(p)
		case chunks != nil && chunks.search != nil:
			p = h.search(dir, p)
		case side.message != nil:
			p, cause = h.content(dir, p)
		default:
			p, cause = h.headOf(dir, p)
		}
	}
	return cause
}

// content takes octets of a message behind its head.
func (h *http1Reader) content(dir proto.Direction, p []byte) (rest []byte, cause Cause) {
	side, chunks := &h.sides[dir], h.chunks(dir)
	n, content, fault := side.content.Next(p)
	if chunks != nil {
		chunks.took(n, content, side.content.Chunks().Content())
	}
	if content {
		h.s.content(&side.message.Exchange, dir, p[:n])
	}
	switch {
	case fault != http1.Sound && chunks != nil && chunks.doubted:
		return nil, StopGap
	case fault != http1.Sound:
		return nil, StopBroken
	}
	h.settle(dir)
	return p[n:], reading
}

// headOf takes octets of the head of a message.
func (h *http1Reader) headOf(dir proto.Direction, p []byte) (rest []byte, cause Cause) {
	side := &h.sides[dir]
	if len(side.begun) == 0 {
		p = p[http1.EmptyLines(p):]
	}
	head, rest, cause := side.section(p)
	switch {
	case dir == proto.OriginToClient && h.late(head, cause):
		return nil, StopGap
	case head == nil || cause != reading:
		return nil, cause
	case dir == proto.ClientToOrigin:
		cause = h.request(head)
	default:
		cause = h.answer(head, rest)
	}
	side.begun = nil
	return rest, cause
}

// late reports whether octets of the server are the rest of an answer to what was asked
// before the session was read: a whole head, or the beginning of one.
func (h *http1Reader) late(head []byte, cause Cause) bool {
	if h.deep == nil || !h.deep.unsure {
		return false
	}
	whole := head != nil
	if !whole {
		head = h.sides[proto.OriginToClient].begun
	}
	found, more := sniff.Midway(proto.OriginToClient, head)
	return cause == StopBound || found != sniff.HTTP && (whole || !more)
}

// section returns a whole head and what is behind it in p; nil as long as it is not
// whole.
func (side *http1Side) section(p []byte) (head, rest []byte, cause Cause) {
	if len(side.begun) == 0 {
		if n, _ := side.head.End(p, http1.Loose); n > http1.MaxHead {
			return nil, nil, StopBound
		} else if n > 0 {
			return p[:n], p[n:], reading
		}
	}
	before := len(side.begun)
	side.begun = append(side.begun, p[:min(len(p), http1.MaxHead-before)]...)
	if n, _ := side.head.End(side.begun, http1.Loose); n > 0 {
		return side.begun[:n], p[n-before:], reading
	}
	if len(side.begun) == http1.MaxHead {
		return nil, nil, StopBound
	}
	return nil, nil, reading
}

func (h *http1Reader) gap(dir proto.Direction, n uint64) Cause {
	side := &h.sides[dir]
	if side.message == nil || h.deep != nil && dir == proto.ClientToOrigin && len(h.deep.held) > 0 {
		return StopGap
	}
	chunks := h.chunks(dir)
	if chunks != nil && chunks.search != nil {
		return StopGap
	}
	content, ok := side.content.Skip(n)
	if !ok && chunks != nil && side.content.Extent() == http1.ByChunks {
		search, more := chunks.begin(n - content)
		chunks.search, content = search, content+more
		h.s.hole(&side.message.Exchange, dir, content)
		return reading
	}
	h.s.hole(&side.message.Exchange, dir, content)
	if !ok {
		return StopGap
	}
	h.settle(dir)
	if content < n {
		return StopGap
	}
	return reading
}

func (h *http1Reader) end(dir proto.Direction) {
	side := &h.sides[dir]
	if side.message == nil {
		return
	}
	how := Cut
	if side.content.Extent() == http1.ToClose {
		how = Complete
	}
	h.s.end(&side.message.Exchange, dir, how)
}

func (h *http1Reader) close(how Ending) {
	for _, x := range h.open {
		h.s.end(&x.Exchange, proto.ClientToOrigin, how)
		h.s.end(&x.Exchange, proto.OriginToClient, how)
	}
}
