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
	readers   sync.Pool   // of *bufio.Reader holding headBuffer octets
	strangers throttle
}

// NewExplicit opens a proxy. The first octet that a client sends tells SOCKS from HTTP.
// Clients have ten seconds for a request head of at most 64 KiB. The name in a request
// is resolved here. The client is told that it is connected when the origin leg is open,
// if [Options.DialsEarly] allows that. Otherwise it is told before: the handler wants to
// see first what the client sends.
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
	listeners, err := o.listen(config.Listen)
	if err != nil {
		return nil, fmt.Errorf("create explicit intake: %w", err)
	}
	config.Ports = config.ports(listeners[0].Addr())
	e := &explicit{server: newServer(o, listeners...), Explicit: config}
	e.tls = listenerTLS(config.Certificates)
	e.server.bounds = destinationGuard{config.Reach}
	e.readers.New = func() any { return bufio.NewReaderSize(nil, headBuffer) }
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
	case first[0] == socksVersion, first[0] == socks4Version:
		return e.socks(ctx, conn, r, first[0])
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
	if e.hasSecurePage(dst) {
		if _, err := conn.Write([]byte(established)); err != nil {
			return nil
		}
		return func() { e.SecurePage(unread(conn, r), dst.name) }
	}
	addrs, err := e.find(ctx, conn, dst)
	if err != nil {
		writeRefusal(conn, refusal(err))
		return nil
	}
	in := e.incoming(addrPort(conn.RemoteAddr()), nil, dst, addrs)
	if page, forbidden := e.Forbid(in); forbidden {
		writePage(conn, http.StatusForbidden, "text/html", page)
		return nil
	}
	early, err := e.dialEarly(ctx, conn, in)
	if err != nil {
		writeRefusal(conn, refusal(err))
		return nil
	}
	if _, err := conn.Write([]byte(established)); err != nil {
		early.close()
		return nil
	}
	return e.session(ctx, in, unread(conn, r), early)
}

// socks serves SOCKS5, SOCKS4 and SOCKS4A.
func (e *explicit) socks(ctx context.Context, conn clientConn, r *bufio.Reader, version byte) func() {
	reply, negotiate := socksReply.message, func() (destination, error) { return negotiateSOCKS(r, conn) }
	if version == socks4Version {
		reply, negotiate = socksReply.message4, func() (destination, error) { return readSOCKS4(r) }
	}
	refuse := func(why socksReply) func() {
		conn.Write(reply(why))
		linger(conn)
		return nil
	}
	dst, err := negotiate()
	if err != nil {
		e.refused(conn, err)
		var refused *socksError
		switch {
		case errors.As(err, &refused):
			return refuse(refused.reply)
		case errors.Is(err, errSOCKSMethod):
			linger(conn)
		}
		return nil
	}
	addrs, err := e.find(ctx, conn, dst)
	if err != nil {
		return refuse(socksRefusal(err))
	}
	in := e.incoming(addrPort(conn.RemoteAddr()), nil, dst, addrs)
	if _, forbidden := e.Forbid(in); forbidden {
		return refuse(socksForbidden)
	}
	early, err := e.dialEarly(ctx, conn, in)
	if err != nil {
		return refuse(socksRefusal(err))
	}
	if _, err := conn.Write(reply(socksSucceeded)); err != nil {
		early.close()
		return nil
	}
	return e.session(ctx, in, unread(conn, r), early)
}

// hasSecurePage reports whether dst is one of our own pages, asked for by HTTPS.
func (s *server) hasSecurePage(dst destination) bool {
	return s.SecurePage != nil && s.Pages[dst.name] != nil && dst.port == 443
}

var errNoProxyRequest = errors.New("read request: neither HTTP nor SOCKS")

// find returns the addresses of what a client names to CONNECT or SOCKS.
func (e *explicit) find(ctx context.Context, conn clientConn, dst destination) ([]netip.AddrPort, error) {
	client := addrPort(conn.RemoteAddr())
	if !contains(e.Ports, dst.port) {
		e.Count(Forbidden)
		e.Logger.Debug("destination refused", "client", client, "origin", dst.String(), "err", errPort)
		return nil, errForbidden
	}
	addrs, err := e.resolve(ctx, client.Addr(), dst)
	if err != nil {
		e.lost(client, dst, err)
	}
	return addrs, err
}

// refused accounts for a request that could not be read.
func (e *explicit) refused(conn clientConn, err error) {
	e.Count(BadRequest)
	e.Logger.Debug("request refused", "client", conn.RemoteAddr(), "err", err)
}

// session returns what hands the client over to the handler. early may be nil.
func (e *explicit) session(ctx context.Context, in *decrypt.Incoming, client net.Conn, early *earlyLeg) func() {
	in.Conn, in.Accepted = client, true
	if early != nil {
		in.Dial = early.dialer(in.Dial)
	}
	return func() {
		defer early.close()
		e.Handler(ctx, in)
	}
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
