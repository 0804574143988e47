package intake

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// ProxyVersion is a version of the PROXY protocol, by which a load balancer tells
// whose connection it passes on.
type ProxyVersion string

const (
	NoProxy ProxyVersion = ""
	ProxyV1 ProxyVersion = "v1"
	ProxyV2 ProxyVersion = "v2"
)

const (
	signatureV2  = "\r\n\r\n\x00\r\nQUIT\n"
	headV2       = len(signatureV2) + 4
	maxProxyV1   = 107     // octets of a line, with its end
	maxProxyV2   = 4 << 10 // of addresses and what follows them
	proxyTimeout = 5 * time.Second
)

var (
	errProxyShort  = errors.New("read PROXY header: not whole")
	errProxyHeader = errors.New("read PROXY header: malformed")
)

// parseProxy reads a header of either version from b and returns how long it is.
// Without an error client is zero for a connection of the sender's own, or of a
// kind that is not TCP. The error is errProxyShort as long as b may go on well.
func parseProxy(b []byte) (client, origin netip.AddrPort, n int, err error) {
	if len(b) < len(signatureV2) && strings.HasPrefix(signatureV2, string(b)) {
		return client, origin, 0, errProxyShort
	}
	if !bytes.HasPrefix(b, []byte(signatureV2)) {
		return parseProxyV1(b)
	}
	if len(b) < headV2 {
		return client, origin, 0, errProxyShort
	}
	command, family, size := b[12], b[13], int(binary.BigEndian.Uint16(b[14:]))
	if command>>4 != 2 || command&15 > 1 || size > maxProxyV2 {
		return client, origin, 0, errProxyHeader
	}
	if n = headV2 + size; len(b) < n {
		return client, origin, 0, errProxyShort
	}
	if command&15 == 0 { // LOCAL
		return client, origin, n, nil
	}
	address := 0
	switch family {
	case 0x11:
		address = 4
	case 0x21:
		address = 16
	default: // UNSPEC, UDP, UNIX
		return client, origin, n, nil
	}
	body := b[headV2:n]
	if len(body) < 2*address+4 {
		return client, origin, 0, errProxyHeader
	}
	from, _ := netip.AddrFromSlice(body[:address])
	to, _ := netip.AddrFromSlice(body[address : 2*address])
	ports := body[2*address:]
	client = netip.AddrPortFrom(from.Unmap(), binary.BigEndian.Uint16(ports))
	origin = netip.AddrPortFrom(to.Unmap(), binary.BigEndian.Uint16(ports[2:]))
	return client, origin, n, nil
}

func parseProxyV1(b []byte) (client, origin netip.AddrPort, n int, err error) {
	const word = "PROXY "
	if !strings.HasPrefix(string(b[:min(len(b), len(word))]), word[:min(len(b), len(word))]) {
		return client, origin, 0, errProxyHeader
	}
	end := bytes.Index(b[:min(len(b), maxProxyV1)], []byte("\r\n"))
	switch {
	case end < 0 && len(b) < maxProxyV1:
		return client, origin, 0, errProxyShort
	case end < 0:
		return client, origin, 0, errProxyHeader
	}
	f := strings.Split(string(b[len(word):end]), " ")
	if f[0] == "UNKNOWN" {
		return client, origin, end + 2, nil
	}
	if len(f) != 5 || f[0] != "TCP4" && f[0] != "TCP6" {
		return client, origin, 0, errProxyHeader
	}
	var at [2]netip.AddrPort
	for i := range at {
		addr, err := netip.ParseAddr(f[1+i])
		port, bad := strconv.ParseUint(f[3+i], 10, 16)
		if err != nil || bad != nil || addr.Zone() != "" || addr.Is4() != (f[0] == "TCP4") {
			return client, origin, 0, errProxyHeader
		}
		at[i] = netip.AddrPortFrom(addr.Unmap(), uint16(port))
	}
	return at[0], at[1], end + 2, nil
}

// appendProxy adds the header for a connection of client to origin.
func appendProxy(b []byte, v ProxyVersion, client, origin netip.AddrPort) []byte {
	from, to := client.Addr().Unmap().WithZone(""), origin.Addr().Unmap().WithZone("")
	if from.Is4() != to.Is4() { // one family holds both
		from, to = netip.AddrFrom16(from.As16()), netip.AddrFrom16(to.As16())
	}
	v4 := from.Is4()
	if v == ProxyV1 {
		family := "TCP6"
		if v4 {
			family = "TCP4"
		}
		return fmt.Appendf(b, "PROXY %s %s %s %d %d\r\n", family, from, to, client.Port(), origin.Port())
	}
	b = append(b, signatureV2...)
	if v4 {
		b = append(b, 0x21, 0x11, 0, 12)
	} else {
		b = append(b, 0x21, 0x21, 0, 36)
	}
	b = append(append(b, from.AsSlice()...), to.AsSlice()...)
	return binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(b, client.Port()), origin.Port())
}

// readProxy reads the header that must come first on conn, and returns the
// connection with what is behind it.
func readProxy(conn *net.TCPConn) (_ net.Conn, client netip.AddrPort, err error) {
	conn.SetReadDeadline(time.Now().Add(proxyTimeout))
	defer conn.SetReadDeadline(time.Time{})
	b := make([]byte, 0, 512)
	for {
		if len(b) == cap(b) {
			b = append(b, make([]byte, headV2+maxProxyV2-len(b))...)[:len(b)]
		}
		n, err := conn.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		client, _, used, bad := parseProxy(b)
		switch {
		case bad == nil:
			return NewPeekedConn(conn, b[used:]), client, nil
		case bad != errProxyShort:
			return nil, client, bad
		case err != nil:
			return nil, client, fmt.Errorf("read PROXY header: %w", err)
		}
	}
}

// announce returns what sends the header for the client's connection first on an origin
// leg; nil: nothing is sent.
func announce(v ProxyVersion, client netip.AddrPort) func(net.Conn) error {
	if v == NoProxy {
		return nil
	}
	return func(conn net.Conn) error {
		if _, err := conn.Write(appendProxy(nil, v, client, addrPort(conn.RemoteAddr()))); err != nil {
			return fmt.Errorf("send PROXY header: %w", err)
		}
		return nil
	}
}
