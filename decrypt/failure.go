package decrypt

import (
	"errors"
	"io"
	"syscall"

	"github.com/clearspan/clearspan/decrypt/clienthello"
	"github.com/clearspan/clearspan/decrypt/internal/leg"
)

// failure is an error with its reason.
type failure struct {
	reason string
	err    error
	alert  alert // to be sent to the client if its handshake has not begun, 0 for none

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

func fail(reason string, err error, a alert) error {
	return &failure{reason: reason, err: err, alert: a}
}

// alert is the description of a fatal TLS alert (RFC 8446, Section 6.2).
type alert uint8

const (
	alertUnexpected       alert = 10
	alertBadRecordMAC     alert = 20
	alertRecordOverflow   alert = 22
	alertHandshakeFailure alert = 40
	alertBadCertificate   alert = 42
	alertAccessDenied     alert = 49
	alertDecodeError      alert = 50
	alertProtocolVersion  alert = 70
	alertInternalError    alert = 80

	alertInsufficientSecurity alert = 71

	alertNoApplicationProtocol alert = 120 // RFC 7301, Section 3.2
	alertECHRequired           alert = 121 // RFC 9849, Section 5
)

// record returns the alert as a plaintext record, as a server sends it in answer
// to a ClientHello.
func (a alert) record() []byte {
	return []byte{21, 3, 3, 0, 2, 2, byte(a)}
}

// dialFailure distinguishes an origin that refuses from one that is silent.
func dialFailure(err error) error {
	if errors.Is(err, syscall.ECONNREFUSED) {
		return fail(reasonRefused, err, 0)
	}
	return fail(reasonDial, err, 0)
}

// helloFailure gives the reason for a first flight that is no usable hello, and the
// alert that RFC 8446 has for it: unexpected_message for records and messages that
// have no place there (Sections 5 and 5.1), record_overflow (Section 5.1), and
// decode_error for a ClientHello that cannot be read (Section 6.2).
func helloFailure(err error) error {
	switch {
	case errors.Is(err, clienthello.ErrTooLong), errors.Is(err, leg.ErrTooMuch):
		return fail(reasonHelloTooLong, err, alertDecodeError)
	case leg.IsTimeout(err):
		return fail(reasonNoFlight, err, 0)
	case errors.Is(err, io.EOF):
		return fail(reasonClientGone, err, 0)
	case leg.IsReset(err):
		return fail(reasonClientReset, err, 0)
	case errors.Is(err, clienthello.ErrNotTLS), errors.Is(err, clienthello.ErrUnexpected):
		return fail(reasonMalformed, err, alertUnexpected)
	case errors.Is(err, clienthello.ErrOverflow):
		return fail(reasonMalformed, err, alertRecordOverflow)
	}
	return fail(reasonMalformed, err, alertDecodeError)
}
