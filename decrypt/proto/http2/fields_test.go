package http2

import (
	"errors"
	"strings"
	"testing"

	"golang.org/x/net/http2/hpack"

	"github.com/clearspan/clearspan/decrypt/proto"
	"github.com/clearspan/clearspan/decrypt/proto/http1"
)

// list makes fields of names and values.
func list(fields ...string) (out []hpack.HeaderField) {
	for i := 0; i < len(fields); i += 2 {
		out = append(out, hpack.HeaderField{Name: fields[i], Value: fields[i+1]})
	}
	return out
}

func TestAuthority(t *testing.T) {
	for _, tt := range []struct {
		name   string
		fields []hpack.HeaderField
		host   string
		doubt  http1.Doubt
	}{
		{"authority", list(":method", "GET", ":authority", "www.example.test:8443"), "www.example.test", http1.Certain},
		{"host alone", list("host", "a.test"), "a.test", http1.Certain},
		{"empty authority", list(":authority", "", "host", "a.test"), "a.test", http1.Certain},
		{"both agree", list(":authority", "a.test", "host", "A.test"), "a.test", http1.Certain},
		{"both differ", list(":authority", "a.test", "host", "b.test"), "", http1.HostsDiffer},
		{"ports differ", list(":authority", "a.test", "host", "a.test:1"), "", http1.HostsDiffer},
		{"two authorities", list(":authority", "a.test", ":authority", "b.test"), "", http1.HostsDiffer},
		{"two hosts", list("host", "a.test", "host", "b.test"), "", http1.HostsDiffer},
		{"none", list(":method", "GET"), "", http1.NoHost},
		{"no host", list(":authority", "a test"), "", http1.HostOctet},
		{"user information", list(":authority", "user@a.test"), "", http1.HostOctet},
		{"an address", list(":authority", "[2001:db8::1]:443"), "2001:db8::1", http1.Certain},
	} {
		if h := Authority(tt.fields); string(h.Name) != tt.host || h.Doubt != tt.doubt {
			t.Errorf("%s: %q, %v, want %q, %v", tt.name, h.Name, h.Doubt, tt.host, tt.doubt)
		}
	}
}

func TestCheckFields(t *testing.T) {
	for _, tt := range []struct {
		name   string
		fields []hpack.HeaderField
		want   string
	}{
		{"request", list(":method", "GET", ":scheme", "https", ":authority", "a", ":path", "/", ":protocol", "websocket", "x", "a\tb \xff"), ""},
		{"response", list(":status", "200", "x", ""), ""},
		{"trailers", list("x", "y"), ""},
		{"capital", list("X", "y"), badName},
		{"no name", list("", "y"), badName},
		{"colon in a name", list("x:y", "z"), badName},
		{"NUL", list("x", "\x00"), badValue},
		{"line end", list("x", "a\nb"), badValue},
		{"line end in a path", list(":path", "a\rb"), badValue},
		{"unknown", list(":x", "y"), badPseudo},
		{"twice", list(":path", "/", ":path", "/"), twicePseudo},
		{"behind", list(":path", "/", "x", "y", ":method", "GET"), badOrder},
		{"mixed", list(":path", "/", ":status", "200"), mixedPseudo},
	} {
		f := Frame{Header: Header{Stream: 7}}
		err := f.CheckFields(tt.fields)
		var fault *Fault
		if errors.As(err, &fault) != (tt.want != "") {
			t.Errorf("%s: %v", tt.name, err)
		} else if fault != nil && *fault != (Fault{ProtocolError, 7, tt.want, true}) {
			t.Errorf("%s: %+v", tt.name, fault)
		}
	}
}

// TestDecoder: a block beyond the limit is cut, and the table stands.
func TestDecoder(t *testing.T) {
	d, r := NewDecoder(200), NewReader(proto.OriginToClient, Strict, Limits{})
	readAll(t, r, settings, 100)
	decode := func(block string) ([]hpack.HeaderField, int, error) {
		f, _, err := r.Next([]byte(frame(Headers, EndHeaders, 1, block)))
		if err != nil {
			t.Fatal(err)
		}
		return d.Decode(nil, f)
	}
	const stored = "\x40\x01x\x01y" // into the table
	if fields, size, err := decode(stored); len(fields) != 1 || size != 34 || err != nil {
		t.Errorf("%v, %d, %v", fields, size, err)
	}
	if fields, size, err := decode(strings.Repeat("\xbe", 9)); len(fields) != 5 || size <= 200 || err != nil {
		t.Errorf("beyond the limit: %v, %d, %v", fields, size, err)
	}
	if fields, _, err := decode("\xbe"); len(fields) != 1 || err != nil {
		t.Errorf("behind it: %v, %v", fields, err)
	}
	d.AllowTable(8192)
	d.AllowTable(0) // perhaps not obeyed yet
	if _, _, err := decode("\x3f\xe1\x3f"); err != nil {
		t.Errorf("table of 8192 octets: %v", err)
	}
	if _, _, err := decode("\x3f\xe2\x3f"); err == nil {
		t.Error("table beyond what was allowed")
	}
}
