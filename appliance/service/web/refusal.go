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
	Word string // fixed: "bare-lf", "duplicate-length", ...
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

// Words of refusals.
const (
	badStart        = "bad-start-line"
	badVersion      = "bad-version"
	bareCR          = "bare-cr"
	bareLF          = "bare-lf"
	control         = "control-octet"
	folded          = "folded-line"
	badName         = "bad-field-name"
	headSize        = "header-size"
	badLength       = "bad-length"
	duplicateLength = "duplicate-length"
	lengthAndCoding = "length-and-coding"
	badCoding       = "bad-coding"
	oldCoding       = "coding-in-http10"
	badHost         = "bad-host"
	badChunk        = "bad-chunk"
	badTrailer      = "bad-trailer"
	unasked         = "unasked"
	upgraded        = "upgrade"
	connectBody     = "connect-body"
	foreign         = "not-http"
	flood           = "flood"
	protocol        = "protocol"
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
