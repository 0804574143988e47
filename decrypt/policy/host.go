package policy

import (
	"fmt"
	"net/netip"
	"strings"

	"golang.org/x/net/idna"
)

const (
	maxName  = 253 // octets of a host name in text form, without trailing dot
	maxLabel = 63
)

// hostSet holds patterns by the name in them, normalized. A lookup costs one
// probe for each label of the name, however many patterns there are.
type hostSet map[string]hostKind

// hostKind says what a name in a hostSet stands for.
type hostKind uint8

const (
	itself hostKind = 1 << iota // the name
	below                       // every name below it
)

// newHostSet reads patterns. The error holds the pattern as it was given.
func newHostSet(patterns []string) (hostSet, error) {
	set := make(hostSet, len(patterns))
	var n name
	for _, p := range patterns {
		base, wild := strings.CutPrefix(p, "*.")
		if !n.set(base) || wild && n.address || mayBeAddress(base) && !n.address {
			return nil, fmt.Errorf(`host %q is no name, "*." and a name, or address`, p)
		}
		kind := itself
		if wild {
			kind = below
		}
		set[string(n.bytes())] |= kind
	}
	return set, nil
}

// match reports whether a pattern stands for n; no pattern does for an unknown
// name.
func (set hostSet) match(n *name) bool {
	b := n.bytes()
	if len(b) == 0 {
		return false
	}
	if set[string(b)]&itself != 0 {
		return true
	}
	for i, c := range b {
		if c == '.' && set[string(b[i+1:])]&below != 0 {
			return true
		}
	}
	return false
}

// name is a host name in lower case and ASCII without trailing dot, or an IP
// address in its canonical form. The zero value is no name.
type name struct {
	octets  [maxName]byte
	length  int
	address bool
}

func (n *name) bytes() []byte { return n.octets[:n.length] }

// set normalizes s. It returns false, and n is no name, if s is neither a host
// name nor an address.
func (n *name) set(s string) bool {
	n.length, n.address = 0, false
	if mayBeAddress(s) {
		if a, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(s, "["), "]")); err == nil {
			n.address = true
			n.length = len(a.Unmap().WithZone("").AppendTo(n.octets[:0]))
			return true
		}
	}
	if !isASCII(s) {
		var err error
		if s, err = toASCII.ToASCII(s); err != nil {
			return false
		}
	}
	s = strings.TrimSuffix(s, ".")
	if len(s) == 0 || len(s) > maxName {
		return false
	}
	label := 0
	for i := range len(s) {
		c := s[i]
		switch {
		case c == '.':
			if label == 0 {
				return false
			}
			label = -1
		case c >= 'A' && c <= 'Z':
			c += 'a' - 'A'
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9', c == '-', c == '_':
		default:
			return false
		}
		n.octets[i] = c
		if label++; label > maxLabel {
			return false
		}
	}
	if label == 0 {
		return false
	}
	n.length = len(s)
	return true
}

// toASCII maps international names as a browser does before it looks them up
// (RFC 5895, UTS 46). Underscores may stand in names.
var toASCII = idna.New(idna.MapForLookup(), idna.Transitional(false), idna.StrictDomainName(false))

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

// mayBeAddress spares names the parsing, and the error, of an address: only
// addresses have a colon or end in a digit that a dot or nothing but digits
// precede.
func mayBeAddress(s string) bool {
	if strings.IndexByte(s, ':') >= 0 {
		return true
	}
	last := s[strings.LastIndexByte(s, '.')+1:]
	return len(last) > 0 && len(last) <= 3 && strings.Trim(last, "0123456789") == ""
}
