package intake

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"sync"
	"time"

	"github.com/clearspan/clearspan/decrypt"
)

// explicit is the intake that clients know as their proxy.
type explicit struct {
	*server
	Explicit
	tls       *tls.Config // of the listener; nil: clients connect in the clear
	readers   sync.Pool   // of *bufio.Reader holding maxHead octets
	strangers throttle
}

// NewExplicit opens a proxy. The first octet that a client sends tells SOCKS5 from HTTP. Clients have ten seconds for a request
// head of at most 16 KiB. The name in a request is resolved here, and the client
// is told that it is connected before the origin leg is opened: the handler
// wants to see first what the client sends.
//
// A request for http://... becomes a session of its own, a connection of origin
// form inside the process. It is kept for further requests of the same client
// connection, as between client and origin, and counts for the session limit
// next to its client connection.
//
// Clients of other machines do not reach addresses of this box and of its link, see
// [Explicit]. This holds for the addresses of names, too.
func NewExplicit(config Explicit, o Options) (Intake, error) {
	o, err := o.complete()
	if err != nil {
		return nil, err
	}
	l, err := listen("tcp", config.Listen, net.ListenConfig{})
	if err != nil {
		return nil, fmt.Errorf("create explicit intake: %w", err)
	}
	config.Ports = config.ports(l.Addr())
	e := &explicit{server: newServer(o, l), Explicit: config}
	e.tls = listenerTLS(config.Certificates)
	e.server.bounds = destinationGuard{config.Reach}
	e.readers.New = func() any { return bufio.NewReaderSize(nil, maxHead) }
	e.server.session = e.handle
	return e, nil
}

func (e *explicit) handle(ctx context.Context, socket *net.TCPConn) {
	if client := addrPort(socket.RemoteAddr()).Addr(); !e.served(client) {
		e.Count(ForeignClient)
		if missed, ok := e.strangers.allow(time.Now()); ok {
			e.Logger.Warn("client is not of a network that the proxy serves", "client", client, "missed", missed)
		}
		reset(socket)
		return
	}
	conn := e.secure(socket)
	conn.SetDeadline(time.Now().Add(headTimeout))
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	r := e.readers.Get().(*bufio.Reader)
	r.Reset(conn)
	serve := e.negotiate(ctx, conn, r)
	r.Reset(nil)
	e.readers.Put(r)
	if !stop() || serve == nil {
		return
	}
	conn.SetDeadline(time.Time{})
	serve()
}

// negotiate reads from r, which reads from conn, what the client wants. It
// returns what serves the client, to be called without deadline and without r,
// or nil if the client was refused.
func (e *explicit) negotiate(ctx context.Context, conn clientConn, r *bufio.Reader) func() {
	first, err := r.Peek(1)
	switch {
	case isTLSFault(err):
		e.refused(conn, err)
		return nil
	case err != nil: // nothing was asked for
		return nil
	case first[0] == socksVersion:
		return e.socks(ctx, conn, r)
	case !isToken(first[0]):
		e.refused(conn, errNoProxyRequest)
		return nil
	}
	if start, _ := r.Peek(len(connectPrefix)); string(start) == connectPrefix {
		return e.connect(ctx, conn, r)
	}
	client := unread(conn, r)
	return func() { e.forward(ctx, conn, client) }
}

// unread returns conn with what r has read ahead of the parser put back.
func unread(conn clientConn, r *bufio.Reader) net.Conn {
	ahead, _ := r.Peek(r.Buffered())
	if len(ahead) == 0 {
		return conn
	}
	return NewPeekedConn(conn, append([]byte(nil), ahead...))
}

// connect serves HTTP CONNECT.
func (e *explicit) connect(ctx context.Context, conn clientConn, r *bufio.Reader) func() {
	dst, err := readConnect(r)
	if err != nil {
		e.refused(conn, err)
		var refused *httpError
		switch {
		case errors.As(err, &refused):
			writeRefusal(conn, refused)
		case errors.Is(err, os.ErrDeadlineExceeded) && ctx.Err() == nil:
			conn.SetDeadline(time.Now().Add(time.Second))
			writeRefusal(conn, &httpError{http.StatusRequestTimeout, "the request took too long"})
		}
		return nil
	}
	addrs, err := e.find(ctx, conn, dst)
	if err != nil {
		writeRefusal(conn, refusal(err))
		return nil
	}
	if page, forbidden := e.Forbid(e.incoming(addrPort(conn.RemoteAddr()), nil, dst, addrs)); forbidden {
		writePage(conn, http.StatusForbidden, "text/html", page)
		return nil
	}
	if _, err := conn.Write([]byte(established)); err != nil {
		return nil
	}
	return e.session(ctx, conn, unread(conn, r), dst, addrs)
}

// socks serves SOCKS5.
func (e *explicit) socks(ctx context.Context, conn clientConn, r *bufio.Reader) func() {
	dst, err := negotiateSOCKS(r, conn)
	if err != nil {
		e.refused(conn, err)
		var refused *socksError
		switch {
		case errors.As(err, &refused):
			conn.Write(refused.reply.message())
			linger(conn)
		case errors.Is(err, errSOCKSMethod):
			linger(conn)
		}
		return nil
	}
	addrs, err := e.find(ctx, conn, dst)
	if err != nil {
		reply := socksUnreachable
		if errors.Is(err, errForbidden) {
			reply = socksForbidden
		}
		conn.Write(reply.message())
		linger(conn)
		return nil
	}
	if _, forbidden := e.Forbid(e.incoming(addrPort(conn.RemoteAddr()), nil, dst, addrs)); forbidden {
		conn.Write(socksForbidden.message())
		linger(conn)
		return nil
	}
	if _, err := conn.Write(socksSucceeded.message()); err != nil {
		return nil
	}
	return e.session(ctx, conn, unread(conn, r), dst, addrs)
}

var errNoProxyRequest = errors.New("read request: neither HTTP nor SOCKS5")

// find returns the addresses of what a client names to CONNECT or SOCKS.
func (e *explicit) find(ctx context.Context, conn clientConn, dst destination) ([]netip.AddrPort, error) {
	client := addrPort(conn.RemoteAddr())
	if !contains(e.Ports, dst.port) {
		e.Count(Forbidden)
		e.Logger.Debug("destination refused", "client", client, "origin", dst.String(), "err", errPort)
		return nil, errForbidden
	}
	return e.resolve(ctx, client.Addr(), dst)
}

// refused accounts for a request that could not be read.
func (e *explicit) refused(conn clientConn, err error) {
	e.Count(BadRequest)
	e.Logger.Debug("request refused", "client", conn.RemoteAddr(), "err", err)
}

// session returns what hands the client over to the handler.
func (e *explicit) session(ctx context.Context, conn clientConn, client net.Conn, dst destination, addrs []netip.AddrPort) func() {
	in := e.incoming(addrPort(conn.RemoteAddr()), client, dst, addrs)
	return func() { e.Handler(ctx, in) }
}

func (e *explicit) incoming(client netip.AddrPort, conn net.Conn, dst destination, addrs []netip.AddrPort) *decrypt.Incoming {
	dial := func(addrs []netip.AddrPort) func(context.Context) (net.Conn, error) {
		return e.dialer(client.Addr(), addrs)
	}
	return &decrypt.Incoming{
		Intake: e.Name,
		Conn:   conn,
		Client: client,
		Origin: e.originOf(dst, addrs),
		Name:   dst.name,
		Dial:   dial(addrs),
		Route:  e.route(client.Addr(), dst.port, nil, dial),
	}
}

// originOf returns the address by which a destination is known: its first, or the one that
// stands in for it.
func (e *explicit) originOf(dst destination, addrs []netip.AddrPort) netip.AddrPort {
	if len(addrs) > 0 {
		return addrs[0]
	}
	return netip.AddrPortFrom(e.standIn(dst.name), dst.port)
}
