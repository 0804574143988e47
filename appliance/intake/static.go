package intake

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"

	"github.com/clearspan/clearspan/decrypt"
)

// Static describes a listener whose connections all go to one origin.
type Static struct {
	Listen string // host:port or :port
	Origin string // address:port, or name:port, which is resolved for each session
	SNI    string // server name for the origin leg if the hello has none; may be empty

	// Certificates, if any, are shown to clients in place of forged ones: the one
	// that suits the hello, else the first.
	Certificates []tls.Certificate

	// ProxyFrom are the load balancers that begin each connection with a header of
	// the PROXY protocol, version 1 or 2. What it says of the client counts.
	ProxyFrom []netip.Prefix
	// ProxySend has origin legs begin with such a header.
	ProxySend ProxyVersion
}

// static is the intake for a fixed origin.
type static struct {
	*server
	Static
	origin destination
	own    func(string, bool) []tls.Certificate
}

// NewStatic opens the listener.
func NewStatic(config Static, o Options) (Intake, error) {
	o, err := o.complete()
	if err != nil {
		return nil, err
	}
	origin, err := parseAuthority(config.Origin, 0)
	if err != nil {
		return nil, fmt.Errorf("create static intake: origin %q: not a host and port", config.Origin)
	}
	listeners, err := o.listen(config.Listen)
	if err != nil {
		return nil, fmt.Errorf("create static intake: %w", err)
	}
	s := &static{server: newServer(o, listeners...), Static: config, origin: origin, own: fixedCertificates(config.Certificates)}
	s.server.session = s.handle
	return s, nil
}

func (s *static) handle(ctx context.Context, conn *net.TCPConn) {
	client, taken := addrPort(conn.RemoteAddr()), net.Conn(conn)
	if from := client.Addr(); slices.ContainsFunc(s.ProxyFrom, func(p netip.Prefix) bool { return p.Contains(from) }) {
		c, told, err := readProxy(conn)
		if err != nil {
			s.Count(BadRequest)
			s.Logger.Debug("connection refused", "client", client, "err", err)
			reset(conn)
			return
		}
		if taken = c; told.IsValid() {
			client = told
		}
	}
	addrs, err := s.resolve(ctx, netip.Addr{}, s.origin)
	if err != nil {
		if errors.Is(err, decrypt.ErrLoop) {
			s.looped(client, s.origin, false)
		}
		reset(conn)
		return
	}
	s.Handler(ctx, &decrypt.Incoming{
		Intake:   s.Name,
		Conn:     taken,
		Client:   client,
		Origin:   addrs[0],
		SNI:      s.SNI,
		Resolved: true,
		Own:      s.own,
		Dial:     s.dialer(netip.Addr{}, addrs),
		Announce: announce(s.ProxySend, client),
	})
}
