package web

import (
	"context"
	"io"
	"net/netip"
	"time"

	"github.com/clearspan/clearspan/decrypt"
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

// Service is an adapter with the conditions under which it is asked.
type Service struct {
	Name      string
	Adapter   Adapter
	Requests  bool // wants requests
	Responses bool // wants responses

	// FailOpen lets a message pass as it came when the adapter fails, as long as
	// what was read of its body is still at hand (see Config.Replay). Otherwise
	// the client gets an error page.
	FailOpen bool

	// MaxBody bypasses messages that announce a longer body; 0: no limit.
	MaxBody int64

	// Bypass lists media types of messages that are not shown, "application/grpc"
	// say; a "*" at the end stands for any rest.
	Bypass []string

	// Streams lists media types, in lower case, of responses that are not shown if
	// they announce no length and their requests ask for the type (Accept):
	// text/event-stream, whose events would wait for what a service wants to see
	// first.
	Streams []string
}

// Words for what a service did, as in the audit entry, mildest first.
const (
	// The service let the message pass as it is.
	WordUnmodified = "unmodified"
	// The service did not see the message: too long, a stream, or not wanted.
	WordBypassed = "bypassed"
	// The service changed the message.
	WordModified = "modified"
	// The service failed. The message passed, by `on_failure: open`.
	WordFailedOpen = "failed-open"
	// The service failed. clearspan blocked the message, by `on_failure: closed`.
	WordFailedClosed = "failed-closed"
	// The service blocked the message.
	WordBlocked = "blocked"
)

// Words are the words above.
var Words = []string{WordUnmodified, WordBypassed, WordModified, WordFailedOpen, WordFailedClosed, WordBlocked}

// severity orders words: the worst of a session's messages is its result.
var severity = map[string]int{
	WordUnmodified: 1, WordBypassed: 2, WordModified: 3, WordFailedOpen: 4, WordFailedClosed: 5, WordBlocked: 6,
}

// Passage says what becomes of octets that are not HTTP.
type Passage uint8

const (
	Pass Passage = iota
	Block
)

// Config configures an [Engine].
type Config struct {
	Services []Service // in order from the client

	Upgrade Passage // WebSocket, CONNECT: what follows a granted one
	Foreign Passage // sessions that do not begin as HTTP

	// Replay is how many octets of a body are kept while a service with FailOpen
	// reads it, so that it can be passed on after a failure. Default 64 KiB.
	Replay int

	// Stall ends the wait for a service that has not answered while the sender of
	// an HTTP/2 message is silent: it may be waiting for an answer itself. That is
	// a failure of the service. Default 30 s.
	Stall time.Duration

	// Observe hears of each message shown to a service: its word, and how long it
	// took to decide. Nil: nobody does. Called concurrently.
	Observe func(service, word string, took time.Duration)

	linger time.Duration // how long a client may take to read its last page; default 1 s

	// User names who the client of a session is; nil: nobody knows.
	User func(*decrypt.Session) string
}
