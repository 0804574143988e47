package clienthello

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
)

const hexDigits = "0123456789abcdef"

// JA4 returns the client's JA4 fingerprint, such as
// "t13d1516h2_8daaf6152771_e5627efa2ab1": always 36 octets in three parts. The
// first counts and names, the second is a hash over the cipher suites, the third
// over extensions and signature schemes. GREASE has no part in it. The method is
// FoxIO's; JA4 itself, unlike the rest of its family, is under the BSD licence.
func (h *Hello) JA4() string { return h.ja4('t') }

// JA4QUIC is [Hello.JA4] for a hello over QUIC: the first octet is q.
func (h *Hello) JA4QUIC() string { return h.ja4('q') }

func (h *Hello) ja4(transport byte) string {
	var b strings.Builder
	b.Grow(36)
	b.WriteByte(transport)
	b.WriteString(h.ja4Version())
	if slices.Contains(h.Extensions, extServerName) {
		b.WriteByte('d')
	} else {
		b.WriteByte('i')
	}
	writeCount(&b, len(h.CipherSuites))
	writeCount(&b, len(h.Extensions))
	b.WriteString(h.ja4ALPN())
	b.WriteByte('_')
	b.WriteString(hash12(ja4List(h.CipherSuites)))
	b.WriteByte('_')
	b.WriteString(hash12(h.ja4Extensions()))
	return b.String()
}

// ja4Version names the highest value in supported_versions, or legacy_version.
func (h *Hello) ja4Version() string {
	v := h.Version
	if len(h.Versions) > 0 {
		v = slices.Max(h.Versions)
	}
	switch v {
	case 0x0304:
		return "13"
	case 0x0303:
		return "12"
	case 0x0302:
		return "11"
	case 0x0301:
		return "10"
	case 0x0300:
		return "s3"
	case 0x0002:
		return "s2"
	}
	return "00"
}

// ja4ALPN is the first and the last octet of the first protocol if both are
// alphanumeric, else the first and the last digit of its hexadecimal form.
func (h *Hello) ja4ALPN() string {
	if len(h.ALPN) == 0 {
		return "00"
	}
	name := h.ALPN[0]
	first, last := name[0], name[len(name)-1]
	if !alphanumeric(first) || !alphanumeric(last) {
		first, last = hexDigits[first>>4], hexDigits[last&15]
	}
	return string([]byte{first, last})
}

// ja4Extensions lists the extensions without server_name and ALPN, which the
// first part has already, then the signature schemes in the client's order.
func (h *Hello) ja4Extensions() string {
	rest := slices.DeleteFunc(slices.Clone(h.Extensions), func(e uint16) bool {
		return e == extServerName || e == extALPN
	})
	list := ja4List(rest)
	if list != "" && len(h.SignatureSchemes) > 0 {
		list += "_" + hexList(h.SignatureSchemes)
	}
	return list
}

// ja4List writes the values in ascending order.
func ja4List(values []uint16) string { return hexList(slices.Sorted(slices.Values(values))) }

// hexList writes four hexadecimal digits a value, with commas between.
func hexList(values []uint16) string {
	b := make([]byte, 0, 5*len(values))
	for i, v := range values {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, hexDigits[v>>12], hexDigits[v>>8&15], hexDigits[v>>4&15], hexDigits[v&15])
	}
	return string(b)
}

// hash12 is the first 12 hexadecimal digits of SHA-256; zeros for nothing.
func hash12(s string) string {
	if s == "" {
		return "000000000000"
	}
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:6])
}

// writeCount writes two digits, at most 99.
func writeCount(b *strings.Builder, n int) {
	n = min(n, 99)
	b.WriteByte('0' + byte(n/10))
	b.WriteByte('0' + byte(n%10))
}

func alphanumeric(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z'
}
