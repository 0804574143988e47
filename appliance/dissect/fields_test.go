package dissect_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/clearspan/clearspan/appliance/dissect"
	"github.com/clearspan/clearspan/decrypt/proto"
)

// TestFields: all fields of a message are there, in their order.
func TestFields(t *testing.T) {
	for name, steps := range map[string][]step{
		"HTTP/1": {up("GET / HTTP/1.1\r\nCookie: a=1\r\nVia:x\r\ncookie: b=2\r\n\r\n")},
		"HTTP/2": newWire().headers(proto.ClientToOrigin, 1, true, "cookie", "a=1", "via", "x", "cookie", "b=2").steps,
	} {
		var all, cookies []string
		feed(dissect.New(sinkFunc(func(e dissect.Event) {
			if r, ok := e.(*dissect.Request); ok {
				for n, value := range r.Fields.All() {
					all = append(all, fmt.Sprintf("%s=%s", n, value))
				}
				for value := range r.Fields.Values("cookie") {
					cookies = append(cookies, string(value))
				}
			}
		}), nil), 0, steps...)
		if got := strings.Join(all, " ") + ", " + strings.Join(cookies, " "); got != "cookie=a=1 via=x cookie=b=2, a=1 b=2" {
			t.Errorf("%s: %s", name, got)
		}
	}
}
