package adapt

import (
	"bytes"

	"github.com/clearspan/clearspan/decrypt/proto/http1"
)

// Head is what the header block of a message that a service made says. How its body
// is framed there is of no account, for it is framed anew.
type Head struct {
	Method []byte // of a request
	Status int    // of a response
	Length int64  // of Content-Length, -1 without one
}

// ParseHead reads the header block of a message that a service made, a part of
// which Method is. It reports whether the message can be sent.
func ParseHead(raw []byte, kind Kind) (h Head, ok bool) {
	h.Length = -1
	if n, ok := http1.ParseLength(http1.Find(http1.Section(raw), "content-length")); ok {
		h.Length = n
	}
	plain := WithoutFraming(raw)
	if kind == Request {
		r, fault := http1.ParseRequest(plain, http1.Strict, nil)
		h.Method = r.Method
		return h, fault == http1.Sound
	}
	r, fault := http1.ParseResponse(plain, http1.Strict, nil)
	h.Status = r.Code
	return h, fault == http1.Sound
}

// Is reports whether the method is m.
func (h *Head) Is(m string) bool { return string(h.Method) == m }

// whole reports whether raw is one header block: lines that end with CRLF, the
// last one empty.
func whole(raw []byte) bool {
	return len(raw) > 4 && bytes.Index(raw, []byte("\r\n\r\n")) == len(raw)-4 && bytes.Count(raw, []byte("\n")) == bytes.Count(raw, []byte("\r\n"))
}

// WithoutFraming returns a copy of a header block without transfer coding and
// length, with room for another.
func WithoutFraming(raw []byte) []byte {
	return Without(raw, func(name []byte) bool {
		return http1.Is(name, "transfer-encoding") || http1.Is(name, "content-length")
	})
}

// WithoutRanges returns a copy of the header block of a request that asks for the whole.
func WithoutRanges(raw []byte) []byte { return Without(raw, IsRange) }

// IsRange reports whether a field asks for a part of the content (RFC 9110, Sections
// 13.1.5 and 14.2).
func IsRange(name []byte) bool { return http1.Is(name, "range") || http1.Is(name, "if-range") }

// Without returns a copy of a header block without some fields, with room for others.
func Without(raw []byte, out func(name []byte) bool) []byte {
	section := http1.Section(raw)
	dst := make([]byte, 0, len(raw)+48)
	dst = append(dst, raw[:len(raw)-len(section)]...)
	for f := range http1.Fields(section) {
		if !out(f.Name) {
			dst = append(dst, f.Line...)
		}
	}
	return append(dst, "\r\n"...)
}

// MediaType returns the Content-Type of a field section without its parameters, nil
// without one.
func MediaType(section []byte) []byte {
	value, _, _ := bytes.Cut(http1.Find(section, "content-type"), []byte(";"))
	return http1.Trim(value)
}
