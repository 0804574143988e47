package h2

import (
	"io"
	"time"

	"github.com/clearspan/clearspan/appliance/service/web/adapt"
	"github.com/clearspan/clearspan/decrypt/proto/http2"
)

// adaptedBody is the content of a message as services read it.
type adaptedBody struct {
	session *Session
	st      *stream
	kind    adapt.Kind
}

// Read implements io.Reader.
func (b *adaptedBody) Read(p []byte) (int, error) {
	x, from := b.session, b.session.conns[b.kind]
	h := &b.st.halves[b.kind]
	x.mu.Lock()
	defer x.mu.Unlock()
	for len(p) > 0 && h.off == len(h.buf) {
		switch {
		case h.err != nil && !h.ended:
			return 0, &adapt.BodyError{Err: h.err}
		case h.ended, h.discard:
			return 0, io.EOF
		case h.stalled:
			h.stalled = false
			return 0, errStalled
		}
		b.wait(h)
	}
	n := copy(p, h.buf[h.off:])
	if h.off += n; h.off == len(h.buf) {
		h.buf, h.off = h.buf[:0], 0
		if x.kept > maxKept/4 {
			h.buf = nil
		}
	}
	if b.st.gone {
		return n, nil
	}
	if h.deciding {
		h.replay = min(h.replay+n, x.Config.Replay)
	}
	x.count(b.st, b.kind)
	if h.owed += int64(n); h.owed >= http2.DefaultFrame {
		b.st.grant(from, h.owed)
		h.owed = 0
	}
	return n, nil
}

// wait waits for octets; while no service has answered only for so long.
func (b *adaptedBody) wait(h *halfStream) {
	if !h.deciding {
		h.cond.Wait()
		return
	}
	late := false
	t := time.AfterFunc(b.session.Config.Stall, func() {
		b.session.mu.Lock()
		defer b.session.mu.Unlock()
		late = true
		h.stalled = h.deciding
		h.cond.Broadcast()
	})
	seen := len(h.buf)
	for !late && h.err == nil && !h.ended && !h.discard && len(h.buf) == seen {
		h.cond.Wait()
	}
	t.Stop()
}
