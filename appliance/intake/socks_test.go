package intake

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
)

const greeting = "\x05\x01\x00"

// seedsSOCKS are greeting and request with what follows them.
var seedsSOCKS = []struct {
	name, in string
	want     string     // destination, "" is an error
	reply    socksReply // of the error, if it has one
	answer   string     // to the greeting
	rest     string
}{
	{"IPv4", greeting + "\x05\x01\x00\x01\xc0\x00\x02\x01\x01\xbb", "192.0.2.1:443", 0, "\x05\x00", ""},
	{"IPv6", greeting + "\x05\x01\x00\x04\x20\x01\x0d\xb8" + strings.Repeat("\x00", 11) + "\x01\x01\xbb", "[2001:db8::1]:443", 0, "\x05\x00", ""},
	{"name", greeting + "\x05\x01\x00\x03\x06A.test\x01\xbb", "a.test:443", 0, "\x05\x00", ""},
	{"address as a name", greeting + "\x05\x01\x00\x03\x09127.0.0.1\x00\x50", "127.0.0.1:80", 0, "\x05\x00", ""},
	{"octets after the request", greeting + "\x05\x01\x00\x01\xc0\x00\x02\x01\x01\xbb\x16\x03", "192.0.2.1:443", 0, "\x05\x00", "\x16\x03"},
	{"one method of several", "\x05\x03\x01\x02\x00\x05\x01\x00\x01\xc0\x00\x02\x01\x01\xbb", "192.0.2.1:443", 0, "\x05\x00", ""},

	{"password only", "\x05\x01\x02", "", 0, "\x05\xff", ""},
	{"no method", "\x05\x00", "", 0, "\x05\xff", ""},
	{"SOCKS4", "\x04\x01\x00\x50\x7f\x00\x00\x01\x00", "", 0, "", ""},
	{"cut in the greeting", "\x05\x02\x00", "", 0, "", ""},
	{"cut in the request", greeting + "\x05\x01\x00\x03\x06A.te", "", 0, "\x05\x00", ""},
	{"BIND", greeting + "\x05\x02\x00\x01\xc0\x00\x02\x01\x01\xbb", "", socksNoCommand, "\x05\x00", ""},
	{"UDP ASSOCIATE", greeting + "\x05\x03\x00\x01\xc0\x00\x02\x01\x01\xbb", "", socksNoCommand, "\x05\x00", ""},
	{"type of address", greeting + "\x05\x01\x00\x02\xc0\x00\x02\x01\x01\xbb", "", socksNoAddress, "\x05\x00", ""},
	{"version of request", greeting + "\x04\x01\x00\x01\xc0\x00\x02\x01\x01\xbb", "", socksFailure, "\x05\x00", ""},
	{"reserved octet", greeting + "\x05\x01\x01\x01\xc0\x00\x02\x01\x01\xbb", "", socksFailure, "\x05\x00", ""},
	{"empty name", greeting + "\x05\x01\x00\x03\x00\x01\xbb", "", socksFailure, "\x05\x00", ""},
	{"port 0", greeting + "\x05\x01\x00\x01\xc0\x00\x02\x01\x00\x00", "", socksFailure, "\x05\x00", ""},
	{"name with NUL", greeting + "\x05\x01\x00\x03\x07A.test\x00\x01\xbb", "", socksFailure, "\x05\x00", ""},
}

func TestNegotiateSOCKS(t *testing.T) {
	for _, c := range seedsSOCKS {
		t.Run(c.name, func(t *testing.T) {
			r, answer := bufio.NewReader(strings.NewReader(c.in)), new(bytes.Buffer)
			d, err := negotiateSOCKS(r, answer)
			if answer.String() != c.answer {
				t.Errorf("answered %q, want %q", answer, c.answer)
			}
			if c.want != "" {
				rest, _ := io.ReadAll(r)
				if err != nil || d.String() != c.want || string(rest) != c.rest {
					t.Errorf("got %v, %v, left %q", d, err, rest)
				}
				return
			}
			var refused *socksError
			if errors.As(err, &refused) != (c.reply != 0) || refused != nil && refused.reply != c.reply || err == nil {
				t.Errorf("error %v, want reply %d", err, c.reply)
			}
		})
	}
}

func FuzzNegotiateSOCKS(f *testing.F) {
	for _, c := range seedsSOCKS {
		f.Add([]byte(c.in))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		r, answer := bufio.NewReader(bytes.NewReader(in)), new(bytes.Buffer)
		d, err := negotiateSOCKS(r, answer)
		if answer.Len() != 0 && answer.Len() != 2 {
			t.Fatalf("answered %q", answer)
		}
		if err != nil {
			return
		}
		checkDestination(t, d)
		rest, _ := io.ReadAll(r)
		if !bytes.HasSuffix(in, rest) || len(in)-len(rest) > 2+255+4+1+255+2 {
			t.Fatalf("took %d octets", len(in)-len(rest))
		}
	})
}

func FuzzReadSOCKS4(f *testing.F) {
	for _, s := range []string{"\x04\x01\x00\x50\x7f\x00\x00\x01user\x00", "\x04\x01\x00\x50\x00\x00\x00\x01\x00a.test\x00rest", "\x04\x02\x00\x00", "\x04\x01\x00\x00\x00\x00\x00\x01\x00\x00"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		r := bufio.NewReader(bytes.NewReader(in))
		d, err := readSOCKS4(r)
		if err != nil {
			return
		}
		checkDestination(t, d)
		rest, _ := io.ReadAll(r)
		if !bytes.HasSuffix(in, rest) || len(in)-len(rest) > 8+2*(maxSOCKS4Text+2) {
			t.Fatalf("took %d octets", len(in)-len(rest))
		}
	})
}
