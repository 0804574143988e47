package dissect_test

import (
	"strings"
	"testing"

	"github.com/clearspan/clearspan/decrypt/proto"
)

// ntlmAuthenticate and ntlmWithin are AUTHENTICATE_MESSAGEs of NTLM, the second within a token
// of SPNEGO. ntlmNegotiate is what comes before.
const (
	ntlmAuthenticate = "TlRMTVNTUAADAAAAAAAAAEgAAAAAAAAASAAAAAgACABIAAAABAAEAFAAAAAAAAAASAAAAAAAAABIAAAAAQAAAAAAAAAAAAAAQwBPAFIAUABxXDB1"
	ntlmWithin       = "YAVOVExNU1NQAAMAAAAAAAAASAAAAAAAAABIAAAAAAAAAEgAAAADAAMASAAAAAAAAABIAAAAAAAAAEgAAAAAAAAAAAAAAAAAAABib2I="
	ntlmNegotiate    = "TlRMTVNTUAABAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
)

func TestWebLogins(t *testing.T) {
	ask := func(fields ...string) step {
		return up("GET / HTTP/1.1\r\nHost: h\r\n" + strings.Join(fields, "\r\n") + "\r\n\r\n")
	}
	says := func(status string) step {
		return down("HTTP/1.1 " + status + "\r\nContent-Length: 0\r\n\r\n")
	}
	for _, tt := range []struct {
		name  string
		want  string
		steps []step
	}{
		{"Basic", "login Basic alice refused\nlogin Basic alice granted\nlogin Basic bob granted\n", []step{
			ask("Authorization: Basic YWxpY2U6eA=="), says("401 No"), ask("authorization:basic  YWxpY2U6c2VjcmV0"), says("200 OK"), ask("Authorization: Basic YWxpY2U6c2VjcmV0"), says("404 No"), ask("Authorization: Basic Ym9iOng="), says("200 OK")}},
		{"a proxy", "login Basic alice refused\nlogin Basic bob granted\nlogin Basic alice granted\n", []step{
			ask("Proxy-Authorization: Basic YWxpY2U6eA=="), says("407 No"), ask("Proxy-Authorization: Basic YWxpY2U6eA==", "Authorization: Basic Ym9iOng="), says("200 OK")}},
		{"Digest", "login Digest a\"b, c granted\nlogin Digest Jäsøn Doe granted\n", []step{
			ask(`Authorization: Digest realm="x, username=y", username="a\"b, c", uri="/"`), says("200 OK"), ask(`Authorization: Digest username*=UTF-8''J%C3%A4s%C3%B8n%20Doe, realm=x`), says("200 OK")}},
		{"NTLM", "login NTLM CORP\\山田 granted\nlogin Negotiate bob granted\n", []step{
			ask("Authorization: NTLM " + ntlmNegotiate), says("401 No"), ask("Authorization: NTLM " + ntlmAuthenticate), says("200 OK"), ask("Authorization: Negotiate " + ntlmWithin), says("200 OK")}},
		{"none", "", []step{ask("Authorization: Bearer abc"), says("200 OK"), ask("Authorization: Basic !!"), says("200 OK"), ask("Authorization: Negotiate YII="), says("200 OK"), ask("Authorization: Digest username"), says("200 OK"), ask("Authorization: Basic YWxpY2U6eA==")}},
		{"HTTP/2", "login Basic alice granted\n", newWire().headers(proto.ClientToOrigin, 1, true, ":method", "GET", ":path", "/", "authorization", "Basic YWxpY2U6eA==").headers(proto.OriginToClient, 1, true, ":status", "200").steps},
		{"mail", "login NTLM CORP\\山田 granted\nlogin DIGEST-MD5 bob refused\n", []step{down("220 ESMTP\r\n"), up("EHLO x\r\n"), down("250 x\r\n"), up("AUTH NTLM " + ntlmNegotiate + "\r\n"), down("334 x\r\n"), up(ntlmAuthenticate + "\r\n"), down("235 ok\r\n"),
			up("AUTH DIGEST-MD5\r\n"), down("334 x\r\n"), up("dXNlcm5hbWU9ImJvYiIscmVhbG09Ingi\r\n"), down("535 no\r\n")}},
	} {
		for _, piece := range []int{0, 1, 7} {
			got := ""
			for line := range strings.Lines(play(piece, tt.steps...)) {
				if strings.HasPrefix(line, "login") {
					got += line
				}
			}
			if got != tt.want {
				t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
			}
		}
	}
}
