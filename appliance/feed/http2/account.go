package http2

import (
	"slices"

	"github.com/clearspan/clearspan/mirror"
)

// Reasons under which a session counts octets as lost, beside those of package
// mirror.
const (
	// ReasonExcess: the content is longer than its content-length, or the message can
	// have no content in HTTP/1.1.
	// Cause: A client or server that breaks HTTP, or an attack.
	// Do: Compare with a mirror that shows HTTP/2.
	ReasonExcess = "http2-excess"
	// ReasonTrailers: the message has trailers, but its content is not chunked.
	// Cause: HTTP/1.1 cannot hold them.
	// Do: Nothing.
	ReasonTrailers = "http2-trailers"
	// ReasonMalformed: frames that have no place in their message.
	// Cause: A client or server that breaks HTTP/2, or an attack.
	// Do: Compare with a mirror that shows HTTP/2.
	ReasonMalformed = "http2-malformed"
)

// LossReasons are the words above.
var LossReasons = []string{ReasonExcess, ReasonTrailers, ReasonMalformed}

// Reasons why the rest of a session is passed on as HTTP/2.
const (
	// The session does not begin as HTTP/2.
	rawPreface = "preface"
	// The frames break the rules of HTTP/2 (RFC 9113, Sections 4 and 6).
	rawProtocol = "protocol"
	// A header block cannot be decoded.
	rawHPACK = "hpack"
	// A header block or its fields are longer than clearspan takes.
	rawHeaderSize = "header-size"
	// More streams are open than clearspan follows.
	rawStreams = "streams"
	// Too many streams were reset in a row.
	rawResets = "resets"
	// The session ended in the middle of a frame.
	rawIncomplete = "incomplete"
)

// RawReasons are the words above, as in [Report].
var RawReasons = []string{rawPreface, rawProtocol, rawHPACK, rawHeaderSize, rawStreams, rawResets, rawIncomplete}

// Stream tells from which port of the client recorders see a stream.
type Stream struct {
	ID   uint32
	Port uint16
}

// Report is what a session's account does not tell.
type Report struct {
	Rendered     [2]uint64 // octets in the frames of all conversations, by direction there
	RenderedLost [2]uint64 // octets that were rendered and did not reach the sink

	Streams  uint64   // that were rendered
	Mapped   []Stream // the first 256 of them, in the order of their opening
	Replaced uint64   // fields and parts of lines that could not be shown as they were

	Raw       [2]uint64 // octets that were passed on as HTTP/2, framed or lost; part of the account
	RawReason string    // a word of [RawReasons]; "" if none
}

// maxReasons bounds the distinct reasons that a session keeps; later ones are
// counted as "other".
const maxReasons = 16

// loss is an entry of Lost.
type loss struct {
	reason string
	octets [2]uint64
}

// books counts what becomes of a session.
type books struct {
	frames, framesLost uint64
	octets             [2]uint64 // as relayed, framed
	losses             []loss    // as relayed
	rendered           [2]uint64 // given to conversations
	renderedLost       [2]uint64

	opened    uint64
	mapped    []Stream
	replaced  uint64
	rawOctets [2]uint64
	rawReason string
}

// lost hears of every loss in any conversation ([mirror.Options.Lost]).
func (s *Session) lost(dir mirror.Direction, n uint64, reason string) {
	s.renderedLost[dir] += n
	if s.single {
		s.octets[s.dir] -= n // the caller adds them all
		s.lose(s.dir, n, reason)
		return
	}
	if side := &s.sides[s.dir]; side.lost == "" {
		side.lost = reason
	}
}

// settle counts n octets of one unit of a side, and those that waited for it.
func (s *Session) settle(side *side, n int) {
	octets := side.pending + uint64(n)
	if side.lost == "" {
		s.octets[side.dir] += octets
	} else {
		s.lose(side.dir, octets, side.lost)
	}
	side.pending, side.lost = 0, ""
}

// lose counts n octets as lost. It allocates when a reason is new.
func (b *books) lose(dir mirror.Direction, n uint64, reason string) {
	if n == 0 {
		return
	}
	i := slices.IndexFunc(b.losses, func(l loss) bool { return l.reason == reason })
	if i < 0 {
		if len(b.losses) >= maxReasons-1 && reason != mirror.LossReason(nil) {
			b.lose(dir, n, mirror.LossReason(nil))
			return
		}
		i = len(b.losses)
		b.losses = append(b.losses, loss{reason: reason})
	}
	b.losses[i].octets[dir] += n
}

// add counts the frames of a conversation that is over.
func (b *books) add(a mirror.Account) {
	b.frames += a.Frames
	b.framesLost += a.FramesLost
}

func (b *books) account() mirror.Account {
	a := mirror.Account{Frames: b.frames, FramesLost: b.framesLost, Octets: b.octets}
	if len(b.losses) > 0 {
		a.Lost = make(map[string][2]uint64, len(b.losses))
		for _, l := range b.losses {
			a.Lost[l.reason] = l.octets
		}
	}
	return a
}

// Report returns what became of the session so far. Mapped is shared: it is not
// to be changed.
func (s *Session) Report() Report {
	r := Report{
		RenderedLost: s.renderedLost, Streams: s.opened, Mapped: s.mapped, Replaced: s.replaced,
		Raw: s.rawOctets, RawReason: s.rawReason,
	}
	for dir := range r.Rendered {
		r.Rendered[dir] = s.rendered[dir] - s.renderedLost[dir]
	}
	return r
}
