package intake

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"syscall"
)

// SOCKS protocol version 5, RFC 1928.
const (
	socksVersion  = 5
	socksConnect  = 1 // command
	socksNoAuth   = 0 // method
	socksNoMethod = 0xff

	socksIPv4 = 1 // address types
	socksName = 3
	socksIPv6 = 4
)

// socksReply is the REP octet of RFC 1928, Section 6.
type socksReply byte

const (
	socksSucceeded   socksReply = 0
	socksFailure     socksReply = 1
	socksForbidden   socksReply = 2
	socksUnreachable socksReply = 4 // host
	socksRefused     socksReply = 5
	socksNoCommand   socksReply = 7
	socksNoAddress   socksReply = 8 // type
)

// message returns the whole reply. The bound address is left empty: the origin
// leg does not exist yet.
func (r socksReply) message() []byte {
	return []byte{socksVersion, byte(r), 0, socksIPv4, 0, 0, 0, 0, 0, 0}
}

// message4 returns the reply to a request of version 4, which knows no reasons.
func (r socksReply) message4() []byte {
	if r == socksSucceeded {
		return socks4Message(socks4Granted)
	}
	return socks4Message(socks4Rejected)
}

// socksRefusal translates a failure to reach a destination.
func socksRefusal(err error) socksReply {
	switch {
	case errors.Is(err, errForbidden):
		return socksForbidden
	case errors.Is(err, syscall.ECONNREFUSED):
		return socksRefused
	}
	return socksUnreachable
}

// socksError is a request to be refused with a reply.
type socksError struct {
	reply socksReply
	text  string
}

func (e *socksError) Error() string { return "read socks request: " + e.text }

var errSOCKSMethod = errors.New("read socks greeting: no method in common")

// negotiateSOCKS reads greeting and request of a SOCKS5 client and writes the
// choice of the method in between; the reply to the request is the caller's, as
// socksError says. What follows the request stays in r. The only method is
// "no authentication"; a client that offers none but others is told so.
func negotiateSOCKS(r *bufio.Reader, w io.Writer) (destination, error) {
	var head [2]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return destination{}, fmt.Errorf("read socks greeting: %w", err)
	}
	if head[0] != socksVersion {
		return destination{}, fmt.Errorf("read socks greeting: version %d", head[0])
	}
	methods := make([]byte, head[1])
	if _, err := io.ReadFull(r, methods); err != nil {
		return destination{}, fmt.Errorf("read socks greeting: %w", err)
	}
	if bytes.IndexByte(methods, socksNoAuth) < 0 {
		w.Write([]byte{socksVersion, socksNoMethod})
		return destination{}, errSOCKSMethod
	}
	if _, err := w.Write([]byte{socksVersion, socksNoAuth}); err != nil {
		return destination{}, fmt.Errorf("answer socks greeting: %w", err)
	}
	return readSOCKSRequest(r)
}

// readSOCKSRequest reads VER CMD RSV ATYP DST.ADDR DST.PORT.
func readSOCKSRequest(r *bufio.Reader) (destination, error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return destination{}, fmt.Errorf("read socks request: %w", err)
	}
	if head[0] != socksVersion || head[2] != 0 {
		return destination{}, &socksError{socksFailure, "malformed"}
	}
	if head[1] != socksConnect {
		return destination{}, &socksError{socksNoCommand, "command is not CONNECT"}
	}
	var size int
	switch head[3] {
	case socksIPv4:
		size = 4
	case socksIPv6:
		size = 16
	case socksName:
		n, err := r.ReadByte()
		if err != nil {
			return destination{}, fmt.Errorf("read socks request: %w", err)
		}
		size = int(n)
	default:
		return destination{}, &socksError{socksNoAddress, "unknown address type"}
	}
	rest := make([]byte, size+2)
	if _, err := io.ReadFull(r, rest); err != nil {
		return destination{}, fmt.Errorf("read socks request: %w", err)
	}
	port := binary.BigEndian.Uint16(rest[size:])
	host := string(rest[:size])
	if head[3] != socksName {
		addr, _ := netip.AddrFromSlice(rest[:size])
		host = addr.String()
	}
	dst, err := newDestination(host, port)
	if err != nil {
		return destination{}, &socksError{socksFailure, "malformed destination"}
	}
	return dst, nil
}
