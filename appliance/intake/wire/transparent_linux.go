package wire

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"

	"golang.org/x/sys/unix"
)

// ipv6Transparent is IPV6_TRANSPARENT.
const ipv6Transparent = 75

// socketFunc makes a socket in the namespace, as [netspace.Room.Socket] does.
type socketFunc func(family, kind, protocol int) (fd int, err error)

// transparentSocket opens a TCP socket that bears the address local and sends by
// the leg of that index. The caller closes it.
func transparentSocket(open socketFunc, local netip.AddrPort, leg int) (fd int, err error) {
	family := unix.AF_INET
	if local.Addr().Is6() {
		family = unix.AF_INET6
	}
	if fd, err = open(family, unix.SOCK_STREAM, unix.IPPROTO_TCP); err != nil {
		return -1, fmt.Errorf("open socket: %w", err)
	}
	if err := prepareSocket(fd, family, leg); err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// prepareSocket sets what both listeners and legs need.
func prepareSocket(fd, family, leg int) error {
	level, option := unix.SOL_IP, unix.IP_TRANSPARENT
	if family == unix.AF_INET6 {
		level, option = unix.SOL_IPV6, ipv6Transparent
	}
	err := errors.Join(
		unix.SetsockoptInt(fd, level, option, 1),
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1),
	)
	if leg >= 0 {
		err = errors.Join(err,
			unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_MARK, int(legMark(leg))),
			unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1),
			unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1),
			unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, 60),
			unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, 15),
			unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_KEEPCNT, 4),
		)
	}
	if err != nil {
		return fmt.Errorf("set options of socket: %w", err)
	}
	return nil
}

func sockaddr(a netip.AddrPort) unix.Sockaddr {
	if a.Addr().Is4() {
		return &unix.SockaddrInet4{Port: int(a.Port()), Addr: a.Addr().As4()}
	}
	return &unix.SockaddrInet6{Port: int(a.Port()), Addr: a.Addr().As16()}
}

// tcpConn hands a connected socket to the runtime, which owns it then.
func tcpConn(fd int) (*net.TCPConn, error) {
	f := os.NewFile(uintptr(fd), "")
	defer f.Close()
	conn, err := net.FileConn(f)
	if err != nil {
		return nil, fmt.Errorf("adopt socket: %w", err)
	}
	return conn.(*net.TCPConn), nil
}
