package facts

import (
	"bytes"
	"io"
	"mime"
	"strings"

	"golang.org/x/text/encoding/htmlindex"
)

const (
	maxHeader  = 32 << 10 // octets of a message in which its header is looked for
	maxEncoded = 4 << 10  // octets of a subject before it is decoded
)

// header is the beginning of a message (RFC 5322) until its header is over.
type header struct {
	octets []byte
	whole  bool
}

// add takes octets of the message. It costs nothing once the header is over.
func (h *header) add(p []byte) {
	if h.whole {
		return
	}
	from := max(0, len(h.octets)-3)
	h.octets = append(h.octets, p[:min(len(p), maxHeader-len(h.octets))]...)
	if bytes.HasPrefix(h.octets, []byte("\r\n")) { // there is none
		h.octets, h.whole = nil, true
	} else if n := headEnd(h.octets, from); n > 0 {
		h.octets, h.whole = h.octets[:n], true
	} else if len(h.octets) >= maxHeader {
		h.whole = true
	}
}

// facts returns subject and message identifier.
func (h *header) facts() (subject, id string) {
	var name string
	var value []byte
	note := func() {
		switch {
		case strings.EqualFold(name, "subject") && subject == "":
			subject = decodeWords(value)
		case strings.EqualFold(name, "message-id") && id == "":
			id = clip(strings.Trim(string(bytes.TrimSpace(value)), "<>"), maxID)
		}
	}
	for line := range bytes.Lines(h.octets) {
		line = bytes.TrimRight(line, "\r\n")
		if len(line) > 0 && (line[0] == ' ' || line[0] == '\t') { // folded, Section 2.2.3
			if len(value) < maxEncoded {
				value = append(append(value, ' '), bytes.TrimLeft(line, " \t")...)
			}
			continue
		}
		note()
		n, v, ok := bytes.Cut(line, []byte{':'})
		if name, value = "", nil; ok {
			name, value = string(bytes.TrimSpace(n)), bytes.TrimSpace(bytes.Clone(v))
		}
	}
	note()
	return subject, id
}

// words decodes the encoded words of RFC 2047, in the charsets that browsers know.
var words = mime.WordDecoder{CharsetReader: func(charset string, in io.Reader) (io.Reader, error) {
	e, err := htmlindex.Get(charset)
	if err != nil {
		return nil, err
	}
	return io.LimitReader(e.NewDecoder().Reader(in), 4*maxEncoded), nil
}}

// decodeWords returns a header's text for people; as it was sent if it cannot be
// decoded.
func decodeWords(b []byte) string {
	text := string(b[:min(len(b), maxEncoded)])
	if decoded, err := words.DecodeHeader(text); err == nil {
		text = decoded
	}
	return clip(text, maxSubject)
}
