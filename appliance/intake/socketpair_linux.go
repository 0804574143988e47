package intake

import (
	"fmt"
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// socketPair returns the two ends of a stream inside the process. Both are
// *net.UnixConn.
func socketPair() (near, far net.Conn, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("create socket pair: %w", err)
	}
	a, b := os.NewFile(uintptr(fds[0]), ""), os.NewFile(uintptr(fds[1]), "")
	defer a.Close()
	defer b.Close()
	if near, err = net.FileConn(a); err != nil {
		return nil, nil, fmt.Errorf("create socket pair: %w", err)
	}
	if far, err = net.FileConn(b); err != nil {
		near.Close()
		return nil, nil, fmt.Errorf("create socket pair: %w", err)
	}
	return near, far, nil
}
