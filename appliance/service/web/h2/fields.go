package h2

import (
	"net/http"
	"strings"

	"golang.org/x/net/http2/hpack"

	"github.com/clearspan/clearspan/appliance/service/web/adapt"
	"github.com/clearspan/clearspan/decrypt/proto/http1"
	"github.com/clearspan/clearspan/decrypt/proto/http2"
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
// well-formed (RFC 9113, Sections 8.1.1 to 8.3).
func checkFields(b *headerBlock, kind adapt.Kind) (f fields, ok bool) {
	f = fields{list: b.fields, length: -1}
	if !b.sound {
		return f, false
	}
	for i := range b.fields {
		name, value := b.fields[i].Name, b.fields[i].Value
		if strings.HasPrefix(name, ":") {
			ok = f.pseudo(name, value, kind)
		} else {
			ok = f.field(name, value)
		}
		if !ok {
			return f, false
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
	if !http1.Token([]byte(f.method)) || http2.Authority(f.list).Doubt.Doubtful() {
		return false
	}
	if f.tunnel && f.path == "" { // RFC 9113, Section 8.5
		return f.host != "" && f.scheme == "" && f.length < 0
	}
	return f.path != "" && f.scheme != ""
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
		if f.host == "" {
			f.host = value
		}
	case "content-length":
		n, ok := http1.ParseLength([]byte(value))
		if !ok || f.length >= 0 {
			return false
		}
		f.length = n
	case "content-type":
		media, _, _ := strings.Cut(value, ";")
		f.media = strings.Trim(media, " \t")
	}
	return true
}

// checkTrailers is checkFields for trailers.
func checkTrailers(b *headerBlock) bool {
	for i := range b.fields {
		switch name := b.fields[i].Name; {
		case strings.HasPrefix(name, ":"), name == "content-length", name == "transfer-encoding", name == "host":
			return false
		}
	}
	return b.sound
}
