// Package clienthello reads a TLS ClientHello from the raw octets of a connection,
// before a TLS library sees them. The same octets can still be passed on unchanged.
//
// A hello may be spread over any number of TLS records and arrive in any number of
// reads. The package does no I/O. The caller appends its reads to a buffer and calls
// [Parse] until the error is not [ErrShort]. [Scanner.Scan] does the same and
// examines each record once. [ParseMessage] reads a hello of QUIC, which has no
// records. The package negotiates nothing and judges nothing.
package clienthello

import "slices"

// NameState tells apart a hello without a server name and one whose server name
// is of no use.
type NameState uint8

const (
	NameAbsent   NameState = iota // no server_name extension
	NameUsable                    // ServerName holds it
	NameUnusable                  // an address, a NUL, an empty or over-long label, ...
)

var nameStates = [...]string{"absent", "usable", "unusable"}

// String returns "absent", "usable" or "unusable".
func (s NameState) String() string {
	if int(s) < len(nameStates) {
		return nameStates[s]
	}
	return "unknown"
}

// Hello is a parsed ClientHello. It holds no reference to the octets it was
// parsed from. GREASE values (RFC 8701) are removed from every list; lists keep
// the client's order. A nil list means that the extension was absent.
type Hello struct {
	Version          uint16 // legacy_version
	Versions         []uint16
	SessionID        int // length of legacy_session_id, at most 32 in an honest hello
	CipherSuites     []uint16
	Extensions       []uint16 // types, in order of appearance
	ServerName       string   // lower case, without trailing dot; "" unless Name is NameUsable
	Name             NameState
	FinalDot         bool // the server name ended with a dot, which RFC 6066, Section 3, forbids
	ALPN             []string
	SignatureSchemes []uint16
	Groups           []uint16
	ECH              bool // encrypted_client_hello of type outer (RFC 9849), real or GREASE
	GREASE           bool // a GREASE value was present
}

// TLS versions as they stand on the wire.
const (
	versionSSL30 = 0x0300
	versionTLS12 = 0x0303
	versionTLS13 = 0x0304
)

// MaxVersion returns the highest defined version that the client offers, SSL 3.0
// (0x0300) to TLS 1.3 (0x0304), or 0 if it offers none of them. Without
// supported_versions nothing above TLS 1.2 is offered (RFC 8446, Section 4.2.1).
func (h *Hello) MaxVersion() uint16 {
	if h.Versions == nil {
		if h.Version < versionSSL30 {
			return 0
		}
		return min(h.Version, versionTLS12)
	}
	var highest uint16
	for _, v := range h.Versions {
		if v >= versionSSL30 && v <= versionTLS13 {
			highest = max(highest, v)
		}
	}
	return highest
}

// offersTLS12 reports whether TLS 1.2 or older may be negotiated.
func (h *Hello) offersTLS12() bool {
	return h.Versions == nil || slices.ContainsFunc(h.Versions, func(v uint16) bool { return v <= versionTLS12 })
}

const (
	schemeECDSAP256SHA256 = 0x0403
	groupP256             = 0x0017
)

// ecdsaSuites are the TLS 1.2 suites with ephemeral keys, authenticated encryption
// and an ECDSA certificate that crypto/tls serves. Who has others for ECDSA only is
// better shown an RSA certificate.
var ecdsaSuites = [...]uint16{0xc02b, 0xc02c, 0xcca9}

// SupportsECDSA reports whether the client can be shown an ECDSA P-256
// certificate signed with SHA-256 if no version above highest is negotiated. With
// TLS 1.2 it needs a suite and the curve for it, too (RFC 8422, Section 5.1); with
// TLS 1.3 its groups say nothing about signatures (RFC 8446, Section 4.2.7).
// Without signature_algorithms the answer is no.
func (h *Hello) SupportsECDSA(highest uint16) bool {
	if !slices.Contains(h.SignatureSchemes, schemeECDSAP256SHA256) {
		return false
	}
	if min(h.MaxVersion(), highest) >= versionTLS13 || !h.offersTLS12() {
		return true
	}
	if h.Groups != nil && !slices.Contains(h.Groups, groupP256) {
		return false
	}
	return slices.ContainsFunc(ecdsaSuites[:], func(s uint16) bool { return slices.Contains(h.CipherSuites, s) })
}

// isGREASE reports whether v is reserved to keep servers tolerant: 0x0a0a,
// 0x1a1a, ... 0xfafa (RFC 8701, Section 2).
func isGREASE(v uint16) bool { return v&0x0f0f == 0x0a0a && v>>8 == v&0xff }
