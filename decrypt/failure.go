package decrypt

import (
	"context"
	"errors"
	"io"
	"os"
	"syscall"

	"github.com/clearspan/clearspan/decrypt/clienthello"
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
	alertBadRecordMAC     alert = 20
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

// isReset tells whether a transport was torn down by its peer.
func isReset(err error) bool {
	return errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) || errors.Is(err, io.ErrClosedPipe)
}

func isTimeout(err error) bool {
	return errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded)
}

// dialFailure distinguishes an origin that refuses from one that is silent.
func dialFailure(err error) error {
	if errors.Is(err, syscall.ECONNREFUSED) {
		return fail(reasonRefused, err, 0)
	}
	return fail(reasonDial, err, 0)
}

// helloFailure gives the reason for a first flight that is no usable hello.
func helloFailure(err error) error {
	switch {
	case errors.Is(err, clienthello.ErrTooLong), errors.Is(err, errTooMuch):
		return fail(reasonHelloTooLong, err, alertDecodeError)
	case isTimeout(err):
		return fail(reasonNoFlight, err, 0)
	case errors.Is(err, io.EOF):
		return fail(reasonClientGone, err, 0)
	case isReset(err):
		return fail(reasonClientReset, err, 0)
	}
	return fail(reasonMalformed, err, alertDecodeError)
}
