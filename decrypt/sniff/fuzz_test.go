package sniff

import (
	"testing"

	"github.com/clearspan/clearspan/decrypt/proto"
)

var seeds = []string{
	"", "\x16\x03\x01\x02\x00\x01", "GET http://a.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n", "CONNECT [::1]:443 HTTP/1.1\r\n\r\n",
	"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "a1 LOGIN a b\r\n", "EHLO a\r\n", "\x00\x00\x00\x08\x04\xd2\x16\x2f",
	"\x30\x84\x00\x00\x00\x2d\x02\x02\x01\x07\x63", "<?xml version='1.0'?><stream:stream", "\x03\x00\x00\x13\x0e\xe0",
	"\x05\x01\x00", "220-a.test\r\n220 ESMTP\r\n", "220 (vsFTPd 3.0.3)\r\n", "+OK ready\r\n", "* OK ready\r\n",
	"\x4a\x00\x00\x00\x0a8.0.36\x00", "554 no\r\n", "\x10\x0c\x00\x04MQTT\x04\x02\x00\x3c\x00\x00",
	"62 <34>1 a", "*2\r\n$5\r\nHELLO\r\n", "\x00\x1d\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x01\x01a", "a1 NOOP\r\n",
}

// What is decided stays decided when more octets come, and it is decided in time.
func fuzzDecision(f *testing.F, limit int, ask func([]byte) (Protocol, bool)) {
	for _, s := range seeds {
		f.Add([]byte(s), 3)
	}
	f.Fuzz(func(t *testing.T, b []byte, cut int) {
		p, more := ask(b)
		if more && (p != Unknown || len(b) >= limit) {
			t.Fatalf("%q and more after %d octets", p, len(b))
		}
		if early, more := ask(b[:max(0, min(cut, len(b)))]); !more && early != p {
			t.Fatalf("%q after %d octets, %q after %d", early, cut, p, len(b))
		}
	})
}

func FuzzClient(f *testing.F) { fuzzDecision(f, clientLimit, Client) }

func FuzzBegins(f *testing.F) { fuzzDecision(f, clientLimit, Begins) }

func FuzzFits(f *testing.F) {
	for _, s := range seeds {
		f.Add([]byte(s), 3)
	}
	f.Fuzz(func(t *testing.T, b []byte, cut int) {
		for p := Unknown; p <= Rsync; p++ {
			for _, dir := range []proto.Direction{proto.ClientToOrigin, proto.OriginToClient} {
				fits, more := Fits(p, dir, b)
				if early, undecided := Fits(p, dir, b[:max(0, min(cut, len(b)))]); more && fits || !undecided && early != fits {
					t.Fatalf("%v %v: %v after %d octets, %v after %d", p, dir, early, cut, fits, len(b))
				}
			}
		}
	})
}

func FuzzOrigin(f *testing.F) { fuzzDecision(f, originLimit, Origin) }

func FuzzHost(f *testing.F) {
	for _, s := range seeds {
		f.Add([]byte(s), 9)
	}
	f.Fuzz(func(t *testing.T, b []byte, cut int) {
		host, doubt, more := Host(b)
		if host != "" && (doubt || more) || more && !doubt || more && len(b) >= hostLimit {
			t.Fatalf("%q, %v, %v after %d octets", host, doubt, more, len(b))
		}
		if h, doubt2, more2 := Host(b[:max(0, min(cut, len(b)))]); !more2 && (h != host || doubt2 != doubt) {
			t.Fatalf("%q, %v after %d octets, %q, %v after %d", h, doubt2, cut, host, doubt, len(b))
		}
		Command(Greeting220, b)
	})
}
