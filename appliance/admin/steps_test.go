package admin

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestExemplars: who asks for OpenMetrics learns a session to each histogram.
func TestExemplars(t *testing.T) {
	m := NewMetrics("1.2.3")
	s, err := New(Config{Options: Options{Listen: "127.0.0.1:0"}, Metrics: m})
	if err != nil {
		t.Fatal(err)
	}
	go s.Serve()
	defer s.Close()
	m.Handshake("0123456789abcdef", "client", 3*time.Millisecond, true)
	for accept, want := range map[string]bool{"application/openmetrics-text; version=1.0.0": true, "text/plain": false} {
		r, err := http.NewRequest("GET", "http://"+s.Addr().String()+"/metrics", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Accept", accept)
		res, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(r)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(res.Body)
		res.Body.Close()
		if got := strings.Contains(string(body), `# {session="0123456789abcdef"} 0.003 `); got != want {
			t.Errorf("%s: an exemplar: %t, want %t", accept, got, want)
		}
		if !strings.Contains(string(body), `clearspan_session_step_seconds_bucket{step="first-octet",le="1e-06"} 0`) {
			t.Errorf("%s: no series of a step from the start", accept)
		}
	}
}
