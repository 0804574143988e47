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

// unit is octets that share one fate: a frame but for its content, or a header block.
type unit struct {
	octets uint64 // of a DATA frame under way
	lost   string // why the unit is lost; "" if it is not
}

// account counts what becomes of a session.
type account struct {
	frames, framesLost uint64
	octets             [2]uint64 // as relayed, framed
	losses             []loss    // as relayed
	rendered           [2]uint64 // given to conversations
	renderedLost       [2]uint64
	replaced           uint64
	raw                [2]uint64
	rawReason          string

	units  [2]unit          // under way, by direction
	dir    mirror.Direction // whose octets are at hand
	single bool             // they are shown octet by octet

	onLoss     func(dir mirror.Direction, n uint64, reason string) // see mirror.Options
	onDelivery func(frames, octets uint64)
}

// missed hears of every loss in any conversation ([mirror.Options.Lost]).
func (a *account) missed(dir mirror.Direction, n uint64, reason string) {
	a.renderedLost[dir] += n
	if a.single {
		a.octets[a.dir] -= n // the caller adds them all
		a.lose(a.dir, n, reason)
		return
	}
	if u := &a.units[a.dir]; u.lost == "" {
		u.lost = reason
	}
}

// say shows what was rendered in direction dir of a conversation.
func (a *account) say(c *mirror.Conversation, dir mirror.Direction, p []byte) {
	a.rendered[dir] += uint64(len(p))
	c.Data(dir, p)
}

// exactly shows octets that stand for themselves.
func (a *account) exactly(c *mirror.Conversation, dir mirror.Direction, p []byte) {
	before := a.octets[a.dir]
	a.single = true
	a.say(c, dir, p)
	a.single = false
	a.octets[a.dir] += uint64(len(p))
	a.delivered(a.octets[a.dir] - before)
}

// delivered tells that octets as they were relayed are in frames.
func (a *account) delivered(octets uint64) {
	if octets > 0 && a.onDelivery != nil {
		a.onDelivery(0, octets)
	}
}

// count counts the unit under way in a direction, and n octets more of it.
func (a *account) count(dir mirror.Direction, n int) {
	u := &a.units[dir]
	octets := u.octets + uint64(n)
	if u.lost == "" {
		a.octets[dir] += octets
		a.delivered(octets)
	} else {
		a.lose(dir, octets, u.lost)
	}
	*u = unit{}
}

// lose counts n octets as lost. It allocates when a reason is new.
func (a *account) lose(dir mirror.Direction, n uint64, reason string) {
	if n == 0 {
		return
	}
	i := slices.IndexFunc(a.losses, func(l loss) bool { return l.reason == reason })
	if i < 0 {
		if len(a.losses) >= maxReasons-1 && reason != mirror.LossReason(nil) {
			a.lose(dir, n, mirror.LossReason(nil))
			return
		}
		i = len(a.losses)
		a.losses = append(a.losses, loss{reason: reason})
	}
	a.losses[i].octets[dir] += n
	if a.onLoss != nil {
		a.onLoss(dir, n, reason)
	}
}

// add counts the frames of a conversation that is over.
func (a *account) add(c mirror.Account) {
	a.frames += c.Frames
	a.framesLost += c.FramesLost
}

// total is the account in octets as they were relayed.
func (a *account) total() mirror.Account {
	c := mirror.Account{Frames: a.frames, FramesLost: a.framesLost, Octets: a.octets}
	if len(a.losses) > 0 {
		c.Lost = make(map[string][2]uint64, len(a.losses))
		for _, l := range a.losses {
			c.Lost[l.reason] = l.octets
		}
	}
	return c
}
