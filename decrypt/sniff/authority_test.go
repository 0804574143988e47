package sniff

import (
	"bytes"
	"strings"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// opening is the beginning of a client's HTTP/2 connection whose first request has
// the given fields, in blocks of at most size octets.
func opening(tb testing.TB, size int, padding uint8, fields ...string) []byte {
	tb.Helper()
	var block, out bytes.Buffer
	e := hpack.NewEncoder(&block)
	for i := 0; i < len(fields); i += 2 {
		if err := e.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]}); err != nil {
			tb.Fatal(err)
		}
	}
	out.WriteString(http2.ClientPreface)
	f := http2.NewFramer(&out, nil)
	f.WriteSettings(http2.Setting{ID: http2.SettingMaxFrameSize, Val: 1 << 14})
	f.WriteWindowUpdate(0, 1<<20)
	first := block.Next(size)
	f.WriteHeaders(http2.HeadersFrameParam{
		StreamID: 1, BlockFragment: first, EndStream: true, EndHeaders: block.Len() == 0, PadLength: padding,
		Priority: http2.PriorityParam{Weight: 255, Exclusive: padding > 0},
	})
	for block.Len() > 0 {
		p := block.Next(size)
		f.WriteContinuation(1, block.Len() == 0, p)
	}
	return out.Bytes()
}

func TestAuthority(t *testing.T) {
	long := strings.Repeat("x", 3000)
	for _, tt := range []struct {
		name  string
		in    []byte
		want  string
		doubt bool
	}{
		{"authority", opening(t, 1<<14, 0, ":method", "GET", ":authority", "www.example.test:8443", ":path", "/"), "www.example.test", false},
		{"padding, priority and many frames", opening(t, 7, 9, ":method", "GET", ":path", "/"+long, "cookie", long, ":authority", "www.example.test"), "www.example.test", false},
		{"host alone", opening(t, 1<<14, 0, ":method", "GET", "host", "a.test"), "a.test", false},
		{"both agree", opening(t, 1<<14, 0, ":authority", "a.test", "host", "a.test"), "a.test", false},
		{"both agree but for capitals", opening(t, 1<<14, 0, ":authority", "a.test", "host", "A.test"), "a.test", false},
		{"both differ", opening(t, 1<<14, 0, ":authority", "a.test", "host", "b.test"), "", true},
		{"two authorities", opening(t, 1<<14, 0, ":authority", "a.test", ":authority", "b.test"), "", true},
		{"none", opening(t, 1<<14, 0, ":method", "GET"), "", false},
		{"no host", opening(t, 1<<14, 0, ":authority", "a test"), "", true},
		{"an address", opening(t, 1<<14, 0, ":authority", "[2001:db8::1]:443"), "2001:db8::1", false},
		{"frames with faults before it", append([]byte(http2.ClientPreface+"\x00\x00\x00\x04\x00\x00\x00\x00\x01"+"\x00\x00\x01\x03\x00\x00\x00\x00\x01x"),
			opening(t, 1<<14, 0, ":authority", "a.test")[len(http2.ClientPreface):]...), "a.test", false},
		{"broken block", append([]byte(http2.ClientPreface), 0, 0, 1, 1, 4, 0, 0, 0, 1, 0xff), "", false},
		{"padding beyond the frame", append([]byte(http2.ClientPreface), 0, 0, 1, 1, 4|8, 0, 0, 0, 1, 9), "", false},
		{"continuation of nothing", append([]byte(http2.ClientPreface), 0, 0, 1, 9, 4, 0, 0, 0, 1, 0x82), "", false},
		{"HTTP/1", []byte("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n"), "", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			host, doubt, more := Authority(tt.in)
			if host != tt.want || doubt != tt.doubt || more {
				t.Errorf("%q, %v, %v", host, doubt, more)
			}
			if tt.want == "" {
				return
			}
			for n := range tt.in {
				if host, doubt, more := Authority(tt.in[:n]); !more && (host != tt.want || doubt) || more && !doubt {
					t.Fatalf("of %d octets: %q, %v, %v", n, host, doubt, more)
				}
			}
		})
	}
	never := append([]byte(http2.ClientPreface), bytes.Repeat([]byte{0, 0, 0, 4, 0, 0, 0, 0, 0}, hostLimit/9+1)...)
	if host, doubt, more := Authority(never); host != "" || !doubt || more {
		t.Errorf("waits for a request behind %d octets, or is certain", len(never))
	}
}

func FuzzAuthority(f *testing.F) {
	f.Add(opening(f, 1<<14, 0, ":method", "GET", ":authority", "a.test"), 40)
	f.Add(opening(f, 3, 5, ":authority", "a.test", "host", "a.test"), 60)
	for _, s := range seeds {
		f.Add([]byte(s), 9)
	}
	f.Fuzz(func(t *testing.T, b []byte, cut int) {
		host, doubt, more := Authority(b)
		if host != "" && (doubt || more) || more && !doubt || more && len(b) >= hostLimit {
			t.Fatalf("%q, %v, %v after %d octets", host, doubt, more, len(b))
		}
		if h, doubt2, more2 := Authority(b[:max(0, min(cut, len(b)))]); !more2 && (h != host || doubt2 != doubt) {
			t.Fatalf("%q, %v after %d octets, %q, %v after %d", h, doubt2, cut, host, doubt, len(b))
		}
	})
}
