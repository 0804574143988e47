package clienthello

import (
	"crypto/tls"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// FuzzInFlight: a hello that is found is one, and ends the flight unless it begins it.
func FuzzInFlight(f *testing.F) {
	raw := captureGo(f, &tls.Config{ServerName: "www.example.test"})
	f.Add(raw, 100)
	f.Add(append([]byte("CONNECT a.test:443 HTTP/1.1\r\n\r\n"), raw...), 100)
	f.Add(append([]byte("may I?\n\x16\x03\x16\x03\x01"), refragment(raw, 300)...), 4096)
	f.Add(raw[:20], 100)
	f.Fuzz(func(t *testing.T, p []byte, most int) {
		at, err := InFlight(p, most)
		if err != nil {
			if at != 0 || err != ErrShort && err != ErrNotTLS {
				t.Fatalf("%d, %v", at, err)
			}
			return
		}
		if _, n, err := Parse(p[at:]); err != nil || at > 0 && (n != len(p)-at || at >= most) {
			t.Fatalf("at %d of %d: %d, %v", at, len(p), n, err)
		}
	})
}

func FuzzParse(f *testing.F) {
	raw := captureGo(f, &tls.Config{ServerName: "www.example.test", NextProtos: []string{"h2"}})
	f.Add(raw, 10)
	f.Add(refragment(raw, 1), 500)
	f.Add(refragment(raw, 300), 700)
	f.Add(raw[:len(raw)-7], 100)
	f.Add(builder{version: 0x0300, suites: []uint16{0x0a0a, 0x0005}}.record(), 20)
	f.Add(builder{version: 0x0303, extensions: []extension{
		{0, sni("a\x00b")}, {10, list16(0x2a2a)}, {16, alpn("\x0a\x0a")}, {43, versions8(0x0a0a)}, {0xfe0d, []byte{0}},
	}}.record(), 60)
	f.Add([]byte{0x80, 0x2e, 1, 3, 1}, 3)
	f.Add([]byte("GET / HTTP/1.1\r\n\r\n"), 1)
	f.Fuzz(func(t *testing.T, b []byte, cut int) {
		h, n, err := Parse(b)
		if n < 0 || n > len(b) || n > MaxSize || (h == nil) != (err != nil) || (n == 0) != (err != nil) {
			t.Fatalf("Parse of %d octets: %v, %d, %v", len(b), h, n, err)
		}
		if err != nil && !errors.Is(err, ErrShort) && !errors.Is(err, ErrNotTLS) && !errors.Is(err, ErrMalformed) && !errors.Is(err, ErrUnexpected) && !errors.Is(err, ErrOverflow) && !errors.Is(err, ErrTooLong) {
			t.Fatalf("undocumented error %v", err)
		}
		if err == nil && !ja4Form.MatchString(h.JA4()) {
			t.Fatalf("JA4 %q", h.JA4())
		}
		if err == nil && (h.Name == NameUsable) != (h.ServerName != "") {
			t.Fatalf("ServerName %q, %v", h.ServerName, h.Name)
		}

		// Without records, as QUIC carries it, the answer is the same.
		if err == nil {
			m := append([]byte{typeClientHello}, message(b[:n])...)
			m = append([]byte{m[0], byte((len(m) - 1) >> 16), byte((len(m) - 1) >> 8), byte(len(m) - 1)}, m[1:]...)
			h2, n2, err2 := ParseMessage(append(m, 1, 2, 3))
			if err2 != nil || n2 != len(m) || !cmp.Equal(h, h2) {
				t.Fatalf("without records: %v, %d, %v; in records: %v", h2, n2, err2, h)
			}
			if _, n3, err3 := ParseMessage(m[:len(m)-1]); err3 != ErrShort || n3 != len(m) {
				t.Fatalf("short by an octet: %d, %v", n3, err3)
			}
		}

		// A prefix is short or has the same answer.
		cut = max(0, min(cut, len(b)))
		h2, n2, err2 := Parse(b[:cut])
		if err2 != ErrShort && (err2 != err || n2 != n || !cmp.Equal(h, h2)) {
			t.Fatalf("prefix of %d: %v, %d, %v; whole: %v, %d, %v", cut, h2, n2, err2, h, n, err)
		}

		// Scanning in two steps is scanning at once.
		var s Scanner
		s.Scan(b[:cut])
		n3, err3 := s.Scan(b)
		if n4, err4 := Complete(b); n3 != n4 || err3 != err4 {
			t.Fatalf("scanned in two steps: %d, %v; at once: %d, %v", n3, err3, n4, err4)
		}
	})
}
