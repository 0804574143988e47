package dissect

import (
	"bytes"
	"io"
	"mime"

	"golang.org/x/text/encoding/htmlindex"

	"github.com/clearspan/clearspan/decrypt/proto/http1"
)

const (
	maxHeader  = 32 << 10 // octets of a message in which its header is looked for
	maxEncoded = 4 << 10  // octets of a field
)

// mailHeader is the beginning of a message until its header section is over.
type mailHeader struct {
	octets []byte
	head   http1.Head // the same empty line ends it
	whole  bool
}

// add takes octets of the message. It costs nothing once the section is over, and
// reports when these octets end it.
func (h *mailHeader) add(p []byte) (ended bool) {
	if h.whole {
		return false
	}
	h.octets = append(h.octets, p[:min(len(p), maxHeader-len(h.octets))]...)
	if n, _ := h.head.End(h.octets, http1.Loose); n > 0 {
		h.octets, h.whole = h.octets[:n], true
	}
	h.whole = h.whole || len(h.octets) >= maxHeader
	return h.whole
}

// Get returns the value of the first field with a name, without its folds (RFC 5322,
// Section 2.2.3) and up to about 4 KiB; nil without one. It allocates for a folded
// value.
func (h *Header) Get(name string) []byte {
	section, found := h.Section, false
	var value []byte
	for line := range bytes.Lines(section) {
		line = bytes.TrimRight(line, "\r\n")
		folded := len(line) > 0 && (line[0] == ' ' || line[0] == '\t')
		switch {
		case folded && !found:
		case folded:
			if len(value) < maxEncoded {
				value = append(append(value[:len(value):len(value)], ' '), bytes.TrimLeft(line, " \t")...)
			}
		case found:
			return value
		default:
			n, v, _ := bytes.Cut(line, []byte{':'})
			if found = http1.Is(bytes.TrimSpace(n), name); found {
				value = bytes.TrimSpace(v)
			}
		}
	}
	return value
}

// words decodes the encoded words of RFC 2047, in the charsets that browsers know.
var words = mime.WordDecoder{CharsetReader: func(charset string, in io.Reader) (io.Reader, error) {
	e, err := htmlindex.Get(charset)
	if err != nil {
		return nil, err
	}
	return io.LimitReader(e.NewDecoder().Reader(in), 4*maxEncoded), nil
}}

// Text returns the value of a field for people: [Header.Get] with its encoded words
// decoded, as it was sent if it cannot be decoded.
func (h *Header) Text(name string) string {
	value := h.Get(name)
	text := string(value[:min(len(value), maxEncoded)])
	if decoded, err := words.DecodeHeader(text); err == nil {
		return decoded
	}
	return text
}
