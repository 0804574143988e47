package h2_test

import (
	"bytes"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/clearspan/clearspan/appliance/service/web/webtest"
)

// FuzzSession has both ends say anything.
func FuzzSession(f *testing.F) {
	var up, down, block bytes.Buffer
	c := hpack.NewEncoder(&block)
	for _, h := range [][2]string{{":method", "POST"}, {":scheme", "http"}, {":authority", "a"}, {":path", "/"}} {
		c.WriteField(hpack.HeaderField{Name: h[0], Value: h[1]})
	}
	up.WriteString(http2.ClientPreface)
	w := http2.NewFramer(&up, nil)
	w.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 100})
	w.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block.Bytes(), EndHeaders: true})
	w.WriteData(1, true, []byte("content"))
	w.WriteWindowUpdate(0, 1<<20)
	w.WriteRSTStream(1, http2.ErrCodeCancel)
	w.WriteGoAway(0, http2.ErrCodeNo, nil)
	block.Reset()
	hpack.NewEncoder(&block).WriteField(hpack.HeaderField{Name: ":status", Value: "200"})
	w = http2.NewFramer(&down, nil)
	w.WriteSettings()
	w.WriteSettingsAck()
	w.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block.Bytes(), EndHeaders: true})
	w.WriteData(1, true, bytes.Repeat([]byte("x"), 300))
	f.Add(up.Bytes(), down.Bytes())
	f.Fuzz(func(t *testing.T, client, origin []byte) { webtest.Babble(t, "h2", client, origin) })
}
