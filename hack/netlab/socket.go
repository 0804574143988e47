package netlab

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"time"
)

// DialContext dials from inside the namespace. It fits http.Transport and
// net.Dialer users alike. The address must be a literal IP and port, because
// names would be resolved, and raced, on threads outside.
func (n *Namespace) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	if _, err := netip.ParseAddrPort(address); err != nil {
		return nil, fmt.Errorf("dial in namespace %s: %w", n.name, err)
	}
	var d net.Dialer
	d.SetMultipathTCP(false)
	var conn net.Conn
	err := n.Do(func() (err error) {
		conn, err = d.DialContext(ctx, network, address)
		return err
	})
	return conn, err
}

// Dial is [Namespace.DialContext] with a time-out of 5 s.
func (n *Namespace) Dial(network, address string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	return n.DialContext(ctx, network, address)
}

// Listen listens inside the namespace. The host of the address is a literal IP
// or empty. The caller closes the listener, which works after the lab is closed.
func (n *Namespace) Listen(network, address string) (net.Listener, error) {
	var lc net.ListenConfig
	lc.SetMultipathTCP(false)
	var ln net.Listener
	err := n.Do(func() (err error) {
		ln, err = lc.Listen(context.Background(), network, address)
		return err
	})
	return ln, err
}

// ListenPacket is Listen for datagrams.
func (n *Namespace) ListenPacket(network, address string) (net.PacketConn, error) {
	var pc net.PacketConn
	err := n.Do(func() (err error) {
		pc, err = net.ListenPacket(network, address)
		return err
	})
	return pc, err
}
