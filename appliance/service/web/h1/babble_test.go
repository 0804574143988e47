package h1_test

import (
	"testing"

	"github.com/clearspan/clearspan/appliance/service/web/h1"
	"github.com/clearspan/clearspan/appliance/service/web/webtest"
)

// FuzzSession has both ends say anything.
func FuzzSession(f *testing.F) {
	for _, s := range h1.RequestSeeds {
		f.Add([]byte(s), []byte("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"))
	}
	f.Fuzz(func(t *testing.T, client, origin []byte) { webtest.Babble(t, "", client, origin) })
}
