package blockpage

import (
	"io"
	"log"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/clearspan/clearspan/decrypt"
)

const (
	requestTime = 10 * time.Second // for a request's head, and for the answer
	maxHead     = 16 << 10         // octets
	maxStreams  = 16               // of HTTP/2
)

// contentPolicy lets a page bring its own style and images, and load nothing.
const contentPolicy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// Serve answers the requests of a client with the page about s, and returns when
// the connection is closed, which the first answer leads to. It is the Page of a
// [decrypt.Refusal]: conn is a *tls.Conn after its handshake, with h2 or without
// a protocol or with http/1.1, or not encrypted. Whoever sends no request in ten
// seconds is not answered.
func (p *Page) Serve(s *decrypt.Session, conn net.Conn) {
	html, status := p.HTML(s), Status(s)
	l := &single{conn: conn, closed: make(chan struct{})}
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true)
	protocols.SetUnencryptedHTTP2(true)
	server := &http.Server{
		Handler:                      answer{status, html},
		Protocols:                    &protocols,
		HTTP2:                        &http.HTTP2Config{MaxConcurrentStreams: maxStreams},
		ReadTimeout:                  requestTime,
		WriteTimeout:                 requestTime,
		MaxHeaderBytes:               maxHead,
		DisableGeneralOptionsHandler: true,
		ErrorLog:                     log.New(io.Discard, "", 0),
		ConnState: func(_ net.Conn, state http.ConnState) {
			if state == http.StateClosed {
				l.Close()
			}
		},
	}
	server.SetKeepAlivesEnabled(false)
	server.Serve(l)
	conn.Close()
}

// answer is one page for all requests.
type answer struct {
	status int
	html   []byte
}

// ServeHTTP implements http.Handler. It leaves a request's content unread.
func (a answer) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	setHeader(w.Header(), a.html)
	w.WriteHeader(a.status)
	w.Write(a.html)
}

// setHeader sets the fields that go with a page: it must not be kept, framed,
// sniffed or let load anything, and the connection ends with it.
func setHeader(h http.Header, html []byte) {
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Length", strconv.Itoa(len(html)))
	h.Set("Content-Security-Policy", contentPolicy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-store")
	h.Set("Connection", "close")
}

// single is a listener with one connection.
type single struct {
	conn   net.Conn
	taken  bool // Accept is called by one goroutine
	closed chan struct{}
	end    sync.Once
}

// Accept returns the connection, and the second time waits for Close.
func (l *single) Accept() (net.Conn, error) {
	if !l.taken {
		l.taken = true
		return l.conn, nil
	}
	<-l.closed
	return nil, net.ErrClosed
}

// Close leaves the connection alone.
func (l *single) Close() error {
	l.end.Do(func() { close(l.closed) })
	return nil
}

func (l *single) Addr() net.Addr { return l.conn.LocalAddr() }
