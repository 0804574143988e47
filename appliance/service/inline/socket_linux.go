package inline

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// transparent opens a TCP socket of a namespace that may bear any address. The caller
// closes it.
func (p *port) transparent(v6 bool) (fd int, err error) {
	family, level, option := unix.AF_INET, unix.SOL_IP, unix.IP_TRANSPARENT
	if v6 {
		family, level, option = unix.AF_INET6, unix.SOL_IPV6, unix.IPV6_TRANSPARENT
	}
	if fd, err = p.Socket(family, unix.SOCK_STREAM, unix.IPPROTO_TCP); err != nil {
		return -1, fmt.Errorf("open socket: %w", err)
	}
	err = errors.Join(
		unix.SetsockoptInt(fd, level, option, 1),
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1),
		unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1),
	)
	if err == nil && v6 {
		err = unix.SetsockoptInt(fd, unix.SOL_IPV6, unix.IPV6_V6ONLY, 1)
	}
	if err != nil {
		unix.Close(fd)
		return -1, fmt.Errorf("set options of socket: %w", err)
	}
	// What paces (bbr) costs twice as much on a cable. A kernel without it, or that
	// does not let us, has its own choice.
	_ = unix.SetsockoptString(fd, unix.IPPROTO_TCP, unix.TCP_CONGESTION, "cubic")
	return fd, nil
}

// socket is one end of a connection through the device. One goroutine may read
// and one write; the rest is for any.
type socket struct {
	file      *os.File
	raw       syscall.RawConn
	finSent   atomic.Bool  // our FIN is sent
	readLimit atomic.Int64 // ns that a read may wait, 0: for ever

	attempt func(fd uintptr) bool // readOnce
	buffer  *[chunk]byte          // results of readOnce
	n       int
	err     error
}

// newSocket takes a descriptor that does not block.
func newSocket(fd int) (*socket, error) {
	s := &socket{file: os.NewFile(uintptr(fd), "inline")}
	raw, err := s.file.SyscallConn()
	if err != nil {
		s.file.Close()
		return nil, err
	}
	s.raw = raw
	s.attempt = s.readOnce
	return s, nil
}

// read waits for octets, without a buffer meanwhile. The caller gives the buffer
// back, of which n octets are set, unless there is an error. io.EOF stands for
// FIN.
func (s *socket) read() (b *[chunk]byte, n int, err error) {
	if bound := s.readLimit.Load(); bound > 0 {
		s.file.SetReadDeadline(time.Now().Add(time.Duration(bound)))
	}
	if err := s.raw.Read(s.attempt); err != nil {
		return nil, 0, err
	}
	b, s.buffer = s.buffer, nil
	return b, s.n, s.err
}

// limitReads bounds how long each read waits, the one that waits now included.
func (s *socket) limitReads(within time.Duration) {
	s.readLimit.Store(int64(within))
	s.file.SetReadDeadline(time.Now().Add(within))
}

// readOnce is the callback of RawConn.Read: one read that does not block.
func (s *socket) readOnce(fd uintptr) bool {
	b := getBuffer()
	for {
		n, err := unix.Read(int(fd), b[:])
		switch {
		case err == unix.EINTR:
			continue
		case err == unix.EAGAIN:
			putBuffer(b)
			return false
		case err == nil && n > 0:
			s.buffer, s.n, s.err = b, n, nil
			return true
		}
		putBuffer(b)
		s.n, s.err = 0, io.EOF
		if err != nil {
			s.err = os.NewSyscallError("read", err)
		} else if closed(int(fd)) && !s.finSent.Load() { // in this order
			s.err = errReset // the error was told to who wrote
		}
		return true
	}
}

// closed reports whether a connection is at its end in both directions: by RST, or
// because both FINs have come through.
func closed(fd int) bool {
	info, err := unix.GetsockoptTCPInfo(fd, unix.SOL_TCP, unix.TCP_INFO)
	return err == nil && info.State == unix.BPF_TCP_CLOSE
}

// write returns when the kernel has taken all of p.
func (s *socket) write(p []byte) error {
	_, err := s.file.Write(p)
	return err
}

// closeWrite sends FIN.
func (s *socket) closeWrite() error {
	s.finSent.Store(true)
	var failed error
	err := s.raw.Control(func(fd uintptr) { failed = unix.Shutdown(int(fd), unix.SHUT_WR) })
	if failed == unix.ENOTCONN { // who reads is told
		failed = nil
	}
	return errors.Join(err, failed)
}

// close ends the connection in order; what was written still arrives.
func (s *socket) close() { s.file.Close() }

// reset sends RST, unless the socket is closed, and ends all that waits for it.
func (s *socket) reset() {
	s.raw.Control(func(fd uintptr) {
		unix.SetsockoptLinger(int(fd), unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
	})
	s.file.Close()
}

func sockaddr(a netip.AddrPort) unix.Sockaddr {
	if a.Addr().Is4() {
		return &unix.SockaddrInet4{Port: int(a.Port()), Addr: a.Addr().As4()}
	}
	return &unix.SockaddrInet6{Port: int(a.Port()), Addr: a.Addr().As16()}
}

// addrPort is the inverse of sockaddr, an invalid one for others.
func addrPort(sa unix.Sockaddr) netip.AddrPort {
	switch a := sa.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(a.Addr), uint16(a.Port))
	case *unix.SockaddrInet6:
		return netip.AddrPortFrom(netip.AddrFrom16(a.Addr), uint16(a.Port))
	}
	return netip.AddrPort{}
}
