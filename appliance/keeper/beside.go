package keeper

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// listenBeside opens a listener whose address overlaps those of listeners that are about to
// close, so that no connection is refused in between:
//
//	as before   the same socket goes on
//	wider       the old socket goes on, too: the kernel prefers it for its address, and
//	            what waits there would be reset with it
//	narrower    the new socket gets the connections to its address from now on
//
// The kernel lets two sockets have overlapping addresses if both say so (SO_REUSEPORT) and
// belong to the same user. They say so for a moment only. No other user's program can have
// the address then or later. The kernel remembers the moment for the port: a program of the
// keeper's own user, which could as well take the keeper's place, can share it.
func listenBeside(network, address string, config net.ListenConfig, leaving []*os.File) (_ Holding, err error) {
	at, err := net.ResolveTCPAddr(network, address)
	if err != nil {
		return nil, err
	}
	want, port := at.AddrPort().Addr().Unmap(), at.AddrPort().Port()
	wide := !want.IsValid() || want.IsUnspecified() // the first: ":port"
	var files Files
	defer func() {
		if err != nil {
			files.Close()
		}
	}()
	var same *os.File
	var covered, overlapping []*os.File
	for _, f := range leaving {
		has, ok := listensAt(f)
		switch {
		case !ok || has.Port() != port:
		case wide && has.Addr().IsUnspecified(), has.Addr() == want:
			same = f
		case wide:
			covered, overlapping = append(covered, f), append(overlapping, f)
		case has.Addr().IsUnspecified():
			overlapping = append(overlapping, f)
		}
	}
	if same != nil {
		covered = append([]*os.File{same}, covered...)
	} else if err = shareAddress(&config, overlapping, func() error {
		f, err := listen(network, address, config)
		if err == nil {
			files = append(files, f)
			err = setReusePort(f, false)
		}
		return err
	}); err != nil {
		return nil, err
	}
	for _, f := range covered {
		twin, err := duplicate(f)
		if err != nil {
			return nil, err
		}
		files = append(files, twin)
	}
	return files, nil
}

// listensAt returns the address of a TCP listener.
func listensAt(f *os.File) (at netip.AddrPort, ok bool) {
	l, err := net.FileListener(f)
	if err != nil {
		return at, false
	}
	defer l.Close()
	tcp, ok := l.Addr().(*net.TCPAddr)
	if !ok {
		return at, false
	}
	at = tcp.AddrPort()
	return netip.AddrPortFrom(at.Addr().Unmap(), at.Port()), true
}

// shareAddress calls f, which makes a socket by config, while others allow addresses that
// overlap theirs.
func shareAddress(config *net.ListenConfig, others []*os.File, f func() error) (err error) {
	for _, other := range others {
		if err := setReusePort(other, true); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, setReusePort(other, false)) }()
	}
	before := config.Control
	config.Control = func(network, address string, c syscall.RawConn) error {
		if before != nil {
			if err := before(network, address, c); err != nil {
				return err
			}
		}
		return reusePort(c, true)
	}
	return f()
}

func setReusePort(f *os.File, on bool) error {
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	return reusePort(raw, on)
}

func reusePort(c syscall.RawConn, on bool) error {
	value := 0
	if on {
		value = 1
	}
	var err error
	failed := c.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, value) })
	if err = errors.Join(failed, err); err != nil {
		return fmt.Errorf("set SO_REUSEPORT: %w", err)
	}
	return nil
}

// duplicate returns another descriptor of an open file.
func duplicate(f *os.File) (*os.File, error) {
	raw, err := f.SyscallConn()
	if err != nil {
		return nil, err
	}
	fd := -1
	failed := raw.Control(func(own uintptr) { fd, err = unix.FcntlInt(own, unix.F_DUPFD_CLOEXEC, 0) })
	if err = errors.Join(failed, err); err != nil {
		return nil, fmt.Errorf("duplicate %s: %w", f.Name(), err)
	}
	return os.NewFile(uintptr(fd), f.Name()), nil
}
