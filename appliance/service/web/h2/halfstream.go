package h2

import (
	"sync"

	"golang.org/x/net/http2/hpack"
)

// half is one message of a stream, on its way from one leg to the other.
type halfStream struct {
	begun  bool  // its header came
	ended  bool  // its end came
	sent   bool  // its end was written
	held   bool  // a service has it
	own    bool  // a service's answer stands in its place
	bare   bool  // its end was written with its header
	expect int64 // of content-length, -1 without
	got    int64 // octets of content that came

	window   int64 // what we may write
	recv     int64 // what its sender may send
	debt     int64 // of window that is opened to us: so much is not passed on
	late     int64 // of recv, not yet announced to its sender
	pending  []byte
	trailers []hpack.HeaderField
	fields   int // octets of header and trailers that are kept
	kept     int // octets of all that is kept, as last counted

	more sync.Cond // for who sends it for a service

	// For a service.
	cond     sync.Cond
	buf      []byte // buf[off:] is unread
	off      int
	owed     int64 // of window for what was read, not yet announced
	ahead    int64 // of window beyond the first
	replay   int   // octets that services may keep to send them again
	chunk    int   // memory by which content is sent
	err      error // why no more comes
	deciding bool  // a service has not answered
	stalled  bool
	discard  bool // nobody reads
	refused  bool // its receiver takes no more; the stream ends with the response
}

// cut ends a message that is not whole. The caller holds the lock.
func (h *halfStream) cut(err error) {
	if !h.ended && h.err == nil {
		h.err = err
		h.cond.Broadcast()
	}
}
