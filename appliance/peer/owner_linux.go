// Package peer finds who is at the other end of a TCP connection: a user of this
// machine, of whom the kernel knows, or another machine. It authenticates nobody
// across a network.
package peer

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// Of struct inet_diag_req_v2 and struct inet_diag_msg, linux/inet_diag.h.
const (
	requestOctets  = 8 + 48
	responseOctets = 72
	idAt           = 8 // in a request
	uidAt          = 64
	inodeAt        = 68
)

// Owner returns the user whose process holds the other end of a TCP connection, by
// the addresses of the connection as seen from here. It is not found if no process
// of this network namespace holds it: the other end is on another machine, or was
// closed. In a user namespace, the user is that of the namespace.
func Owner(remote, local net.Addr) (uid uint32, found bool, err error) {
	from, to := addrPort(remote), addrPort(local)
	if !from.IsValid() || !to.IsValid() {
		return 0, false, fmt.Errorf("find owner of connection: want TCP addresses, not %v and %v", remote, local)
	}
	p := make([]byte, requestOctets)
	p[0], p[1] = unix.AF_INET6, unix.IPPROTO_TCP
	if from.Addr().Is4() {
		p[0] = unix.AF_INET
	}
	binary.NativeEndian.PutUint32(p[4:], ^uint32(0)) // every state
	binary.BigEndian.PutUint16(p[idAt:], from.Port())
	binary.BigEndian.PutUint16(p[idAt+2:], to.Port())
	copy(p[idAt+4:], from.Addr().AsSlice())
	copy(p[idAt+20:], to.Addr().AsSlice())
	for i := idAt + 40; i < requestOctets; i++ {
		p[i] = 0xff // no cookie
	}
	request := nl.NewNetlinkRequest(nl.SOCK_DIAG_BY_FAMILY, 0)
	request.AddRawData(p)
	answers, err := request.Execute(unix.NETLINK_INET_DIAG, nl.SOCK_DIAG_BY_FAMILY)
	switch {
	case errors.Is(err, unix.ENOENT):
		return 0, false, nil
	case err != nil:
		return 0, false, fmt.Errorf("find owner of connection: %w", err)
	case len(answers) != 1 || len(answers[0]) < responseOctets:
		return 0, false, errors.New("find owner of connection: the kernel answers otherwise than expected")
	}
	a := answers[0]
	// Where there is no such connection, the kernel finds a listener. A socket without
	// an inode was closed by its process, and counts as one of root.
	if binary.BigEndian.Uint16(a[6:]) != to.Port() || binary.NativeEndian.Uint32(a[inodeAt:]) == 0 {
		return 0, false, nil
	}
	return binary.NativeEndian.Uint32(a[uidAt:]), true, nil
}

// addrPort returns a as the kernel knows it: IPv4 as IPv4, no zone.
func addrPort(a net.Addr) netip.AddrPort {
	t, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.AddrPort{}
	}
	p := t.AddrPort()
	return netip.AddrPortFrom(p.Addr().Unmap().WithZone(""), p.Port())
}
