package admin

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/clearspan/clearspan/decrypt/learn"
	"github.com/clearspan/clearspan/decrypt/policy"
)

// lesson returns a table with one entry.
func lesson(t *testing.T) (*learn.Table, learn.Entry) {
	t.Helper()
	table := learn.New(learn.Options{ClientCertificate: learn.Tunnel, ClientCertificateFor: time.Hour}, learn.Config{})
	table.Learn(learn.ClientCertificate, &policy.Facts{
		Client: netip.MustParseAddrPort("192.0.2.1:1"), Origin: netip.MustParseAddrPort("192.0.2.2:443"), SNI: "www.example.test",
	}, policy.Decision{}, "requested")
	return table, table.List()[0]
}

func TestLearnedChanges(t *testing.T) {
	for _, tt := range []struct {
		name, method, host, body string
		header                   map[string]string
		status                   int
		kept, gone               bool
	}{
		{name: "keep", method: "POST", body: `{"kept":true}`, status: 200, kept: true},
		{name: "delete", method: "DELETE", status: 200, gone: true},
		{name: "our own page", method: "DELETE", header: map[string]string{"Sec-Fetch-Site": "same-origin"}, status: 200, gone: true},
		{name: "keep without the token", method: "POST", body: `{"kept":true}`, header: map[string]string{"Authorization": ""}, status: 401},
		{name: "delete without the token", method: "DELETE", header: map[string]string{"Authorization": ""}, status: 401},
		{name: "another token", method: "DELETE", header: map[string]string{"Authorization": "Bearer secrets"}, status: 401},
		{name: "empty token", method: "DELETE", header: map[string]string{"Authorization": "Bearer "}, status: 401},
		{name: "token as a password", method: "DELETE", header: map[string]string{"Authorization": "Basic c2VjcmV0"}, status: 401},
		{name: "form", method: "POST", body: `{"kept":true}`, header: map[string]string{"Content-Type": "text/plain"}, status: 415},
		{name: "no type", method: "DELETE", header: map[string]string{"Content-Type": ""}, status: 415},
		{name: "another page", method: "DELETE", header: map[string]string{"Sec-Fetch-Site": "cross-site"}, status: 403},
		{name: "another page, old browser", method: "POST", body: `{"kept":true}`, header: map[string]string{"Origin": "https://evil.test"}, status: 403},
		{name: "opaque origin", method: "POST", body: `{"kept":true}`, header: map[string]string{"Origin": "null"}, status: 403},
		{name: "rebinding", method: "DELETE", host: "evil.test", status: 403},
		{name: "rebinding, same origin", method: "DELETE", host: "evil.test", header: map[string]string{"Origin": "http://evil.test", "Sec-Fetch-Site": "same-origin"}, status: 403},
		{name: "read by a page's link", method: "GET", status: 405},
		{name: "no body", method: "POST", status: 400},
		{name: "another member", method: "POST", body: `{"kept":true,"x":1}`, status: 400},
		{name: "long body", method: "POST", body: strings.Repeat(" ", 10_000) + `{"kept":true}`, status: 400},
	} {
		t.Run(tt.name, func(t *testing.T) {
			table, e := lesson(t)
			mux := http.NewServeMux()
			learned{table, "secret"}.register(mux)
			server := httptest.NewServer(mux)
			defer server.Close()
			r, err := http.NewRequest(tt.method, server.URL+"/api/learned/"+e.ID, strings.NewReader(tt.body))
			if err != nil {
				t.Fatal(err)
			}
			r.Host = tt.host
			r.Header.Set("Content-Type", "application/json")
			r.Header.Set("Authorization", "Bearer secret")
			for k, v := range tt.header {
				r.Header.Set(k, v)
			}
			res, err := server.Client().Do(r)
			if err != nil {
				t.Fatal(err)
			}
			res.Body.Close()
			list := table.List()
			if res.StatusCode != tt.status || (len(list) == 0) != tt.gone || len(list) == 1 && list[0].Kept != tt.kept {
				t.Errorf("%s, %+v", res.Status, list)
			}
		})
	}
}

// TestLearnedFromElsewhere: what does not come over the loopback interface
// changes nothing.
func TestLearnedFromElsewhere(t *testing.T) {
	table, e := lesson(t)
	mux := http.NewServeMux()
	learned{table, "secret"}.register(mux)
	r := httptest.NewRequest("DELETE", "/api/learned/"+e.ID, nil)
	r.Host = "192.0.2.1:8090"
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer secret")
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, r)
	if w.Code != http.StatusForbidden || len(table.List()) != 1 {
		t.Errorf("%d", w.Code)
	}
}

func TestLearnedListAndMetrics(t *testing.T) {
	table, e := lesson(t)
	metrics := NewMetrics("test")
	if err := metrics.Learned(table.Stats); err != nil {
		t.Fatal(err)
	}
	s, err := New(Config{Options: Options{Listen: "127.0.0.1:0"}, Metrics: metrics, Learned: table})
	if err != nil {
		t.Fatal(err)
	}
	go s.Serve()
	defer s.Close()
	for path, want := range map[string][]string{
		"/api/learned": {fmt.Sprintf(`{"entries":[{"id":%q,"lesson":"client-certificate","client":"","host":"www.example.test"`, e.ID), `"destinations":["192.0.2.2:443"]`},
		"/metrics":     {`clearspan_learned_entries{lesson="client-certificate"} 1`, `clearspan_lessons_total{lesson="pinned"} 0`, "clearspan_learned_forgotten_total 0"},
	} {
		res, err := http.Get("http://" + s.Addr().String() + path)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(res.Body)
		res.Body.Close()
		for _, w := range want {
			if !strings.Contains(string(body), w) {
				t.Errorf("%s: no %s in %.2000s", path, w, body)
			}
		}
	}
}
