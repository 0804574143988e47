package web

import (
	"bytes"
	"errors"
	"io"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

var errStalled = errors.New("the message's sender is silent, and may be waiting itself")

func bytesReader(p []byte) io.Reader { return bytes.NewReader(p) }

// hold gives a message whose header came to the services, unless decided says
// what becomes of it. The caller holds the lock.
func (f *frames) hold(st *stream, kind Kind, m *fields, decided *verdict) {
	h := &st.halves[kind]
	h.held, h.deciding = true, true
	h.fields += 2 * sizeOf(m.list) // as it came, and as services see it
	if !f.keep(st, f.legs[kind]) {
		return
	}
	if !h.ended {
		f.advance(st, f.legs[kind])
	}
	f.held[kind]++
	ended := h.ended
	f.wg.Go(func() {
		f.x.contain(func() error { f.carry(st, kind, m, ended, decided); return nil })
		f.mu.Lock()
		f.held[kind]--
		f.legs[1-kind].cond.Broadcast()
		f.mu.Unlock()
	})
}

// carry takes a message through the services and on.
func (f *frames) carry(st *stream, kind Kind, m *fields, bare bool, decided *verdict) {
	msg := Message{Kind: kind, Request: st.request, Length: m.length}
	if kind == Response {
		msg.Response = m.header(Response)
	}
	if bare {
		msg.Length = 0
	} else {
		msg.Body = &heldBody{f, st, kind}
	}
	var v verdict
	var err error
	if decided != nil {
		v = *decided
	} else if v, err = f.x.adapt(st.ctx, msg, []byte(m.media)); err != nil {
		f.mu.Lock()
		f.fault(st)
		f.mu.Unlock()
		return
	}
	defer v.close()
	f.mu.Lock()
	st.halves[kind].deciding = false
	st.halves[kind].replay = 0
	f.mu.Unlock()
	switch {
	case v.blocked:
		err = f.answer(st, kind, &v)
	case !v.shown:
		f.release(st, kind, m.list)
	default:
		err = f.forward(st, kind, m, bare, &v)
	}
	if err != nil {
		f.mu.Lock()
		if !st.halves[kind].refused {
			f.fault(st)
		}
		f.mu.Unlock()
	}
}

// start writes the header of a message. It returns false if the stream is gone.
func (f *frames) start(st *stream, kind Kind, list []hpack.HeaderField, end bool) bool {
	to := f.legs[1-kind]
	f.room(to)
	switch {
	case st.gone, f.err != nil:
		return false
	case kind == Request:
		return f.open(st, list, end)
	}
	to.headers(st.client, list, end)
	return true
}

// release has a message that no service wants to see pass as it comes.
func (f *frames) release(st *stream, kind Kind, list []hpack.HeaderField) {
	f.mu.Lock()
	defer f.mu.Unlock()
	h := &st.halves[kind]
	h.bare = h.ended && h.got == 0 && h.trailers == nil
	if !f.start(st, kind, list, h.bare) {
		return
	}
	h.pending, h.buf, h.off = h.buf[h.off:], nil, 0
	f.legs[1-kind].debt += int64(len(h.pending)) // its sender has the connection's window back
	f.relay(st, kind)
}

// forward sends a message that the services let pass.
func (f *frames) forward(st *stream, kind Kind, m *fields, bare bool, v *verdict) error {
	list, length, word := m.list, int64(-1), ""
	if v.changed() {
		var h head
		if list, h, word = fieldsOf(v.header, kind, m.scheme); word != "" {
			return errUnsound
		}
		length = h.length
	}
	if kind == Response && (st.head || m.status == 204 || m.status == 304) && v.changed() {
		v.body = nil
	}
	f.mu.Lock()
	if kind == Request && v.changed() {
		st.request = v.header
	}
	h := &st.halves[kind]
	h.bare = v.body == nil && (bare || v.changed())
	ok := f.start(st, kind, list, h.bare)
	f.mu.Unlock()
	if !ok {
		return nil
	}
	total, err := f.content(st, kind, v.body)
	if err != nil {
		return err
	}
	if v.changed() && length >= 0 && v.body != nil && total != length {
		return errFraming
	}
	v.close()
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case st.gone, h.refused:
	case !v.changed() && (!h.ended || total != h.got):
		return errFraming
	case v.changed() && !h.ended && kind == Response:
		f.end(st, kind)
		f.leaveOrigin(st)
	default:
		f.leaveSource(st, kind)
		f.end(st, kind)
	}
	return nil
}

// content sends a body, and returns how long it was.
func (f *frames) content(st *stream, kind Kind, body io.Reader) (total int64, err error) {
	if body == nil {
		return 0, nil
	}
	buf := f.chunk(st, kind)
	defer func() {
		release(buf)
		f.mu.Lock()
		defer f.mu.Unlock()
		st.halves[kind].chunk = 0
		f.count(st, kind)
	}()
	for {
		n, err := body.Read(buf)
		total += int64(n)
		if n > 0 && !f.send(st, kind, buf[:n]) {
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
func (f *frames) chunk(st *stream, kind Kind) []byte {
	f.mu.Lock()
	defer f.mu.Unlock()
	var buf []byte
	if f.kept > maxKept/4 {
		buf = smallBuffers.Get().(*[smallBuffer]byte)[:]
	} else {
		buf = largeBuffers.Get().(*[largeBuffer]byte)[:]
	}
	st.halves[kind].chunk = len(buf)
	f.count(st, kind)
	return buf
}

// send writes content that a service let pass, as the windows of its receiver
// allow. It returns false if the stream is gone.
func (f *frames) send(st *stream, kind Kind, p []byte) bool {
	to := f.legs[1-kind]
	h := &st.halves[kind]
	f.mu.Lock()
	defer f.mu.Unlock()
	for len(p) > 0 {
		for !st.gone && !h.refused && f.err == nil && (h.window <= 0 || to.send <= 0 || to.behind()) {
			h.more.Wait()
		}
		if st.gone || h.refused || f.err != nil {
			return false
		}
		n := min(int64(len(p)), h.window, to.send, maxFrame)
		h.window -= n
		to.send -= n
		to.debt += n // the sender of the message has that window back already
		to.writer.WriteData(st.id(to), false, p[:n])
		to.kick()
		p = p[n:]
	}
	return true
}

// leaveSource has what still comes of a message that is replaced discarded.
func (f *frames) leaveSource(st *stream, kind Kind) {
	h := &st.halves[kind]
	h.discard = true
	unread := int64(len(h.buf)-h.off) + h.owed
	h.buf, h.off, h.owed = nil, 0, 0
	st.grant(f.legs[kind], unread)
}

// leaveOrigin ends a stream whose response is complete for the client, but not at
// the origin.
func (f *frames) leaveOrigin(st *stream) {
	if st.origin != 0 && (!st.halves[Response].ended || !st.halves[Request].sent) {
		f.legs[Response].writer.WriteRSTStream(st.origin, http2.ErrCodeCancel)
		f.legs[Response].kick()
	}
	if !st.halves[Request].ended { // RFC 9113, Section 8.1
		f.legs[Request].writer.WriteRSTStream(st.client, http2.ErrCodeNo)
		f.legs[Request].kick()
	}
	f.drop(st, &brokenBody{errReset})
}

// answer gives the client what a service answers.
func (f *frames) answer(st *stream, kind Kind, v *verdict) error {
	list, _, word := fieldsOf(v.header, Response, "")
	if word != "" {
		return errUnsound
	}
	body := v.body
	if st.head {
		body = nil
	}
	f.mu.Lock()
	h := &st.halves[Response]
	h.begun, h.held, h.own, h.bare = true, true, true, body == nil
	ok := f.start(st, Response, list, h.bare)
	f.mu.Unlock()
	if !ok {
		return nil
	}
	if _, err := f.content(st, Response, body); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if !st.gone {
		f.end(st, Response)
		f.leaveOrigin(st)
	}
	return nil
}

// heldBody is the content of a message as services read it.
type heldBody struct {
	f    *frames
	st   *stream
	kind Kind
}

// Read implements io.Reader.
func (b *heldBody) Read(p []byte) (int, error) {
	f, from := b.f, b.f.legs[b.kind]
	h := &b.st.halves[b.kind]
	f.mu.Lock()
	defer f.mu.Unlock()
	for len(p) > 0 && h.off == len(h.buf) {
		switch {
		case h.err != nil && !h.ended:
			return 0, &brokenBody{h.err}
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
		if f.kept > maxKept/4 {
			h.buf = nil
		}
	}
	if b.st.gone {
		return n, nil
	}
	if h.deciding {
		h.replay = min(h.replay+n, f.x.cfg.Replay)
	}
	f.count(b.st, b.kind)
	if h.owed += int64(n); h.owed >= maxFrame {
		b.st.grant(from, h.owed)
		h.owed = 0
	}
	return n, nil
}

// wait waits for octets; while no service has answered only for so long.
func (b *heldBody) wait(h *half) {
	if !h.deciding {
		h.cond.Wait()
		return
	}
	late := false
	t := time.AfterFunc(b.f.x.cfg.Stall, func() {
		b.f.mu.Lock()
		defer b.f.mu.Unlock()
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
