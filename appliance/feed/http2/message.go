package http2

import (
	"crypto/sha1"
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"

	"github.com/clearspan/clearspan/mirror"
)

// request shows the request in s.fields (RFC 9113, Section 8.3.1). end tells
// that it has no content.
func (s *Session) request(st *stream, end bool) {
	method, _ := s.pseudo(":method")
	path, _ := s.pseudo(":path")
	authority, named := s.pseudo(":authority")
	st.head, st.connect = method == "HEAD", method == "CONNECT"
	if st.connect {
		st.protocol, _ = s.pseudo(":protocol")
	}
	if !named {
		authority = s.value("host")
	}
	w := &writer{text: s.text[:0], pseudos: ofRequest, host: &authority}
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
		w.fields(s.fields, false)
		w.upgrade(st, webSocketKey(st.id), "sec-websocket-key")
	case end:
		w.fields(s.fields, true)
	default:
		w.content(h, s.fields)
	}
	s.show(st, mirror.ClientToOrigin, w)
}

// response shows the header in s.fields (RFC 9113, Section 8.3.2): an interim
// one, or the final one, which end tells to have no content.
func (s *Session) response(st *stream, end bool) {
	w := &writer{text: s.text[:0], pseudos: ofResponse}
	word, _ := s.pseudo(":status")
	status, err := strconv.Atoi(word)
	if len(word) != 3 || err != nil || status < 100 || status == http.StatusSwitchingProtocols {
		w.replaced++
		status = 599
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
		w.fields(s.fields, false)
		w.upgrade(st, webSocketAccept(webSocketKey(st.id)), "sec-websocket-accept")
	case h.phase == expecting: // RFC 9110, Section 15.2
		w.fields(s.fields, false)
	case st.head, status == http.StatusNoContent, status == http.StatusNotModified:
		w.fields(s.fields, true)
	case end:
		if w.fields(s.fields, true); !w.sized {
			w.field("content-length", "0")
		}
	default:
		w.content(h, s.fields)
	}
	if up := &st.halves[mirror.ClientToOrigin]; !granted && h.phase == content && up.framing == tunnel {
		up.framing = none // refused
	}
	s.show(st, mirror.OriginToClient, w)
}

// trailers shows the trailers in s.fields. They end the message.
func (s *Session) trailers(side *side, st *stream, end bool) {
	h := &st.halves[side.dir]
	switch {
	case !end:
		side.lost = ReasonMalformed // RFC 9113, Section 8.1
		return
	case len(s.fields) == 0:
		return
	case h.framing != chunked:
		side.lost = ReasonTrailers
		return
	}
	w := &writer{text: s.text[:0]}
	w.text = append(w.text, s.lastChunk(h)...)
	w.fields(s.fields, false)
	h.phase = complete // with its last chunk
	s.show(st, side.dir, w)
}

// show shows what w holds, and the empty line behind it.
func (s *Session) show(st *stream, dir mirror.Direction, w *writer) {
	w.text = append(w.text, "\r\n"...)
	s.say(st.conversation, dir, w.text)
	s.replaced += w.replaced
	if s.text = w.text; cap(s.text) > spare {
		s.text = nil
	}
}

// pseudo returns the first field of that name, and whether there is one.
func (s *Session) pseudo(name string) (string, bool) {
	for i := range s.fields {
		if s.fields[i].Name == name {
			return s.fields[i].Value, true
		}
	}
	return "", false
}

// value returns the first field of that name, in any spelling, or "".
func (s *Session) value(name string) string {
	for i := range s.fields {
		if strings.EqualFold(s.fields[i].Name, name) {
			return s.fields[i].Value
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
