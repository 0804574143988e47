package intake

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"syscall"

	"github.com/clearspan/clearspan/decrypt"
	"github.com/clearspan/clearspan/decrypt/policy"
	"golang.org/x/sys/unix"
)

// TProxy describes a diversion of routed traffic.
type TProxy struct {
	// Listen is ":port"; port 0 takes a free one. The sockets listen on loopback
	// addresses only: what is diverted reaches them there, and nothing else can.
	Listen string
	From   []string           // names of the interfaces that clients are behind, at least one
	Ports  []policy.PortRange // destination ports to divert; none: every port

	Forwarded Forwarded // what becomes of what is not diverted

	// Certificates are shown to clients in place of forged ones, in sessions whose
	// server name they are valid for and whose origin has proven it.
	Certificates []tls.Certificate

	// Mark is the firewall mark of diverted packets; Mark+1 is that of the
	// intake's own sockets. Table is the number of the routing table, Priority
	// that of the rule that leads there. All zero chooses numbers that no other
	// tproxy intake of this network namespace uses.
	Mark     uint32
	Table    int
	Priority int
}

// tproxy is the intake for diverted traffic.
type tproxy struct {
	*server
	*forwardedTable
	mark         uint32 // of our sockets
	ownAddrs     []netip.AddrPort
	neighbors    neighbors
	certificates func(string, bool) []tls.Certificate
}

// NewTProxy starts to divert new TCP connections over IPv4 and IPv6 that arrive
// on the interfaces given and go to other hosts. The client's connection is
// accepted in the origin's name, the origin leg is opened from the client's
// address and port. Connections that exist already stay as they are, and so do
// connections to the box itself.
//
// It needs CAP_NET_ADMIN, and adds an nftables table clearspan_NAME (family
// inet) and for each family a routing rule and a local default route in a table
// of its own. All are removed when the intake has closed and its last session
// has ended, or if construction fails; a later start removes what a killed
// process left behind. Without a listener the kernel passes over the diversion,
// so that traffic is routed as usual when the process dies, if Forwarded does not
// block it. A process that is stopped but alive goes on to attract connections.
// Forwarded has a table of its own, clearspan_NAME/forwarded.
//
// With [Options.Listeners], a [Diversion] has the listeners, the table and the routing:
// the intake adds what Forwarded asks for.
//
// Diverted packets are kept out of connection tracking, so that the mode does
// not go together with NAT of the same clients. A firewall with a restrictive
// input chain has to accept packets that bear the mark. No sysctl is changed:
// a setting that makes diversion impossible is an error, one that keeps
// undiverted traffic from being routed is a warning.
func NewTProxy(config TProxy, o Options) (_ Routed, err error) {
	o, err = o.complete()
	if err != nil {
		return nil, err
	}
	n, err := newTProxyNFT(o.Name, config)
	if err != nil {
		return nil, fmt.Errorf("create tproxy intake: %w", err)
	}
	fence, err := newForwardedTable(&n.nftMatch, config.Forwarded, o)
	if err != nil {
		return nil, fmt.Errorf("create tproxy intake: %w", err)
	}
	t := &tproxy{forwardedTable: fence, certificates: certificatesByName(config.Certificates)}
	kept := len(o.Listeners) > 0 // a Diversion has them
	var claims nameLocks
	if !kept {
		if claims, err = n.lock(config); err != nil {
			return nil, fmt.Errorf("create tproxy intake: %w", err)
		}
	}
	var listeners []acceptor
	undo := func() error {
		err := errors.Join(fence.remove(), t.neighbors.close())
		if !kept {
			err = errors.Join(err, n.remove(), claims.Close())
		}
		return err
	}
	defer func() {
		if err == nil {
			return
		}
		closeAll(listeners)
		err = errors.Join(fmt.Errorf("create tproxy intake: %w", err), undo())
	}()

	warnForwarding(o.Logger)
	if t.neighbors, err = newNeighbors(n.from); err != nil {
		return nil, err
	}
	if listeners, err = n.start(config, o); err != nil {
		return nil, err
	}
	t.mark = n.mark + 1
	for _, l := range listeners {
		t.ownAddrs = append(t.ownAddrs, addrPort(l.Addr()))
	}
	if err := fence.add(); err != nil {
		return nil, err
	}
	listeners[0] = hookedListener{listeners[0], fence.remove}
	t.server = newServer(o, listeners...)
	t.server.session = t.handle
	t.server.undo = func() error {
		awaitFINs(notLocal())
		return undo()
	}
	o.Logger.Info("traffic is diverted", "iface", strings.Join(n.from, " "), "mark", fmt.Sprintf("%#x", n.mark), "table", n.table, "priority", n.priority)
	return t, nil
}

// start opens the listeners and diverts, unless a [Diversion] does.
func (n *tproxyNFT) start(config TProxy, o Options) ([]acceptor, error) {
	if len(o.Listeners) > 0 {
		return n.given(o.Listeners), n.numbersOf(o.Listeners[0], config)
	}
	if err := checkSysctls(n.from); err != nil {
		return nil, err
	}
	listeners, err := n.listenDiverted(o.Logger)
	if err != nil {
		return nil, err
	}
	if err := n.add(); err != nil {
		return nil, errors.Join(err, closeAll(listeners))
	}
	return listeners, nil
}

// Serve implements [Intake].
func (t *tproxy) Serve(ctx context.Context) error {
	t.sweep()
	return t.server.Serve(ctx)
}

func (t *tproxy) handle(ctx context.Context, conn *net.TCPConn) {
	client, origin := addrPort(conn.RemoteAddr()), addrPort(conn.LocalAddr())
	for _, own := range t.ownAddrs {
		if origin == own { // a local process came without diversion
			t.Count(Forbidden)
			reset(conn)
			return
		}
	}
	if err := t.permit(origin); err != nil {
		t.Logger.Debug("destination refused", "client", client, "origin", origin, "err", err)
		t.Count(Forbidden)
		reset(conn)
		return
	}
	t.Handler(ctx, &decrypt.Incoming{
		Intake: t.Name,
		Conn:   conn,
		Client: client,
		Origin: origin,
		Own:    t.certificates,
		Link:   decrypt.Link{ClientMAC: t.neighbors.mac(client.Addr())},
		Dial:   func(ctx context.Context) (net.Conn, error) { return t.dial(ctx, client, origin) },
		Route: t.route(client.Addr(), origin.Port(), func(a netip.Addr) bool { return a.Is4() == client.Addr().Is4() },
			func(addrs []netip.AddrPort) func(context.Context) (net.Conn, error) {
				return func(ctx context.Context) (net.Conn, error) { return t.dial(ctx, client, addrs[0]) }
			}),
	})
}

// dial opens an origin leg from the client's address and port. If that port is
// taken, another one has to do.
func (t *tproxy) dial(ctx context.Context, client, origin netip.AddrPort) (net.Conn, error) {
	conn, err := t.dialFrom(ctx, client, origin)
	if errors.Is(err, unix.EADDRINUSE) || errors.Is(err, unix.EADDRNOTAVAIL) {
		t.Count(PortChanged)
		conn, err = t.dialFrom(ctx, netip.AddrPortFrom(client.Addr(), 0), origin)
	}
	if err != nil {
		return nil, fmt.Errorf("open origin leg: %w", err)
	}
	return conn, nil
}

func (t *tproxy) dialFrom(ctx context.Context, from, to netip.AddrPort) (net.Conn, error) {
	d := net.Dialer{
		Timeout:         t.ConnectTimeout,
		LocalAddr:       net.TCPAddrFromAddrPort(from),
		KeepAliveConfig: keepAlive,
		Control:         transparent(t.mark),
	}
	d.SetMultipathTCP(false)
	return d.DialContext(ctx, "tcp", to.String())
}

// transparent returns a function that lets a socket bear addresses of others and
// marks its packets as ours.
func transparent(mark uint32) func(network, address string, c syscall.RawConn) error {
	return func(network, _ string, c syscall.RawConn) error {
		var failed error
		err := c.Control(func(descriptor uintptr) {
			fd := int(descriptor)
			level, option := unix.SOL_IP, unix.IP_TRANSPARENT
			if network == "tcp6" {
				level, option = unix.SOL_IPV6, unix.IPV6_TRANSPARENT
			}
			failed = errors.Join(
				optionErr("SO_REUSEADDR", unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1)),
				optionErr("SO_MARK", unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_MARK, int(mark))),
				optionErr("IP_TRANSPARENT", unix.SetsockoptInt(fd, level, option, 1)),
			)
		})
		return errors.Join(err, failed)
	}
}

// optionErr names the socket option that could not be set.
func optionErr(option string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("set %s: %w", option, err)
}
