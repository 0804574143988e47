package h2

import (
	"bytes"
	"net/http"
	"strconv"
	"strings"

	"golang.org/x/net/http2/hpack"

	"github.com/clearspan/clearspan/appliance/service/web/adapt"
)

// header shows the message as a header block of HTTP/1.1.
func (f *fields) header(kind adapt.Kind) []byte {
	var p []byte
	if kind == adapt.Request {
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
		case strings.HasPrefix(name, ":"), kind == adapt.Request && name == "host":
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
func fieldsOf(raw []byte, kind adapt.Kind, scheme string) (list []hpack.HeaderField, h adapt.Head, word string) {
	h, word = adapt.ParseLoosely(raw, kind)
	if word != "" {
		return nil, h, word
	}
	add := func(name, value string) { list = append(list, hpack.HeaderField{Name: name, Value: value}) }
	if kind == adapt.Request {
		line, _, _ := bytes.Cut(raw, []byte("\r\n"))
		target := string(bytes.Split(line, []byte(" "))[1])
		host := string(adapt.Find(raw, "host"))
		if i := strings.Index(target, "://"); i > 0 {
			var path string
			host, path, _ = strings.Cut(target[i+3:], "/")
			target = "/" + path
		}
		if target == "" || target[0] != '/' && target != "*" {
			return nil, h, adapt.BadStart
		}
		add(":method", string(h.Method))
		add(":scheme", scheme)
		add(":authority", host)
		add(":path", target)
	} else {
		add(":status", strconv.Itoa(h.Status))
	}
	length := false
	for line := range adapt.Fields(raw) {
		name, value, _ := adapt.SplitField(line)
		switch lower := strings.ToLower(string(name)); lower {
		case "connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade":
		case "te":
			if adapt.Equal(value, "trailers") {
				add(lower, "trailers")
			}
		case "host":
			if kind == adapt.Response {
				add(lower, string(value))
			}
		case "content-length":
			if _, ok := adapt.ParseLength(value); ok && !length {
				length = true
				add(lower, string(value))
			}
		default:
			add(lower, string(value))
		}
	}
	return list, h, ""
}
