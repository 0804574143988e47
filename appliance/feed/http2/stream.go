package http2

import (
	"strconv"

	"github.com/clearspan/clearspan/mirror"
)

// phase is how far one direction of an exchange has come.
type phase uint8

const (
	expecting phase = iota // no header yet, or an interim one
	content                // header shown
	complete               // END_STREAM
)

// framing is how content is shown.
type framing uint8

const (
	none    framing = iota // there can be none
	length                 // by content-length
	chunked                // RFC 9112, Section 7.1
	tunnel                 // what a CONNECT or an upgrade leads to
)

// half is one direction of an exchange.
type half struct {
	phase   phase
	framing framing
	chunk   bool   // the last chunk wants its CRLF
	left    uint64 // of the content-length
}

// stream is an exchange that is open.
type stream struct {
	conversation *mirror.Conversation
	id           uint32
	port         uint16
	mine         bool // the port is to be given back
	gone         bool // removed from the session
	head         bool // a request of method HEAD
	connect      bool // of method CONNECT, extended or not
	protocol     string
	halves       [2]half
}

// data is a DATA frame under way.
type data struct {
	active  bool
	end     bool    // END_STREAM
	stream  *stream // nil: over
	left    int     // content that is due
	padding int     // padding that is due behind it
}

// known tells that a stream is or was open.
func (s *Session) known(id uint32) bool { return id <= s.highest[1-id&1] }

// message renders the header block in s.fields. first is the header of its
// first frame. It returns why the session has to be given up, or "".
func (s *Session) message(side *side, first header, promised uint32) string {
	id, end := first.stream, first.has(flagEndStream)
	if first.kind == typePushPromise {
		if !s.known(id) || promised&1 == 1 || promised == 0 || s.known(promised) {
			return rawProtocol
		}
		st := s.begin(promised)
		if st == nil {
			return rawStreams
		}
		s.request(st, true)
		st.halves[mirror.ClientToOrigin].phase = complete
		return ""
	}
	st := s.streams[id]
	switch {
	case st == nil && side.dir == mirror.ClientToOrigin && id&1 == 1 && !s.known(id):
		if st = s.begin(id); st == nil {
			return rawStreams
		}
		s.request(st, end)
	case !s.known(id):
		return rawProtocol
	case st == nil || st.halves[side.dir].phase == complete:
		side.lost = mirror.ReasonEnded
		return ""
	case st.halves[side.dir].phase == content:
		s.trailers(side, st, end)
	default:
		s.response(st, end)
	}
	if end {
		s.finish(st, side.dir)
	}
	return ""
}

// begin opens the conversation of a stream. It returns nil if too many are open.
func (s *Session) begin(id uint32) *stream {
	if len(s.streams) >= maxStreams {
		return nil
	}
	flow, opts := s.flow, s.alike
	st := &stream{id: id}
	st.port, st.mine = s.ports.take(flow)
	flow.Client = withPort(flow.Client, st.port)
	opts.Note = s.note(id)
	st.conversation = mirror.Open(s.sink, flow, opts)
	s.streams[id] = st
	s.highest[1-id&1] = id
	s.opened++
	if len(s.mapped) < maxMapped {
		s.mapped = append(s.mapped, Stream{id, st.port})
	}
	return st
}

// remove closes the conversation of a stream.
func (s *Session) remove(st *stream) {
	s.add(st.conversation.Close())
	delete(s.streams, st.id)
	st.gone = true
	if st.mine {
		s.ports.give(s.flow, st.port)
	}
}

// finish shows END_STREAM. The conversation ends with both directions, as it
// would in HTTP/1.1, but for those of a tunnel, which end one by one.
func (s *Session) finish(st *stream, dir mirror.Direction) {
	h := &st.halves[dir]
	if h.phase == content && h.framing == chunked {
		s.say(st.conversation, dir, append(s.lastChunk(h), "\r\n"...))
	}
	if h.framing == tunnel {
		st.conversation.End(dir)
	}
	h.phase = complete
	if st.halves[dir^1].phase == complete {
		s.resets = 0
		s.remove(st)
	}
}

// lastChunk returns the start of the last chunk, to which trailers are appended.
func (s *Session) lastChunk(h *half) []byte {
	if h.chunk {
		return append(s.scratch[:0], "\r\n0\r\n"...)
	}
	return append(s.scratch[:0], "0\r\n"...)
}

// beginData takes the start of a DATA frame: its header and, with the padded
// flag, the length of the padding. It may give up the session.
func (s *Session) beginData(side *side, h header, octets []byte) {
	d := data{active: true, end: h.has(flagEndStream), stream: s.streams[h.stream], left: h.length}
	if h.has(flagPadded) {
		d.padding = int(octets[frameHeader])
		d.left -= 1 + d.padding
	}
	if d.left < 0 || !s.known(h.stream) {
		s.giveUp(rawProtocol)
		return
	}
	side.pending = uint64(len(octets))
	side.release()
	side.data = d
	switch st := d.stream; {
	case st == nil:
		side.lost = mirror.ReasonEnded
	case d.left > 0 && st.halves[side.dir].phase == content && st.halves[side.dir].framing == chunked:
		chunk := s.scratch[:0]
		if st.halves[side.dir].chunk {
			chunk = append(chunk, "\r\n"...)
		}
		st.halves[side.dir].chunk = true
		chunk = append(strconv.AppendUint(chunk, uint64(d.left), 16), "\r\n"...)
		s.say(st.conversation, side.dir, chunk)
	}
	if d.left == 0 && d.padding == 0 {
		s.endData(side)
	}
}

// takeData consumes content or padding of a DATA frame.
func (s *Session) takeData(side *side, p []byte) int {
	d := &side.data
	var n int
	if d.left > 0 {
		n = min(d.left, len(p))
		d.left -= n
		s.content(side, p[:n])
	} else {
		n = min(d.padding, len(p))
		d.padding -= n
		side.pending += uint64(n)
	}
	if d.left == 0 && d.padding == 0 {
		s.endData(side)
	}
	return n
}

// content shows content of the DATA frame under way.
func (s *Session) content(side *side, p []byte) {
	st := side.data.stream
	if st == nil || st.gone {
		s.lose(side.dir, uint64(len(p)), mirror.ReasonEnded)
		return
	}
	h := &st.halves[side.dir]
	shown := p
	switch {
	case h.phase == expecting:
		s.lose(side.dir, uint64(len(p)), ReasonMalformed)
		return
	case h.phase == complete:
		s.lose(side.dir, uint64(len(p)), mirror.ReasonEnded)
		return
	case h.framing == none:
		shown = nil
	case h.framing == length:
		shown = p[:min(uint64(len(p)), h.left)]
		h.left -= uint64(len(shown))
	}
	s.exactly(st.conversation, side.dir, shown)
	s.lose(side.dir, uint64(len(p)-len(shown)), ReasonExcess)
}

// endData takes the end of a DATA frame.
func (s *Session) endData(side *side) {
	d := side.data
	side.data = data{}
	if d.end && d.stream != nil && !d.stream.gone {
		s.finish(d.stream, side.dir)
	}
	s.settle(side, 0)
}
