package http2

import (
	"golang.org/x/net/http2/hpack"

	"github.com/clearspan/clearspan/mirror"
)

// side is one direction of a session, taken apart.
type side struct {
	dir     mirror.Direction
	preface int  // octets of the connection preface that are due
	settled bool // the first frame, SETTINGS, has come

	held  []byte // octets of an incomplete unit, none of them counted
	start int    // of its last frame in held
	block uint32 // stream whose header block goes on, 0 if none does
	count int    // frames of that block

	skip int  // octets that are passed over: the rest of a frame that is not shown
	data data // DATA frame under way, if active

	decoder *hpack.Decoder // nil until a block came
	allowed uint32         // bound on its dynamic table

	pending uint64 // octets of the DATA frame under way that share its fate
	lost    string // why the unit under way is lost; "" if it is not
}

// take consumes octets of p, at least one unless the session is given up.
func (s *Session) take(side *side, p []byte) int {
	switch {
	case side.data.active:
		return s.takeData(side, p)
	case side.skip > 0:
		n := min(side.skip, len(p))
		side.skip -= n
		s.octets[side.dir] += uint64(n)
		return n
	case side.preface > 0:
		return s.takePreface(side, p)
	}
	head, n := side.gather(p, 0, frameHeader)
	if head == nil {
		return n
	}
	h := parseHeader(head)
	if reason := side.objection(h); reason != "" {
		s.giveUp(reason)
		return n
	}
	size := frameHeader
	switch {
	case h.whole():
		size += h.length
	case h.kind == typeData && h.has(flagPadded):
		size++ // the length of the padding
	}
	octets, n := side.gather(p, n, size)
	if octets == nil {
		return n
	}
	direct := len(side.held) == side.start
	switch {
	case h.kind == typeData:
		s.beginData(side, h, octets)
	case h.whole():
		s.frame(side, h, octets, direct)
	default:
		side.skip = h.length
		s.settle(side, size)
		side.release()
	}
	if direct && s.raw == nil {
		return size
	}
	return n
}

// takePreface consumes the connection preface.
func (s *Session) takePreface(side *side, p []byte) int {
	n := min(side.preface, len(p))
	if due := preface[len(preface)-side.preface:]; string(p[:n]) != due[:n] {
		s.giveUp(rawPreface)
		return 0
	}
	side.held = append(side.held, p[:n]...)
	if side.preface -= n; side.preface == 0 {
		s.settle(side, len(preface))
		side.release()
	}
	return n
}

// gather returns the first want octets of the frame that begins in held, or in
// p where held has none of it. It moves octets of p to held only if p does not
// hold the frame alone; used is how many were moved, those before included. It
// returns nil if there are less than wanted.
func (side *side) gather(p []byte, used, want int) ([]byte, int) {
	have := len(side.held) - side.start
	if have == 0 && len(p) >= want {
		return p[:want], 0
	}
	if n := min(want-have, len(p)-used); n > 0 {
		side.held = append(side.held, p[used:used+n]...)
		used += n
	}
	if len(side.held)-side.start < want {
		return nil, used
	}
	return side.held[side.start : side.start+want], used
}

// release empties held: its octets are counted.
func (side *side) release() {
	side.held, side.start = side.held[:0], 0
	if cap(side.held) > spare {
		side.held = nil
	}
}

// objection returns why a frame with this header cannot come next, or "".
func (side *side) objection(h header) string {
	switch {
	case !side.settled && (h.kind != typeSettings || h.has(flagACK)):
		return rawPreface // RFC 9113, Section 3.4
	case !h.sound(),
		h.kind == typePushPromise && side.dir == mirror.ClientToOrigin,
		(side.block != 0) != (h.kind == typeContinuation),
		side.block != 0 && h.stream != side.block:
		return rawProtocol
	case h.whole() && (side.start+frameHeader+h.length > maxBlock || side.count >= maxFrames):
		return rawHeaderSize
	}
	return ""
}

// frame renders a frame that was read whole, or gives up the session.
func (s *Session) frame(side *side, h header, octets []byte, direct bool) {
	payload := octets[frameHeader:]
	switch h.kind {
	case typeSettings:
		side.settled = true
		s.settings(side.dir, payload)
	case typeRSTStream:
		if !s.known(h.stream) {
			s.giveUp(rawProtocol)
			return
		}
		if st := s.streams[h.stream]; st != nil {
			if st.halves[mirror.OriginToClient].phase == expecting {
				s.resets++
			}
			st.conversation.Reset(side.dir)
			s.remove(st)
		}
	case typeGoAway:
		s.goAway(side.dir, payload)
	default:
		if side.start > 0 || !h.has(flagEndHeaders) { // one of several
			if direct {
				side.held = append(side.held, octets...)
			}
			octets = side.held
		}
		if !h.has(flagEndHeaders) {
			side.start, side.block = len(side.held), h.stream
			side.count++
			return
		}
		if reason := s.header(side, octets); reason != "" {
			if direct && len(side.held) > side.start { // p is passed on from here
				side.held = side.held[:side.start]
			}
			s.giveUp(reason)
			return
		}
		side.block, side.count = 0, 0
	}
	s.settle(side, len(octets))
	side.release()
}

// header renders a header block, whose frames are in unit. It returns why the
// session has to be given up, or "".
func (s *Session) header(side *side, unit []byte) string {
	if side.decoder == nil {
		side.decoder = hpack.NewDecoder(defaultTable, s.field)
		side.decoder.SetAllowedMaxDynamicTableSize(side.allowed)
	}
	first := parseHeader(unit)
	var promised uint32
	s.fields, s.size = s.fields[:0], 0
	side.decoder.SetEmitEnabled(true)
	for len(unit) > 0 {
		h := parseHeader(unit)
		block, id, ok := h.fragment(unit[frameHeader : frameHeader+h.length])
		if !ok {
			return rawProtocol
		}
		if h.kind == typePushPromise {
			promised = id
		}
		if _, err := side.decoder.Write(block); err != nil {
			return rawHPACK
		}
		unit = unit[frameHeader+h.length:]
	}
	if side.decoder.Close() != nil {
		return rawHPACK
	}
	s.sizes += uint64(s.size)
	switch {
	case s.size > maxFields, s.sizes > freeFields+maxExpansion*s.relayed:
		return rawHeaderSize
	case s.resets > maxResets:
		return rawResets
	}
	reason := s.message(side, first, promised)
	clear(s.fields)
	if cap(s.fields) > spare/64 {
		s.fields = nil
	}
	return reason
}

// field takes a field of the block that is being decoded.
func (s *Session) field(f hpack.HeaderField) {
	if s.size += int(f.Size()); s.size > maxFields {
		s.sides[s.dir].decoder.SetEmitEnabled(false)
		return
	}
	s.fields = append(s.fields, f)
}
