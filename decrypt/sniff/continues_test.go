package sniff

import "testing"

func TestContinues(t *testing.T) {
	for _, tt := range []struct {
		protocol   Protocol
		line       string
		fits, more bool
	}{
		{SMTP, "EHLO c\r\n", true, false},
		{SMTP, "foo\r\n", true, false},
		{SMTP, "\r\n", true, false},
		{SMTP, "EHLO c", false, true},
		{SMTP, "EHLO / HTTP/1.1\r\n", false, false},
		{SMTP, "GET /", false, false},
		{SMTP, "Host: a\r\n", false, false},
		{SMTP, "\x00", false, false},
		{SMTP, "PRI * HTTP/2.0\r\n", false, false},
		{FTP, "RETR a b/c http/d\r\n", true, false},
		{FTP, "RETR / HTTP/1.1\r\n", false, false},
		{FTP, "\xff\xf4\xff\xf2ABOR\r\n", true, false},
		{FTP, "\x16\x03\x01", false, false},
		{POP3, ".\r\n", true, false},
		{IMAP, "a.1 NOOP\r\n", true, false},
		{IMAP, "a.1 (\r\n", false, false},
		{IMAP, "GET / HTTP/1.1\r\n", false, false},
		{IMAP, "Host: a\r\n", false, false},
		{IMAP, "", false, true},
		{Greeting220, "NOOP\r\n", true, false},
		{Greeting220, "foo\r\n", false, false},
		{SSH, "SSH-2.0-x\r\n", false, false},
	} {
		if fits, more := Continues(tt.protocol, []byte(tt.line)); fits != tt.fits || more != tt.more {
			t.Errorf("%v, %q: %v, more %v", tt.protocol, tt.line, fits, more)
		}
		if n := testing.AllocsPerRun(10, func() { Continues(tt.protocol, []byte(tt.line)) }); n > 1 { // that of the test
			t.Errorf("%q: %v allocations", tt.line, n)
		}
	}
}

func FuzzContinues(f *testing.F) {
	f.Add([]byte("RETR / HTTP/1.1\r\nHost: a\r\n"), uint8(FTP), 4)
	f.Add([]byte("a1 NOOP\r\n"), uint8(IMAP), 2)
	f.Fuzz(func(t *testing.T, b []byte, p uint8, cut int) {
		fits, more := Continues(Protocol(p), b)
		if fits && more {
			t.Fatal("decided, and not")
		}
		if f2, more2 := Continues(Protocol(p), b[:max(0, min(cut, len(b)))]); !more2 && len(b) < 4096 && f2 != fits && !more {
			t.Fatalf("%v after %d octets, then %v", f2, cut, fits)
		}
	})
}
