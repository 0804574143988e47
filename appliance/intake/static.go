package intake

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"

	"github.com/clearspan/clearspan/decrypt"
)

// Static describes a listener whose connections all go to one origin.
type Static struct {
	Listen string // host:port or :port
	Origin string // address:port, or name:port, which is resolved for each session
	SNI    string // server name for the origin leg if the hello has none; may be empty

	// Certificate, if set, is shown to clients in place of a forged one.
	Certificate *tls.Certificate
}

// static is the intake for a fixed origin.
type static struct {
	*server
	Static
	origin destination
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
	l, err := listen("tcp", config.Listen, net.ListenConfig{})
	if err != nil {
		return nil, fmt.Errorf("create static intake: %w", err)
	}
	s := &static{server: newServer(o, l), Static: config, origin: origin}
	s.server.session = s.handle
	return s, nil
}

func (s *static) handle(ctx context.Context, conn *net.TCPConn) {
	addrs, err := s.resolve(ctx, s.origin)
	if err != nil {
		reset(conn)
		return
	}
	s.Handler(ctx, &decrypt.Incoming{
		Intake:      s.Name,
		Conn:        conn,
		Client:      addrPort(conn.RemoteAddr()),
		Origin:      addrs[0],
		SNI:         s.SNI,
		Resolved:    true,
		Certificate: s.Certificate,
		Dial:        s.dialer(addrs),
	})
}
