package blockpage

import (
	"io"
	"log"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/clearspan/clearspan/appliance/oneconn"
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
	}
	server.SetKeepAlivesEnabled(false)
	oneconn.Serve(server, conn)
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
