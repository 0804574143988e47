package h2

import (
	"net/http"
	"strings"

	"golang.org/x/net/http2/hpack"

	"github.com/clearspan/clearspan/appliance/service/web/adapt"
)

// fields are those of one HTTP/2 message, checked.
type fields struct {
	list   []hpack.HeaderField
	method string
	path   string
	host   string // :authority, or Host
	named  bool   // :authority is there
	scheme string
	tunnel bool // CONNECT, extended or not
	status int
	length int64 // of content-length, -1 without
	media  string
}

// checkFields reads the fields of a message. word says why they are refused (RFC
// 9113, Sections 8.1.1 to 8.3). Octets of names and values were checked by the
// framer.
func checkFields(list []hpack.HeaderField, kind adapt.Kind) (f fields, word string) {
	f = fields{list: list, length: -1}
	seen := 0
	for i := range list {
		name, value := list[i].Name, list[i].Value
		if strings.HasPrefix(name, ":") {
			if seen != i || duplicated(list[:i], name) || !f.pseudo(name, value, kind) {
				return f, adapt.Protocol
			}
			seen++
			continue
		}
		if word := f.field(name, value); word != "" {
			return f, word
		}
	}
	if kind == adapt.Response {
		if f.status < 100 || f.status == http.StatusSwitchingProtocols {
			return f, adapt.BadStart
		}
		return f, ""
	}
	extended := f.tunnel && f.path != ""
	switch {
	case !adapt.IsToken([]byte(f.method)), f.method == "CONNECT" && !f.tunnel,
		f.tunnel && !extended && (f.host == "" || f.scheme != ""),
		(!f.tunnel || extended) && (f.path == "" || f.scheme == ""):
		return f, adapt.BadStart
	case f.tunnel && f.length >= 0 && !extended:
		return f, adapt.ConnectBody
	}
	return f, ""
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
		n, ok := adapt.ParseLength([]byte(value))
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
		f.host, f.named = value, true
		return !strings.ContainsAny(value, "/?#")
	case ":protocol":
	default:
		return false
	}
	return true
}

// field takes another field.
func (f *fields) field(name, value string) string {
	switch name {
	case "connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade":
		return adapt.BadName
	case "te":
		if value != "trailers" {
			return adapt.BadCoding
		}
	case "host":
		if f.host != "" && !strings.EqualFold(f.host, value) {
			return adapt.BadHost
		}
		f.host = value
	case "content-length":
		n, ok := adapt.ParseLength([]byte(value))
		switch {
		case !ok:
			return adapt.BadLength
		case f.length >= 0:
			return adapt.DuplicateLength
		}
		f.length = n
	case "content-type":
		f.media = string(adapt.MediaType([]byte(value)))
	default:
		if !adapt.IsToken([]byte(name)) {
			return adapt.BadName
		}
	}
	return ""
}

// checkTrailers is checkFields for trailers.
func checkTrailers(list []hpack.HeaderField) bool {
	for i := range list {
		switch name := list[i].Name; {
		case strings.HasPrefix(name, ":"), name == "content-length", name == "transfer-encoding", name == "host", !adapt.IsToken([]byte(name)):
			return false
		}
	}
	return true
}
