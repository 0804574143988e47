package inline

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// portAttempts is how many ports are tried in the place of a client's that is taken.
const portAttempts = 8

// connection is one through the device.
type connection struct {
	clientPort, originPort *socket
	portChanged            bool // another client port had to do
}

// dial opens a connection through the device. It fails with errReset if the
// device does not want it, and with context.DeadlineExceeded if it does not come
// out in time.
//
// Addresses and ports may be in use on the chain already: two sessions of a client
// from one port to different ports of an origin that are mapped to the same one.
// Then the second bears another client port.
func (d *Device) dial(ctx context.Context, client, origin netip.AddrPort) (connection, error) {
	ctx, stop := context.WithTimeout(ctx, d.config.Timeout)
	defer stop()
	c, err := d.connect(ctx, client, origin)
	for n := 0; n < portAttempts && isAddrInUse(err); n++ {
		c, err = d.connect(ctx, netip.AddrPortFrom(client.Addr(), 0), origin)
		c.portChanged = true
	}
	return c, err
}

func isAddrInUse(err error) bool {
	return errors.Is(err, errInUse) || errors.Is(err, unix.EADDRINUSE) || errors.Is(err, unix.EADDRNOTAVAIL)
}

// connect is one attempt. Port 0 lets the kernel choose.
func (d *Device) connect(ctx context.Context, client, origin netip.AddrPort) (c connection, err error) {
	fd, err := d.ports[0].transparent(origin.Addr().Is6())
	if err != nil {
		return c, err
	}
	if c.clientPort, err = newSocket(fd); err != nil {
		return c, err
	}
	defer func() {
		if err != nil {
			c.clientPort.reset()
		}
	}()
	if client, err = bind(c.clientPort, client); err != nil {
		return c, err
	}
	t := tuple(client, origin)
	far, err := d.pairing.announce(t)
	if err != nil {
		return c, err
	}
	defer d.pairing.withdraw(t)
	if err := open(ctx, c.clientPort, origin); err != nil {
		return c, err
	}
	select {
	case c.originPort = <-far:
		return c, nil
	case <-ctx.Done():
		return c, ctx.Err()
	}
}

// bind gives a socket the client's address, and returns it with its port.
func bind(s *socket, client netip.AddrPort) (netip.AddrPort, error) {
	var failed error
	err := s.raw.Control(func(fd uintptr) {
		if failed = unix.Bind(int(fd), sockaddr(client)); failed != nil || client.Port() != 0 {
			return
		}
		var sa unix.Sockaddr
		if sa, failed = unix.Getsockname(int(fd)); failed == nil {
			client = addrPort(sa)
		}
	})
	if err = errors.Join(err, failed); err != nil {
		return client, fmt.Errorf("bear the address %s: %w", client, err)
	}
	return client, nil
}

// open connects a socket.
func open(ctx context.Context, s *socket, origin netip.AddrPort) error {
	stop := context.AfterFunc(ctx, func() { s.file.SetWriteDeadline(time.Unix(1, 0)) })
	to := sockaddr(origin)
	var failed error
	// Called again whenever the socket is writable: connect(2) tells the outcome.
	err := s.raw.Write(func(fd uintptr) bool {
		failed = unix.Connect(int(fd), to)
		return failed != unix.EINPROGRESS && failed != unix.EALREADY
	})
	if !stop() {
		return ctx.Err()
	}
	switch {
	case err != nil:
		return err
	case failed == nil, failed == unix.EISCONN:
		return nil
	case failed == unix.ECONNREFUSED, failed == unix.ECONNRESET:
		return errReset
	}
	return fmt.Errorf("connect through the device: %w", os.NewSyscallError("connect", failed))
}
