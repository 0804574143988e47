package e2e

import (
	"bytes"
	"crypto/tls"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/clearspan/clearspan/decrypt/clienthello"
	"github.com/clearspan/clearspan/hack/lab"
	"github.com/clearspan/clearspan/hack/scenetest"
	"github.com/clearspan/clearspan/mirror/mirrortest"
)

// TestOriginHellos has old, odd and modern clients connect, and grades what the
// origin is offered on their behalf, as it was captured in front of it: the same
// best of everything, whoever asks.
func TestOriginHellos(t *testing.T) {
	c := newScene(t, settings{Blind: true})
	web := c.Nginx()
	c.Write(filepath.Join(web.Root, "page.html"), []byte("<!doctype html><title>t</title><body>the origin's page"))
	wan, err := lab.StartCapture(c.Origin, lab.OriginInterface, filepath.Join(c.Directory("origin"), "origin.pcap"))
	if err != nil {
		t.Fatal(err)
	}
	want := map[ends][]string{} // the application protocols that a client offers
	names := map[ends]string{}  // of those clients

	openssl := func(refusal string, args ...string) {
		t.Run("openssl "+strings.Join(args, " "), func(t *testing.T) {
			args = append([]string{"-connect", lab.OriginV4 + ":443", "-servername", webName, "-CAfile", c.CA}, args...)
			r, err := lab.OpenSSL(c.Ctx, c.Client, "", args...)
			if (err == nil) != (refusal == "") || !strings.Contains(r.Stderr, refusal) || refusal == "" && !strings.Contains(r.Stdout, "Verify return code: 0 (ok)") {
				t.Errorf("%v\n%.2000s\n%s", err, r.Stdout, r.Stderr)
			}
		})
	}
	openssl("")
	openssl("", "-tls1_2", "-cipher", "ALL:eNULL:@SECLEVEL=0")
	openssl("", "-tls1_2", "-cipher", "ECDHE-RSA-AES128-GCM-SHA256", "-sigalgs", "RSA+SHA256", "-groups", "P-256")
	openssl("alert", "-tls1_2", "-cipher", "AES128-SHA:@SECLEVEL=0")
	openssl("alert protocol version", "-tls1", "-cipher", "ALL:@SECLEVEL=0")
	openssl("alert protocol version", "-tls1_1", "-cipher", "ALL:@SECLEVEL=0")
	openssl("", "-alpn", "h2", "-tls1_3", "-ciphersuites", "TLS_CHACHA20_POLY1305_SHA256")
	for _, args := range [][]string{{"--http1.1"}, {"--http2"}, {"--tls-max", "1.2"}, {"--no-alpn"}} {
		t.Run("curl "+strings.Join(args, " "), func(t *testing.T) {
			x := c.In(t).Fetch(append(args, "https://"+webName+"/page.html")...)
			want[x.Ends] = []string{"h2", "http/1.1"}
			switch args[0] {
			case "--http1.1":
				want[x.Ends] = []string{"http/1.1"}
			case "--no-alpn":
				want[x.Ends] = nil
			}
			names[x.Ends] = "curl " + args[0]
		})
	}
	t.Run("Chromium", func(t *testing.T) {
		document, err := lab.Chromium(c.Ctx, c.Client, t.TempDir(), c.CA, webName, lab.OriginV4, "https://"+webName+"/page.html")
		if err != nil || !strings.Contains(document, "the origin's page") {
			t.Errorf("%v, %.500s", err, document)
		}
	})
	for name, config := range map[string]*tls.Config{
		"Go": {}, "Go, one suite of TLS 1.2": {MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384}},
		"Go, one curve": {CurvePreferences: []tls.CurveID{tls.CurveP384}}, "Go, ALPN of its own": {NextProtos: []string{"x-odd", "h2"}},
	} {
		t.Run(name, func(t *testing.T) {
			c := c.In(t)
			conn := c.Dial(443)
			config.RootCAs, config.ServerName = c.Pool(c.CA), webName
			if err := tls.Client(conn, config).HandshakeContext(c.Ctx); err != nil {
				t.Error(err)
			}
			want[scenetest.LocalPort(conn)], names[scenetest.LocalPort(conn)] = config.NextProtos, name
		})
	}
	for _, odd := range oddities {
		t.Run("odd: "+odd.name, func(t *testing.T) {
			c := c.In(t)
			conn := c.Dial(443)
			if _, err := conn.Write(oddHello(t, odd.change)); err != nil {
				t.Fatal(err)
			}
			answer := make([]byte, 6) // of a record with a ServerHello (RFC 8446, Section 4)
			if _, err := io.ReadFull(conn, answer); err != nil || answer[0] != 22 || answer[5] != 2 {
				t.Errorf("answer % x, %v", answer, err)
			}
			want[scenetest.LocalPort(conn)], names[scenetest.LocalPort(conn)] = nil, odd.name
			conn.Close()
		})
	}
	if t.Failed() {
		return
	}
	c.Stop()
	if _, err := wan.Stop(); err != nil {
		t.Error(err)
	}
	heard, err := mirrortest.Conversations(wan.File)
	if err != nil {
		t.Fatal(err)
	}
	graded := 0
	for _, v := range heard {
		if v.Origin.Port() != 443 || len(v.Streams[0]) == 0 {
			continue
		}
		graded++
		hello, _, err := clienthello.Parse(v.Streams[0])
		if err != nil {
			t.Fatalf("from %v: %v", v.Client, err)
		}
		name := names[scenetest.Between(v.Client.Port(), 443)]
		if diff := cmp.Diff(best, offered(hello)); diff != "" {
			t.Errorf("offered for %s (-want +got):\n%s", name, diff)
		}
		if name != "" && !slices.Equal(hello.ALPN, want[scenetest.Between(v.Client.Port(), 443)]) {
			t.Errorf("%s: origin is offered %q", name, hello.ALPN)
		}
	}
	if least := 7 + len(want) + 1; graded < least {
		t.Errorf("%d hellos were captured, want at least %d", graded, least)
	}
	e := c.Entries()
	if ech := func(e entry) bool { return e.TLSClient != nil && e.TLSClient.ECH == "offered" }; !slices.ContainsFunc(e, ech) {
		t.Error("no entry tells of ECH")
	}
}

// offer is what the rule of trust looks at.
type offer struct {
	Grade  string
	Suites []uint16 // in the order of their numbers: that of the offer is the machine's
	Group  uint16   // the first
	TLS    []uint16 // versions
	Odd    bool     // GREASE or ECH was copied
}

func offered(h *clienthello.Hello) offer {
	grade, why := h.Grade()
	o := offer{grade.String(), slices.Sorted(slices.Values(h.CipherSuites)), h.Groups[0], h.Versions, h.GREASE || slices.Contains(h.Extensions, 0xfe0d)}
	if grade != clienthello.GradeA {
		o.Grade += " for " + why
	}
	return o
}

// best is what every origin is offered: post-quantum key exchange first, and suites
// with forward secrecy and authenticated encryption alone.
var best = offer{
	Grade:  "A",
	Suites: []uint16{0x1301, 0x1302, 0x1303, 0xc02b, 0xc02c, 0xc02f, 0xc030, 0xcca8, 0xcca9},
	Group:  0x11ec, // X25519MLKEM768
	TLS:    []uint16{0x0304, 0x0303},
}

// oddities are changes to an ordinary hello, after which servers still have to
// negotiate.
var oddities = []struct {
	name   string
	change func(suites []byte, extensions map[uint16][]byte, order []uint16) ([]byte, []uint16)
}{
	{"GREASE everywhere", func(suites []byte, ext map[uint16][]byte, order []uint16) ([]byte, []uint16) {
		ext[0x2a2a], ext[0xfafa] = nil, []byte{0}
		ext[43] = append([]byte{ext[43][0] + 2, 0x7a, 0x7a}, ext[43][1:]...) // supported_versions
		ext[10] = vector(append([]byte{0x3a, 0x3a}, ext[10][2:]...))         // supported_groups
		return append([]byte{0x1a, 0x1a}, suites...), slices.Concat([]uint16{0x2a2a}, order, []uint16{0xfafa})
	}},
	{"versions of the future", func(suites []byte, ext map[uint16][]byte, order []uint16) ([]byte, []uint16) {
		ext[43] = append([]byte{ext[43][0] + 6, 0x03, 0x05, 0x7f, 0x1c, 0x04, 0x00}, ext[43][1:]...)
		return suites, order
	}},
	{"unknown suites and extensions", func(suites []byte, ext map[uint16][]byte, order []uint16) ([]byte, []uint16) {
		ext[0x7777], ext[0xff77] = bytes.Repeat([]byte{1}, 9000), []byte("?")
		return append([]byte{0xee, 0xee, 0x00, 0x00, 0x00, 0xff}, suites...), append([]uint16{0xff77, 0x7777}, order...)
	}},
	{"an outer ECH", func(suites []byte, ext map[uint16][]byte, order []uint16) ([]byte, []uint16) {
		hpke := append([]byte{0, 0, 1, 0, 1, 42}, vector(bytes.Repeat([]byte{0x5a}, 32))...) // RFC 9849, Section 5
		ext[0xfe0d] = append(hpke, vector(bytes.Repeat([]byte{0xa5}, 240))...)
		return suites, append([]uint16{0xfe0d}, order...)
	}},
	{"suites of old", func(suites []byte, ext map[uint16][]byte, order []uint16) ([]byte, []uint16) {
		return append([]byte{0x00, 0x03, 0x00, 0x05, 0x00, 0x0a, 0xc0, 0x18}, suites...), order
	}},
}

// oddHello returns the hello of [sampleHello], changed.
func oddHello(t *testing.T, change func([]byte, map[uint16][]byte, []uint16) ([]byte, []uint16)) []byte {
	t.Helper()
	rest := []byte(sampleHello(t))[9:]
	take := func(n int) (b []byte) { b, rest = rest[:n:n], rest[n:]; return b }
	number := func() uint16 { b := take(2); return uint16(b[0])<<8 | uint16(b[1]) }
	take16 := func() []byte { return take(int(number())) }
	head := take(34)
	head = append(head, rest[0])
	head = append(head, take(1 + int(rest[0]))[1:]...)
	suites := take16()
	compression := take(1 + int(rest[0]))
	extensions, order := map[uint16][]byte{}, []uint16{}
	for rest = take16(); len(rest) > 0; {
		typ := number()
		extensions[typ], order = take16(), append(order, typ)
	}
	suites, order = change(suites, extensions, order)
	var list []byte
	for _, typ := range order {
		list = append(append(list, byte(typ>>8), byte(typ)), vector(extensions[typ])...)
	}
	body := slices.Concat(head, vector(suites), compression, vector(list))
	message := append([]byte{1, 0, byte(len(body) >> 8), byte(len(body))}, body...)
	if len(message) > 1<<14 {
		t.Fatalf("hello of %d octets", len(message))
	}
	return append([]byte{22, 3, 1}, vector(message)...)
}

// vector returns octets behind their length in two octets.
func vector(b []byte) []byte { return append([]byte{byte(len(b) >> 8), byte(len(b))}, b...) }
