package intake

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
)

// TestPages asks a proxy for a page of its own, in every way there is.
func TestPages(t *testing.T) {
	r := new(recorder)
	o := r.options("proxy")
	o.Resolver = names{"own.internal": {netip.MustParseAddr("127.0.0.1")}}
	o.Pages = map[string]http.Handler{"own.internal": http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s %s %q %q", r.Method, r.RequestURI, r.URL.Host, r.Host)
	})}
	o.SecurePage = func(conn net.Conn, host string) { fmt.Fprintf(conn, "TLS of %s", host) }
	i, err := NewExplicit(Explicit{Listen: "127.0.0.1:0"}, o)
	proxy := serve(t, i, err)
	for _, row := range []struct{ name, request, want string }{
		{"page", "GET http://own.internal/a?b=c HTTP/1.1\r\nHost: own.internal\r\nConnection: close\r\n\r\n", `GET /a?b=c "" "own.internal"`},
		{"capitals and port", "GET http://OWN.internal.:80 HTTP/1.1\r\nHost: own.internal\r\nConnection: close\r\n\r\n", `GET / "" "OWN.internal.:80"`},
		{"another port", "GET http://own.internal:8090/ HTTP/1.1\r\nHost: own.internal\r\nConnection: close\r\n\r\n", "403 Forbidden"},
		{"CONNECT", "CONNECT own.internal:443 HTTP/1.1\r\n\r\n", "\r\n\r\nTLS of own.internal"},
		{"CONNECT to another port", "CONNECT own.internal:8443 HTTP/1.1\r\n\r\n", "403 Forbidden"},
		{"SOCKS", socksFor("own.internal", 80), "\x05\x00\x05\x02"},
	} {
		conn, read := dialTest(t, proxy)
		io.WriteString(conn, row.request)
		answer, err := io.ReadAll(read)
		if err != nil || !strings.Contains(string(answer), row.want) {
			t.Errorf("%s: %q, %v", row.name, answer, err)
		}
	}
	if n := len(r.seen()); n > 0 {
		t.Errorf("%d sessions", n)
	}
}
