package certs

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"strings"
	"time"
)

// alertProtocolVersion is the TLS alert of RFC 8446, Section 6.2.
const alertProtocolVersion = tls.AlertError(70)

// handshakeFaults maps what crypto/tls says when it ends a handshake by itself,
// before a [Judge] sees the certificates. The first match counts.
var handshakeFaults = []struct {
	text   string
	reason Reason
}{
	{"tls: failed to parse certificate from server", Malformed},
	{"tls: received empty certificates message", Malformed},
	{"tls: handshake message of length", Malformed}, // certificates of more than 256 KiB
	{"tls: server sent certificate containing RSA key larger than", WeakKey},
	{"tls: server's certificate contains an unsupported type of public key", WeakKey},
	{"tls: certificate used with invalid signature algorithm", WeakSignature},
	{"-bit keys are insecure", WeakKey}, // a signature by an RSA key below 1024 bits
	{"tls: invalid signature by the server certificate", Malformed},
	{"tls: server selected unsupported protocol version", TLSVersion},
	{"tls: downgrade attempt detected", TLSVersion},
}

// ReasonOf returns the reason for which a handshake with an origin, as a client
// of crypto/tls, was refused: that of an [*OriginError] in err, or the one that
// an error of crypto/tls or crypto/x509 stands for. It returns "" if err is not
// about trust in the origin: time-outs, resets, most alerts.
func ReasonOf(err error) Reason {
	if err == nil {
		return ""
	}
	if origin, ok := errors.AsType[*OriginError](err); ok {
		return origin.reason
	}
	if reason := reasonOfX509(err); reason != "" {
		if reason == Expired {
			return dateReason(err)
		}
		return reason
	}
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "remote error" {
		// crypto/tls does not export the type of an alert that it received.
		if op.Err.Error() == alertProtocolVersion.Error() {
			return TLSVersion
		}
		return ""
	}
	text := err.Error()
	for _, fault := range handshakeFaults {
		if strings.Contains(text, fault.text) {
			return fault.reason
		}
	}
	return ""
}

// dateReason tells apart what crypto/x509 gives one name.
func dateReason(err error) Reason {
	invalid, _ := errors.AsType[x509.CertificateInvalidError](err)
	if invalid.Cert != nil && time.Now().Before(invalid.Cert.NotBefore) {
		return NotYetValid
	}
	return Expired
}
