package decrypt

import (
	"errors"
	"io"
	"syscall"

	"github.com/clearspan/clearspan/decrypt/clienthello"
	"github.com/clearspan/clearspan/decrypt/internal/handshake"
	"github.com/clearspan/clearspan/decrypt/internal/leg"
)

// failure is an error with its reason.
type failure struct {
	reason string
	err    error
	alert  handshake.Alert // to be sent to the client if its handshake has not begun, 0 for none

	refused bool // the origin is not let through
	told    bool // the client was told why
}

func (f *failure) Error() string {
	if f.err == nil {
		return f.reason
	}
	return f.reason + ": " + f.err.Error()
}

func (f *failure) Unwrap() error { return f.err }

func fail(reason string, err error, a handshake.Alert) error {
	return &failure{reason: reason, err: err, alert: a}
}

// ErrLoop is wrapped by what an intake returns for a destination that is a listener of
// the box itself.
var ErrLoop = errors.New("destination is a listener of clearspan itself")

// ErrUnresolved is wrapped by what an intake returns for a name without an address.
var ErrUnresolved = errors.New("no address")

// dialFailure distinguishes an origin that refuses from one that is silent.
func dialFailure(err error) *failure {
	reason := reasonDial
	switch {
	case errors.Is(err, ErrLoop):
		reason = reasonLoop
	case errors.Is(err, ErrUnresolved):
		reason = reasonNoAddress
	case errors.Is(err, syscall.ECONNREFUSED):
		reason = reasonRefused
	}
	return &failure{reason: reason, err: err}
}

// upstreamFailure is for an upstream proxy that gives no connection.
func upstreamFailure(err error) error { return fail(reasonUpstream, err, 0) }

// helloFailure gives the reason for a first flight that is no usable hello, and the
// alert that RFC 8446 has for it: unexpected_message for records and messages that
// have no place there (Sections 5 and 5.1), record_overflow (Section 5.1), and
// decode_error for a ClientHello that cannot be read (Section 6.2).
func helloFailure(err error) error {
	switch {
	case errors.Is(err, clienthello.ErrTooLong), errors.Is(err, leg.ErrTooMuch):
		return fail(reasonHelloTooLong, err, handshake.AlertDecodeError)
	case leg.IsTimeout(err):
		return fail(reasonNoFlight, err, 0)
	case errors.Is(err, io.EOF):
		return fail(reasonClientGone, err, 0)
	case leg.IsReset(err):
		return fail(reasonClientReset, err, 0)
	case errors.Is(err, clienthello.ErrNotTLS), errors.Is(err, clienthello.ErrUnexpected):
		return fail(reasonMalformed, err, handshake.AlertUnexpected)
	case errors.Is(err, clienthello.ErrOverflow):
		return fail(reasonMalformed, err, handshake.AlertRecordOverflow)
	}
	return fail(reasonMalformed, err, handshake.AlertDecodeError)
}
