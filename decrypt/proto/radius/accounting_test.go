package radius

import (
	"net/netip"
	"slices"
	"testing"
)

// request returns an Accounting-Request.
func request(attributes ...string) []byte {
	b := append([]byte{4, 1, 0, 0}, make([]byte, 16)...)
	for _, a := range attributes {
		b = append(append(b, a[0], byte(len(a)+1)), a[1:]...)
	}
	b[3] = byte(len(b))
	return b
}

func TestParse(t *testing.T) {
	b := request("\x01yamada", "\x08\xc0\x00\x02\x09", "\x1f02-00-00-00-00-07", "\x28\x00\x00\x00\x01")
	want := Accounting{User: "yamada", Address: netip.MustParseAddr("192.0.2.9"), Station: "02-00-00-00-00-07"}
	if a, ok := Parse(b); !ok || a != want {
		t.Errorf("%+v", a)
	}
	if a, ok := Parse(request("\x01yamada", "\x28\x00\x00\x00\x02")); !ok || !a.Stop {
		t.Errorf("%+v", a)
	}
	for n := range b {
		if _, ok := Parse(b[:n]); ok {
			t.Errorf("%d octets are a request", n)
		}
	}
	if _, ok := Parse(slices.Concat(b, []byte{0})); ok {
		t.Error("an octet more is a request")
	}
}

func FuzzParse(f *testing.F) {
	f.Add(request("\x01yamada", "\x28\x00\x00\x00\x02"))
	f.Fuzz(func(_ *testing.T, b []byte) { Parse(b) })
}
