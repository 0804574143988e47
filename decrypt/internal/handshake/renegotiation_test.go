package handshake

import (
	"bytes"
	"encoding/binary"
	"testing"
	"time"
)

func record(kind byte, body ...byte) []byte {
	return append([]byte{kind, 3, 3, byte(len(body) >> 8), byte(len(body))}, body...)
}

func TestRecordsFinish(t *testing.T) {
	flight := bytes.Join([][]byte{record(22, 4, 0, 0, 0), record(20, 1), record(22, make([]byte, 40)...)}, nil)
	for cut := range flight {
		var r records
		if r.finish(flight[:cut]) {
			t.Errorf("over after %d of %d octets", cut, len(flight))
		}
		if !r.finish(flight[cut:]) {
			t.Errorf("cut at %d: not over", cut)
		}
	}
}

// helloOf returns the records of a ServerHello with these extensions, each of so many
// octets of the message.
func helloOf(part int, extensions ...byte) []byte {
	body := append(make([]byte, 2+32), 0, 0xc0, 0x2b, 0)
	if extensions != nil {
		body = binary.BigEndian.AppendUint16(body, uint16(len(extensions)))
		body = append(body, extensions...)
	}
	message := append([]byte{2, 0, byte(len(body) >> 8), byte(len(body))}, body...)
	var out []byte
	for len(message) > 0 {
		n := min(part, len(message))
		out = append(out, record(22, message[:n]...)...)
		message = message[n:]
	}
	return out
}

func TestIndicatesRenegotiation(t *testing.T) {
	for _, tt := range []struct {
		name  string
		hello []byte
		want  bool
	}{
		{"indicated", helloOf(1000, 0, 23, 0, 0, 0xff, 1, 0, 1, 0), true},
		{"in pieces", helloOf(7, 0, 23, 0, 0, 0xff, 1, 0, 1, 0), true},
		{"another extension", helloOf(1000, 0, 23, 0, 0), false},
		{"no extensions", helloOf(1000), false},
		{"extension that is too long", helloOf(1000, 0, 23, 9, 0, 0xff, 1, 0, 1, 0), false},
		{"alert", record(21, 2, 40), false},
	} {
		for cut := range tt.hello {
			if bound, more := indicatesRenegotiation(tt.hello[:cut]); !more && bound {
				t.Errorf("%s: known after %d octets", tt.name, cut)
			}
		}
		if bound, more := indicatesRenegotiation(tt.hello); bound != tt.want || more {
			t.Errorf("%s: %v, more %v", tt.name, bound, more)
		}
	}
}

func TestRenegotiationLimits(t *testing.T) {
	now := time.Now()
	r := &Renegotiation{bound: true, done: renegotiationsAtOnce, first: now}
	if err := r.begin(now); err != errTooOften {
		t.Errorf("one more at once: %v", err)
	}
	r = new(Renegotiation)
	if err := r.begin(now); err != errUnbound {
		t.Errorf("without RFC 5746: %v", err)
	}
}

func FuzzServerHello(f *testing.F) {
	f.Add(helloOf(1000, 0xff, 1, 0, 1, 0))
	f.Add(helloOf(5, 0, 23, 0, 0))
	f.Fuzz(func(t *testing.T, b []byte) {
		if bound, more := indicatesRenegotiation(b); bound && more {
			t.Error("known, and more wanted")
		}
		var whole, pieces records
		want, got := whole.finish(b), false
		for i := range b {
			got = got || pieces.finish(b[i:i+1])
		}
		if got != want {
			t.Errorf("octet by octet %v, at once %v", got, want)
		}
	})
}
