package intake

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"

	"golang.org/x/sys/unix"
)

// originalDestination asks connection tracking where a connection went before
// its destination was translated. That is the local address if it was not
// translated; there is an error if the connection is not tracked, or no longer.
func originalDestination(conn *net.TCPConn) (netip.AddrPort, error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("read original destination: %w", err)
	}
	get := originalDestination6
	if addrPort(conn.LocalAddr()).Addr().Is4() {
		get = originalDestination4
	}
	var origin netip.AddrPort
	var failed error
	err = raw.Control(func(fd uintptr) { origin, failed = get(int(fd)) })
	if err := errors.Join(err, failed); err != nil {
		return netip.AddrPort{}, fmt.Errorf("read original destination: %w", err)
	}
	return origin, nil
}

// originalDestination4 reads a struct sockaddr_in of 16 octets: family, port and
// address. The option's type here begins with as many octets.
func originalDestination4(fd int) (netip.AddrPort, error) {
	v, err := unix.GetsockoptIPv6Mreq(fd, unix.SOL_IP, unix.SO_ORIGINAL_DST)
	if err != nil {
		return netip.AddrPort{}, optionErr("SO_ORIGINAL_DST", err)
	}
	b := v.Multiaddr
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte(b[4:8])), binary.BigEndian.Uint16(b[2:4])), nil
}

// originalDestination6 reads a struct sockaddr_in6, with which the option's type
// here begins. IP6T_SO_ORIGINAL_DST is the same number as SO_ORIGINAL_DST.
func originalDestination6(fd int) (netip.AddrPort, error) {
	v, err := unix.GetsockoptIPv6MTUInfo(fd, unix.SOL_IPV6, unix.SO_ORIGINAL_DST)
	if err != nil {
		return netip.AddrPort{}, optionErr("IP6T_SO_ORIGINAL_DST", err)
	}
	var port [2]byte // as it lies in memory
	binary.NativeEndian.PutUint16(port[:], v.Addr.Port)
	return netip.AddrPortFrom(netip.AddrFrom16(v.Addr.Addr), binary.BigEndian.Uint16(port[:])), nil
}
