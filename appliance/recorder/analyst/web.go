package analyst

import (
	"net/url"
	"strings"

	"github.com/clearspan/clearspan/appliance/dissect"
	"github.com/clearspan/clearspan/appliance/object"
	"github.com/clearspan/clearspan/appliance/object/join"
	"github.com/clearspan/clearspan/appliance/recorder/trail"
	"github.com/clearspan/clearspan/decrypt/proto"
)

// request begins an event of the web.
func (s *session) request(r *dissect.Request) {
	if r.Exchange == nil {
		return
	}
	e := s.event(trail.Request)
	e.messages = 2
	e.Method, e.Host = text(r.Method), text([]byte(r.Host.Name))
	e.URI = s.uri(e.Host, r)
	e.Agent, e.Referrer = text(r.Fields.Get("user-agent")), text(r.Fields.Get("referer"))
	e.about[proto.ClientToOrigin] = contentOf(&r.Fields)
	if e.Method != "GET" && e.Method != "HEAD" {
		e.about[proto.ClientToOrigin].Name = uploadName(e.Method, r)
	}
	e.part = join.Request(e.Method, e.Host, string(r.Target), func(name string) string { return string(r.Fields.Get(name)) })
	r.Tag = e
}

// uri returns the address of what a request asks for.
func (s *session) uri(host string, r *dissect.Request) string {
	target := text(r.Target)
	if !strings.HasPrefix(target, "/") && target != "*" {
		return target
	}
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	if port := text([]byte(r.Host.Port)); port != "" && port != "80" && port != "443" {
		host += ":" + port
	}
	scheme := "http://"
	if s.readNotes(); s.noted.decrypted {
		scheme = "https://"
	}
	return bound(scheme + host + target)
}

// answer adds the answer to its event.
func (s *session) answer(r *dissect.Answer) {
	e, ok := r.Tag.(*event)
	if !ok {
		return
	}
	e.Status = r.Status
	s.opened(r, e)
	c := contentOf(&r.Fields)
	e.Type, _, _ = strings.Cut(text([]byte(strings.ToLower(c.Type))), ";")
	if r.Status >= 200 && r.Status < 300 && e.Method == "GET" {
		c.Name = urlName(e.URI)
	}
	e.about[proto.OriginToClient] = c
	if r.Status == 206 {
		e.validator = join.Validator(func(name string) string { return string(r.Fields.Get(name)) })
	}
	e.part = join.Answer(e.part, e.Method, e.Host, target(e.URI), r.Status, func(name string) string { return string(r.Fields.Get(name)) })
}

// target returns what a request asked for, without the host.
func target(uri string) string {
	if _, rest, ok := strings.Cut(uri, "://"); ok && !strings.HasPrefix(uri, "/") {
		if at := strings.IndexByte(rest, '/'); at >= 0 {
			return rest[at:]
		}
	}
	return uri
}

// contentOf returns what the fields of a message say of its content.
func contentOf(f *dissect.Fields) object.Content {
	return object.Content{
		Type: string(f.Get("content-type")), Disposition: string(f.Get("content-disposition")), Codings: string(f.Get("content-encoding")),
	}
}

// nameFields are where clients name what they send, beside Content-Disposition.
var nameFields = [...]string{"x-file-name", "x-filename", "slug", "x-goog-upload-file-name", "x-ms-meta-filename"}

// uploadName returns the name of what a request sends, if it is said outside of the content.
func uploadName(method string, r *dissect.Request) string {
	for _, f := range nameFields {
		if v := r.Fields.Get(f); len(v) > 0 {
			return unescape(string(v))
		}
	}
	if n := queryName(string(r.Target)); n != "" {
		return n
	}
	if method == "PUT" || method == "PATCH" {
		return urlName(string(r.Target))
	}
	return ""
}

// urlName returns the last part of a path, decoded: the name under which a browser would
// save it.
func urlName(uri string) string {
	path, _, _ := strings.Cut(uri, "#")
	path, _, _ = strings.Cut(path, "?")
	if at := strings.Index(path, "://"); at >= 0 {
		_, path, _ = strings.Cut(path[at+3:], "/")
	}
	last := path[strings.LastIndexByte(path, '/')+1:]
	if n := queryName(uri); n != "" && !strings.Contains(last, ".") {
		return n
	}
	return unescape(last)
}

// queryName returns a file's name in the query, if there is one.
func queryName(uri string) string {
	_, query, ok := strings.Cut(uri, "?")
	if !ok {
		return ""
	}
	query, _, _ = strings.Cut(query, "#")
	for part := range strings.SplitSeq(query, "&") {
		key, value, _ := strings.Cut(part, "=")
		switch strings.ToLower(key) {
		case "name", "filename", "file_name", "file":
			if v := unescape(strings.ReplaceAll(value, "+", " ")); v != "" && strings.Contains(v, ".") {
				return v
			}
		}
	}
	return ""
}

// unescape takes percent-encoding off, where it is right.
func unescape(s string) string {
	if u, err := url.PathUnescape(s); err == nil {
		return u
	}
	return s
}
