package vxlan

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"

	"golang.org/x/sys/unix"
)

// The range from which source ports should come (RFC 7348, Section 5).
const (
	firstPort = 49152
	portTries = 100 // before the kernel chooses one of its own range
)

// socket is that of one source port. It is not safe for concurrent use, but its
// descriptor may be sent on at any time.
type socket struct {
	fd        int
	remote    unix.Sockaddr
	v4        bool
	connected bool
}

// openSocket returns a socket with a source port of its own, not connected yet.
func openSocket(cfg *Config) (*socket, error) {
	s := &socket{v4: cfg.Remote.Addr().Is4(), remote: sockaddr(cfg.Remote)}
	family := unix.AF_INET6
	if s.v4 {
		family = unix.AF_INET
	}
	var err error
	if s.fd, err = unix.Socket(family, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0); err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	if err = errors.Join(s.setOptions(cfg.SendBuffer), s.bind(cfg.Source)); err != nil {
		unix.Close(s.fd)
		return nil, err
	}
	return s, nil
}

func (s *socket) setOptions(sendBuffer int) error {
	level, discover, do, report := unix.IPPROTO_IPV6, unix.IPV6_MTU_DISCOVER, unix.IPV6_PMTUDISC_DO, unix.IPV6_RECVERR
	if s.v4 {
		level, discover, do, report = unix.IPPROTO_IP, unix.IP_MTU_DISCOVER, unix.IP_PMTUDISC_DO, unix.IP_RECVERR
		// The outer checksum should be zero (RFC 7348, Section 4.1); IPv6 has one
		// unless both ends agree (RFC 6935).
		if err := unix.SetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_NO_CHECK, 1); err != nil {
			return os.NewSyscallError("setsockopt", err)
		}
	}
	for option, value := range map[int]int{discover: do, report: 1} {
		if err := unix.SetsockoptInt(s.fd, level, option, value); err != nil {
			return os.NewSyscallError("setsockopt", err)
		}
	}
	if sendBuffer == 0 {
		return nil
	}
	half := sendBuffer / 2 // the kernel doubles what it is told
	err := unix.SetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_SNDBUFFORCE, half)
	if errors.Is(err, unix.EPERM) {
		err = unix.SetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_SNDBUF, half)
	}
	return os.NewSyscallError("setsockopt", err)
}

// bind takes a free port of the range for sources, or any other.
func (s *socket) bind(source netip.Addr) error {
	if !source.IsValid() {
		source = netip.IPv6Unspecified()
		if s.v4 {
			source = netip.IPv4Unspecified()
		}
	}
	for try := range portTries {
		port := uint16(firstPort + rand.IntN(1<<16-firstPort))
		if try == portTries-1 {
			port = 0
		}
		err := unix.Bind(s.fd, sockaddr(netip.AddrPortFrom(source, port)))
		if err == nil {
			return nil
		}
		if !errors.Is(err, unix.EADDRINUSE) || port == 0 {
			return fmt.Errorf("send from %v: %w", source, err)
		}
	}
	return nil // not reached
}

// connect gives the socket its remote, by which the kernel reports errors and
// knows the path, and reports whether it has one now. It fails while there is no
// route.
func (s *socket) connect() bool {
	if !s.connected {
		s.connected = unix.Connect(s.fd, s.remote) == nil
	}
	return s.connected
}

// pathMTU returns the largest outer packet that the path to the remote takes, in
// octets, 0 if that is not known.
func (s *socket) pathMTU() int {
	level, option := unix.IPPROTO_IPV6, unix.IPV6_MTU
	if s.v4 {
		level, option = unix.IPPROTO_IP, unix.IP_MTU
	}
	mtu, err := unix.GetsockoptInt(s.fd, level, option)
	if err != nil {
		return 0
	}
	return mtu
}

// errorsADrain bounds how many answers drain takes in one go.
const errorsADrain = 64

// drain takes answers by ICMP from the error queue. It returns how many there
// were that mean an undelivered datagram, and the last error of these.
func (s *socket) drain() (n int, last unix.Errno) {
	var oob [256]byte
	for range errorsADrain {
		_, size, _, _, err := unix.Recvmsg(s.fd, nil, oob[:], unix.MSG_ERRQUEUE|unix.MSG_DONTWAIT)
		if err != nil {
			break
		}
		if errno, ok := answer(oob[:size]); ok && errno != unix.EMSGSIZE { // that one tells the path's MTU
			n, last = n+1, errno
		}
	}
	// The next send would report the last one once more.
	_, _ = unix.GetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_ERROR)
	return n, last
}

// answer reads the error of a control message: struct sock_extended_err begins
// with it.
func answer(oob []byte) (unix.Errno, bool) {
	messages, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return 0, false
	}
	for _, m := range messages {
		v4 := m.Header.Level == unix.IPPROTO_IP && m.Header.Type == unix.IP_RECVERR
		v6 := m.Header.Level == unix.IPPROTO_IPV6 && m.Header.Type == unix.IPV6_RECVERR
		if (v4 || v6) && len(m.Data) >= 4 {
			return unix.Errno(uint32(m.Data[0]) | uint32(m.Data[1])<<8 | uint32(m.Data[2])<<16 | uint32(m.Data[3])<<24), true
		}
	}
	return 0, false
}

func sockaddr(a netip.AddrPort) unix.Sockaddr {
	if a.Addr().Is4() {
		return &unix.SockaddrInet4{Addr: a.Addr().As4(), Port: int(a.Port())}
	}
	return &unix.SockaddrInet6{Addr: a.Addr().As16(), Port: int(a.Port())}
}
