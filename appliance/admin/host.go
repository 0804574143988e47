package admin

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// guardHost refuses requests that reach a loopback address under a name that is
// not the machine's own: DNS rebinding, by which a web page makes a browser on
// this machine talk to us. Other addresses are reachable without such a detour,
// and may have any name.
func guardHost(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		local, _ := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
		if isLoopback(local) && !ownHost(r.Host) {
			answer(w, http.StatusForbidden, "this host name is not served here")
			return
		}
		next.ServeHTTP(w, r)
	})
}

func isLoopback(a net.Addr) bool {
	tcp, ok := a.(*net.TCPAddr)
	return ok && tcp.IP.IsLoopback()
}

// ownHost reports whether a Host header is an IP address or localhost, with or
// without a port: names that nobody else can point here (RFC 6761, Section 6.3).
func ownHost(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	if _, err := netip.ParseAddr(host); err == nil {
		return true
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	return host == "localhost" || strings.HasSuffix(host, ".localhost")
}
