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
	above                       // nothing: some pattern is a name one label below
)

// newHostSet reads patterns. The error holds the pattern as it was given.
func newHostSet(patterns []string) (hostSet, error) {
	set := make(hostSet, len(patterns))
	var n hostName
	for _, p := range patterns {
		wild, err := n.pattern(p)
		if err != nil {
			return nil, err
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
func (set hostSet) match(n *hostName) bool {
	b := n.bytes()
	if len(b) == 0 {
		return false
	}
	return set[string(b)]&itself != 0 || set.matchBelow(n)
}

// matchBelow reports whether a pattern stands for n by standing for every name
// below another.
func (set hostSet) matchBelow(n *hostName) bool {
	b := n.bytes()
	for i, c := range b {
		if c == '.' && set[string(b[i+1:])]&below != 0 {
			return true
		}
	}
	return false
}

// hostName is a host name in lower case and ASCII without trailing dot, or an IP
// address in its canonical form. The zero value is no name.
type hostName struct {
	octets  [maxName]byte
	length  int
	address bool
}

// pattern reads a host pattern: n is the name in it, wild whether the pattern
// stands for all names below n. The error holds the pattern as it was given.
func (n *hostName) pattern(p string) (wild bool, err error) {
	base, wild := strings.CutPrefix(p, "*.")
	if !n.set(base) || wild && n.address {
		return false, fmt.Errorf(`host %q is not a name, "*." and a name, or an address`, p)
	}
	return wild, nil
}

func (n *hostName) bytes() []byte { return n.octets[:n.length] }

// set normalizes s. It returns false, and n is no name, if s is neither a host
// name nor an address.
func (n *hostName) set(s string) bool {
	n.length, n.address = 0, false
	if !isASCII(s) {
		var err error
		if s, err = toASCII.ToASCII(s); err != nil {
			return false
		}
	}
	s = strings.TrimSuffix(s, ".")
	if mayBeAddress(s) {
		a, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(s, "["), "]"))
		if err != nil {
			return false // 127.1 and the like: no top-level domain is a number
		}
		n.address = true
		n.length = len(a.Unmap().WithZone("").AppendTo(n.octets[:0]))
		return true
	}
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

// Differ reports whether a and b are two names of hosts that are not the same, in
// whatever spelling. An address is no name, and neither is what cannot be one.
func Differ(a, b string) bool {
	var m, n hostName
	return m.set(a) && n.set(b) && !m.address && !n.address && string(m.bytes()) != string(n.bytes())
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

// mayBeAddress reports whether s can be nothing but an address: it has a colon,
// or its last label is a number, decimal or hexadecimal.
func mayBeAddress(s string) bool {
	if strings.IndexByte(s, ':') >= 0 {
		return true
	}
	last := s[strings.LastIndexByte(s, '.')+1:]
	if len(last) > 2 && last[0] == '0' && (last[1] == 'x' || last[1] == 'X') {
		return strings.Trim(last[2:], "0123456789abcdefABCDEF") == ""
	}
	return len(last) > 0 && strings.Trim(last, "0123456789") == ""
}
