package http2

import (
	"strings"

	"golang.org/x/net/http2/hpack"
)

// Faults of a field section (RFC 9113, Sections 8.2.1 and 8.3).
const (
	badName     = "octet that no field name has"
	badValue    = "octet that no field value has"
	badPseudo   = "unknown pseudo-header field"
	badOrder    = "pseudo-header field behind others"
	mixedPseudo = "pseudo-header fields of request and response"
	twicePseudo = "pseudo-header field twice"
)

// CheckFields returns the stream error of a message whose field section is malformed,
// or nil: by octets of names and values, or by pseudo-header fields that are unknown,
// twice, or out of their place (RFC 9113, Sections 8.2.1 and 8.3). What a message
// needs is for its reader to know.
func (f *Frame) CheckFields(fields []hpack.HeaderField) error {
	if reason := checkFields(fields); reason != "" {
		return &Fault{Code: ProtocolError, Stream: f.Stream, Reason: reason, Passed: true}
	}
	return nil
}

func checkFields(fields []hpack.HeaderField) string {
	request, response := false, false
	for i := range fields {
		name := fields[i].Name
		if !validValue(fields[i].Value) {
			return badValue
		}
		if !strings.HasPrefix(name, ":") {
			if !validName(name) {
				return badName
			}
			continue
		}
		switch name {
		case ":method", ":scheme", ":authority", ":path", ":protocol":
			request = true
		case ":status":
			response = true
		default:
			return badPseudo
		}
		if request && response {
			return mixedPseudo
		}
		for j := range fields[:i] {
			switch {
			case fields[j].Name == name:
				return twicePseudo
			case !fields[j].IsPseudo():
				return badOrder
			}
		}
	}
	return ""
}

// validName reports whether a field may have this name: a token without capitals (RFC
// 9113, Section 8.2.1).
func validName(name string) bool {
	for i := range len(name) {
		if !nameOctets[name[i]] {
			return false
		}
	}
	return name != ""
}

// validValue reports whether a value has no control octets but tabs (RFC 9110, Section
// 5.5). Blanks around it are left to its readers, as HTTP/1 leaves them.
func validValue(value string) bool {
	for i := range len(value) {
		if c := value[i]; c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}

// nameOctets are those of a token, without capitals (RFC 9110, Section 5.6.2).
var nameOctets = func() (t [256]bool) {
	for _, c := range []byte("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz") {
		t[c] = true
	}
	return t
}()
