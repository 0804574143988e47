package h2

import (
	"net/http"
	"strings"

	"golang.org/x/net/http2/hpack"

	"github.com/clearspan/clearspan/appliance/service/web/adapt"
	"github.com/clearspan/clearspan/decrypt/proto/http1"
)

// fields are those of one message, checked.
type fields struct {
	list   []hpack.HeaderField
	method string
	path   string
	host   string // :authority, or Host
	scheme string
	tunnel bool // CONNECT, extended or not
	status int
	length int64 // of content-length, -1 without
	media  string
}

// checkFields reads the fields of a message, and reports whether they are
// well-formed (RFC 9113, Sections 8.1.1 to 8.3). The framer has checked the octets
// of names and values.
func checkFields(list []hpack.HeaderField, kind adapt.Kind) (f fields, ok bool) {
	f = fields{list: list, length: -1}
	seen := 0
	for i := range list {
		name, value := list[i].Name, list[i].Value
		switch {
		case !strings.HasPrefix(name, ":"):
			if !f.field(name, value) {
				return f, false
			}
		case seen != i, duplicated(list[:i], name), !f.pseudo(name, value, kind):
			return f, false
		default:
			seen++
		}
	}
	if kind == adapt.Response {
		return f, f.status >= 100 && f.status != http.StatusSwitchingProtocols
	}
	return f, f.request()
}

// request reports whether a request has the pseudo-header fields that it needs, and
// asks for one host.
func (f *fields) request() bool {
	if !http1.Token([]byte(f.method)) || http1.ParseHost([]byte(f.host)).Doubt.Doubtful() {
		return false
	}
	if f.tunnel && f.path == "" { // RFC 9113, Section 8.5
		return f.host != "" && f.scheme == "" && f.length < 0
	}
	return f.path != "" && f.scheme != ""
}

func duplicated(list []hpack.HeaderField, name string) bool {
	for i := range list {
		if list[i].Name == name {
			return true
		}
	}
	return false
}

// pseudo takes a pseudo-header field.
func (f *fields) pseudo(name, value string, kind adapt.Kind) bool {
	if kind == adapt.Response {
		n, ok := http1.ParseLength([]byte(value))
		f.status = int(n)
		return name == ":status" && len(value) == 3 && ok
	}
	for i := range len(value) { // a target has neither spaces nor controls
		if value[i] <= ' ' || value[i] == 0x7f {
			return false
		}
	}
	switch name {
	case ":method":
		f.method, f.tunnel = value, value == "CONNECT"
	case ":scheme":
		f.scheme = value
	case ":path":
		f.path = value
		return strings.HasPrefix(value, "/") || value == "*"
	case ":authority":
		f.host = value
	case ":protocol":
	default:
		return false
	}
	return true
}

// field takes another field.
func (f *fields) field(name, value string) bool {
	switch name {
	case "connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade":
		return false
	case "te":
		return value == "trailers"
	case "host":
		if f.host != "" && !strings.EqualFold(f.host, value) {
			return false
		}
		f.host = value
	case "content-length":
		n, ok := http1.ParseLength([]byte(value))
		if !ok || f.length >= 0 {
			return false
		}
		f.length = n
	case "content-type":
		media, _, _ := strings.Cut(value, ";")
		f.media = strings.Trim(media, " \t")
	default:
		return http1.Token([]byte(name))
	}
	return true
}

// checkTrailers is checkFields for trailers.
func checkTrailers(list []hpack.HeaderField) bool {
	for i := range list {
		switch name := list[i].Name; {
		case strings.HasPrefix(name, ":"), name == "content-length", name == "transfer-encoding", name == "host", !http1.Token([]byte(name)):
			return false
		}
	}
	return true
}
