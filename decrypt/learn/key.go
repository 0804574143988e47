package learn

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"

	"github.com/clearspan/clearspan/decrypt/policy"
)

// key is what an entry is found by.
type key struct {
	lesson Lesson
	client netip.Addr // zero: every client
	host   string
	offer  string // application protocols, joined by spaces; FailedOrigin only
}

// id is a short name for an entry, for operators.
func (k key) id() string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\x00%s\x00%s\x00%s", k.lesson, k.client, k.host, k.offer))
	return hex.EncodeToString(sum[:8])
}

// Destination is where a session went: a name that the client gave and we
// resolved (CONNECT, SOCKS), or the address that it went to by itself.
type Destination struct {
	name string         // "" if the address counts
	addr netip.AddrPort // the port alone beside a name
}

// String returns "NAME:PORT" or "ADDRESS:PORT".
func (d Destination) String() string {
	if d.name == "" {
		return d.addr.String()
	}
	return net.JoinHostPort(d.name, strconv.Itoa(int(d.addr.Port())))
}

// MarshalText implements [encoding.TextMarshaler].
func (d Destination) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads what MarshalText writes.
func (d *Destination) UnmarshalText(b []byte) error {
	if addr, err := netip.ParseAddrPort(string(b)); err == nil {
		*d = Destination{addr: addr}
		return nil
	}
	name, port, err := net.SplitHostPort(string(b))
	if err != nil {
		return fmt.Errorf("read destination: %w", err)
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if clean, ok := normalizeHost(name); err != nil || !ok || clean != name {
		return fmt.Errorf("read destination: %q is not a name and port", b)
	}
	*d = Destination{name: name, addr: netip.AddrPortFrom(netip.Addr{}, uint16(n))}
	return nil
}

// subject is what a session's facts say of it.
type subject struct {
	client      netip.Addr
	host        string
	offer       string
	destination Destination
}

// newSubject returns false if nothing can be learned of such a session.
func newSubject(f *policy.Facts) (s subject, ok bool) {
	s.client = f.Client.Addr().Unmap().WithZone("")
	addr := netip.AddrPortFrom(f.Origin.Addr().Unmap().WithZone(""), f.Origin.Port())
	s.destination = Destination{addr: addr}
	if f.Host != "" {
		name, ok := normalizeHost(f.Host)
		if !ok {
			return s, false
		}
		if literal, err := netip.ParseAddr(name); err == nil {
			s.destination.addr = netip.AddrPortFrom(literal.Unmap().WithZone(""), addr.Port())
		} else {
			s.destination = Destination{name, netip.AddrPortFrom(netip.Addr{}, addr.Port())}
		}
		s.host = name
	} else if !addr.IsValid() {
		return s, false
	}
	if f.SNI != "" {
		if s.host, ok = normalizeHost(f.SNI); !ok {
			return s, false
		}
	}
	if s.host == "" {
		s.host = addr.Addr().String()
	}
	if s.offer = strings.Join(f.ALPN, " "); len(s.offer) > maxOffer {
		return s, false
	}
	return s, s.client.IsValid()
}

const (
	maxHost  = 255
	maxOffer = 512
)

// normalizeHost returns the form in which host names are compared. What is empty, longer
// than any name or not printable ASCII is none.
func normalizeHost(name string) (string, bool) {
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	if name == "" || len(name) > maxHost {
		return "", false
	}
	for _, c := range []byte(name) {
		if c <= ' ' || c >= 0x7f {
			return "", false
		}
	}
	return name, true
}

// key returns what an entry of the session is found by.
func (s *subject) key(l Lesson, scope Scope) key {
	k := key{lesson: l, host: s.host}
	switch {
	case l == Pinned && scope != Host:
		k.client = s.client
	case l == FailedOrigin:
		k.offer = s.offer
	}
	return k
}

// owner is what counts as one client where a client's share is bounded: an
// address or, in IPv6, the network of 64 bits in which it chooses its own.
func owner(client netip.Addr) netip.Prefix {
	bits := 64
	if client.Is4() {
		bits = 32
	}
	p, _ := client.Prefix(bits) // an invalid address has none
	return p
}
