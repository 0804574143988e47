package web

import (
	"errors"
	"fmt"
	"html"
	"net/http"
)

// Refusal is the error of a session whose octets are not passed on, because two
// readers could take them for different messages.
type Refusal struct {
	Side Kind   // whose octets: Request for the client's
	Word string // fixed, such as "bare-lf" or "duplicate-length"
}

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
	badStart = "bad-start-line"
	// The version of HTTP is not 1.0, 1.1 or 2.
	badVersion = "bad-version"
	// A CR stands without LF.
	bareCR = "bare-cr"
	// A line ends with LF alone.
	bareLF = "bare-lf"
	// A header field holds a control octet, such as NUL.
	control = "control-octet"
	// A header line is folded.
	folded = "folded-line"
	// The name of a header field is malformed, or not allowed in HTTP/2.
	badName = "bad-field-name"
	// The header is longer than clearspan takes.
	headSize = "header-size"
	// The Content-Length is not a number.
	badLength = "bad-length"
	// Two Content-Length fields differ, or a request has two.
	duplicateLength = "duplicate-length"
	// The message has both Content-Length and Transfer-Encoding.
	lengthAndCoding = "length-and-coding"
	// The Transfer-Encoding is not `chunked`.
	badCoding = "bad-coding"
	// A Transfer-Encoding in HTTP/1.0.
	oldCoding = "coding-in-http10"
	// The Host is missing, malformed or there twice.
	badHost = "bad-host"
	// A chunk is malformed.
	badChunk = "bad-chunk"
	// A trailer is malformed, or sets a field that trailers may not set.
	badTrailer = "bad-trailer"
	// The origin answered without a request.
	// Only: Responses.
	unasked = "unasked"
	// The session changed to another protocol, and the services do not allow that.
	upgraded = "upgrade"
	// A CONNECT request has a body.
	// Only: Requests.
	connectBody = "connect-body"
	// The session is not HTTP, and a service with `on_failure: closed` must see it.
	foreign = "not-http"
	// The peer causes more answers than it reads.
	flood = "flood"
	// The peer breaks the rules of HTTP/2.
	protocol = "protocol"
)

// errTruncated tells that a leg ended within a message.
var errTruncated = errors.New("message ends early")

// brokenBody is an error of the body's sender, not of a service.
type brokenBody struct{ err error }

func (b *brokenBody) Error() string { return "read body: " + b.err.Error() }
func (b *brokenBody) Unwrap() error { return b.err }

// page returns a response of our own with a small page. With last the
// connection ends behind it.
func page(status int, why string, last bool) (head, body []byte) {
	text := http.StatusText(status)
	body = fmt.Appendf(nil, "<!DOCTYPE html>\n<html><head><title>%d %s</title></head>\n<body><h1>%s</h1><p>%s</p></body></html>\n",
		status, text, text, html.EscapeString(why))
	head = fmt.Appendf(nil, "HTTP/1.1 %d %s\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: %d\r\nCache-Control: no-store\r\n",
		status, text, len(body))
	if last {
		head = append(head, "Connection: close\r\n"...)
	}
	return append(head, "\r\n"...), body
}

// Explanations on pages.
const (
	whyRequest  = "The request was refused because it is not well-formed HTTP."
	whyResponse = "The answer of the server was refused because it is not well-formed HTTP."
	whyUpgrade  = "The policy of this network does not allow this protocol."
	whyService  = "The content could not be checked by the security service, and this network does not pass unchecked content."
)
