package icap

import (
	"io"
	"net/netip"
	"strings"
	"time"
)

// Mode is a method of ICAP by which messages are adapted.
type Mode string

const (
	REQMOD  Mode = "reqmod"
	RESPMOD Mode = "respmod"
)

// method returns the method's name in the protocol.
func (m Mode) method() string {
	if m == RESPMOD {
		return "RESPMOD"
	}
	return "REQMOD"
}

// Message is one HTTP message to be adapted. [Client.Adapt] borrows the header
// blocks until it returns, and the body until Result.Body is closed, or, without
// one, until it returns.
type Message struct {
	Method   Mode
	Request  []byte    // HTTP/1.1 request header block, start line to the empty line, as it came; may be nil for RESPMOD
	Response []byte    // RESPMOD: HTTP/1.1 response header block
	Body     io.Reader // decoded of chunking; nil: no body
	Length   int64     // of Body in octets, -1 if unknown

	Client, Server netip.AddrPort // invalid: not told
	User           string         // "": not told
}

// Outcome is what a server did with a message.
type Outcome uint8

const (
	// Unmodified has the message go on as it came.
	Unmodified Outcome = iota
	// Modified has another message of the same kind in its place.
	Modified
	// Blocked has a response for the client: in place of a request, or of a
	// response that the server calls infected or answers with 403.
	Blocked
)

var outcomes = [...]string{"unmodified", "modified", "blocked"}

// String returns the word for audit entries and metrics.
func (o Outcome) String() string {
	if int(o) < len(outcomes) {
		return outcomes[o]
	}
	return "unknown"
}

// Result is what became of a message.
type Result struct {
	Outcome Outcome

	// Header is the header block of the adapted message, from the start line to
	// the empty line; nil if Unmodified. Its lines end in CRLF, its names are
	// tokens, no line is folded, and nothing in it frames a body other than one
	// Content-Length, which is the server's claim.
	Header []byte

	// Body streams; nil: there is none. If Unmodified it is the original content:
	// what was read of Message.Body, then its rest, which is not kept. The caller
	// reads it to its end or to an error and closes it. Close waits for a read of
	// Message.Body under way; after it nobody reads there. An error of Read is an
	// *[Error], or that of Message.Body.
	Body io.ReadCloser

	Detail Detail
}

// Threat names what the server found: the threat of X-Infection-Found, else
// X-Virus-ID, else X-Violations-Found as it is; "" if it found nothing.
func (d *Detail) Threat() string {
	if _, name, ok := strings.Cut(d.Infection, "Threat="); ok {
		name, _, _ = strings.Cut(name, ";")
		if name = strings.TrimSpace(name); name != "" {
			return name
		}
	}
	switch {
	case d.Virus != "":
		return d.Virus
	case d.Infection != "":
		return d.Infection
	case strings.HasPrefix(d.Violation, "0"): // their number comes first
		return ""
	}
	return d.Violation
}

// Detail is what a server said about a message, for the audit entry. Texts are
// printable ASCII of at most 256 octets.
type Detail struct {
	Server    string // host and port of the server
	Status    int    // of the ICAP answer; 0 if no server was asked
	Bypass    string // why no server was asked: "transfer-ignore", "max-body" or "paused"; "" if one decided
	ISTag     string // without quotes
	Infection string // X-Infection-Found
	Virus     string // X-Virus-ID
	Violation string // X-Violations-Found
	Preview   bool   // decided by the preview alone
	Reused    bool   // over a connection that had served a message before

	Took time.Duration // until the server had decided
}
