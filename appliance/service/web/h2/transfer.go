package h2

import (
	"io"

	"golang.org/x/net/http2/hpack"

	"github.com/clearspan/clearspan/appliance/service/web/adapt"
	"github.com/clearspan/clearspan/appliance/service/web/buffered"
	"github.com/clearspan/clearspan/decrypt/proto/http2"
)

// transfer sends a header and a body, whose octets it counts. bare has the header
// end the message. It reports whether the message was begun.
func (x *Session) transfer(st *stream, kind adapt.Kind, list []hpack.HeaderField, bare bool, body io.Reader) (started bool, total int64, err error) {
	x.mu.Lock()
	st.halves[kind].bare = bare
	started = x.start(st, kind, list, bare)
	x.mu.Unlock()
	if started {
		total, err = x.content(st, kind, body)
	}
	return started, total, err
}

// content sends a body, and returns how long it was.
func (x *Session) content(st *stream, kind adapt.Kind, body io.Reader) (total int64, err error) {
	if body == nil {
		return 0, nil
	}
	buf := x.chunk(st, kind)
	defer func() {
		buffered.Release(buf)
		x.mu.Lock()
		defer x.mu.Unlock()
		st.halves[kind].chunk = 0
		x.count(st, kind)
	}()
	for {
		n, err := body.Read(buf)
		total += int64(n)
		if n > 0 && !x.send(st, kind, buf[:n]) {
			return total, nil
		}
		switch {
		case err == io.EOF:
			return total, nil
		case err != nil:
			return total, err
		}
	}
}

// chunk returns memory by which content is sent, less if many messages are. It is
// to be released.
func (x *Session) chunk(st *stream, kind adapt.Kind) []byte {
	x.mu.Lock()
	defer x.mu.Unlock()
	var buf []byte
	if x.kept > maxKept/4 {
		buf = buffered.GetSmall()
	} else {
		buf = buffered.GetLarge()
	}
	st.halves[kind].chunk = len(buf)
	x.count(st, kind)
	return buf
}

// send writes content that a service let pass, as the windows of its receiver
// allow. It returns false if the stream is gone.
func (x *Session) send(st *stream, kind adapt.Kind, p []byte) bool {
	to := x.conns[1-kind]
	h := &st.halves[kind]
	x.mu.Lock()
	defer x.mu.Unlock()
	for len(p) > 0 {
		for !st.gone && !h.refused && x.err == nil && (h.window <= 0 || to.send <= 0 || to.behind()) {
			h.more.Wait()
		}
		if st.gone || h.refused || x.err != nil {
			return false
		}
		n := min(int64(len(p)), h.window, to.send, http2.DefaultFrame)
		h.window -= n
		to.send -= n
		to.debt += n // the sender of the message has that window back already
		to.data(st.id(to), false, p[:n])
		p = p[n:]
	}
	return true
}
