package mirrortest

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"net/netip"
)

// Gap is a run of octets that a capture lacks.
type Gap struct {
	Offset uint64 // in the stream, octets of earlier gaps included
	Length uint64
}

// Conversation is one TCP connection found in a capture. Arrays are indexed by
// mirror.Direction: from client to origin, from origin to client.
type Conversation struct {
	Client, Origin netip.AddrPort
	VLAN           uint16
	Streams        [2][]byte   // octets seen, gaps left out; nil with Options.HashOnly
	Octets         [2]uint64   // length of each stream
	SHA256         [2][32]byte // of each stream
	Gaps           [2][]Gap
	Findings       []Finding // broken rules, the first hundred
	Ended          bool      // FIN both ways, acknowledged, or RST
	Reset          bool
	Frames         int
	PureACKs       int // frames without data, SYN, FIN and RST

	halves   [2]half
	hashes   [2]hash.Hash
	hashOnly bool
	mtu      int
	frame    int // number of the frame under judgement
}

// Options says how an Analyzer works.
type Options struct {
	HashOnly bool // keep no streams, only their length and hash
	MTU      int  // fail packets that are longer; 0: only those above the announced MSS
}

// endpoints identifies a conversation, seen from its client.
type endpoints struct {
	client, origin netip.AddrPort
	vlan           uint16
}

// Analyzer sorts frames into conversations and judges them. It is not safe for
// concurrent use.
type Analyzer struct {
	options  Options
	decoder  Decoder
	frames   int
	other    int
	open     map[endpoints]*Conversation
	all      []*Conversation
	findings []Finding
}

// NewAnalyzer returns an analyzer that has seen nothing.
func NewAnalyzer(options Options) *Analyzer {
	return &Analyzer{options: options, open: map[endpoints]*Conversation{}}
}

// Add takes the next frame of the capture. It does not keep it.
func (a *Analyzer) Add(frame []byte) {
	a.frames++
	s, err := a.decoder.Decode(frame)
	if errors.Is(err, ErrNotTCP) {
		a.other++
		return
	}
	if err != nil {
		if len(a.findings) < maxFindings {
			a.findings = append(a.findings, Finding{a.frames, BadFrame, err.Error()})
		}
		return
	}
	c := a.conversation(&s)
	c.frame = a.frames
	c.take(&s)
}

// conversation returns the one that s belongs to. A SYN after the end starts
// another on the same ports.
func (a *Analyzer) conversation(s *Segment) *Conversation {
	client, origin := s.Source, s.Destination
	if s.Flags&(SYN|ACK) == SYN|ACK || s.Flags&SYN == 0 && client.Port() < origin.Port() {
		client, origin = origin, client
	}
	for _, key := range []endpoints{{s.Source, s.Destination, s.VLAN}, {s.Destination, s.Source, s.VLAN}} {
		c := a.open[key]
		if c == nil {
			continue
		}
		over := c.Reset || c.halves[0].fin && c.halves[1].fin
		if s.Flags&(SYN|ACK) != SYN || !over {
			return c
		}
		delete(a.open, key)
	}
	c := &Conversation{Client: client, Origin: origin, VLAN: s.VLAN, hashOnly: a.options.HashOnly, mtu: a.options.MTU}
	c.hashes = [2]hash.Hash{sha256.New(), sha256.New()}
	a.open[endpoints{client, origin, s.VLAN}] = c
	a.all = append(a.all, c)
	return c
}

// Finish returns the conversations in the order of their first frame, and what
// was wrong with frames that belong to none. Nothing can be added after it.
func (a *Analyzer) Finish() ([]Conversation, []Finding) {
	conversations := make([]Conversation, 0, len(a.all))
	for _, c := range a.all {
		c.finish()
		conversations = append(conversations, *c)
	}
	return conversations, a.findings
}

// Other returns how many whole frames carried something other than TCP.
func (a *Analyzer) Other() int { return a.other }

func (c *Conversation) write(dir int, p []byte) {
	c.hashes[dir].Write(p)
	c.Octets[dir] += uint64(len(p))
	c.halves[dir].offset += uint64(len(p))
	if !c.hashOnly {
		c.Streams[dir] = append(c.Streams[dir], p...)
	}
}

func (c *Conversation) gap(dir int, n uint64) {
	c.Gaps[dir] = append(c.Gaps[dir], Gap{c.halves[dir].offset, n})
	c.halves[dir].offset += n
}

func (c *Conversation) finishStream(dir int) { c.hashes[dir].Sum(c.SHA256[dir][:0]) }

// Check returns every rule that frames break, in all their conversations, and
// every one of package conformance: first offence only, notes and gaps left out.
// A capture without a conversation breaks one, too.
func Check(frames [][]byte) []Finding {
	conversations, findings := analyze(frames)
	if len(conversations) == 0 {
		findings = append(findings, Finding{0, BadHandshake, "no conversation"})
	}
	for i := range conversations {
		findings = append(findings, conversations[i].Findings...)
	}
	return append(findings, nonconforming(frames)...)
}

// Streams returns the octets of both directions of the only conversation in
// frames, gaps left out. It fails if a frame does not decode, if a checksum is
// wrong, or if there is not exactly one conversation.
func Streams(frames [][]byte) ([2][]byte, error) {
	conversations, findings := analyze(frames)
	if len(conversations) != 1 {
		return [2][]byte{}, fmt.Errorf("reassemble streams: %d conversations, %d bad frames", len(conversations), len(findings))
	}
	c := conversations[0]
	for _, finding := range append(findings, c.Findings...) {
		if finding.Kind == BadFrame || finding.Kind == BadSum {
			return c.Streams, fmt.Errorf("reassemble streams: %s", finding)
		}
	}
	return c.Streams, nil
}

func analyze(frames [][]byte) ([]Conversation, []Finding) {
	a := NewAnalyzer(Options{})
	for _, frame := range frames {
		a.Add(frame)
	}
	return a.Finish()
}
