package facts

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/clearspan/clearspan/decrypt/proto"
)

// FuzzSession: whatever two ends say, nothing breaks, what is kept is bounded, and
// it does not depend on where their octets were cut.
func FuzzSession(f *testing.F) {
	f.Add([]byte("GET /a HTTP/1.1\r\nHost: h\r\n\r\n"), []byte("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n"), false, byte(3))
	f.Add([]byte("EHLO x\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nBDAT 12 LAST\r\nSubject: x\r\n"), []byte("220 x ESMTP\r\n250 ok\r\n"), true, byte(5))
	w := newWire().get(1, "/").headers(proto.OriginToClient, 1, false, ":status", "200").data(proto.OriginToClient, 1, true, "hello", 2)
	var both [2][]byte
	for _, st := range w.steps {
		both[st.dir] = append(both[st.dir], st.text...)
	}
	f.Add(both[proto.ClientToOrigin], both[proto.OriginToClient], false, byte(7))
	f.Fuzz(func(t *testing.T, client, origin []byte, originFirst bool, cut byte) {
		steps := []step{up(string(client)), down(string(origin))}
		if originFirst {
			steps[0], steps[1] = steps[1], steps[0]
		}
		whole := read(Options{}, 0, steps...)
		if len(whole.HTTP) > maxKept || len(whole.Mail) > maxKept {
			t.Errorf("%d exchanges, %d messages kept", len(whole.HTTP), len(whole.Mail))
		}
		for _, x := range whole.HTTP {
			if len(x.Path) > maxPath+2 || len(x.Host) > maxHost+2 {
				t.Errorf("%d octets of path, %d of host", len(x.Path), len(x.Host))
			}
		}
		if originFirst && !bytes.HasPrefix(origin, []byte("220")) {
			return // an answer before its request
		}
		if len(client) > 512 || len(origin) > 512 {
			return // a protocol may be told from more octets at once
		}
		if diff := cmp.Diff(whole, read(Options{}, int(cut)+1, steps...)); diff != "" {
			t.Errorf("in pieces of %d (-whole +cut):\n%s", int(cut)+1, diff)
		}
	})
}
