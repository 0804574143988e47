package h2

import (
	"sync"

	"golang.org/x/net/http2/hpack"
)

// halfStream is one message of a stream, on its way from one connection to the other.
type halfStream struct {
	begun   bool  // its header came
	ended   bool  // its end came
	sent    bool  // its end was written
	bare    bool  // its end was written with its header
	refused bool  // its receiver takes no more; the stream ends with the response
	expect  int64 // of content-length, -1 without
	got     int64 // octets of content that came

	pending  []byte // content that no window lets pass
	trailers []hpack.HeaderField
	fields   int // octets of header and trailers that are kept
	kept     int // octets of all that is kept, as last counted

	flow
	adaptation
}

// flow is the flow control of a message.
type flow struct {
	window int64     // what we may write
	recv   int64     // what its sender may send
	debt   int64     // of window that is opened to us: so much is not passed on
	late   int64     // of recv, not yet announced to its sender
	more   sync.Cond // for who sends it for a service: window, or the end
}

// adaptation is a message while a service has it.
type adaptation struct {
	held     bool      // a service has it
	own      bool      // a service's answer stands in its place
	deciding bool      // a service has not answered
	stalled  bool      // it waited too long for octets
	discard  bool      // nobody reads
	cond     sync.Cond // for who reads: octets, or the end
	buf      []byte    // buf[off:] is unread
	off      int
	owed     int64 // of window for what was read, not yet announced
	ahead    int64 // of window beyond the first
	replay   int   // octets that services may keep to send them again
	chunk    int   // memory by which content is sent
	err      error // why no more comes
}

// cut ends a message that is not whole. The caller holds the lock.
func (h *halfStream) cut(err error) {
	if !h.ended && h.err == nil {
		h.err = err
		h.cond.Broadcast()
	}
}

// keep adds content to what a service reads.
func (h *halfStream) keep(p []byte) {
	if h.off > 0 && len(h.buf)+len(p) > cap(h.buf) {
		h.buf, h.off = h.buf[:copy(h.buf, h.buf[h.off:])], 0
	}
	h.buf = append(h.buf, p...)
}
