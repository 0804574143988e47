package clienthello

import (
	"strings"
)

const (
	maxName  = 253 // octets of a host name in text form, without trailing dot (RFC 1035, Section 2.3.4)
	maxLabel = 63
)

// serverName reads a ServerNameList (RFC 6066, Section 3). It returns false when
// the list is empty, does not add up or has two host names.
func (h *Hello) serverName(list reader) bool {
	if len(list) == 0 {
		return false
	}
	const hostName = 0
	h.Name = NameUnusable
	for names := 0; len(list) > 0; {
		var typ uint8
		var name reader
		if !list.uint8(&typ) || !list.vector16(&name) {
			return false
		}
		if typ != hostName {
			continue
		}
		if names++; names > 1 {
			return false
		}
		if s, ok := usableName(name); ok {
			h.ServerName, h.Name = s, NameUsable
		}
		if len(name) > 0 && name[len(name)-1] == '.' {
			h.FinalDot = true
		}
	}
	return true
}

// usableName folds a server name to lower case and removes one trailing dot. It
// returns false for what cannot be looked up as a host name: an octet other than
// a letter, digit, hyphen or underscore in a label, a label of 0 or more than 63
// octets, more than 253 octets in all, an IP address in any notation.
func usableName(b []byte) (string, bool) {
	if n := len(b); n > 0 && b[n-1] == '.' {
		b = b[:n-1]
	}
	if len(b) == 0 || len(b) > maxName {
		return "", false
	}
	name := make([]byte, len(b))
	label := 0
	for i, c := range b {
		switch {
		case c == '.':
			if label == 0 {
				return "", false
			}
			label = -1
		case c >= 'A' && c <= 'Z':
			c += 'a' - 'A'
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9', c == '-', c == '_':
		default:
			return "", false
		}
		name[i] = c
		if label++; label > maxLabel {
			return "", false
		}
	}
	s := string(name)
	if label == 0 || isAddress(s) {
		return "", false
	}
	return s, true
}

// isAddress reports whether a resolver would take s, which has no colon, for an
// address. That includes the short and hexadecimal notations of IPv4, 127.1 and
// 0x7f.1: no top-level domain is a number.
func isAddress(s string) bool {
	last := s[strings.LastIndexByte(s, '.')+1:]
	if hex, ok := strings.CutPrefix(last, "0x"); ok {
		return strings.Trim(hex, "0123456789abcdef") == ""
	}
	return strings.Trim(last, "0123456789") == ""
}
