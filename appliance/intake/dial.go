package intake

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"time"

	"github.com/clearspan/clearspan/decrypt"
)

const (
	resolveTimeout = 5 * time.Second
	maxAddresses   = 16          // of one name that are tried
	standInTimeout = time.Second // for a name that a proxy may resolve instead
	minAttempt     = 2 * time.Second
)

var (
	errUnresolved = fmt.Errorf("resolve destination: %w", decrypt.ErrUnresolved)
	errForbidden  = errors.New("open destination: forbidden")
	errLoop       = fmt.Errorf("%w: %w", errForbidden, decrypt.ErrLoop)
)

// resolve returns the addresses of dst that a client may reach, at least one and
// at most maxAddresses. The zero client may reach what the guard lets pass. The
// error is errUnresolved or errForbidden, which errLoop is, too. It is counted. If an
// address stands in for those of the name, there are none, and no error.
func (s *server) resolve(ctx context.Context, client netip.Addr, dst destination) ([]netip.AddrPort, error) {
	addrs := []netip.Addr{dst.addr}
	if s.Pages[dst.name] != nil { // by CONNECT or SOCKS: nothing else is behind that name
		s.Count(Forbidden)
		return nil, errForbidden
	}
	if dst.name != "" {
		var stoodFor bool
		var err error
		addrs, stoodFor, err = s.lookUp(ctx, dst.name)
		if stoodFor {
			return nil, nil
		}
		if err != nil || len(addrs) == 0 {
			s.Count(Unresolved)
			s.Logger.Debug("destination not resolved", "origin", dst.String(), "err", err)
			return nil, errUnresolved
		}
	}
	var open []netip.AddrPort
	loop := false
	for _, addr := range addrs[:min(len(addrs), maxAddresses)] {
		to := netip.AddrPortFrom(addr.Unmap(), dst.port)
		if err := s.permitTo(client, to); err != nil {
			s.Logger.Debug("destination refused", "client", client, "origin", to, "err", err)
			loop = loop || errors.Is(err, decrypt.ErrLoop)
			continue
		}
		open = append(open, to)
	}
	if len(open) == 0 {
		s.Count(Forbidden)
		if loop {
			return nil, errLoop
		}
		return nil, errForbidden
	}
	return open, nil
}

// lookUp asks for the addresses of a name. stoodFor tells that there are none, and that an
// address stands in for them.
func (s *server) lookUp(ctx context.Context, name string) (addrs []netip.Addr, stoodFor bool, err error) {
	timeout, standIn := resolveTimeout, s.standIn(name)
	if standIn.IsValid() {
		timeout = standInTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	addrs, err = s.Resolver.LookupNetIP(ctx, "ip", name)
	return addrs, len(addrs) == 0 && standIn.IsValid(), err
}

// standIn returns the address that stands for a name without one.
func (s *server) standIn(name string) netip.Addr {
	if s.StandIn == nil {
		return netip.Addr{}
	}
	ctx, cancel := context.WithTimeout(context.Background(), standInTimeout)
	defer cancel()
	return s.StandIn(ctx, name)
}

// looped tells of a session whose destination is a listener of the box itself. dst is
// an address, or a name that leads there.
func (s *server) looped(client netip.AddrPort, dst destination, told bool) {
	if missed, ok := s.loops.allow(time.Now()); ok {
		s.Logger.Warn("destination is a listener of clearspan itself", "client", client, "origin", dst.String(), "missed", missed)
	}
	s.unreached(client, dst, decrypt.ErrLoop, told)
}

// lost tells of a request whose destination resolve has refused with err, if that makes
// an entry: a loop, and a name without an address.
func (s *server) lost(client netip.AddrPort, dst destination, err error) {
	switch {
	case errors.Is(err, decrypt.ErrLoop):
		s.looped(client, dst, true)
	case errors.Is(err, decrypt.ErrUnresolved):
		s.unreached(client, dst, err, true)
	}
}

// unreached tells of a session that ended because of its destination.
func (s *server) unreached(client netip.AddrPort, dst destination, err error, told bool) {
	in := &decrypt.Incoming{Intake: s.Name, Client: client, Name: dst.name}
	if dst.addr.IsValid() {
		in.Origin = netip.AddrPortFrom(dst.addr, dst.port)
	}
	s.Unreached(in, err, told)
}

// permit refuses what the guard refuses, and addresses that are no single host:
// the kernel takes the unspecified one for this box.
func (s *server) permit(to netip.AddrPort) error {
	if !to.Addr().IsValid() || to.Addr().IsUnspecified() || to.Addr().IsMulticast() {
		return errForbidden
	}
	if s.Guard == nil {
		return nil
	}
	return s.Guard(to)
}

// permitTo is permit for a destination that a client names.
func (s *server) permitTo(client netip.Addr, to netip.AddrPort) error {
	if err := s.permit(to); err != nil {
		return err
	}
	return s.bounds.permit(client, to.Addr())
}

// dialer returns a function that tries addrs in turn within the connect timeout. It
// judges each address anew: a session may begin long after its names were resolved.
func (s *server) dialer(client netip.Addr, addrs []netip.AddrPort) func(context.Context) (net.Conn, error) {
	return func(ctx context.Context) (net.Conn, error) {
		return dialAny(ctx, addrs, s.ConnectTimeout, func(to netip.AddrPort) error { return s.permitTo(client, to) })
	}
}

// route returns what finds the addresses of a server name for a client's session to
// a port, and a way there. usable may be nil; it leaves out addresses that dial has no use
// for.
func (s *server) route(client netip.Addr, port uint16, usable func(netip.Addr) bool, dial func([]netip.AddrPort) func(context.Context) (net.Conn, error)) func(context.Context, string) (decrypt.Route, error) {
	return func(ctx context.Context, name string) (decrypt.Route, error) {
		dst, err := newDestination(name, port)
		if err != nil {
			return decrypt.Route{}, err
		}
		addrs, err := s.resolve(ctx, client, dst)
		if err != nil {
			return decrypt.Route{}, err
		}
		if usable != nil {
			addrs = slices.DeleteFunc(addrs, func(a netip.AddrPort) bool { return !usable(a.Addr()) })
		}
		if len(addrs) == 0 {
			return decrypt.Route{}, errUnresolved
		}
		return decrypt.Route{Addrs: addrs, Dial: dial(addrs)}, nil
	}
}

// dialAny connects to the first of addrs that answers. Each is given its share of
// the time that is left, so that one that does not answer leaves some for the
// others. An address for which permit returns an error is not connected to. The
// error is that of the first.
func dialAny(ctx context.Context, addrs []netip.AddrPort, timeout time.Duration, permit func(netip.AddrPort) error) (net.Conn, error) {
	if len(addrs) == 0 {
		return nil, fmt.Errorf("open origin leg: %w", errUnresolved)
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	deadline, _ := ctx.Deadline()
	d := net.Dialer{KeepAliveConfig: keepAlive}
	d.SetMultipathTCP(false)
	var first error
	for i, addr := range addrs {
		d.Timeout = share(time.Until(deadline), len(addrs)-i)
		err := permit(addr)
		if err == nil {
			var conn net.Conn
			if conn, err = d.DialContext(ctx, "tcp", addr.String()); err == nil {
				return conn, nil
			}
		}
		if first == nil {
			first = err
		}
		if ctx.Err() != nil {
			break
		}
	}
	return nil, fmt.Errorf("open origin leg: %w", first)
}

// share is what one of n attempts may take of the time that is left: an equal
// part, but at least minAttempt if there is as much.
func share(left time.Duration, n int) time.Duration {
	return max(left/time.Duration(n), min(minAttempt, left))
}
