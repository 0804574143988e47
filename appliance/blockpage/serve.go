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
const contentPolicy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

// askPath is where the form goes. The request comes to the refused host, and thus here.
const askPath = "/.well-known/clearspan/exception"

// Serve answers the requests of a client with the page about s, and returns when
// the connection is closed, which the first answer leads to. It is the Page of a
// [decrypt.Refusal]: conn is a *tls.Conn after its handshake, with h2 or without
// a protocol or with http/1.1, or not encrypted. Whoever sends no request in ten
// seconds is not answered.
func (p *Page) Serve(s *decrypt.Session, conn net.Conn) {
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true)
	protocols.SetUnencryptedHTTP2(true)
	server := &http.Server{
		Handler:                      p.answer(s, conn),
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

// answer is what all requests of a session get.
type answer struct {
	page    *Page
	session *decrypt.Session
	html    []byte
	ask     Ask // nil: there is no form
}

// Canned is a connection on which a page is rendered about one request among others.
// What the client sends next does not come here.
type Canned interface{ Canned() }

func (p *Page) answer(s *decrypt.Session, conn net.Conn) *answer {
	a := &answer{page: p, session: s, ask: p.ask}
	facts := p.facts(s)
	if _, canned := conn.(Canned); canned {
		a.ask = nil
	}
	if a.ask != nil {
		facts.Ask = askPath
	}
	a.html = p.render(&facts)
	return a
}

// ServeHTTP implements http.Handler. It leaves a request's content unread, if it is not
// the form.
func (a *answer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if a.ask != nil && r.Method == http.MethodPost && r.URL.Path == askPath {
		a.asked(w, r)
		return
	}
	a.send(w, Status(a.session), a.html)
}

func (a *answer) send(w http.ResponseWriter, status int, html []byte) {
	setHeader(w.Header(), html)
	w.WriteHeader(status)
	w.Write(html)
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
