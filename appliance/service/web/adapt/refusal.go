package adapt

import "errors"

// Refusal is the error of a session whose octets are not passed on, because two
// readers could take them for different messages.
type Refusal struct {
	Side Kind   // whose octets: Request for the client's
	Word string // fixed, such as "bare-lf" or "duplicate-length"
}

// Refuse returns a refusal of what a side sent, with one of the words below.
func Refuse(side Kind, word string) *Refusal { return &Refusal{side, word} }

// Error says what was wrong.
func (r *Refusal) Error() string {
	if r.Side == Request {
		return "refuse request: " + r.Word
	}
	return "refuse response: " + r.Word
}

// Reason returns the word for the audit entry.
func (r *Refusal) Reason() string {
	if r.Side == Request {
		return "http-request-" + r.Word
	}
	return "http-response-" + r.Word
}

// Words of refusals. The reference page is generated from the comments.
const (
	// The start line is malformed.
	BadStart = "bad-start-line"
	// The version of HTTP is not 1.0, 1.1 or 2.
	BadVersion = "bad-version"
	// A CR stands without LF.
	BareCR = "bare-cr"
	// A line ends with LF alone.
	BareLF = "bare-lf"
	// A header field holds a control octet, such as NUL.
	Control = "control-octet"
	// A header line is folded.
	Folded = "folded-line"
	// The name of a header field is malformed, or not allowed in HTTP/2.
	BadName = "bad-field-name"
	// The header is longer than clearspan takes.
	HeadSize = "header-size"
	// The Content-Length is not a number.
	BadLength = "bad-length"
	// Two Content-Length fields differ, or a request has two.
	DuplicateLength = "duplicate-length"
	// The message has both Content-Length and Transfer-Encoding.
	LengthAndCoding = "length-and-coding"
	// The Transfer-Encoding is not `chunked`.
	BadCoding = "bad-coding"
	// A Transfer-Encoding in HTTP/1.0.
	OldCoding = "coding-in-http10"
	// The host is missing, in doubt, or there twice.
	BadHost = "bad-host"
	// A chunk is malformed.
	BadChunk = "bad-chunk"
	// A trailer is malformed, or sets a field that trailers may not set.
	BadTrailer = "bad-trailer"
	// The origin answered without a request.
	// Only: Responses.
	Unasked = "unasked"
	// The session changed to another protocol, and the services do not allow that.
	Upgraded = "upgrade"
	// A frame of WebSocket is malformed, and services read its messages.
	BadFrame = "websocket-frame"
	// A message of WebSocket is too long to be shown to the services.
	LongMessage = "websocket-size"
	// A CONNECT request has a body.
	// Only: Requests.
	ConnectBody = "connect-body"
	// The session is not HTTP, and a service with `on_failure: closed` must see it.
	Foreign = "not-http"
	// The peer causes more answers than it reads.
	Flood = "flood"
	// The peer breaks the rules of HTTP/2.
	Protocol = "protocol"
)

// ErrTruncated tells that a leg ended within a message.
var ErrTruncated = errors.New("message ends early")

// BodyError is an error of a body's sender, not of a service.
type BodyError struct{ Err error }

// Error tells what happened.
func (b *BodyError) Error() string { return "read body: " + b.Err.Error() }

// Unwrap returns the error of the sender.
func (b *BodyError) Unwrap() error { return b.Err }
