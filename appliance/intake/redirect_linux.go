package intake

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"

	"github.com/clearspan/clearspan/decrypt"
	"github.com/clearspan/clearspan/decrypt/policy"
)

// Redirect describes an address translation of routed traffic to this box.
type Redirect struct {
	// Listen is ":port"; port 0 takes a free one. The sockets listen on every
	// address, for the kernel redirects to that of the interface a connection
	// came in on.
	Listen string
	From   []string           // names of the interfaces that clients are behind, at least one
	Ports  []policy.PortRange // destination ports to redirect; none: every port

	Forwarded Forwarded // what becomes of what is not redirected
}

// errDirect is a connection to the listener that nobody redirected.
var errDirect = errors.New("connection to the listener itself")

// redirect is the intake for translated traffic.
type redirect struct {
	*server
	*forwardedTable
	neighbors neighbors
}

// NewRedirect starts to redirect new TCP connections over IPv4 and IPv6 that
// arrive on the interfaces given and go to other hosts. The client's connection
// is accepted in the origin's name; the origin leg is opened from the box's own
// address. Connections that exist already stay as they are, and so do those to
// the box itself. Who connects to the listener itself is refused.
//
// It needs CAP_NET_ADMIN, Linux 5.12, connection tracking, and on each interface
// an address of each family that comes in there, of the scope of the origins. It
// adds an nftables table clearspan_NAME (family inet) that belongs to the
// process: nobody else can change it, a flush of the ruleset spares it, and when
// the process dies the kernel removes it at once, so that traffic is routed as
// usual, if Forwarded does not block it; sessions are lost then. A process that is
// stopped but alive goes on to attract connections. Forwarded has a table of its own,
// clearspan_NAME/forwarded. A firewall with a restrictive input chain has to accept
// packets to the port of Listen, best those of translated connections (ct status
// dnat).
//
// With [Options.Listeners], a [Redirection] has the listeners and the translation: the
// intake adds what Forwarded asks for.
//
// Close lets new connections be routed, or be blocked. The translation of open sessions is
// removed when the last one has ended.
func NewRedirect(config Redirect, o Options) (_ Routed, err error) {
	o, err = o.complete()
	if err != nil {
		return nil, err
	}
	r, err := newRedirectNFT(o.Name, config)
	if err != nil {
		return nil, fmt.Errorf("create redirect intake: %w", err)
	}
	fence, err := newForwardedTable(&r.nftMatch, config.Forwarded, o)
	if err != nil {
		return nil, fmt.Errorf("create redirect intake: %w", err)
	}
	kept := len(o.Listeners) > 0 // a Redirection has them
	var claims nameLocks
	if !kept {
		if claims, err = r.lock(); err != nil {
			return nil, fmt.Errorf("create redirect intake: %w", err)
		}
	}
	i := &redirect{forwardedTable: fence}
	var listeners []acceptor
	undo := func() error { return errors.Join(fence.remove(), r.remove(), claims.Close(), i.neighbors.close()) }
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("create redirect intake: %w", err), undo())
			closeAll(listeners)
		}
	}()

	if i.neighbors, err = newNeighbors(r.from); err != nil {
		return nil, err
	}
	warnForwarding(o.Logger)
	if kept {
		listeners = r.given(o.Listeners)
	} else if listeners, err = r.listenRedirected(o.Logger); err != nil {
		return nil, err
	} else if err = r.add(); err != nil {
		return nil, err
	}
	if err := fence.add(); err != nil {
		return nil, err
	}
	listeners[0] = hookedListener{listeners[0], func() error {
		if kept {
			return fence.remove()
		}
		return errors.Join(fence.remove(), r.pass())
	}}
	i.server = newServer(o, listeners...)
	i.server.session = i.handle
	i.server.undo = func() error {
		ports := []uint16{r.listen4.Port(), r.listen6.Port()}
		awaitFINs(func(a netip.AddrPort) bool { return slices.Contains(ports, a.Port()) })
		return undo()
	}
	o.Logger.Info("traffic is redirected", "iface", strings.Join(r.from, " "), "listen", i.Addr().String())
	return i, nil
}

// Serve implements [Intake].
func (r *redirect) Serve(ctx context.Context) error {
	r.sweep()
	return r.server.Serve(ctx)
}

func (r *redirect) handle(ctx context.Context, conn *net.TCPConn) {
	client := addrPort(conn.RemoteAddr())
	origin, err := originalDestination(conn)
	if err == nil && origin == addrPort(conn.LocalAddr()) {
		err = errDirect
	}
	if err == nil {
		err = r.permit(origin)
	}
	if err != nil {
		r.Logger.Debug("destination refused", "client", client, "origin", origin, "err", err)
		r.Count(Forbidden)
		reset(conn)
		return
	}
	r.Handler(ctx, &decrypt.Incoming{
		Intake: r.Name,
		Conn:   conn,
		Client: client,
		Origin: origin,
		Link:   decrypt.Link{ClientMAC: r.neighbors.mac(client.Addr())},
		Dial:   r.dialer(netip.Addr{}, []netip.AddrPort{origin}),
		Route: r.route(client.Addr(), origin.Port(), nil, func(addrs []netip.AddrPort) func(context.Context) (net.Conn, error) {
			return r.dialer(client.Addr(), addrs)
		}),
	})
}
