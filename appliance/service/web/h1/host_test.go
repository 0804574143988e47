package h1_test

import (
	"bytes"
	"context"
	"io"
	"testing"
	"time"

	"github.com/clearspan/clearspan/appliance/service/web/adapt"
	"github.com/clearspan/clearspan/appliance/service/web/webtest"
	"github.com/clearspan/clearspan/decrypt/proto/http1"
	"github.com/clearspan/clearspan/decrypt/proto/http1/http1test"
)

// TestHosts: what a service is told, and what the origin gets, asks for the host that
// the policy sees. Else the request is refused.
func TestHosts(t *testing.T) {
	for _, tt := range http1test.Hosts {
		t.Run(tt.Name, func(t *testing.T) {
			var told []byte
			cfg := webtest.One(webtest.AdapterFunc(func(_ context.Context, m *adapt.Message) (*adapt.Result, error) {
				if m.Kind == adapt.Request {
					told = bytes.Clone(m.Request)
				}
				return webtest.Unmodified(m, nil), nil
			}))
			cfg.Linger = time.Millisecond
			sc := webtest.Play(t, cfg, "")
			go webtest.Say(sc.Client, []byte(tt.Head), nil)
			go io.Copy(io.Discard, sc.Client)
			if tt.Refused {
				got, _ := io.ReadAll(sc.Origin)
				if err := sc.End(); webtest.ReasonOf(err) == "" || told != nil || len(got) > 0 {
					t.Errorf("ended with %v, service told %q, origin got %q", err, told, got)
				}
				return
			}
			got := make([]byte, len(tt.Head))
			if _, err := io.ReadFull(sc.Origin, got); err != nil {
				t.Fatal(err)
			}
			sc.Client.Abort()
			sc.Origin.Abort()
			sc.End()
			for reader, head := range map[string][]byte{"service": told, "origin": got} {
				h, more := http1.FindHost(head)
				if string(h.Name) != tt.Host || string(h.Port) != tt.Port || h.Doubt != tt.Doubt || more {
					t.Errorf("%s: %q, port %q, %v of %q, want %q, %q, %v", reader, h.Name, h.Port, h.Doubt, head, tt.Host, tt.Port, tt.Doubt)
				}
			}
		})
	}
}
