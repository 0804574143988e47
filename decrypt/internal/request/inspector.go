package request

import (
	"bytes"
	"errors"
	"sync"

	"github.com/clearspan/clearspan/decrypt/proto"
	"github.com/clearspan/clearspan/decrypt/proto/http1"
	"github.com/clearspan/clearspan/decrypt/proto/http2"
)

// Request is a request that a [Judge] is asked about. Its slices are parts of the head.
type Request struct {
	Host   []byte // in the client's spelling, without port; nil: it names none, or is in doubt
	Doubt  bool   // servers may take the request for another, or for more than one
	Method []byte
	Path   []byte // with the query; empty for CONNECT and "*"
	Broken bool   // the head cannot be read: the request is refused, whatever the verdict
}

// Verdict is what follows for a request.
type Verdict uint8

const (
	// Pass lets the request go on.
	Pass Verdict = iota
	// Misdirected has the client ask on a connection of its own: status 421 (RFC 9110,
	// Section 15.5.20).
	Misdirected
	// Forbidden refuses the request for good: status 403.
	Forbidden
)

// Status returns the status of an answer, 0 for Pass.
func (v Verdict) Status() int { return [...]int{Pass: 0, Misdirected: 421, Forbidden: 403}[v] }

// Judge decides about requests. It is called by one goroutine at a time.
type Judge interface {
	// Judge returns the verdict on a request, which it borrows.
	Judge(r *Request) Verdict
	// Answer returns the answer by HTTP/1.1, after which the connection is closed, to a
	// request that was refused with status. It borrows the head, which may not be
	// complete. Nil has the session reset.
	Answer(head []byte, status int) []byte
}

// Errors of [Inspector.Inspect]. Each ends the session at once.
var (
	ErrRefused = errors.New("request refused")
	ErrBroken  = errors.New("requests that cannot be judged")
)

// protocol is what the inspector reads.
type protocol uint8

const (
	undecided protocol = iota
	http1Protocol
	http2Protocol
	none // nothing is looked at any more
)

// Inspector judges the requests of one session. Each direction is for one goroutine at a
// time, the two may run concurrently.
type Inspector struct {
	judge Judge
	once  bool

	mu       sync.Mutex
	protocol protocol
	begun    []byte // first octets, while they are undecided
	gone     int    // octets that went on before the protocol was known
	released bool
	answered bool // the origin has spoken before the protocol was known
	resume   bool // held octets of the client can go on
	last     bool // nothing behind what went on goes to the client

	requests requests // HTTP/1, from the client
	answers  answers  // HTTP/1, from the origin
	streams  *streams // HTTP/2, from the client
	frames   frames   // HTTP/2, from the origin
}

// New returns an inspector at the beginning of a session. With once it looks at the first
// request only, and refuses nothing.
func New(j Judge, once bool) *Inspector {
	return &Inspector{judge: j, once: once, released: once, frames: newFrames()}
}

// Begun notes the client's first octets that have gone on already, undecided.
func (i *Inspector) Begun(p []byte) {
	i.begun = append(i.begun, p...)
	i.gone, i.released = len(i.begun), true
}

// HTTP2 reports whether the requests are of HTTP/2.
func (i *Inspector) HTTP2() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.protocol == http2Protocol
}

// Release has such octets go on with the next call of Inspect. What follows them is still
// looked at.
func (i *Inspector) Release() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.released = true
}

// Due reports whether the client is to get something: Inspect with no octets of the origin
// returns it, unless the origin is within a message.
func (i *Inspector) Due() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.due()
}

func (i *Inspector) due() bool {
	switch i.protocol {
	case http1Protocol:
		return i.answers.due() && !i.last
	case http2Protocol:
		return i.frames.due()
	}
	return false
}

// Signals tell what follows from a call of [Inspector.Inspect].
type Signals uint8

const (
	// Last: nothing more goes on in this direction. The session ends in order when the
	// client has got its answers.
	Last Signals = 1 << iota
	// Due: see [Inspector.Due].
	Due
	// Resumes: held octets of the client can go on. Inspect with no octets of the client
	// returns them.
	Resumes
	// Undecided: octets of the client are held because they do not tell the protocol, see
	// [Inspector.Release].
	Undecided
)

// Inspect takes what one end said, and returns what goes on. pass may be a part of p, and
// is valid until the next call for the direction.
func (i *Inspector) Inspect(dir proto.Direction, p []byte) (pass []byte, signals Signals, err error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	last := false
	if dir == proto.OriginToClient {
		pass, last = i.fromOrigin(p)
	} else {
		pass, last, err = i.fromClient(p)
		if i.due() {
			signals |= Due
		}
		if i.protocol == undecided && len(i.begun) > i.gone {
			signals |= Undecided
		}
	}
	if last {
		signals |= Last
	}
	if i.resume {
		signals |= Resumes
		i.resume = false
	}
	return pass, signals, err
}

// End returns the client's octets that are held because they do not tell the protocol. The
// client has ended in order. What is held of a request is not returned.
func (i *Inspector) End() []byte {
	i.mu.Lock()
	defer i.mu.Unlock()
	switch {
	case i.once && i.protocol == http1Protocol:
		return i.requests.held
	case i.protocol != undecided:
		return nil
	}
	p := i.begun[i.gone:]
	i.gone = len(i.begun)
	return p
}

func (i *Inspector) fromClient(p []byte) (pass []byte, last bool, err error) {
	if i.protocol == undecided {
		if p = i.recognize(p); i.protocol == undecided {
			return p, false, nil
		}
	}
	if i.protocol != http1Protocol && len(i.requests.held) > 0 { // it has ended since
		p = append(i.requests.held, p...)
		i.requests.held = nil
	}
	switch i.protocol {
	case http1Protocol:
		pass, last, err = i.requests.data(i, p)
	case http2Protocol:
		pass, err = i.streams.data(i, p)
	default:
		pass = p
	}
	if cut := min(i.gone, len(pass)); cut > 0 {
		pass = pass[cut:]
		i.gone -= cut
	}
	return pass, last, err
}

// recognize adds p to the first octets. While they are undecided it returns those that may
// go on, then all of them.
func (i *Inspector) recognize(p []byte) []byte {
	all := p
	if len(i.begun) > 0 {
		i.begun = append(i.begun, p...)
		all = i.begun
	}
	switch is, more := Recognize(all); {
	case is == HTTP1:
		i.protocol = http1Protocol
		i.answers.astray = i.answered
	case is == HTTP2:
		i.protocol = http2Protocol
		i.streams = newStreams()
	case !more:
		i.protocol = none
	default:
		if len(i.begun) == 0 {
			i.begun = append(i.begun, p...)
		}
		if !i.released {
			return nil
		}
		p = i.begun[i.gone:]
		i.gone = len(i.begun)
		return p
	}
	i.begun = nil
	return all
}

// Kind is a protocol that [Recognize] knows.
type Kind uint8

// Kinds.
const (
	Other Kind = iota
	HTTP1
	HTTP2
)

// Recognize tells the protocol of a client's first octets. more reports that further octets
// could make them HTTP.
func Recognize(b []byte) (k Kind, more bool) {
	if n := min(len(b), len(http2.Preface)); string(b[:n]) == http2.Preface[:n] {
		if n == len(http2.Preface) {
			return HTTP2, false
		}
		return Other, true
	}
	is, more := http1.Recognize(b)
	if is {
		return HTTP1, false
	}
	return Other, more
}

func (i *Inspector) fromOrigin(p []byte) (pass []byte, last bool) {
	if i.last {
		return nil, true
	}
	switch i.protocol {
	case undecided:
		i.answered = i.answered || len(p) > 0
		return i.frames.data(p), false // in case that it is HTTP/2
	case http1Protocol:
		if !i.once {
			pass, i.last = i.answers.data(i, p)
			return pass, i.last
		}
	case http2Protocol:
		return i.frames.data(p), false
	}
	return p, false
}

// switched ends HTTP/1: the origin has granted an upgrade, or a CONNECT, with fields. rest
// is what it said behind that.
func (i *Inspector) switched(fields, rest []byte) {
	i.protocol = none
	if bytes.EqualFold(http1.Find(fields, "upgrade"), []byte("h2c")) {
		i.protocol, i.streams = http2Protocol, newStreams()
		i.frames = newFrames()
		i.frames.data(rest)
	}
	i.resume = len(i.requests.held) > 0
}
