package clienthello

import (
	"regexp"
	"testing"
)

// chrome is the worked example of the JA4 description.
func chrome() Hello {
	return Hello{
		Version:  0x0303,
		Versions: []uint16{0x0304, 0x0303},
		CipherSuites: []uint16{
			0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9,
			0xcca8, 0xc013, 0xc014, 0x009c, 0x009d, 0x002f, 0x0035,
		},
		Extensions: []uint16{
			0x001b, 0x0000, 0x0033, 0x0010, 0x4469, 0x0017, 0x002d, 0x000d,
			0x0005, 0x0023, 0x0012, 0x002b, 0xff01, 0x000b, 0x000a, 0x0015,
		},
		ALPN:             []string{"h2", "http/1.1"},
		SignatureSchemes: []uint16{0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601},
	}
}

func TestJA4(t *testing.T) {
	many := make([]uint16, 120)
	tests := []struct {
		name   string
		change func(*Hello)
		want   string
	}{
		{"published example", func(*Hello) {}, "t13d1516h2_8daaf6152771_e5627efa2ab1"},
		{"published, no signature schemes", func(h *Hello) { h.SignatureSchemes = nil }, "t13d1516h2_8daaf6152771_6d807ffa2a79"},
		{"order of suites and extensions does not matter", func(h *Hello) {
			h.CipherSuites[0], h.CipherSuites[14] = h.CipherSuites[14], h.CipherSuites[0]
			h.Extensions[0], h.Extensions[15] = h.Extensions[15], h.Extensions[0]
		}, "t13d1516h2_8daaf6152771_e5627efa2ab1"},
		{"no server name", func(h *Hello) { h.Extensions = append(h.Extensions[:1], h.Extensions[2:]...) }, "t13i1515h2_8daaf6152771_e5627efa2ab1"},
		{"legacy version counts without supported_versions", func(h *Hello) { h.Version, h.Versions = 0x0301, nil }, "t10d1516h2_8daaf6152771_e5627efa2ab1"},
		{"draft version is unknown", func(h *Hello) { h.Versions = []uint16{0x0304, 0x7f1c} }, "t00d1516h2_8daaf6152771_e5627efa2ab1"},
		{"nothing at all", func(h *Hello) { *h = Hello{Version: 0x0300} }, "ts3i000000_000000000000_000000000000"},
		{"counts stop at 99", func(h *Hello) { *h = Hello{Version: 0x0303, CipherSuites: many} }, "t12i990000_" + hash12(hexList(many)) + "_000000000000"},
		{"only server name and ALPN", func(h *Hello) {
			*h = Hello{Version: 0x0303, Extensions: []uint16{0, 16}, ALPN: []string{"http/1.1"}}
		}, "t12d0002h1_000000000000_000000000000"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := chrome()
			tt.change(&h)
			if got := h.JA4(); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

// The rows with octets outside ASCII letters and digits are those of the JA4
// description.
func TestJA4ALPN(t *testing.T) {
	tests := []struct{ name, alpn, want string }{
		{"h2", "h2", "h2"},
		{"HTTP/1.1", "http/1.1", "h1"},
		{"one octet", "x", "xx"},
		{"capitals", "ZZ", "ZZ"},
		{"AB", "\xab", "ab"},
		{"AB CD", "\xab\xcd", "ad"},
		{"30 AB", "\x30\xab", "3b"},
		{"30 31 AB CD", "\x30\x31\xab\xcd", "3d"},
		{"30 AB CD 31", "\x30\xab\xcd\x31", "01"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := Hello{ALPN: []string{tt.alpn}}
			if got := h.ja4ALPN(); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

var ja4Form = regexp.MustCompile(`^t(1[0-3]|s[23]|00)[di][0-9]{4}[0-9a-zA-Z]{2}_[0-9a-f]{12}_[0-9a-f]{12}$`)
