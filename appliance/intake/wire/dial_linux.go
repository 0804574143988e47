package wire

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// listen opens a transparent listener in the namespace, on a port of the kernel's
// choice. What reaches it is given to it by the socket look-up.
func (n *namespace) listen(v6 bool) (*net.TCPListener, error) {
	family, address := unix.AF_INET, unix.Sockaddr(&unix.SockaddrInet4{})
	if v6 {
		family, address = unix.AF_INET6, &unix.SockaddrInet6{}
	}
	fd, err := n.Socket(family, unix.SOCK_STREAM, unix.IPPROTO_TCP)
	if err != nil {
		return nil, fmt.Errorf("open listener: %w", err)
	}
	f := os.NewFile(uintptr(fd), "")
	defer f.Close()
	if err := prepareSocket(fd, family, -1); err != nil {
		return nil, err
	}
	if v6 {
		err = unix.SetsockoptInt(fd, unix.SOL_IPV6, unix.IPV6_V6ONLY, 1)
	}
	if err == nil {
		err = unix.Bind(fd, address)
	}
	if err == nil {
		err = unix.Listen(fd, backlog)
	}
	if err != nil {
		return nil, fmt.Errorf("open listener: %w", err)
	}
	l, err := net.FileListener(f)
	if err != nil {
		return nil, fmt.Errorf("adopt listener: %w", err)
	}
	return l.(*net.TCPListener), nil
}

// backlog bounds connections that wait for accept; net.core.somaxconn does too.
const backlog = 4096

// dial opens an origin leg in the client's name, address and port, by the leg of
// that index.
func (n *namespace) dial(ctx context.Context, client, origin netip.AddrPort, leg int, timeout time.Duration) (net.Conn, error) {
	conn, err := n.connect(ctx, client, origin, leg, timeout)
	if err != nil {
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return nil, fmt.Errorf("open origin leg: %w", err)
	}
	return conn, nil
}

func (n *namespace) connect(ctx context.Context, client, origin netip.AddrPort, leg int, timeout time.Duration) (*net.TCPConn, error) {
	fd, err := transparentSocket(n.Socket, client, leg)
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), "")
	defer f.Close()
	if err := unix.Bind(fd, sockaddr(client)); err != nil {
		return nil, os.NewSyscallError("bind", err)
	}
	raw, err := f.SyscallConn()
	if err != nil {
		return nil, err
	}
	if err := f.SetWriteDeadline(time.Now().Add(timeout)); err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { f.SetWriteDeadline(time.Unix(1, 0)) })
	defer stop()
	var failed error
	// Called again whenever the socket is writable: connect(2) tells the outcome.
	err = raw.Write(func(fd uintptr) bool {
		failed = unix.Connect(int(fd), sockaddr(origin))
		return !errors.Is(failed, unix.EINPROGRESS) && !errors.Is(failed, unix.EALREADY)
	})
	if err == nil && failed != nil && failed != unix.EISCONN {
		err = os.NewSyscallError("connect", failed)
	}
	if err != nil {
		return nil, err
	}
	conn, err := net.FileConn(f)
	if err != nil {
		return nil, fmt.Errorf("adopt socket: %w", err)
	}
	return conn.(*net.TCPConn), nil
}
