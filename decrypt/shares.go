package decrypt

import (
	"crypto/tls"
	"errors"
	"slices"

	"github.com/clearspan/clearspan/decrypt/clienthello"
	"github.com/clearspan/clearspan/decrypt/internal/handshake"
)

// What crypto/tls takes as a server, by version.
var (
	suites13 = []uint16{tls.TLS_AES_128_GCM_SHA256, tls.TLS_AES_256_GCM_SHA384, tls.TLS_CHACHA20_POLY1305_SHA256}
	groups12 = []uint16{uint16(tls.X25519), uint16(tls.CurveP256), uint16(tls.CurveP384), uint16(tls.CurveP521)}
	groups13 = append([]uint16{uint16(tls.X25519MLKEM768), uint16(tls.SecP256r1MLKEM768), uint16(tls.SecP384r1MLKEM1024)}, groups12...)
)

// Signatures that an RSA leaf of ours can make, by version. TLS 1.3 has no PKCS #1 (RFC
// 8446, Section 4.2.3).
var (
	rsaSchemes13 = []uint16{uint16(tls.PSSWithSHA256), uint16(tls.PSSWithSHA384), uint16(tls.PSSWithSHA512)}
	rsaSchemes12 = append([]uint16{uint16(tls.PKCS1WithSHA256), uint16(tls.PKCS1WithSHA384), uint16(tls.PKCS1WithSHA512)}, rsaSchemes13...)
)

// rsaSuites are those of [handshake.GreenSuites] that an RSA leaf serves.
var rsaSuites = []uint16{
	tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
}

// errFinalDot says why a hello is not answered whose server name ends with a dot.
var errFinalDot = errors.New("server name with a final dot (RFC 6066, Section 3)")

// canAnswer reports whether a client can be answered at all. Its server name has no final
// dot: crypto/tls refuses such a hello, and the keys depend on its octets. And it offers a version, a
// cipher suite, a group and a signature algorithm that we take (RFC 8446, Section
// 4.1.1). Its highest version counts: it does not take a lower one from an origin
// that has the same (RFC 8446, Section 4.1.3). Where the origin's own certificate is
// shown, signature algorithms are not looked at.
func canAnswer(hello *clienthello.Hello, least uint16, own bool) bool {
	highest := hello.MaxVersion()
	switch {
	case hello.FinalDot: // crypto/tls refuses the hello, and the handshake's keys depend on its octets
		return false
	case highest < least || highest < tls.VersionTLS12:
		return false
	case highest == tls.VersionTLS13:
		return shares(hello.CipherSuites, suites13) && shares(hello.Groups, groups13) &&
			(own || hello.SupportsECDSA(highest) || shares(hello.SignatureSchemes, rsaSchemes13))
	case !shares(hello.CipherSuites, handshake.GreenSuites) || !shares(hello.Groups, groups12):
		return false
	}
	return own || hello.SupportsECDSA(highest) || shares(hello.CipherSuites, rsaSuites) && shares(hello.SignatureSchemes, rsaSchemes12)
}

// shares reports whether two lists have a value in common.
func shares(a, b []uint16) bool {
	return slices.ContainsFunc(a, func(v uint16) bool { return slices.Contains(b, v) })
}
