package intake

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"net/netip"
)

// SOCKS protocol version 4, and 4A, which has names.
const (
	socks4Version = 4

	socks4Granted  = 90
	socks4Rejected = 91

	maxSOCKS4Text = 255 // octets of a user, or of a name
)

// socks4Message returns a reply. The address in it is left empty: it has a meaning for
// BIND only.
func socks4Message(code byte) []byte { return []byte{0, code, 0, 0, 0, 0, 0, 0} }

// readSOCKS4 reads VN CD DSTPORT DSTIP USERID NUL, and a name with NUL behind an
// address 0.0.0.x. What follows stays in r. The user is not looked at. A request to be
// refused with a reply is a *socksError.
func readSOCKS4(r *bufio.Reader) (destination, error) {
	var head [8]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return destination{}, fmt.Errorf("read socks request: %w", err)
	}
	port, addr := binary.BigEndian.Uint16(head[2:]), netip.AddrFrom4([4]byte(head[4:]))
	if _, err := readSOCKS4Text(r); err != nil {
		return destination{}, err
	}
	host := addr.String()
	if head[4] == 0 && head[5] == 0 && head[6] == 0 && head[7] != 0 {
		var err error
		if host, err = readSOCKS4Text(r); err != nil {
			return destination{}, err
		}
	}
	if head[1] != socksConnect {
		return destination{}, &socksError{socksNoCommand, "command is not CONNECT"}
	}
	dst, err := newDestination(host, port)
	if err != nil {
		return destination{}, &socksError{socksFailure, "malformed destination"}
	}
	return dst, nil
}

// readSOCKS4Text reads a text that ends in NUL.
func readSOCKS4Text(r *bufio.Reader) (string, error) {
	var text []byte
	for len(text) <= maxSOCKS4Text {
		c, err := r.ReadByte()
		switch {
		case err != nil:
			return "", fmt.Errorf("read socks request: %w", err)
		case c == 0:
			return string(text), nil
		}
		text = append(text, c)
	}
	return "", &socksError{socksFailure, "text is too long"}
}
