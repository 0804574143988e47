package intake

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/netip"
	"runtime/debug"
	"strings"
	"sync"
	"time"
)

const (
	idleTimeout    = 60 * time.Second // of a client connection between requests, and of a connection inside
	maxIdle        = 4                // connections inside, kept for one client connection
	maxReplyHead   = 1 << 20          // octets
	continueWindow = time.Second      // for an origin to answer Expect: 100-continue
)

var (
	errBusy = errors.New("open session: too many sessions")
	errGone = errors.New("open session: client is gone")
)

// forwarder serves the absolute-form requests (RFC 9112, Section 3.2.2) of one
// client connection.
type forwarder struct {
	*explicit
	ctx       context.Context // of the intake
	conn      clientConn
	client    netip.AddrPort
	transport *http.Transport

	requests sync.WaitGroup

	mu     sync.Mutex
	gone   bool
	inside map[net.Conn]struct{} // our ends of the connections inside
}

// forward serves client, which reads from conn, until it is closed.
func (e *explicit) forward(ctx context.Context, conn clientConn, client net.Conn) {
	f := &forwarder{
		explicit: e,
		ctx:      ctx,
		conn:     conn,
		client:   addrPort(conn.RemoteAddr()),
		inside:   make(map[net.Conn]struct{}),
	}
	f.transport = &http.Transport{
		DialContext:            f.dial,
		DisableCompression:     true,
		MaxIdleConns:           maxIdle,
		MaxIdleConnsPerHost:    1,
		IdleConnTimeout:        idleTimeout,
		ExpectContinueTimeout:  continueWindow,
		MaxResponseHeaderBytes: maxReplyHead,
	}
	listener := newOneListener(client)
	server := &http.Server{
		Handler:                      f,
		BaseContext:                  func(net.Listener) context.Context { return ctx },
		ReadHeaderTimeout:            headTimeout,
		IdleTimeout:                  idleTimeout,
		MaxHeaderBytes:               maxHead,
		DisableGeneralOptionsHandler: true,
		ErrorLog:                     log.New(io.Discard, "", 0),
		ConnState: func(_ net.Conn, state http.ConnState) {
			if state == http.StateClosed || state == http.StateHijacked {
				listener.Close() // no further request begins
			}
		},
	}
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	served := make(chan struct{})
	defer close(served)
	go func() {
		select {
		case <-e.closing:
			server.SetKeepAlivesEnabled(false)
		case <-served:
		}
	}()
	server.Serve(listener)
	f.requests.Wait()
	f.leave()
}

// leave ends the connections inside.
func (f *forwarder) leave() {
	f.mu.Lock()
	f.gone = true
	for conn := range f.inside {
		conn.Close()
	}
	f.mu.Unlock()
	f.transport.CloseIdleConnections()
}

// dial opens a connection inside: the far end of a socket pair is an incoming
// connection like any other. It implements http.Transport.DialContext.
func (f *forwarder) dial(ctx context.Context, _, address string) (net.Conn, error) {
	dst, err := parseAuthority(address, 80)
	if err != nil {
		return nil, badRequest("malformed destination")
	}
	if dst.port == smtp && !contains(f.Ports, smtp) {
		f.Count(Forbidden)
		return nil, errForbidden
	}
	addrs, err := f.resolve(ctx, f.client.Addr(), dst)
	if err != nil {
		f.lost(f.client, dst, err)
		return nil, err
	}
	near, far, err := socketPair()
	if err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.gone {
		near.Close()
		far.Close()
		return nil, errGone
	}
	in := f.incoming(f.client, far, dst, addrs)
	run := func() {
		defer f.forget(near)
		f.Handler(f.ctx, in)
	}
	if !f.start(far, run) {
		near.Close()
		far.Close()
		return nil, errBusy
	}
	f.inside[near] = struct{}{}
	return near, nil
}

// forget drops a connection inside whose session has ended.
func (f *forwarder) forget(near net.Conn) {
	f.mu.Lock()
	delete(f.inside, near)
	f.mu.Unlock()
}

// ServeHTTP implements http.Handler.
func (f *forwarder) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.requests.Add(1)
	defer f.requests.Done()
	defer f.abort()
	switch {
	case r.Method == http.MethodConnect:
		f.tunnel(w, r)
	case r.Method == http.MethodTrace:
		w.Header().Set("Allow", "CONNECT, DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT")
		f.refuse(w, &httpError{http.StatusMethodNotAllowed, "TRACE is not forwarded"})
	case !r.URL.IsAbs() || r.URL.Host == "":
		f.refuse(w, badRequest("this is a proxy, not a web server: send CONNECT host:port or a full http:// address"))
	case !strings.EqualFold(r.URL.Scheme, "http"):
		f.refuse(w, badRequest("only http:// addresses are forwarded: use CONNECT"))
	default:
		dst, err := parseAuthority(r.URL.Host, 80)
		if err != nil {
			f.refuse(w, badRequest("malformed destination"))
			return
		}
		if page := f.Pages[dst.name]; page != nil {
			f.answer(w, r, page, dst)
			return
		}
		f.roundTrip(w, r)
	}
}

// answer has one of our own pages answer.
func (f *forwarder) answer(w http.ResponseWriter, r *http.Request, page http.Handler, dst destination) {
	if dst.port != 80 {
		f.refuse(w, errForbidden)
		return
	}
	own := r.Clone(r.Context())
	own.URL.Scheme, own.URL.Host, own.URL.User = "", "", nil
	own.RequestURI = own.URL.RequestURI()
	page.ServeHTTP(w, own)
}

// abort, deferred, keeps a panic within this connection.
func (f *forwarder) abort() {
	v := recover()
	if v == nil {
		return
	}
	if v != http.ErrAbortHandler { // the way of net/http to cut a reply short
		f.Count(Panicked)
		f.Logger.Error("session panicked", "err", fmt.Sprint(v), "stack", string(debug.Stack()))
	}
	panic(http.ErrAbortHandler)
}

func (f *forwarder) refuse(w http.ResponseWriter, err error) {
	e := refusal(err)
	if e.status < http.StatusInternalServerError && e.status != http.StatusForbidden {
		f.refused(f.conn, err)
	}
	w.Header().Set("Connection", "close")
	http.Error(w, e.text, e.status)
}

// roundTrip forwards one request. Apart from what belongs to the hop between
// client and proxy, head and content go out as they came.
func (f *forwarder) roundTrip(w http.ResponseWriter, r *http.Request) {
	p := httputil.ReverseProxy{
		Transport:     f.transport,
		Rewrite:       rewrite,
		FlushInterval: -1,
		ErrorLog:      log.New(io.Discard, "", 0),
		ErrorHandler:  func(w http.ResponseWriter, _ *http.Request, err error) { f.refuse(w, err) },
		ModifyResponse: func(*http.Response) error {
			// A nil value keeps net/http from adding the field.
			w.Header()["Date"] = nil
			w.Header()["Content-Type"] = nil
			return nil
		},
	}
	p.ServeHTTP(w, r)
}

// rewrite makes the request that the origin gets.
func rewrite(p *httputil.ProxyRequest) {
	p.Out.Host = p.In.Host
	p.Out.Trailer = p.In.Trailer // has its values when the content has been read
	p.Out.URL.User = nil
	p.Out.URL.RawQuery = p.In.URL.RawQuery
	p.Out.URL.Opaque = requestPath(p.In.RequestURI)
	for _, name := range []string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto"} {
		if values := p.In.Header[name]; values != nil {
			p.Out.Header[name] = values
		}
	}
	for name := range p.Out.Header {
		if strings.HasPrefix(name, "Proxy-") {
			delete(p.Out.Header, name)
		}
	}
}

// requestPath returns the path of an absolute URI exactly as it was written, or
// "" if net/url has to encode it: a path that is empty or begins with two
// slashes.
func requestPath(uri string) string {
	_, rest, _ := strings.Cut(uri, "://")
	rest, _, _ = strings.Cut(rest, "?")
	slash := strings.IndexByte(rest, '/')
	if slash < 0 || strings.HasPrefix(rest[slash:], "//") {
		return ""
	}
	return rest[slash:]
}

// tunnel serves a CONNECT that follows other requests on the same connection.
func (f *forwarder) tunnel(w http.ResponseWriter, r *http.Request) {
	dst, err := parseAuthority(r.RequestURI, 0)
	if err != nil {
		f.refuse(w, badRequest("CONNECT needs host:port"))
		return
	}
	if f.hasSecurePage(dst) {
		f.securePage(w, dst.name)
		return
	}
	addrs, err := f.find(r.Context(), f.conn, dst)
	if err != nil {
		f.refuse(w, err)
		return
	}
	in := f.incoming(f.client, nil, dst, addrs)
	if page, forbidden := f.Forbid(in); forbidden {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Connection", "close")
		w.WriteHeader(http.StatusForbidden)
		w.Write(page)
		return
	}
	early, err := f.dialEarly(f.ctx, f.conn, in)
	if err != nil {
		f.refuse(w, err)
		return
	}
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		early.close()
		f.refuse(w, err)
		return
	}
	defer conn.Close()
	conn.SetDeadline(time.Time{})
	if _, err := io.WriteString(conn, established); err != nil {
		early.close()
		return
	}
	f.leave()
	f.session(f.ctx, in, f.unread(conn, buffered.Reader), early)()
}

// securePage has one of our own pages answer by TLS.
func (f *forwarder) securePage(w http.ResponseWriter, host string) {
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		f.refuse(w, err)
		return
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, established); err != nil {
		return
	}
	f.leave()
	f.SecurePage(f.unread(conn, buffered.Reader), host)
}

// unread returns the client's socket with everything put back that was read from
// it: what r holds, and what the prefix beneath still holds.
func (f *forwarder) unread(conn net.Conn, r *bufio.Reader) net.Conn {
	ahead, _ := r.Peek(r.Buffered())
	prefix := append([]byte(nil), ahead...)
	if p, ok := conn.(*PeekedConn); ok {
		prefix = append(prefix, p.Prefix()...)
	}
	if len(prefix) == 0 {
		return f.conn
	}
	return NewPeekedConn(f.conn, prefix)
}
