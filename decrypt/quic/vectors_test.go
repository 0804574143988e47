package quic

import (
	"bytes"
	"encoding/hex"
	"net/netip"
	"strings"
	"testing"

	"github.com/clearspan/clearspan/hack/quicclient"
)

// The client's Initial of RFC 9001, Appendix A.2, and RFC 9369, Appendix A.2.
const (
	vectorID     = "8394c8f03e515708"
	vectorFrames = "060040f1010000ed0303ebf8fa56f12939b9584a3896472ec40bb863cfd3e86804fe3a47f06a2b69484c00000413011302010000c000000010000e00000b6578616d706c652e636f6dff01000100000a00080006001d0017001800100007000504616c706e000500050100000000003300260024001d00209370b2c9caa47fbabaf4559fedba753de171fa71f50f1ce15d43e994ec74d748002b0003020304000d0010000e0403050306030203080408050806002d00020101001c00024001003900320408ffffffffffffffff05048000ffff07048000ffff0801100104800075300901100f088394c8f03e51570806048000ffff"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// vector returns the packet of an appendix, made by the independent builder: its
// header, first octets and tag are those of the appendix.
func vector(t testing.TB, version uint32) []byte {
	frames := make([]byte, 1162)
	copy(frames, unhex(t, vectorFrames))
	p := quicclient.Packet{Version: version, Destination: unhex(t, vectorID), Number: 2, Frames: frames}
	b := p.Seal()
	head, tag := "c000000001088394c8f03e5157080000449e7b9aec34d1b1c98dd7689fb8ec11d242b123dc9b", "e221af44860018ab0856972e194cd934"
	if version == Version2 {
		head, tag = "d76b3343cf088394c8f03e5157080000449ea0c95e82ffe67b6abcdb4298b485dd04de806071", "a18b2faa745b6fe189cf772a9f84cbfc"
	}
	if text := hex.EncodeToString(b); len(b) != 1200 || !strings.HasPrefix(text, head) || !strings.HasSuffix(text, tag) {
		t.Fatalf("version %#x: packet of %d octets\n%s", version, len(b), text)
	}
	return b
}

func TestKeys(t *testing.T) {
	for _, tt := range []struct {
		name    string
		version uint32
		end     string
		secret  string // first octets of key, IV and header protection key
	}{
		{"client, RFC 9001, A.1", Version1, clientEnd, "fa044b2f42a3fd3b46fb255c"},
		{"server, RFC 9001, A.1", Version1, serverEnd, "0ac1493ca1905853b0bba03e"},
		{"client, RFC 9369, A.1", Version2, clientEnd, "91f73e2351d8fa91660e909f"},
		{"server, RFC 9369, A.1", Version2, serverEnd, "dd13c276499c0249d3310652"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			k := newKeys(tt.version, unhex(t, vectorID), tt.end)
			if got := hex.EncodeToString(k.iv[:]); got != tt.secret {
				t.Errorf("IV %s, want %s", got, tt.secret)
			}
		})
	}
	mask := make([]byte, 16)
	newKeys(Version1, unhex(t, vectorID), clientEnd).mask.Encrypt(mask, unhex(t, "d1b1c98dd7689fb8ec11d242b123dc9b"))
	if got := hex.EncodeToString(mask[:5]); got != "437b9aec36" {
		t.Errorf("mask %s", got)
	}
}

func TestVectors(t *testing.T) {
	for _, version := range []uint32{Version1, Version2} {
		b := vector(t, version)
		h, state := readHeader(b)
		if state != Whole || h.version != version || h.kind != kindInitial || h.end != len(b) || h.number != 18 {
			t.Fatalf("header %+v, %v", h, state)
		}
		var o opener
		frames, number, ok := o.open(newKeys(version, h.destination, clientEnd), b, h.number, -1)
		if want := unhex(t, vectorFrames); !ok || number != 2 || !bytes.HasPrefix(frames, want) || len(frames) != 1162 {
			t.Errorf("version %#x: packet %d, %v, %x", version, number, ok, frames)
		}
		var got []Result
		p := NewPeek(Config{Judge: func(r *Result) Verdict { got = append(got, *r); return Pass }})
		if v := p.Datagram(netip.MustParseAddrPort("192.0.2.2:50000"), netip.MustParseAddrPort("192.0.2.1:443"), b); v != Pass {
			t.Errorf("verdict %v", v)
		}
		if len(got) != 1 || got[0].State != Whole || got[0].Version != version || got[0].Hello.ServerName != "example.com" || got[0].Hello.ALPN[0] != "alpn" {
			t.Errorf("results %+v", got)
		}
	}
}

// TestFullNumber has the example of RFC 9000, Appendix A.3.
func TestFullNumber(t *testing.T) {
	for _, tt := range []struct {
		largest, truncated int64
		length             int
		want               int64
	}{
		{0xa82f30ea, 0x9b32, 2, 0xa82f9b32}, {-1, 0, 1, 0}, {-1, 1, 1, 1}, {1, 0, 1, 0}, {254, 3, 1, 259}, {300, 255, 1, 255},
	} {
		if got := fullNumber(tt.largest, tt.truncated, tt.length); got != tt.want {
			t.Errorf("after %d: %d in %d octets is %d, want %d", tt.largest, tt.truncated, tt.length, got, tt.want)
		}
	}
}
