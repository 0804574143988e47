package http2

import (
	"github.com/clearspan/clearspan/decrypt/proto"
	syntax "github.com/clearspan/clearspan/decrypt/proto/http2"
	"github.com/clearspan/clearspan/mirror"
)

// side is one direction of a session, taken apart. Its reader holds what it gets of a
// frame until the frame can be rendered; none of that is counted.
type side struct {
	dir     mirror.Direction
	reader  *syntax.Reader
	decoder *syntax.Decoder
	begun   bool    // the first frame, SETTINGS, has come
	stream  *stream // of the DATA frame under way; nil: over
}

func newSide(dir mirror.Direction) side {
	return side{
		dir:     dir,
		reader:  syntax.NewReader(proto.Direction(dir), syntax.Loose, syntax.Limits{Block: maxBlock, Frames: maxFrames}),
		decoder: syntax.NewDecoder(maxFields),
	}
}

// objection returns why the session cannot be rendered from a frame on, or from a
// fault, or "".
func (side *side) objection(f *syntax.Frame, err error) string {
	fault, faulty := err.(*syntax.Fault)
	switch {
	case !faulty && (f == nil || side.begun || f.Type == syntax.Settings && !f.Has(syntax.ACK)):
		return ""
	case !side.begun:
		return rawPreface // RFC 9113, Section 3.4
	case fault.Code == syntax.CompressionError:
		return rawHPACK
	case fault.Code == syntax.EnhanceYourCalm:
		return rawHeaderSize
	}
	return rawProtocol
}

// take consumes octets of p, at least one unless the session is given up.
func (s *Session) take(side *side, p []byte) int {
	f, n, err := side.reader.Next(p)
	reason := side.objection(f, err)
	if reason == "" && f != nil {
		side.begun = true
		reason = s.frame(side, f)
	}
	switch unit := len(side.reader.Unit()); {
	case reason != "":
		s.giveUp(reason)
	case f == nil && unit == 0: // the preface is complete
		s.account.count(side.dir, len(syntax.Preface))
	case f == nil: // counted when it is complete
	case f.Type == syntax.Data:
		s.data(side, f, n)
	case f.First:
		s.account.count(side.dir, unit)
	default:
		s.account.count(side.dir, n)
	}
	return n
}

// frame renders a frame but for content. It returns why the session has to be given
// up, or "".
func (s *Session) frame(side *side, f *syntax.Frame) string {
	switch f.Type {
	case syntax.Data:
		if f.First && !s.streams.known(f.Stream) {
			return rawProtocol
		}
	case syntax.Headers, syntax.PushPromise:
		return s.header(side, f)
	case syntax.RSTStream:
		if !s.streams.known(f.Stream) {
			return rawProtocol
		}
		s.streams.reset(f.Stream, side.dir)
	case syntax.GoAway:
		s.streams.goAway(f.LastID, side.dir)
	case syntax.Settings: // what one end says bounds the table that the other encodes with
		for v := range f.Settings() {
			if v.ID == syntax.HeaderTableSize {
				s.sides[side.dir^1].decoder.AllowTable(v.Value)
			}
		}
	}
	return ""
}

// header renders a header block. It returns why the session has to be given up, or "".
func (s *Session) header(side *side, f *syntax.Frame) string {
	var size int
	var err error
	if s.fields, size, err = side.decoder.Decode(s.fields[:0], f); err != nil {
		return rawHPACK
	}
	s.sizes += uint64(size)
	switch {
	case size > maxFields, s.sizes > freeFields+maxExpansion*s.relayed:
		return rawHeaderSize
	case s.streams.resets > maxResets:
		return rawResets
	}
	reason := s.message(side, f)
	clear(s.fields)
	if cap(s.fields) > spare/64 {
		s.fields = nil
	}
	return reason
}

// message renders the header block in s.fields. It returns why the session has to be
// given up, or "".
func (s *Session) message(side *side, f *syntax.Frame) string {
	if f.Type == syntax.PushPromise {
		return s.promise(f)
	}
	id, end := f.Stream, f.EndsStream()
	st := s.streams.open[id]
	switch {
	case st == nil && side.dir == mirror.ClientToOrigin && id&1 == 1 && !s.streams.known(id):
		if st = s.streams.begin(id); st == nil {
			return rawStreams
		}
		s.render.request(st, s.fields, end)
	case !s.streams.known(id):
		return rawProtocol
	case st == nil || st.halves[side.dir].phase == complete:
		s.account.units[side.dir].lost = mirror.ReasonEnded
		return ""
	case st.halves[side.dir].phase == content:
		s.render.trailers(st, side.dir, s.fields, end)
	default:
		s.render.response(st, s.fields, end)
	}
	if end {
		s.finish(st, side.dir)
	}
	return ""
}

// promise renders the request that an origin promises to answer (RFC 9113, Section
// 8.4). It returns why the session has to be given up, or "".
func (s *Session) promise(f *syntax.Frame) string {
	id := f.Promised
	if !s.streams.known(f.Stream) || id&1 == 1 || id == 0 || s.streams.known(id) {
		return rawProtocol
	}
	st := s.streams.begin(id)
	if st == nil {
		return rawStreams
	}
	s.render.request(st, s.fields, true)
	st.halves[mirror.ClientToOrigin].phase = complete
	return ""
}

// data renders octets of a DATA frame, of which n were taken last.
func (s *Session) data(side *side, f *syntax.Frame, n int) {
	unit := &s.account.units[side.dir]
	if f.First {
		n = len(side.reader.Unit())
		side.stream = s.streams.open[f.Stream]
		if side.stream == nil {
			unit.lost = mirror.ReasonEnded
		} else {
			s.render.chunk(side.stream, side.dir, f.ContentLength())
		}
	}
	unit.octets += uint64(n - len(f.Body))
	if len(f.Body) > 0 {
		s.render.content(side.stream, side.dir, f.Body)
	}
	if !f.Last {
		return
	}
	if st := side.stream; st != nil && !st.gone && f.EndsStream() {
		s.finish(st, side.dir)
	}
	side.stream = nil
	s.account.count(side.dir, 0)
}

// finish shows END_STREAM. The conversation ends with both directions, as it
// would in HTTP/1.1, but for those of a tunnel, which end one by one.
func (s *Session) finish(st *stream, dir mirror.Direction) {
	s.render.end(st, dir)
	if st.halves[dir^1].phase == complete {
		s.streams.resets = 0
		s.streams.remove(st)
	}
}
