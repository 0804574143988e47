package http2

import (
	"slices"
	"strconv"
	"strings"

	"golang.org/x/net/http2/hpack"
)

// prefix is that of fields which would mean something else in HTTP/1.1.
const prefix = "x-http2-"

// writer writes the header of one message. Whatever it is given, it writes
// nothing that a reader of HTTP/1.1 takes for more or less than one line.
type writer struct {
	text     []byte
	pseudos  []string // names of the pseudo-header fields that the first line tells
	host     *string  // shown already; nil for a message that needs none
	replaced uint64   // see Report.Replaced
	sized    bool     // a content-length was shown
	size     uint64   // what it said
}

var (
	ofRequest  = []string{":method", ":scheme", ":authority", ":path", ":protocol"}
	ofResponse = []string{":status"}
)

// fields writes all fields that the first line does not tell. sizable says that
// a content-length may be shown.
func (w *writer) fields(list []hpack.HeaderField, sizable bool) {
	cookies := false
	var seen [8]bool
	for i := range list {
		name, value := list[i].Name, list[i].Value
		switch {
		case strings.HasPrefix(name, ":"):
			if at := slices.Index(w.pseudos, name); at >= 0 && !seen[at] {
				seen[at] = true
			} else {
				w.renamed(name[1:], value)
			}
		case strings.EqualFold(name, "cookie"):
			if !cookies {
				cookies = true
				w.cookies(list[i:])
			}
		case w.host != nil && strings.EqualFold(name, "host"):
			if value != *w.host {
				w.renamed(name, value)
			}
		case strings.EqualFold(name, "content-length"):
			size, ok := parseLength(value)
			if sizable && ok && !w.sized {
				w.sized, w.size = true, size
				w.field(name, value)
			} else {
				w.renamed(name, value)
			}
		case foreign(name):
			w.renamed(name, value)
		default:
			w.field(name, value)
		}
	}
}

// content writes the fields of a message with content, and how it is framed.
func (w *writer) content(h *half, list []hpack.HeaderField) {
	announced := false // trailers, which need the chunked coding
	for i := range list {
		announced = announced || strings.EqualFold(list[i].Name, "trailer")
	}
	if w.fields(list, !announced); w.sized {
		h.framing, h.left = length, w.size
		return
	}
	h.framing = chunked
	w.field("transfer-encoding", "chunked")
}

// upgrade writes the fields of an upgrade, if st asked for one. key is that of a
// WebSocket, in the field keyName.
func (w *writer) upgrade(st *stream, key, keyName string) {
	if st.protocol == "" {
		return
	}
	w.field("connection", "Upgrade")
	w.text = append(w.text, "upgrade: "...)
	w.token(st.protocol, "MALFORMED")
	w.text = append(w.text, "\r\n"...)
	if st.protocol == "websocket" {
		w.field(keyName, key)
	}
}

// cookies writes those of list as one field (RFC 9113, Section 8.2.3).
func (w *writer) cookies(list []hpack.HeaderField) {
	w.text = append(w.text, "cookie: "...)
	joined := false
	for i := range list {
		if !strings.EqualFold(list[i].Name, "cookie") {
			continue
		}
		if joined {
			w.text = append(w.text, "; "...)
		}
		joined = true
		w.value(list[i].Value)
	}
	w.text = append(w.text, "\r\n"...)
}

// renamed writes a field that would mislead under its own name.
func (w *writer) renamed(name, value string) {
	w.replaced++
	w.text = append(w.text, prefix...)
	w.field(name, value)
}

// field writes one line.
func (w *writer) field(name, value string) {
	w.token(name, "_")
	w.text = append(w.text, ": "...)
	w.value(value)
	w.text = append(w.text, "\r\n"...)
}

// value writes v without CR, LF and NUL (RFC 9110, Section 5.5).
func (w *writer) value(v string) {
	start := len(w.text)
	w.text = append(w.text, v...)
	changed := false
	for i, c := range w.text[start:] {
		if c == '\r' || c == '\n' || c == 0 {
			w.text[start+i], changed = ' ', true
		}
	}
	if changed {
		w.replaced++
	}
}

// token writes v with "_" for what no token may hold (RFC 9110, Section 5.6.2),
// instead if it is empty.
func (w *writer) token(v, instead string) {
	if v == "" {
		v = instead
		w.replaced++
	}
	start := len(w.text)
	w.text = append(w.text, v...)
	changed := false
	for i, c := range w.text[start:] {
		if !tokenOctets[c] {
			w.text[start+i], changed = '_', true
		}
	}
	if changed {
		w.replaced++
	}
}

// target writes v with its controls and spaces percent-encoded, instead if it
// is empty.
func (w *writer) target(v, instead string) {
	if v == "" {
		v = instead
		w.replaced++
	}
	changed := false
	for i := range len(v) {
		if c := v[i]; c <= ' ' || c == 0x7f {
			const digits = "0123456789ABCDEF"
			w.text = append(w.text, '%', digits[c>>4], digits[c&15])
			changed = true
			continue
		}
		w.text = append(w.text, v[i])
	}
	if changed {
		w.replaced++
	}
}

var tokenOctets = func() (t [256]bool) {
	for _, c := range []byte("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") {
		t[c] = true
	}
	return t
}()

// foreign tells that a field belongs to the connection in HTTP/1.1 (RFC 9113,
// Section 8.2.2), or is one that the rendering adds itself.
func foreign(name string) bool {
	for _, f := range [...]string{
		"connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade",
		"sec-websocket-key", "sec-websocket-accept",
	} {
		if strings.EqualFold(name, f) {
			return true
		}
	}
	return false
}

// parseLength reads a content-length: digits alone.
func parseLength(v string) (uint64, bool) {
	if v == "" || len(v) > 18 || strings.Trim(v, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.ParseUint(v, 10, 64)
	return n, err == nil
}
