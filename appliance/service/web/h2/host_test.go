package h2_test

import (
	"bytes"
	"context"
	"testing"

	"golang.org/x/net/http2"

	"github.com/clearspan/clearspan/appliance/service/web/adapt"
	"github.com/clearspan/clearspan/appliance/service/web/webtest"
	"github.com/clearspan/clearspan/decrypt/proto/http1"
)

// TestHosts: what a service is told asks for the host that the policy sees.
func TestHosts(t *testing.T) {
	for _, tt := range []struct {
		name   string
		fields []string
		host   string
	}{
		{"authority", []string{":authority", "a.test:81"}, "a.test"},
		{"host alone", []string{"host", "a.test"}, "a.test"},
		{"both", []string{":authority", "a.test", "host", "A.test"}, "a.test"},
		{"IPv6", []string{":authority", "[2001:db8::1]:443"}, "2001:db8::1"},
		{"none", nil, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			told := make(chan []byte, 1)
			sc, client, origin := meet(t, webtest.One(webtest.AdapterFunc(func(_ context.Context, m *adapt.Message) (*adapt.Result, error) {
				if m.Kind == adapt.Request {
					told <- bytes.Clone(m.Request)
				}
				return webtest.Unmodified(m, nil), nil
			})))
			client.later(func() {
				client.header(1, true, append([]string{":method", "GET", ":scheme", "https", ":path", "/"}, tt.fields...)...)
			})
			next[*http2.MetaHeadersFrame](origin)
			head := <-told
			if h, more := http1.FindHost(head); string(h.Name) != tt.host || h.Doubt.Doubtful() || more {
				t.Errorf("told %q: %q, %v", head, h.Name, h.Doubt)
			}
			sc.Client.Abort()
			sc.End()
		})
	}
}
