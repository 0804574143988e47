package icap

import (
	"fmt"
	"io"
)

// Reason says why a server did not adapt a message.
type Reason uint8

const (
	// Unavailable: no ICAP server could be reached, or no server has the service.
	// Cause: The server is down, or `url` is wrong.
	// Do: See the log line `ICAP server is not used until it answers`.
	Unavailable Reason = iota
	// Timeout: the ICAP server did not go on within `timeout`.
	// Cause: An overloaded server, or a large body.
	// Do: Raise `timeout`, or add servers.
	Timeout
	// Protocol: the answer of the ICAP server was malformed, incomplete or an error.
	// Cause: Another service on that port, or a fault of the server.
	// Do: See the log of the server.
	Protocol
	// Overload: all connections are in use, or the ICAP server says so.
	// Cause: Load.
	// Do: Raise `connections`, or add servers.
	Overload
	// TooLarge: the body is longer than `max_body`, and `oversize` is `closed`.
	// Cause: A large download or upload.
	// Do: Raise `max_body`, or set `oversize: open`.
	TooLarge
)

var reasons = [...]string{"unavailable", "timeout", "protocol", "overload", "too-large"}

// String returns the word for audit entries and metrics.
func (r Reason) String() string {
	if int(r) < len(reasons) {
		return reasons[r]
	}
	return "unknown"
}

// Error is a failure of a service, not of the message's sender.
type Error struct {
	Kind   Reason
	Server string // host and port; "" if none was chosen
	Err    error

	// Original is the content of the message, as in Result.Body of an unmodified
	// one; nil if it had none or if a part of it is lost. It needs no Close.
	Original io.Reader
	// Whole tells that Original is the message's content, even if that is nil.
	Whole bool
}

// Error implements error.
func (e *Error) Error() string {
	if e.Server == "" {
		return fmt.Sprintf("adapt message: %v: %v", e.Kind, e.Err)
	}
	return fmt.Sprintf("adapt message at %s: %v: %v", e.Server, e.Kind, e.Err)
}

// Unwrap returns what is behind the failure.
func (e *Error) Unwrap() error { return e.Err }

// Reason returns the word by which audit entries name a session that ended so.
func (e *Error) Reason() string { return "service-" + e.Kind.String() }

// fault is an Error whose server is not filled in yet.
func fault(kind Reason, format string, args ...any) *Error {
	return &Error{Kind: kind, Err: fmt.Errorf(format, args...)}
}
