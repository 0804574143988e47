package web

import (
	"testing"

	"github.com/clearspan/clearspan/decrypt/proto/http2"
)

func TestRecognize(t *testing.T) {
	for _, tt := range []struct {
		octets string
		want   protocol
	}{
		{"", undecided},
		{"\r\n", undecided},
		{"GE", undecided},
		{"GET / ", speaksHTTP1},
		{"\r\n\nGET / HTTP/1.1\r\n", speaksHTTP1},
		{"A-B / HTTP/1.1\r\n", speaksHTTP1},
		{"GET  / HTTP/1.1\r\n", speaksHTTP1},
		{"GET / HTTP/7\r\n", speaksHTTP1},
		{"PRI", undecided},
		{"PRI * HTTP/2.0\r\n\r\nSM", undecided},
		{http2.Preface, speaksHTTP2},
		{"\r\n" + http2.Preface, speaksHTTP2},
		{"PRI / HTTP/1.1\r\n", speaksHTTP1},
		{"EHLO a.test\r\n", foreign},
		{"SSH-2.0-x\r\n", foreign},
		{"OPTIONS rtsp://a.test/ RTSP/1.0\r\n", foreign},
		{"\x16\x03\x01", foreign},
	} {
		if got := recognize([]byte(tt.octets)); got != tt.want {
			t.Errorf("%q: %d, want %d", tt.octets, got, tt.want)
		}
	}
}
