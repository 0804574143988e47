package h2

import (
	"golang.org/x/net/http2/hpack"

	"github.com/clearspan/clearspan/appliance/service/web/adapt"
	"github.com/clearspan/clearspan/decrypt/proto/http2"
)

// maxKept bounds what an HTTP/2 session keeps of its messages in both directions,
// whatever its ends do: headers, content that no window lets pass, content that
// services have. A stream that goes beyond it is reset. From refusedFrom on new
// streams are refused, which clients open again: beyond what a hundred streams take
// whose receivers are slow.
const (
	maxKept     = 14 << 20
	refusedFrom = 12 << 20
)

// maxAhead bounds the window that all streams together have beyond the first, for
// messages that services have.
const maxAhead = 3 << 20

// heldCost is what a message costs that a service has, beside its octets.
const heldCost = 4 << 10

// count counts anew what a message keeps. The caller holds the lock.
func (x *Session) count(st *stream, kind adapt.Kind) {
	h := &st.halves[kind]
	if st.gone {
		return
	}
	n := cap(h.pending) + cap(h.buf) + h.fields + h.replay + h.chunk
	if h.held && !h.sent {
		n += heldCost
	}
	x.kept += n - h.kept
	h.kept = n
}

// keep counts what a message that comes from a connection keeps. It returns false if that
// was too much, or the stream is gone.
func (x *Session) keep(st *stream, from *conn) bool {
	if st.gone {
		return false
	}
	x.count(st, from.kind)
	if x.kept > maxKept {
		x.abandon(st, from, st.id(from), http2.EnhanceYourCalm)
		return false
	}
	return true
}

// sizeOf returns what fields take in memory (RFC 9113, Section 6.5.2).
func sizeOf(list []hpack.HeaderField) (n int) {
	for i := range list {
		n += int(list[i].Size())
	}
	return n
}

// advance lets the sender of a message that a service has send ahead, as long as
// not too many do.
func (x *Session) advance(st *stream, from *conn) {
	h := &st.halves[from.kind]
	n := heldWindow - h.recv
	if n <= 0 || x.ahead+n > maxAhead {
		return
	}
	x.ahead += n
	h.ahead = n
	st.grant(from, n)
}
