package h2

import (
	"bytes"
	"net/http"
	"strconv"
	"strings"

	"golang.org/x/net/http2/hpack"

	"github.com/clearspan/clearspan/appliance/service/web/adapt"
	"github.com/clearspan/clearspan/decrypt/proto/http1"
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

// fieldsOf reads a header block that a service made, and reports whether it can be
// sent. scheme is that of the request in whose place it stands. length is that of the
// content, -1 if the block does not tell.
func fieldsOf(raw []byte, kind adapt.Kind, scheme string) (list []hpack.HeaderField, length int64, ok bool) {
	h, ok := adapt.ParseHead(raw, kind)
	if !ok {
		return nil, -1, false
	}
	section := http1.Section(raw)
	if kind == adapt.Request {
		line := bytes.TrimSuffix(raw[:len(raw)-len(section)], []byte("\r\n"))
		if list, ok = requestFields(line, section, scheme); !ok {
			return nil, -1, false
		}
	} else {
		list = []hpack.HeaderField{{Name: ":status", Value: strconv.Itoa(h.Status)}}
	}
	measured := false
	for f := range http1.Fields(section) {
		name, value := strings.ToLower(string(f.Name)), string(f.Value)
		switch name {
		case "connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade":
			continue
		case "te":
			if !strings.EqualFold(value, "trailers") {
				continue
			}
			value = "trailers"
		case "host":
			if kind == adapt.Request {
				continue
			}
		case "content-length":
			if _, ok := http1.ParseLength(f.Value); !ok || measured {
				continue
			}
			measured = true
		}
		list = append(list, hpack.HeaderField{Name: name, Value: value})
	}
	return list, h.Length, true
}

// requestFields returns the pseudo-header fields of a request of HTTP/1 (RFC 9113,
// Section 8.3.1). It reports whether there are such.
func requestFields(line, section []byte, scheme string) (list []hpack.HeaderField, ok bool) {
	r, _ := http1.ParseRequestLine(line, http1.Strict)
	host, path := string(http1.Find(section, "host")), string(r.Target)
	switch r.Form {
	case http1.OriginForm, http1.AsteriskForm:
	case http1.AbsoluteForm:
		host, path = string(r.Authority), string(r.Path)
		if !strings.HasPrefix(path, "/") {
			path = "/" + path
		}
	default:
		return nil, false
	}
	return []hpack.HeaderField{
		{Name: ":method", Value: string(r.Method)},
		{Name: ":scheme", Value: scheme},
		{Name: ":authority", Value: host},
		{Name: ":path", Value: path},
	}, true
}
