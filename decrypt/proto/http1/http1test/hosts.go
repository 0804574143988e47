// Package http1test has heads on which readers of HTTP/1 have disagreed, for tests of
// all packages that read them.
package http1test

import (
	"strings"

	"github.com/clearspan/clearspan/decrypt/proto/http1"
)

// HostCase is the head of a request, and the host that every reader must see in it.
type HostCase struct {
	Name string
	Head string // whole
	Host string // without port and brackets; "" unless Doubt is Certain
	Port string
	// Doubt is what the policy, the audit and the services get beside the host. A
	// doubtful host meets each rule that terminates, and a strict reader refuses the
	// head.
	Doubt http1.Doubt
	// Refused reports that a strict reader refuses the head, for the host or another
	// reason.
	Refused bool
}

// Hosts are the cases.
var Hosts = []HostCase{
	{"plain", get("Host: a.test"), "a.test", "", http1.Certain, false},
	{"lower-case name", get("host: a.test"), "a.test", "", http1.Certain, false},
	{"upper-case name", get("HOST: a.test"), "a.test", "", http1.Certain, false},
	{"upper-case host", get("Host: WWW.A.TEST"), "WWW.A.TEST", "", http1.Certain, false},
	{"no blank", get("Host:a.test"), "a.test", "", http1.Certain, false},
	{"tabs and blanks", get("Host: \t a.test\t "), "a.test", "", http1.Certain, false},
	{"trailing dot", get("Host: a.test."), "a.test.", "", http1.Certain, false},
	{"port", get("Host: a.test:8080"), "a.test", "8080", http1.Certain, false},
	{"empty port", get("Host: a.test:"), "a.test", "", http1.Certain, false},
	{"IPv4", get("Host: 192.0.2.1:80"), "192.0.2.1", "80", http1.Certain, false},
	{"IPv6", get("Host: [2001:db8::1]"), "2001:db8::1", "", http1.Certain, false},
	{"IPv6 and port", get("Host: [2001:db8::1]:8080"), "2001:db8::1", "8080", http1.Certain, false},
	{"UTF-8", get("Host: bücher.test"), "bücher.test", "", http1.Certain, false},
	{"behind other fields", get("X: y", "Host: a.test", "Z: y"), "a.test", "", http1.Certain, false},
	{"absolute form", request("GET http://a.test/x", "Host: a.test"), "a.test", "", http1.Certain, false},
	{"absolute form, another Host", request("GET http://a.test:81/x", "Host: b.test"), "a.test", "81", http1.Certain, false},
	{"absolute form, no path", request("GET HTTP://a.test?x", "Host: a.test"), "a.test", "", http1.Certain, false},
	{"absolute form, user information", request("GET http://b.test@a.test/", "Host: a.test"), "a.test", "", http1.Certain, false},
	{"absolute form, another scheme", request("GET ftp://a.test/", "Host: b.test"), "a.test", "", http1.Certain, false},
	{"CONNECT", request("CONNECT a.test:443", "Host: b.test"), "a.test", "443", http1.Certain, false},
	{"asterisk form", request("OPTIONS *", "Host: a.test"), "a.test", "", http1.Certain, false},
	{"method of no RFC", request("A-B /", "Host: a.test"), "a.test", "", http1.Certain, false},
	{"longest host", get("Host: " + strings.Repeat("a", 255)), strings.Repeat("a", 255), "", http1.Certain, false},
	{"folded field that is no Host", get("X: y", " z", "Host: a.test"), "a.test", "", http1.Certain, true},
	{"two equal", get("Host: a.test", "Host: A.test"), "A.test", "", http1.Certain, true},
	{"bare LF", "GET / HTTP/1.1\nHost: a.test\n\n", "a.test", "", http1.Certain, true},
	{"two blanks", request("GET  /", "Host: a.test"), "a.test", "", http1.Certain, true},
	{"tab in the request line", "GET\t/ HTTP/1.1\r\nHost: a.test\r\n\r\n", "a.test", "", http1.Certain, true},
	{"HTTP/1.2", "GET / HTTP/1.2\r\nHost: a.test\r\n\r\n", "a.test", "", http1.Certain, true},
	{"host of the content", "GET / HTTP/1.1\r\n\r\nHost: b.test\r\n\r\n", "", "", http1.NoHost, true},

	{"HTTP/1.0 without", "GET / HTTP/1.0\r\n\r\n", "", "", http1.NoHost, false},
	{"HTTP/1.1 without", get("X: y"), "", "", http1.NoHost, true},
	{"empty", get("Host:"), "", "", http1.NoHost, false},
	{"name that ends in host", get("X-Host: b.test"), "", "", http1.NoHost, true},

	{"two that differ", get("Host: a.test", "Host: b.test"), "", "", http1.HostsDiffer, true},
	{"two that differ in the port", get("Host: a.test", "Host: a.test:80"), "", "", http1.HostsDiffer, true},
	{"empty, then another", get("Host:", "Host: a.test"), "", "", http1.HostsDiffer, true},
	{"absolute form, two that differ", request("GET http://a.test/", "Host: a.test", "Host: b.test"), "", "", http1.HostsDiffer, true},
	{"blank before the colon", get("Host : a.test"), "", "", http1.HostSpaced, true},
	{"tab before the colon", get("Host\t: a.test"), "", "", http1.HostSpaced, true},
	{"folded behind", get("Host: a.test", " b.test"), "", "", http1.HostFolded, true},
	{"folded, empty before", get("Host:", " a.test"), "", "", http1.HostFolded, true},
	{"first field folded", get(" Host: a.test", "X: y"), "", "", http1.HostFolded, true},
	{"in a folded line", get("X: y", " Host: b.test", "Host: a.test"), "", "", http1.HostFolded, true},
	{"bare CR", get("Host: a.test\rHost: b.test"), "", "", http1.HostCR, true},
	{"bare CR in another field", get("X: y\rHost: b.test", "Host: a.test"), "", "", http1.HostCR, true},
	{"NUL", get("Host: a.test\x00.b.test"), "", "", http1.HostOctet, true},
	{"blank within", get("Host: a.test b.test"), "", "", http1.HostOctet, true},
	{"list", get("Host: a.test, b.test"), "", "", http1.HostOctet, true},
	{"user information", get("Host: b.test@a.test"), "", "", http1.HostOctet, true},
	{"path", get("Host: a.test/x"), "", "", http1.HostOctet, true},
	{"encoded", get("Host: a%2etest"), "", "", http1.HostOctet, true},
	{"port alone", get("Host: :80"), "", "", http1.HostOctet, true},
	{"port of letters", get("Host: a.test:http"), "", "", http1.HostPort, true},
	{"port too long", get("Host: a.test:000080"), "", "", http1.HostPort, true},
	{"two ports", get("Host: a.test:80:81"), "", "", http1.HostPort, true},
	{"bracket open", get("Host: [::1"), "", "", http1.HostBracket, true},
	{"name in brackets", get("Host: [a.test]"), "", "", http1.HostBracket, true},
	{"zone in brackets", get("Host: [fe80::1%25eth0]"), "", "", http1.HostBracket, true},
	{"octets behind the bracket", get("Host: [::1]b.test"), "", "", http1.HostPort, true},
	{"too long", get("Host: " + strings.Repeat("a", 256)), "", "", http1.HostLength, true},
	{"target of no form", request("GET a.test", "Host: b.test"), "", "", http1.HostTarget, true},
	{"absolute form, no authority", request("GET http:///x", "Host: b.test"), "", "", http1.HostTarget, true},
}

func get(fields ...string) string { return request("GET /", fields...) }

func request(line string, fields ...string) string {
	return line + " HTTP/1.1\r\n" + strings.Join(fields, "\r\n") + "\r\n\r\n"
}
