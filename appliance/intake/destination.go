package intake

import (
	"errors"
	"net/netip"
	"strconv"
	"strings"
)

var errBadDestination = errors.New("parse destination: not a host and port")

// destination is where a client wants to go: an address or a name, and a port.
type destination struct {
	name string     // lower case, without the final dot; "" if addr is set
	addr netip.Addr // invalid if name is set
	port uint16     // never 0
}

// String returns host:port.
func (d destination) String() string {
	if d.name == "" {
		return netip.AddrPortFrom(d.addr, d.port).String()
	}
	return d.name + ":" + strconv.Itoa(int(d.port))
}

// parseAuthority reads host:port, the authority-form of RFC 9112, Section 3.2.3.
// Without a port, missing is used if it is not 0.
func parseAuthority(s string, missing uint16) (destination, error) {
	host, port, ok := s, "", false
	if strings.HasPrefix(s, "[") {
		end := strings.IndexByte(s, ']')
		if end < 0 {
			return destination{}, errBadDestination
		}
		var rest string
		host, rest = s[1:end], s[end+1:]
		if !strings.Contains(host, ":") {
			return destination{}, errBadDestination
		}
		if port, ok = strings.CutPrefix(rest, ":"); !ok && rest != "" {
			return destination{}, errBadDestination
		}
	} else if host, port, ok = strings.Cut(s, ":"); strings.Contains(port, ":") {
		return destination{}, errBadDestination
	}
	number := missing
	if ok {
		n, err := parsePort(port)
		if err != nil {
			return destination{}, err
		}
		number = n
	}
	return newDestination(host, number)
}

// parsePort reads 1 to 65535, digits only.
func parsePort(s string) (uint16, error) {
	if len(s) == 0 || len(s) > 5 || strings.Trim(s, "0123456789") != "" {
		return 0, errBadDestination
	}
	n, err := strconv.ParseUint(s, 10, 16)
	if err != nil || n == 0 {
		return 0, errBadDestination
	}
	return uint16(n), nil
}

// newDestination judges a host, which is an address without brackets or a name.
// A zone, and a name that could pass for an address, are refused.
func newDestination(host string, port uint16) (destination, error) {
	if port == 0 {
		return destination{}, errBadDestination
	}
	if addr, err := netip.ParseAddr(host); err == nil {
		if addr.Zone() != "" {
			return destination{}, errBadDestination
		}
		return destination{addr: addr.Unmap(), port: port}, nil
	}
	name := strings.ToLower(strings.TrimSuffix(host, "."))
	if !validName(name) {
		return destination{}, errBadDestination
	}
	return destination{name: name, port: port}, nil
}

// validName reports whether s is a name that the DNS can hold: labels of 1 to 63
// letters, digits, hyphens and underscores, 253 octets in all (RFC 1035, Section
// 2.3.4). A last label that is a number, as in 127.1 or 0x7f000001, makes it an
// address to some resolvers; such a name cannot exist (RFC 3696, Section 2).
func validName(s string) bool {
	if len(s) == 0 || len(s) > 253 {
		return false
	}
	last := ""
	for label := range strings.SplitSeq(s, ".") {
		if len(label) == 0 || len(label) > 63 {
			return false
		}
		for _, c := range []byte(label) {
			switch {
			case 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == '-', c == '_':
			default:
				return false
			}
		}
		last = label
	}
	return !numeric(last)
}

func numeric(label string) bool {
	if hex, ok := strings.CutPrefix(label, "0x"); ok {
		return strings.Trim(hex, "0123456789abcdef") == ""
	}
	return strings.Trim(label, "0123456789") == ""
}
