package web_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/clearspan/clearspan/appliance/service/web/adapt"
	"github.com/clearspan/clearspan/appliance/service/web/webtest"
	"github.com/clearspan/clearspan/decrypt"
)

// TestFaultyService has a service panic over a message: the session ends, and no
// goroutine of it is left.
func TestFaultyService(t *testing.T) {
	cfg := webtest.One(webtest.AdapterFunc(func(context.Context, *adapt.Message) (*adapt.Result, error) { panic("met a fault") }))
	var frames bytes.Buffer
	frames.WriteString(http2.ClientPreface)
	fr := http2.NewFramer(&frames, nil)
	fr.WriteSettings()
	var block bytes.Buffer
	enc := hpack.NewEncoder(&block)
	for _, f := range [][2]string{{":method", "GET"}, {":scheme", "https"}, {":authority", "a"}, {":path", "/"}} {
		enc.WriteField(hpack.HeaderField{Name: f[0], Value: f[1]})
	}
	fr.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block.Bytes(), EndHeaders: true, EndStream: true})
	for name, said := range map[string]string{"": "GET / HTTP/1.1\r\nHost: a\r\n\r\n", "h2": frames.String()} {
		t.Run(name, func(t *testing.T) {
			sc := webtest.Play(t, cfg, name)
			go io.Copy(io.Discard, sc.Origin)
			go io.WriteString(sc.Client, said)
			if got, err := io.ReadAll(sc.Client); err != webtest.ErrReset {
				t.Errorf("client got %q, %v", got, err)
			}
			var p *decrypt.Panic
			if err := sc.End(); !errors.As(err, &p) || p.Value != "met a fault" {
				t.Errorf("the session ended with %v", err)
			}
		})
	}
}
