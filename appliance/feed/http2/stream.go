package http2

import (
	"fmt"
	"maps"
	"slices"

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

// streams are those of a session, each with its conversation.
type streams struct {
	sink    mirror.Sink
	flow    mirror.Flow
	options mirror.Options // of each conversation
	ports   *Ports
	account *account

	open    map[uint32]*stream
	highest [2]uint32 // opened by the client, promised by the origin
	resets  int       // in a row, see maxResets
	opened  uint64
	mapped  []Stream // see Report
}

// known tells that a stream is or was open.
func (s *streams) known(id uint32) bool { return id <= s.highest[1-id&1] }

// sorted returns the streams that are open, in order.
func (s *streams) sorted() []*stream {
	list := make([]*stream, 0, len(s.open))
	for _, id := range slices.Sorted(maps.Keys(s.open)) {
		list = append(list, s.open[id])
	}
	return list
}

// begin opens the conversation of a stream. It returns nil if too many are open.
func (s *streams) begin(id uint32) *stream {
	if len(s.open) >= maxStreams {
		return nil
	}
	flow, opts := s.flow, s.options
	st := &stream{id: id}
	st.port, st.mine = s.ports.Take(flow)
	flow.Client = withPort(flow.Client, st.port)
	opts.Note = s.note(id)
	st.conversation = mirror.Open(s.sink, flow, opts)
	s.open[id] = st
	s.highest[1-id&1] = id
	s.opened++
	if len(s.mapped) < maxMapped {
		s.mapped = append(s.mapped, Stream{id, st.port})
	}
	return st
}

// note is the comment on a stream's first frame.
func (s *streams) note(id uint32) string {
	if s.options.Note == "" {
		return fmt.Sprintf("stream=%d", id)
	}
	return fmt.Sprintf("%s stream=%d", s.options.Note, id)
}

// remove closes the conversation of a stream.
func (s *streams) remove(st *stream) {
	s.account.add(st.conversation.Close())
	delete(s.open, st.id)
	st.gone = true
	if st.mine {
		s.ports.Give(s.flow, st.port)
	}
}

// reset resets the conversation of a stream that is open.
func (s *streams) reset(id uint32, dir mirror.Direction) {
	st := s.open[id]
	if st == nil {
		return
	}
	if st.halves[mirror.OriginToClient].phase == expecting {
		s.resets++
	}
	st.conversation.Reset(dir)
	s.remove(st)
}

// goAway resets the streams of the other end that a GOAWAY frame in direction dir
// disowns: those above last (RFC 9113, Section 6.8).
func (s *streams) goAway(last uint32, dir mirror.Direction) {
	parity := uint32(1) // streams of the client, which a GOAWAY of the origin means
	if dir == mirror.ClientToOrigin {
		parity = 0
	}
	if s.highest[1-parity] <= last {
		return
	}
	for _, st := range s.sorted() {
		if st.id > last && st.id&1 == parity {
			st.conversation.Reset(dir)
			s.remove(st)
		}
	}
}
