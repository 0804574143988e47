package http1

import "testing"

func TestAmbiguous(t *testing.T) {
	for _, tt := range []struct {
		name, fields string
		want         bool
	}{
		{"nothing", "", false},
		{"length", "Content-Length: 3\r\n", false},
		{"bare LF", "Content-Length: 3\n", false},
		{"chunks", "Transfer-Encoding: chunked\r\n", false},
		{"both", "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n", true},
		{"two lengths", "Content-Length: 3\r\nContent-Length: 3\r\n", true},
		{"list of lengths", "Content-Length: 3, 3\r\n", true},
		{"blank before the colon", "Transfer-Encoding : chunked\r\n", true},
		{"folded", "X: y\r\n Transfer-Encoding: chunked\r\n", true},
		{"two codings", "Transfer-Encoding: gzip, chunked\r\n", true},
		{"underscore", "Content_Length: 3\r\n", true},
	} {
		r, fault := ParseRequest([]byte("GET / HTTP/1.1\r\nHost: h\r\n"+tt.fields+"\r\n"), Loose, nil)
		if got := r.Ambiguous(); fault != Sound || got != tt.want {
			t.Errorf("%s: %t, %v", tt.name, got, fault)
		}
	}
	if r, _ := ParseRequest([]byte("GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"), Loose, nil); !r.Ambiguous() {
		t.Error("chunks of HTTP/1.0 are read alike")
	}
}
