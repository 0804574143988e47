package upstream

import (
	"context"
	"net"

	"golang.org/x/net/proxy"
)

// socks asks a SOCKS5 proxy for the target.
func (p *Proxy) socks(ctx context.Context, to Target) (net.Conn, error) {
	var auth *proxy.Auth
	if p.user != "" {
		auth = &proxy.Auth{User: p.user, Password: p.password}
	}
	var socket net.Conn // package proxy returns it inside a type that hides its descriptor
	d, err := proxy.SOCKS5("tcp", p.address, auth, dialFunc(func(ctx context.Context, network, address string) (_ net.Conn, err error) {
		socket, err = p.open(ctx, network, address)
		return socket, err
	}))
	if err != nil {
		return nil, err
	}
	if _, err := d.(proxy.ContextDialer).DialContext(ctx, "tcp", to.host()); err != nil {
		return nil, err
	}
	return &tunnel{Conn: socket, remote: net.TCPAddrFromAddrPort(to.Addr)}, nil
}

// dialFunc is a function that dials, in the form that package proxy takes.
type dialFunc func(ctx context.Context, network, address string) (net.Conn, error)

// Dial implements [proxy.Dialer].
func (f dialFunc) Dial(network, address string) (net.Conn, error) {
	return f(context.Background(), network, address)
}

// DialContext implements [proxy.ContextDialer].
func (f dialFunc) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	return f(ctx, network, address)
}
