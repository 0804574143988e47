package http2

import (
	"crypto/sha1"
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"

	"golang.org/x/net/http2/hpack"

	"github.com/clearspan/clearspan/mirror"
)

// renderer writes messages of HTTP/1.1 into conversations.
type renderer struct {
	account *account
	text    []byte   // of a header
	scratch [24]byte // of a chunk's frame
}

// request shows a request (RFC 9113, Section 8.3.1). end tells that it has no content.
func (r *renderer) request(st *stream, fields []hpack.HeaderField, end bool) {
	method, _ := find(fields, ":method")
	path, _ := find(fields, ":path")
	authority, named := find(fields, ":authority")
	st.head, st.connect = method == "HEAD", method == "CONNECT"
	if st.connect {
		st.protocol, _ = find(fields, ":protocol")
	}
	if !named {
		authority = findFold(fields, "host")
	}
	w := &writer{text: r.text[:0], pseudos: ofRequest, host: &authority}
	switch {
	case st.connect && st.protocol != "": // RFC 8441, Section 5
		w.text = append(w.text, "GET "...)
		w.target(path, "/")
	case st.connect:
		w.text = append(w.text, "CONNECT "...)
		w.target(authority, "MALFORMED")
	default:
		w.token(method, "MALFORMED")
		w.text = append(w.text, ' ')
		w.target(path, "/")
	}
	w.text = append(w.text, " HTTP/1.1\r\n"...)
	w.field("host", authority)

	h := &st.halves[mirror.ClientToOrigin]
	h.phase = content
	switch {
	case st.connect:
		h.framing = tunnel
		w.fields(fields, false)
		w.upgrade(st, webSocketKey(st.id), "sec-websocket-key")
	case end:
		w.fields(fields, true)
	default:
		w.content(h, fields)
	}
	r.show(st, mirror.ClientToOrigin, w)
}

// response shows the header of a response (RFC 9113, Section 8.3.2): an interim
// one, or the final one, which end tells to have no content.
func (r *renderer) response(st *stream, fields []hpack.HeaderField, end bool) {
	w := &writer{text: r.text[:0], pseudos: ofResponse}
	status, ok := statusOf(fields)
	if !ok {
		w.replaced++
	}
	h := &st.halves[mirror.OriginToClient]
	granted := st.connect && status/100 == 2
	if granted && st.protocol != "" {
		status = http.StatusSwitchingProtocols
	}
	w.text = append(w.text, "HTTP/1.1 "...)
	w.text = strconv.AppendInt(w.text, int64(status), 10)
	w.text = append(w.text, ' ')
	w.text = append(append(w.text, http.StatusText(status)...), "\r\n"...)
	if status/100 != 1 || granted {
		h.phase = content
	}
	switch {
	case granted:
		h.framing = tunnel
		w.fields(fields, false)
		w.upgrade(st, webSocketAccept(webSocketKey(st.id)), "sec-websocket-accept")
	case h.phase == expecting: // RFC 9110, Section 15.2
		w.fields(fields, false)
	case st.head, status == http.StatusNoContent, status == http.StatusNotModified:
		w.fields(fields, true)
	case end:
		if w.fields(fields, true); !w.sized {
			w.field("content-length", "0")
		}
	default:
		w.content(h, fields)
	}
	if up := &st.halves[mirror.ClientToOrigin]; !granted && h.phase == content && up.framing == tunnel {
		up.framing = none // refused
	}
	r.show(st, mirror.OriginToClient, w)
}

// statusOf returns the status of a response; 599 and false if HTTP/1.1 could not tell
// it.
func statusOf(fields []hpack.HeaderField) (status int, ok bool) {
	word, _ := find(fields, ":status")
	status, err := strconv.Atoi(word)
	if len(word) != 3 || err != nil || status < 100 || status == http.StatusSwitchingProtocols {
		return 599, false
	}
	return status, true
}

// trailers shows trailers. They end the message.
func (r *renderer) trailers(st *stream, dir mirror.Direction, fields []hpack.HeaderField, end bool) {
	h := &st.halves[dir]
	switch {
	case !end:
		r.account.units[dir].lost = ReasonMalformed // RFC 9113, Section 8.1
		return
	case len(fields) == 0:
		return
	case h.framing != chunked:
		r.account.units[dir].lost = ReasonTrailers
		return
	}
	w := &writer{text: r.text[:0]}
	w.text = append(w.text, r.lastChunk(h)...)
	w.fields(fields, false)
	h.phase = complete // with its last chunk
	r.show(st, dir, w)
}

// show shows what w holds, and the empty line behind it.
func (r *renderer) show(st *stream, dir mirror.Direction, w *writer) {
	w.text = append(w.text, "\r\n"...)
	r.account.say(st.conversation, dir, w.text)
	r.account.replaced += w.replaced
	if r.text = w.text; cap(r.text) > spare {
		r.text = nil
	}
}

// find returns the first field of that name, and whether there is one.
func find(fields []hpack.HeaderField, name string) (string, bool) {
	for i := range fields {
		if fields[i].Name == name {
			return fields[i].Value, true
		}
	}
	return "", false
}

// findFold returns the first field of that name, in any spelling, or "".
func findFold(fields []hpack.HeaderField, name string) string {
	for i := range fields {
		if strings.EqualFold(fields[i].Name, name) {
			return fields[i].Value
		}
	}
	return ""
}

// webSocketKey makes up the key that a WebSocket over HTTP/2 does without.
func webSocketKey(stream uint32) string {
	sum := sha1.Sum(strconv.AppendUint([]byte("stream "), uint64(stream), 10))
	return base64.StdEncoding.EncodeToString(sum[:16])
}

// webSocketAccept answers a key (RFC 6455, Section 4.2.2).
func webSocketAccept(key string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return base64.StdEncoding.EncodeToString(sum[:])
}
