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

// pairing pairs the two ends of each connection through the device. Safe for
// concurrent use.
type pairing struct {
	expected *ebpf.Map // connections that the program lets in, of all processes
	slot     slot      // of this one

	mu      sync.Mutex
	waiting map[kernelTuple]chan *socket // each has room for one
}

// announce has a connection let in, and returns where its far end will arrive. It
// returns errInUse if it is announced already, by whatever process. The caller calls withdraw.
func (p *pairing) announce(t kernelTuple) (<-chan *socket, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.waiting[t] != nil {
		return nil, errInUse
	}
	switch err := p.expected.Update(t, p.slot, ebpf.UpdateNoExist); {
	case errors.Is(err, ebpf.ErrKeyExist):
		return nil, errInUse
	case err != nil:
		return nil, fmt.Errorf("announce connection: %w", err)
	}
	far := make(chan *socket, 1)
	p.waiting[t] = far
	return far, nil
}

// withdraw takes an announcement back. A far end that nobody has taken is reset.
func (p *pairing) withdraw(t kernelTuple) {
	p.mu.Lock()
	far := p.waiting[t]
	delete(p.waiting, t)
	p.expected.Delete(t) // gone is gone
	p.mu.Unlock()
	select {
	case s := <-far:
		s.reset()
	default:
	}
}

// deliver takes s, the far end of a connection, to who waits for it. It returns
// false if nobody does.
func (p *pairing) deliver(t kernelTuple, s *socket) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case p.waiting[t] <- s: // a nil channel takes nothing
		return true
	default:
		return false
	}
}

const (
	// backlog bounds connections that wait for accept; net.core.somaxconn does too.
	backlog = 4096
	// acceptPause follows an accept that failed for want of descriptors or memory.
	acceptPause = 10 * time.Millisecond
)

// listen opens the origin port's listener of a family, on a port of the kernel's
// choice. What reaches it is given to it by the socket look-up.
func (p *port) listen(v6 bool) (*os.File, error) {
	fd, err := p.transparent(v6)
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
			d.accepted(fd, addrPort(from))
		case errors.Is(failed, unix.EINTR) || errors.Is(failed, unix.ECONNABORTED):
		default: // no descriptors, no memory
			select {
			case <-d.ctx.Done():
				return
			case <-time.After(acceptPause):
			}
		}
	}
}

// accepted takes a connection that came out of the device.
func (d *Device) accepted(fd int, client netip.AddrPort) {
	to, err := unix.Getsockname(fd)
	if err != nil {
		unix.Close(fd)
		return
	}
	s, err := newSocket(fd)
	if err != nil {
		return
	}
	if !d.pairing.deliver(tuple(client, addrPort(to)), s) {
		d.counters.late.Add(1)
		s.reset()
	}
}
