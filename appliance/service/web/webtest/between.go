package webtest

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/clearspan/clearspan/appliance/service/web"
	"github.com/clearspan/clearspan/appliance/service/web/adapt"
)

// Unencrypted is HTTP/2 without TLS.
func Unencrypted() *http.Protocols {
	p := new(http.Protocols)
	p.SetUnencryptedHTTP2(true)
	return p
}

// Between returns a client of HTTP/2 whose requests reach handler through cfg.
func Between(t *testing.T, cfg adapt.Config, handler http.HandlerFunc) *http.Client {
	t.Helper()
	return BetweenBy(t, Unencrypted(), cfg, handler)
}

// BetweenBy is Between by any version of HTTP.
func BetweenBy(t *testing.T, by *http.Protocols, cfg adapt.Config, handler http.HandlerFunc) *http.Client {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: handler, Protocols: by}
	go s.Serve(l)
	t.Cleanup(func() { s.Close() })
	near, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := Serve(t, web.New(cfg), "", near, func() (net.Conn, error) { return net.Dial("tcp", l.Addr().String()) })
	tr := &http.Transport{Protocols: by, DisableCompression: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", r.Address)
	}}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: 60 * time.Second}
}

// Everywhere are the ways in which a message can go.
func Everywhere() map[string]adapt.Config {
	return map[string]adapt.Config{
		"relayed":   {},
		"requests":  {Services: []adapt.Service{{Name: "av", Adapter: Preview(100), Requests: true}}},
		"responses": {Services: []adapt.Service{{Name: "av", Adapter: Preview(100), Responses: true}}},
		"unread":    One(Preview(0)),
		"preview":   One(Preview(1024)),
		"whole":     One(Preview(1 << 30)),
		"streaming": One(Streaming()),
		"bypassed":  {Services: []adapt.Service{{Name: "av", Adapter: Preview(9), Requests: true, Responses: true, MaxBody: 1, Bypass: []string{"*"}}}},
		"fail open": {Replay: 1 << 30, Services: []adapt.Service{{Name: "av", Adapter: Failing(1 << 30), Requests: true, Responses: true, FailOpen: true}}},
		"three":     {Services: []adapt.Service{Both("a", Preview(10)), Both("b", Streaming()), Both("c", Preview(1<<30))}},
	}
}

// Echo answers with what it is sent.
func Echo(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Path", r.URL.Path)
	w.Header().Set("Trailer", "X-Sum")
	h := sha256.New()
	if n := r.ContentLength; n >= 0 && r.URL.Query().Has("length") {
		w.Header().Set("Content-Length", fmt.Sprint(n))
	}
	if n, err := io.Copy(io.MultiWriter(w, h), r.Body); err != nil {
		panic(fmt.Sprintf("after %d: %v", n, err))
	}
	w.Header().Set("X-Sum", fmt.Sprintf("%x", h.Sum(nil)))
}
