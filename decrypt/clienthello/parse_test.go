package clienthello

import (
	"crypto/tls"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseCryptoTLS(t *testing.T) {
	tests := []struct {
		name     string
		config   *tls.Config
		versions []uint16
		highest  uint16
		alpn     []string
		atLeast  int
	}{
		{
			name:     "TLS 1.3 with ML-KEM",
			config:   &tls.Config{ServerName: "www.Example.test", NextProtos: []string{"h2", "http/1.1"}},
			versions: []uint16{0x0304, 0x0303},
			highest:  0x0304,
			alpn:     []string{"h2", "http/1.1"},
			atLeast:  1400,
		},
		{
			name:     "TLS 1.2 only",
			config:   &tls.Config{ServerName: "www.example.test", MaxVersion: tls.VersionTLS12},
			versions: []uint16{0x0303},
			highest:  0x0303,
			atLeast:  100,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			raw := captureGo(t, tt.config)
			h, n, err := Parse(raw)
			if err != nil || n != len(raw) {
				t.Fatalf("Parse: n %d of %d, %v", n, len(raw), err)
			}
			if len(raw) < tt.atLeast {
				t.Errorf("hello has %d octets, want at least %d", len(raw), tt.atLeast)
			}
			if h.ServerName != "www.example.test" || h.Name != NameUsable {
				t.Errorf("ServerName %q, %v", h.ServerName, h.Name)
			}
			if diff := cmp.Diff(tt.versions, h.Versions); diff != "" {
				t.Errorf("Versions (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.alpn, h.ALPN); diff != "" {
				t.Errorf("ALPN (-want +got):\n%s", diff)
			}
			if h.MaxVersion() != tt.highest {
				t.Errorf("MaxVersion %#04x", h.MaxVersion())
			}
			if !h.SupportsECDSA(0x0304) {
				t.Error("SupportsECDSA is false")
			}
		})
	}
}

func TestParseOpenSSL(t *testing.T) {
	tests := []struct {
		name    string
		args    []string
		sni     string
		highest uint16
		ecdsa   bool
	}{
		{"TLS 1.3", []string{"-servername", "www.example.test"}, "www.example.test", 0x0304, true},
		{"TLS 1.2, no name", []string{"-tls1_2", "-noservername"}, "", 0x0303, true},
		{"RSA only", []string{"-tls1_2", "-sigalgs", "RSA+SHA256", "-cipher", "ECDHE-RSA-AES128-GCM-SHA256"}, "", 0x0303, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			raw := captureOpenSSL(t, tt.args...)
			h, n, err := Parse(raw)
			if err != nil || n != len(raw) {
				t.Fatalf("Parse: n %d of %d, %v", n, len(raw), err)
			}
			if h.ServerName != tt.sni || h.MaxVersion() != tt.highest || h.SupportsECDSA(0x0304) != tt.ecdsa {
				t.Errorf("name %q, version %#04x, ECDSA %v", h.ServerName, h.MaxVersion(), h.SupportsECDSA(0x0304))
			}
		})
	}
}

// Every split of every record layout: short until the last octet, then the same.
func TestParseSplit(t *testing.T) {
	raw := captureGo(t, &tls.Config{ServerName: "www.example.test", NextProtos: []string{"h2"}})
	want, _, err := Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	for _, size := range []int{1, 2, 3, 4, 5, 100, 1000, len(raw)} {
		stream := refragment(raw, size)
		var s Scanner
		for i := range len(stream) {
			if n, err := s.Scan(stream[:i]); n != 0 || err != ErrShort {
				t.Fatalf("records of %d: Scan of %d octets: %d, %v", size, i, n, err)
			}
		}
		for _, i := range []int{0, 1, 4, 5, 6, 9, 10, len(stream) / 2, len(stream) - 1} {
			if h, n, err := Parse(stream[:i]); h != nil || n != 0 || err != ErrShort {
				t.Fatalf("records of %d: Parse of %d octets: %v, %d, %v", size, i, h, n, err)
			}
		}
		follow := append(slices.Clip(stream), "not a record"...)
		if n, err := s.Scan(follow); n != len(stream) || err != nil {
			t.Fatalf("records of %d: Scan: %d of %d, %v", size, n, len(stream), err)
		}
		if n, err := s.Scan(follow); n != len(stream) || err != nil {
			t.Fatalf("records of %d: Scan again: %d of %d, %v", size, n, len(stream), err)
		}
		h, n, err := Parse(follow)
		if err != nil || n != len(stream) {
			t.Fatalf("records of %d: Parse: %d of %d, %v", size, n, len(stream), err)
		}
		if diff := cmp.Diff(want, h); diff != "" {
			t.Fatalf("records of %d (-want +got):\n%s", size, diff)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	good := builder{version: 0x0303, suites: []uint16{0xc02f}}.record()
	with := func(e ...extension) []byte {
		return builder{version: 0x0303, suites: []uint16{0xc02f}, extensions: e}.record()
	}
	change := func(at int, v byte) []byte {
		b := slices.Clone(good)
		b[at] = v
		return b
	}
	long := builder{version: 0x0303, extensions: []extension{{21, make([]byte, 65000)}}}
	tests := []struct {
		name string
		raw  []byte
		want error
	}{
		{"nothing", nil, ErrShort},
		{"half a record header", good[:3], ErrShort},
		{"truncated", good[:len(good)-1], ErrShort},
		{"HTTP", []byte("GET / HTTP/1.1\r\n\r\n"), ErrNotTLS},
		{"SSLv2 hello", []byte{0x80, 0x2e, 0x01, 0x03, 0x01, 0x00, 0x15, 0, 0, 0, 0x10}, ErrNotTLS},
		{"alert record", []byte{21, 3, 1, 0, 2, 1, 0}, ErrNotTLS},
		{"version 2", change(1, 2), ErrNotTLS},
		{"ServerHello", change(5, 2), ErrNotTLS},
		{"zero octets", make([]byte, 100), ErrNotTLS},
		{"empty record", []byte{22, 3, 1, 0, 0, 22, 3, 1}, ErrUnexpected},
		{"record over 2^14", []byte{22, 3, 1, 0x40, 1, 1}, ErrOverflow},
		{"alert between fragments", append(refragment(good, 20)[:25], 21, 3, 1, 0, 2, 1, 0), ErrUnexpected},
		{"octets after the message in its record", append([]byte{22, 3, 1, 0, byte(len(good) - 4)}, append(slices.Clone(good[5:]), 0)...), ErrUnexpected},
		{"empty body", wrap(nil), ErrMalformed},
		{"suites too long for the body", change(45, 0xff), ErrMalformed},
		{"odd suites", wrap(append(make([]byte, 35), 0, 3, 1, 2, 3, 1, 0)), ErrMalformed},
		{"octet after extensions", wrap(append(make([]byte, 35), 0, 2, 1, 2, 1, 0, 0, 0, 9)), ErrMalformed},
		{"extension twice", with(extension{23, nil}, extension{23, nil}), ErrMalformed},
		{"empty supported_versions", with(extension{43, []byte{0}}), ErrMalformed},
		{"odd supported_versions", with(extension{43, []byte{3, 3, 4, 3}}), ErrMalformed},
		{"empty supported_groups", with(extension{10, []byte{0, 0}}), ErrMalformed},
		{"empty ALPN", with(extension{16, []byte{0, 0}}), ErrMalformed},
		{"empty ALPN protocol", with(extension{16, alpn("")}), ErrMalformed},
		{"ALPN with a tail", with(extension{16, append(alpn("h2"), 0)}), ErrMalformed},
		{"empty server name list", with(extension{0, []byte{0, 0}}), ErrMalformed},
		{"two host names", with(extension{0, vector16(append(sni("a.test")[2:], sni("b.test")[2:]...))}), ErrMalformed},
		{"message over 64 KiB, seen in its header", []byte{22, 3, 1, 0x40, 0, 1, 1, 0, 0}, ErrTooLong},
		{"records over 64 KiB", refragment(long.record(), 100), ErrTooLong},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h, n, err := Parse(tt.raw)
			if h != nil || n != 0 || !errors.Is(err, tt.want) {
				t.Errorf("Parse: %v, %d, %v, want %v", h, n, err, tt.want)
			}
		})
	}
}

func TestParseMessageRefuses(t *testing.T) {
	for _, tt := range []struct {
		name  string
		octet []byte
		n     int
		err   error
	}{
		{"nothing", nil, 0, ErrShort},
		{"part of the length", []byte{1, 0, 0}, 0, ErrShort},
		{"no body", []byte{1, 0, 0, 9}, 13, ErrShort},
		{"server hello", []byte{2}, 0, ErrNotTLS},
		{"hello that is too short", []byte{1, 0, 0, 2, 3, 3}, 6, ErrMalformed},
	} {
		if h, n, err := ParseMessage(tt.octet); h != nil || n != tt.n || err != tt.err {
			t.Errorf("%s: %v, %d, %v; want %d, %v", tt.name, h, n, err, tt.n, tt.err)
		}
	}
}

func TestCompleteRefusesTail(t *testing.T) {
	good := builder{version: 0x0303, suites: []uint16{0xc02f}}.record()
	tail := append([]byte{22, 3, 1, 0, byte(len(good) - 4)}, append(slices.Clone(good[5:]), 0)...)
	if n, err := Complete(tail); n != 0 || err != ErrUnexpected {
		t.Errorf("got %d, %v", n, err)
	}
}

func TestParseLargest(t *testing.T) {
	raw := builder{version: 0x0303, extensions: []extension{{21, make([]byte, 65000)}}}.record()
	stream := refragment(raw, maxFragment)
	if _, n, err := Parse(stream); err != nil || n != len(stream) {
		t.Errorf("Parse of %d octets: %d, %v", len(stream), n, err)
	}
}

func TestParseName(t *testing.T) {
	label := strings.Repeat("a", 63)
	long := strings.Repeat(label+".", 3) + strings.Repeat("b", 61)
	tests := []struct {
		name, sni, want string
		state           NameState
	}{
		{"folded", "WWW.Example.TEST", "www.example.test", NameUsable},
		{"trailing dot", "www.example.test.", "www.example.test", NameUsable},
		{"single label", "localhost", "localhost", NameUsable},
		{"underscore", "_dmarc.example.test", "_dmarc.example.test", NameUsable},
		{"A-label", "xn--bcher-kva.test", "xn--bcher-kva.test", NameUsable},
		{"digits in front", "1.2.3.4.test", "1.2.3.4.test", NameUsable},
		{"253 octets", long, long, NameUsable},
		{"254 octets", long + "b", "", NameUnusable},
		{"label of 64", label + "a.test", "", NameUnusable},
		{"empty", "", "", NameUnusable},
		{"dot alone", ".", "", NameUnusable},
		{"leading dot", ".example.test", "", NameUnusable},
		{"empty label", "www..test", "", NameUnusable},
		{"two trailing dots", "www.test..", "", NameUnusable},
		{"NUL", "www.example.test\x00.evil.test", "", NameUnusable},
		{"blank", "www example.test", "", NameUnusable},
		{"UTF-8", "bücher.test", "", NameUnusable},
		{"wildcard", "*.example.test", "", NameUnusable},
		{"port", "www.example.test:443", "", NameUnusable},
		{"IPv4", "192.0.2.1", "", NameUnusable},
		{"short IPv4", "127.1", "", NameUnusable},
		{"hexadecimal IPv4", "0x7f.0x1", "", NameUnusable},
		{"IPv6", "2001:db8::1", "", NameUnusable},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h, _, err := Parse(builder{version: 0x0303, extensions: []extension{{0, sni(tt.sni)}}}.record())
			if err != nil {
				t.Fatal(err)
			}
			if h.ServerName != tt.want || h.Name != tt.state {
				t.Errorf("got %q, %v, want %q, %v", h.ServerName, h.Name, tt.want, tt.state)
			}
		})
	}
}

func TestParseOtherNameTypes(t *testing.T) {
	list := append([]byte{7, 0, 2, 'x', 'x'}, sni("a.test")[2:]...)
	h, _, err := Parse(builder{version: 0x0303, extensions: []extension{{0, vector16(list)}}}.record())
	if err != nil || h.ServerName != "a.test" {
		t.Errorf("got %v, %v", h, err)
	}
}

func TestParseGREASEAndECH(t *testing.T) {
	raw := builder{
		version: 0x0303,
		suites:  []uint16{0x3a3a, 0x1301, 0xc02b},
		extensions: []extension{
			{0x5a5a, nil},
			{10, list16(0x1a1a, 0x11ec, 0x001d, 0x0017)},
			{13, list16(0x0403, 0x2a2a, 0x0804)},
			{16, alpn("\x0a\x0a", "h2")},
			{43, versions8(0xfafa, 0x0304, 0x0303)},
			{0xfe0d, []byte{0, 0, 1}},
			{0x6a6a, []byte{0}},
		},
	}.record()
	want := &Hello{
		Version:          0x0303,
		Versions:         []uint16{0x0304, 0x0303},
		CipherSuites:     []uint16{0x1301, 0xc02b},
		Extensions:       []uint16{10, 13, 16, 43, 0xfe0d},
		ALPN:             []string{"h2"},
		SignatureSchemes: []uint16{0x0403, 0x0804},
		Groups:           []uint16{0x11ec, 0x001d, 0x0017},
		ECH:              true,
		GREASE:           true,
	}
	h, _, err := Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, h); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestMaxVersion(t *testing.T) {
	tests := []struct {
		name  string
		hello Hello
		want  uint16
	}{
		{"legacy TLS 1.0", Hello{Version: 0x0301}, 0x0301},
		{"legacy TLS 1.3 means 1.2", Hello{Version: 0x0304}, 0x0303},
		{"legacy below SSL 3.0", Hello{Version: 0x0002}, 0},
		{"supported_versions win", Hello{Version: 0x0303, Versions: []uint16{0x0301, 0x0304}}, 0x0304},
		{"a later version is passed over", Hello{Version: 0x0303, Versions: []uint16{0x0305, 0x0304}}, 0x0304},
		{"only drafts", Hello{Version: 0x0303, Versions: []uint16{0x7f1c}}, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.hello.MaxVersion(); got != tt.want {
				t.Errorf("got %#04x, want %#04x", got, tt.want)
			}
		})
	}
}

func TestSupportsECDSA(t *testing.T) {
	p256 := []uint16{schemeECDSAP256SHA256}
	tests := []struct {
		name    string
		hello   Hello
		highest uint16
		want    bool
	}{
		{"TLS 1.3 alone", Hello{Versions: []uint16{0x0304}, SignatureSchemes: p256}, 0x0304, true},
		{"TLS 1.3 without the scheme", Hello{Versions: []uint16{0x0304}, SignatureSchemes: []uint16{0x0804}}, 0x0304, false},
		{"no schemes", Hello{Version: 0x0303, CipherSuites: []uint16{0xc02b}}, 0x0304, false},
		{"TLS 1.2", Hello{SignatureSchemes: p256, CipherSuites: []uint16{0xc02f, 0xc02b}, Groups: []uint16{0x17}}, 0x0304, true},
		{"TLS 1.2 without groups", Hello{SignatureSchemes: p256, CipherSuites: []uint16{0xc02b}}, 0x0304, true},
		{"TLS 1.2 without the curve", Hello{SignatureSchemes: p256, CipherSuites: []uint16{0xc02b}, Groups: []uint16{0x1d}}, 0x0304, false},
		{"TLS 1.2 without a suite", Hello{SignatureSchemes: p256, CipherSuites: []uint16{0xc02f}}, 0x0304, false},
		{"1.3, no suite for 1.2", Hello{Versions: []uint16{0x0304, 0x0303}, SignatureSchemes: p256, CipherSuites: []uint16{0x1301}}, 0x0304, true},
		{"1.2 though it has 1.3, no suite", Hello{Versions: []uint16{0x0304, 0x0303}, SignatureSchemes: p256, CipherSuites: []uint16{0x1301}}, 0x0303, false},
		{"1.3 without the curve", Hello{Versions: []uint16{0x0304, 0x0303}, SignatureSchemes: p256, CipherSuites: []uint16{0xc02b}, Groups: []uint16{0x1d}}, 0x0304, true},
		{"1.2 without the curve", Hello{Versions: []uint16{0x0304, 0x0303}, SignatureSchemes: p256, CipherSuites: []uint16{0xc02b}, Groups: []uint16{0x1d}}, 0x0303, false},
		{"TLS 1.2 with a suite of CBC only", Hello{SignatureSchemes: p256, CipherSuites: []uint16{0xc009, 0xc02f}}, 0x0304, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.hello.SupportsECDSA(tt.highest); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

// crypto/tls is the second opinion: what it takes, Parse takes and reads alike.
func TestParseAgreesWithCryptoTLS(t *testing.T) {
	raw := captureGo(t, &tls.Config{ServerName: "www.example.test", NextProtos: []string{"h2", "http/1.1"}, CurvePreferences: []tls.CurveID{tls.X25519}})
	random := rand.New(rand.NewPCG(1, 2))
	taken := 0
	for range 3000 {
		mutant := slices.Clone(raw)
		for range 1 + random.IntN(3) {
			mutant[recordHeader+handshakeHeader+random.IntN(len(mutant)-recordHeader-handshakeHeader)] = byte(random.Uint32())
		}
		if agree(t, mutant) {
			taken++
		}
	}
	if taken < 100 {
		t.Errorf("crypto/tls took %d of 3000 hellos, too few to compare", taken)
	}
}

// agree reports whether crypto/tls takes the hello, and fails if Parse does not
// read the same in it.
func agree(t *testing.T, raw []byte) bool {
	t.Helper()
	var info *tls.ClientHelloInfo
	server := tls.Server(&readOnly{rest: raw}, &tls.Config{
		GetConfigForClient: func(i *tls.ClientHelloInfo) (*tls.Config, error) {
			info = i
			return nil, errors.New("seen")
		},
	})
	server.Handshake()
	if info == nil {
		return false
	}
	h, _, err := Parse(raw)
	if err != nil {
		t.Fatalf("crypto/tls takes what Parse refuses: %v\n%x", err, raw)
	}
	if h.Name == NameUsable && !strings.EqualFold(h.ServerName, info.ServerName) || h.Name == NameAbsent && info.ServerName != "" {
		t.Fatalf("server name %q, crypto/tls has %q", h.ServerName, info.ServerName)
	}
	if h.GREASE {
		return true
	}
	if !slices.Equal(h.CipherSuites, info.CipherSuites) || !slices.Equal(h.Extensions, info.Extensions) ||
		!slices.Equal(h.ALPN, info.SupportedProtos) {
		t.Fatalf("suites %x, extensions %x, ALPN %q; crypto/tls has %x, %x, %q",
			h.CipherSuites, h.Extensions, h.ALPN, info.CipherSuites, info.Extensions, info.SupportedProtos)
	}
	if h.Versions != nil && !slices.Equal(h.Versions, info.SupportedVersions) {
		t.Fatalf("versions %x, crypto/tls has %x", h.Versions, info.SupportedVersions)
	}
	return true
}

// readOnly plays a client that sends rest and hangs up.
type readOnly struct {
	writeOnly
	rest []byte
}

func (c *readOnly) Read(p []byte) (int, error) {
	if len(c.rest) == 0 {
		return c.writeOnly.Read(p)
	}
	n := copy(p, c.rest)
	c.rest = c.rest[n:]
	return n, nil
}
