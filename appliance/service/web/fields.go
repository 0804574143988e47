package web

import (
	"bytes"
	"net/http"
	"strconv"
	"strings"

	"golang.org/x/net/http2/hpack"
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
func checkFields(list []hpack.HeaderField, kind Kind) (f fields, word string) {
	f = fields{list: list, length: -1}
	seen := 0
	for i := range list {
		name, value := list[i].Name, list[i].Value
		if strings.HasPrefix(name, ":") {
			if seen != i || duplicated(list[:i], name) || !f.pseudo(name, value, kind) {
				return f, protocol
			}
			seen++
			continue
		}
		if word := f.field(name, value); word != "" {
			return f, word
		}
	}
	if kind == Response {
		if f.status < 100 || f.status == http.StatusSwitchingProtocols {
			return f, badStart
		}
		return f, ""
	}
	extended := f.tunnel && f.path != ""
	switch {
	case !isToken([]byte(f.method)), f.method == "CONNECT" && !f.tunnel,
		f.tunnel && !extended && (f.host == "" || f.scheme != ""),
		(!f.tunnel || extended) && (f.path == "" || f.scheme == ""):
		return f, badStart
	case f.tunnel && f.length >= 0 && !extended:
		return f, connectBody
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
func (f *fields) pseudo(name, value string, kind Kind) bool {
	if kind == Response {
		n, ok := parseLength([]byte(value))
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
		return badName
	case "te":
		if value != "trailers" {
			return badCoding
		}
	case "host":
		if f.host != "" && !strings.EqualFold(f.host, value) {
			return badHost
		}
		f.host = value
	case "content-length":
		n, ok := parseLength([]byte(value))
		switch {
		case !ok:
			return badLength
		case f.length >= 0:
			return duplicateLength
		}
		f.length = n
	case "content-type":
		f.media = string(mediaType([]byte(value)))
	default:
		if !isToken([]byte(name)) {
			return badName
		}
	}
	return ""
}

// checkTrailers is checkFields for trailers.
func checkTrailers(list []hpack.HeaderField) bool {
	for i := range list {
		switch name := list[i].Name; {
		case strings.HasPrefix(name, ":"), name == "content-length", name == "transfer-encoding", name == "host", !isToken([]byte(name)):
			return false
		}
	}
	return true
}

// header shows the message as a header block of HTTP/1.1.
func (f *fields) header(kind Kind) []byte {
	var p []byte
	if kind == Request {
		p = append(append(append(append(p, f.method...), ' '), f.path...), " HTTP/1.1\r\nHost: "...)
		p = append(append(p, f.host...), "\r\n"...)
	} else {
		p = append(strconv.AppendInt(append(p, "HTTP/1.1 "...), int64(f.status), 10), ' ')
		p = append(append(p, http.StatusText(f.status)...), "\r\n"...)
	}
	cookies := false
	for i := range f.list {
		name, value := f.list[i].Name, f.list[i].Value
		switch {
		case strings.HasPrefix(name, ":"), kind == Request && name == "host":
		case name == "cookie":
			if !cookies {
				cookies = true
				p = appendCookies(p, f.list[i:])
			}
		default:
			p = append(append(append(append(p, name...), ": "...), value...), "\r\n"...)
		}
	}
	return append(p, "\r\n"...)
}

// appendCookies writes those of list as one field (RFC 9113, Section 8.2.3).
func appendCookies(p []byte, list []hpack.HeaderField) []byte {
	p = append(p, "cookie: "...)
	separator := ""
	for i := range list {
		if list[i].Name == "cookie" {
			p = append(append(p, separator...), list[i].Value...)
			separator = "; "
		}
	}
	return append(p, "\r\n"...)
}

// fieldsOf reads a header block that a service made. scheme is that of the
// request in whose place it stands.
func fieldsOf(raw []byte, kind Kind, scheme string) (list []hpack.HeaderField, h head, word string) {
	h, word = parseLoosely(raw, kind)
	if word != "" {
		return nil, h, word
	}
	add := func(name, value string) { list = append(list, hpack.HeaderField{Name: name, Value: value}) }
	if kind == Request {
		line, _, _ := bytes.Cut(raw, []byte("\r\n"))
		target := string(bytes.Split(line, []byte(" "))[1])
		host := string(find(raw, "host"))
		if i := strings.Index(target, "://"); i > 0 {
			var path string
			host, path, _ = strings.Cut(target[i+3:], "/")
			target = "/" + path
		}
		if target == "" || target[0] != '/' && target != "*" {
			return nil, h, badStart
		}
		add(":method", string(h.method))
		add(":scheme", scheme)
		add(":authority", host)
		add(":path", target)
	} else {
		add(":status", strconv.Itoa(h.status))
	}
	length := false
	for line := range fieldLines(raw) {
		name, value, _ := splitField(line)
		switch lower := strings.ToLower(string(name)); lower {
		case "connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade":
		case "te":
			if equal(value, "trailers") {
				add(lower, "trailers")
			}
		case "host":
			if kind == Response {
				add(lower, string(value))
			}
		case "content-length":
			if _, ok := parseLength(value); ok && !length {
				length = true
				add(lower, string(value))
			}
		default:
			add(lower, string(value))
		}
	}
	return list, h, ""
}
