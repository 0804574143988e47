// Package adapt shows HTTP messages to services, and takes what services make of
// them: the part of the engine that does not depend on the version of HTTP. It does
// not know the protocols of services: a service is an [Adapter].
package adapt

import (
	"context"
	"io"
	"net/netip"
)

// Kind says which way a message goes.
type Kind uint8

const (
	Request Kind = iota
	Response
)

// Message is one HTTP message as a service is shown it. The octets are the
// service's to read, not to change, until Adapt has returned.
type Message struct {
	Kind     Kind
	Request  []byte    // header block in HTTP/1.1, start line to the empty line, as it came; beside a response: the request as it was sent to the origin
	Response []byte    // header block of the response, nil for a request
	Body     io.Reader // decoded of chunking; nil: no body

	// Length is how many octets Body has, -1 if that is not known beforehand.
	Length int64

	Client, Server netip.AddrPort
	User           string // "" if unknown

	// WebSocket tells that it is one message of WebSocket, whose headers are made up.
	// All of Body is in memory.
	WebSocket bool
}

// Outcome is what a service did with a message.
type Outcome uint8

const (
	// Unmodified has the message go on as it came.
	Unmodified Outcome = iota
	// Modified has another message of the same kind go on in its place.
	Modified
	// Blocked has the client get the response in Result. A request does not go to
	// the origin.
	Blocked
)

// Result is what becomes of a message.
type Result struct {
	Outcome Outcome

	// Bypassed tells of an Unmodified one that the service has not decided about it.
	Bypassed bool

	// Header is the header block of the message that goes on, nil for Unmodified.
	// A Content-Length in it is kept and must be right; a message without one is
	// chunked if its receiver knows that.
	Header []byte

	// Body streams; nil: no body. Unmodified: what was read of Message.Body, then
	// its rest. The engine reads it to its end or to an error, and closes it.
	// After Close nobody reads Message.Body any more. Two methods spare copies and
	// writes where Body has them: Ready() bool tells that Read will not wait, and
	// Rest() io.Reader, of an Unmodified one, what its further octets are read from
	// as they are, Message.Body itself; nil while there are others before. Then the
	// engine goes on there, and the service must not read it any more.
	Body io.ReadCloser

	// Finding is what the service found, in its words; "" if nothing. Printable, at
	// most 256 octets.
	Finding string
}

// Adapter changes one message. It may return while it still reads the body, so
// that both stream. An error says that the service failed: after it nobody
// reads Message.Body any more. Errors of Message.Body are passed on as they are.
// Adapt is called by many goroutines at a time, for one body one at a time. It
// bounds its own waiting for its server, not that for octets of the body.
type Adapter interface {
	Adapt(ctx context.Context, m *Message) (*Result, error)
}
