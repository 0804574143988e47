package inline

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"sync"
	"time"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

// meeting pairs the two ends of each connection through the device. Safe for
// concurrent use.
type meeting struct {
	admitted *ebpf.Map // connections that the program lets in

	mu      sync.Mutex
	waiting map[kernelTuple]chan *socket // each has room for one
}

// announce has a connection let in, and returns where its far end will arrive. It
// returns errTaken if it is announced already. The caller calls forget.
func (m *meeting) announce(t kernelTuple) (<-chan *socket, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.waiting[t] != nil {
		return nil, errTaken
	}
	if err := m.admitted.Put(t, uint8(1)); err != nil {
		return nil, fmt.Errorf("announce connection: %w", err)
	}
	arrival := make(chan *socket, 1)
	m.waiting[t] = arrival
	return arrival, nil
}

// forget takes an announcement back. A far end that nobody has taken is reset.
func (m *meeting) forget(t kernelTuple) {
	m.mu.Lock()
	arrival := m.waiting[t]
	delete(m.waiting, t)
	m.admitted.Delete(t) // gone is gone
	m.mu.Unlock()
	select {
	case s := <-arrival:
		s.reset()
	default:
	}
}

// arrive takes s, the far end of a connection, to who waits for it. It returns
// false if nobody does.
func (m *meeting) arrive(t kernelTuple, s *socket) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	select {
	case m.waiting[t] <- s: // a nil channel takes nothing
		return true
	default:
		return false
	}
}

// backlog bounds connections that wait for accept; net.core.somaxconn does too.
const backlog = 4096

// listen opens the far side's listener of a family, on a port of the kernel's
// choice. What reaches it is given to it by the socket look-up.
func (s *side) listen(v6 bool) (*os.File, error) {
	fd, err := s.transparent(v6)
	if err != nil {
		return nil, err
	}
	address := unix.Sockaddr(&unix.SockaddrInet4{})
	if v6 {
		address = &unix.SockaddrInet6{}
	}
	if err = unix.Bind(fd, address); err == nil {
		err = unix.Listen(fd, backlog)
	}
	if err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("open listener: %w", err)
	}
	return os.NewFile(uintptr(fd), "inline listener"), nil
}

// accept takes what comes out of the device until the listener is closed.
func (d *Device) accept(listener *os.File) {
	raw, err := listener.SyscallConn()
	if err != nil {
		return // closed
	}
	for {
		var fd int
		var from unix.Sockaddr
		var failed error
		err := raw.Read(func(l uintptr) bool {
			fd, from, failed = unix.Accept4(int(l), unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
			return failed != unix.EAGAIN
		})
		switch {
		case err != nil:
			return
		case failed == nil:
			d.arrived(fd, addrPort(from))
		case errors.Is(failed, unix.EINTR) || errors.Is(failed, unix.ECONNABORTED):
		default: // no descriptors, no memory
			time.Sleep(10 * time.Millisecond)
		}
	}
}

// arrived takes a connection that came out of the device.
func (d *Device) arrived(fd int, client netip.AddrPort) {
	to, err := unix.Getsockname(fd)
	if err != nil {
		unix.Close(fd)
		return
	}
	s, err := newSocket(fd)
	if err != nil {
		return
	}
	if !d.meeting.arrive(tuple(client, addrPort(to)), s) {
		d.tally.late.Add(1)
		s.reset()
	}
}
