package handshake

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"syscall"
)

// Alert is the description of a fatal TLS alert (RFC 8446, Section 6.2).
type Alert uint8

const (
	AlertUnexpected       Alert = 10
	AlertBadRecordMAC     Alert = 20
	AlertRecordOverflow   Alert = 22
	AlertHandshakeFailure Alert = 40
	AlertNoCertificate    Alert = 41 // of SSL 3.0
	AlertBadCertificate   Alert = 42

	AlertCertificateUnknown Alert = 46

	AlertAccessDenied    Alert = 49
	AlertDecodeError     Alert = 50
	AlertProtocolVersion Alert = 70
	AlertInternalError   Alert = 80

	AlertInsufficientSecurity Alert = 71

	AlertCertificateRequired   Alert = 116
	AlertUnrecognizedName      Alert = 112 // RFC 6066, Section 3
	AlertNoApplicationProtocol Alert = 120 // RFC 7301, Section 3.2
	AlertECHRequired           Alert = 121 // RFC 9849, Section 5
)

// Record returns the alert as a plaintext record, as a server sends it in answer
// to a ClientHello.
func (a Alert) Record() []byte {
	return []byte{21, 3, 3, 0, 2, 2, byte(a)}
}

// Answers tells whether err is one of the alerts, as the peer sent it.
func Answers(err error, alerts ...Alert) bool {
	said := RemoteAlert(err)
	return slices.ContainsFunc(alerts, func(a Alert) bool { return said == tls.AlertError(a).Error() })
}

// RemoteAlert returns what crypto/tls says of an alert that the far end sent, ""
// if err is another error.
func RemoteAlert(err error) string {
	remote := (*net.OpError)(nil)
	if !errors.As(err, &remote) || remote.Op != "remote error" || remote.Err == nil {
		return ""
	}
	return remote.Err.Error()
}

// Incapable reports whether a handshake with the origin failed for what the origin
// said or sent, not for what became of the connection.
func Incapable(err error) bool {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) || errors.Is(err, os.ErrDeadlineExceeded) {
		return false
	}
	op := (*net.OpError)(nil)
	if errors.As(err, &op) {
		return op.Op == "remote error" || op.Op == "local error"
	}
	return !errors.As(err, new(syscall.Errno))
}
