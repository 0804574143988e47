package http2

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"golang.org/x/net/http2"

	"github.com/clearspan/clearspan/mirror/mirrortest"
)

// tsharkFields returns the values of one field in the frames that have it.
func tsharkFields(t *testing.T, path, field string) []string {
	t.Helper()
	return strings.Fields(mirrortest.Tool(t, "", "tshark", "-n", "-r", path, "-Y", field, "-T", "fields", "-e", field))
}

// TestTsharkReads has tshark read exchanges of every kind.
func TestTsharkReads(t *testing.T) {
	w := newWire()
	post := []string{":method", "POST", ":scheme", "https", ":authority", "a.test", ":path", "/say"}
	w.get(1, "/plain.txt").headers(down, 1, false, ":status", "200", "content-type", "text/plain", "content-length", "5")
	w.get(3, "/chunked.txt").headers(down, 3, false, ":status", "103", "link", "</a>").headers(down, 3, false, ":status", "200", "content-type", "text/plain")
	w.data(down, 3, false, "chunked ").data(down, 1, true, "plain").data(down, 3, false, "content").headers(down, 3, true, "sum", "15")
	w.headers(up, 5, false, ":method", "CONNECT", ":protocol", "websocket", ":scheme", "https", ":authority", "a.test", ":path", "/chat", "sec-websocket-version", "13")
	w.headers(down, 5, false, ":status", "200").data(up, 5, false, "\x81\x85\x00\x00\x00\x00hello").data(down, 5, false, "\x81\x05HELLO").data(down, 5, true, "\x88\x00").data(up, 5, true, "\x88\x80\x00\x00\x00\x00")
	block := w.encode(down, ":method", "GET", ":scheme", "https", ":authority", "a.test", ":path", "/pushed.txt")
	w.get(7, "/empty").frames(down, func(f *http2.Framer) {
		f.WritePushPromise(http2.PushPromiseParam{StreamID: 7, PromiseID: 2, BlockFragment: block, EndHeaders: true})
	})
	w.headers(down, 7, true, ":status", "204").headers(down, 2, false, ":status", "200", "content-type", "text/plain").data(down, 2, true, "pushed")
	w.headers(up, 9, false, append(post, "content-type", "application/grpc", "te", "trailers")...).data(up, 9, true, "\x00\x00\x00\x00\x04\x0a\x02hi")
	w.headers(down, 9, false, ":status", "200", "content-type", "application/grpc").data(down, 9, false, "\x00\x00\x00\x00\x04\x0a\x02ho").headers(down, 9, true, "grpc-status", "0")
	w.get(11, "/cancelled").headers(down, 11, false, ":status", "200").data(down, 11, false, "some").rst(up, 11)
	w.headers(up, 13, true, ":method", "HEAD", ":scheme", "https", ":authority", "a.test", ":path", "/head").headers(down, 13, true, ":status", "200", "content-length", "9")
	r := check(t, w)

	path := mirrortest.WritePcap(t, r.recorder.Frames())
	for _, complaint := range mirrortest.TsharkComplaints(t, path) {
		t.Errorf("tshark objects: %s", complaint)
	}
	for field, want := range map[string][]string{
		"http.request.uri":   {"/plain.txt", "/chunked.txt", "/chat", "/empty", "/pushed.txt", "/say", "/cancelled", "/head"},
		"http.response.code": {"103", "200", "200", "101", "204", "200", "200", "200"},
		"websocket.opcode":   {"1", "1", "8", "8"},
	} {
		if diff := cmp.Diff(want, tsharkFields(t, path, field)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", field, diff)
		}
	}
	dir := t.TempDir()
	mirrortest.Tool(t, "", "tshark", "-n", "-q", "-r", path, "--export-objects", "http,"+dir)
	for name, want := range map[string]string{"plain.txt": "plain", "chunked.txt": "chunked content", "pushed.txt": "pushed", "say": "\x00\x00\x00\x00\x04\x0a\x02hi"} {
		if got, err := os.ReadFile(filepath.Join(dir, name)); err != nil || string(got) != want {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}
