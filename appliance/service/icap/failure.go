package icap

import (
	"fmt"
	"io"
)

// Reason says why a server did not adapt a message.
type Reason uint8

const (
	// Unavailable: no server could be reached, or none has the service.
	Unavailable Reason = iota
	// Timeout: a server did not go on in time.
	Timeout
	// Protocol: an answer was malformed, incomplete or an error.
	Protocol
	// Overload: all connections are in use, or the server says so.
	Overload
	// TooLarge: the body exceeds Config.MaxBody, and may not pass.
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
