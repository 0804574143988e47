package join

import (
	"encoding/base64"
	"net/url"
	"strconv"
	"strings"
)

// Part is what a request, or its answer, is to a file that comes in parts. It lasts as long
// as its exchange.
type Part struct {
	way      way
	key      key
	at, size uint64
	total    uint64
	label    string
	last     bool   // no part follows
	name     string // that the request told
	location string // that the answer told
	failed   bool   // the server did not take it
}

// way is how a file comes in parts.
type way uint8

const (
	announces way = iota // an upload, of which parts may follow at the location of the answer
	ranged               // a part at an offset
	labelled             // a part with a number or a name
	lists                // the order of labelled parts
	drops                // the upload is given up
)

// Text reports whether the table wants to see the octets of the request's content, as far
// as the caller keeps them.
func (p *Part) Text() bool { return p != nil && (p.way == announces || p.way == lists) }

// AnswerText reports whether it wants to see those of the answer's content.
func (p *Part) AnswerText() bool { return p != nil && p.way == announces }

// Piece reports whether a content is a part, or the list of parts, and no file of its own.
func (p *Part) Piece(received bool) bool {
	return p != nil && (p.way == ranged || p.way == labelled || p.way == lists) && p.key.received == received
}

// Request reads the head of a request; get returns the first field of a name, in lower
// case. It returns nil if there is nothing to join.
func Request(method, host, target string, get func(string) string) *Part {
	path, query, _ := strings.Cut(target, "?")
	switch method {
	case "GET", "HEAD", "OPTIONS", "CONNECT":
		return nil
	}
	p := &Part{key: key{host: host, target: target}}
	values, _ := url.ParseQuery(query)
	switch {
	case values.Has("uploadId"): // S3
		p.key.target, p.key.id = path, values.Get("uploadId")
		p.name = last(path)
		switch {
		case method == "PUT" && values.Has("partNumber"):
			p.way, p.label = labelled, values.Get("partNumber")
		case method == "POST":
			p.way = lists
		case method == "DELETE":
			p.way = drops
		default:
			return nil
		}
		return p
	case method == "PUT" && values.Get("comp") == "block" && values.Has("blockid"): // Azure
		p.key.target, p.way, p.label, p.name = path, labelled, values.Get("blockid"), last(path)
		return p
	case method == "PUT" && values.Get("comp") == "blocklist":
		p.key.target, p.way, p.name = path, lists, last(path)
		return p
	case method == "PATCH" && values.Has("position") && values.Has("action"): // Azure Data Lake
		p.key.target, p.way, p.name = path, ranged, last(path)
		p.at, _ = strconv.ParseUint(values.Get("position"), 10, 63)
		if values.Get("action") == "flush" {
			p.last, p.total = true, p.at
		}
		return p
	}
	return p.byFields(method, path, get)
}

// byFields reads the ways that are told by fields.
func (p *Part) byFields(method, path string, get func(string) string) *Part {
	if at, end, total, ok := contentRange(get("content-range")); ok {
		p.way, p.at, p.size, p.total = ranged, at, end-at+1, total
		if method == "PUT" {
			p.name = last(path)
		}
		return p
	}
	if offset := get("upload-offset"); offset != "" && method == "PATCH" { // tus
		p.way = ranged
		p.at, _ = strconv.ParseUint(offset, 10, 63)
		return p
	}
	command := strings.ToLower(get("x-goog-upload-command"))
	if strings.Contains(command, "upload") || command == "finalize" {
		p.way, p.last = ranged, strings.Contains(command, "finalize")
		p.at, _ = strconv.ParseUint(get("x-goog-upload-offset"), 10, 63)
		return p
	}
	announced := get("upload-length") != "" || get("upload-metadata") != "" || command != "" || strings.HasSuffix(path, ":/createUploadSession")
	if !announced && !strings.Contains(get("content-type"), "json") || method != "POST" && method != "PUT" {
		return nil
	}
	p.way = announces
	p.total, _ = strconv.ParseUint(get("upload-length"), 10, 63)
	for _, f := range [...]string{"x-upload-content-length", "x-goog-upload-header-content-length"} {
		if n, err := strconv.ParseUint(get(f), 10, 63); err == nil {
			p.total = n
		}
	}
	if p.name = tusName(get("upload-metadata")); p.name == "" {
		p.name = graphName(path)
	}
	return p
}

// tusName returns the name in the metadata of tus.
func tusName(metadata string) string {
	for pair := range strings.SplitSeq(metadata, ",") {
		key, value, _ := strings.Cut(strings.TrimSpace(pair), " ")
		if key == "filename" || key == "name" {
			if b, err := base64.StdEncoding.DecodeString(value); err == nil {
				return string(b)
			}
		}
	}
	return ""
}

// graphName returns the name in a path of Microsoft Graph, such as
// /drive/root:/a/b.docx:/createUploadSession.
func graphName(path string) string {
	rest, ok := strings.CutSuffix(path, ":/createUploadSession")
	if !ok {
		return ""
	}
	return last(rest)
}

// last returns the last part of a path, decoded.
func last(path string) string {
	path = path[strings.LastIndexByte(path, '/')+1:]
	if u, err := url.PathUnescape(path); err == nil {
		return u
	}
	return path
}

// contentRange reads Content-Range. The total is 0 if it is not told.
func contentRange(value string) (at, end, total uint64, ok bool) {
	rest, ok := strings.CutPrefix(strings.ToLower(strings.TrimSpace(value)), "bytes")
	if !ok {
		return 0, 0, 0, false
	}
	from, all, _ := strings.Cut(strings.TrimLeft(rest, " ="), "/")
	low, high, ok := strings.Cut(from, "-")
	if !ok {
		return 0, 0, 0, false
	}
	at, err := strconv.ParseUint(strings.TrimSpace(low), 10, 62)
	if err != nil {
		return 0, 0, 0, false
	}
	if end, err = strconv.ParseUint(strings.TrimSpace(high), 10, 62); err != nil || end < at {
		return 0, 0, 0, false
	}
	total, _ = strconv.ParseUint(strings.TrimSpace(all), 10, 62)
	return at, end, total, total == 0 || total > end
}

// Named tells a name that the caller has found for the whole of which this is a part.
func (p *Part) Named(name string) {
	if name != "" {
		p.name = name
	}
}

// Validator returns what tells two versions of a file apart, by the fields of an answer.
func Validator(get func(string) string) string {
	if tag := get("etag"); tag != "" {
		return tag
	}
	return get("last-modified")
}

// Ranged returns what an answer, or a part of one, is that has a Content-Range; nil if that
// cannot be read.
func Ranged(host, target, validator, contentRangeField string) *Part {
	at, end, total, ok := contentRange(contentRangeField)
	if !ok {
		return nil
	}
	return &Part{way: ranged, key: key{host, target, validator + " " + strconv.FormatUint(total, 10), true}, at: at, size: end - at + 1, total: total}
}

// Answer reads the head of the answer to a request. p is what the request was; what it
// returns replaces it.
func Answer(p *Part, method, host, target string, status int, get func(string) string) *Part {
	if status == 206 && method == "GET" {
		if one := Ranged(host, target, Validator(get), get("content-range")); one != nil {
			return one
		}
		return p // its parts have a range each
	}
	if p == nil {
		return nil
	}
	p.failed = status >= 400 || status == 0
	if p.way == announces {
		if p.location = get("location"); p.location == "" {
			p.location = get("x-goog-upload-url")
		}
	}
	return p
}
