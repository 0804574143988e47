// Package h1 carries sessions of HTTP/1.1 through services. A message that no
// service changed goes on with its octets as they came.
package h1

import (
	"bytes"
	"sync"
	"time"

	"github.com/clearspan/clearspan/appliance/service/web/adapt"
	"github.com/clearspan/clearspan/appliance/service/web/ws"
)

// Session is an HTTP/1.1 session: one goroutine reads requests, one responses.
type Session struct {
	*adapt.Session
	requests, responses headReader // each for its goroutine

	mu      sync.Mutex
	cond    sync.Cond // queue, raw, over, busy, and the end of the session
	queue   []*exchange
	raw     bool      // an upgrade was granted
	socket  *ws.Conn  // carries what follows the upgrade; nil: octets pass unread
	over    bool      // no more responses come
	busy    bool      // a request is being read, or held by a service
	partial bool      // a response has begun and not ended
	cut     *exchange // its request will never be whole

	// The last page, if there is one.
	told  chan struct{} // closed when the page had its time
	timer *time.Timer
	heard bool // the client has read it, or had its time; of the goroutine that reads the client
}

// New returns an HTTP/1.1 session.
func New(s *adapt.Session) *Session {
	x := &Session{Session: s, requests: headReader{in: s.Client}, responses: headReader{in: s.Origin}}
	x.cond.L = &x.mu
	return x
}

// FromClient reads requests until the client ends.
func (x *Session) FromClient() {
	if err := x.readRequests(); err != nil {
		x.Fail(err)
	}
	x.taking(false)
	if x.Err() != nil {
		x.discard()
	}
}

// FromOrigin reads responses until the origin ends.
func (x *Session) FromOrigin() {
	err := x.readResponses()
	x.NoResponses()
	if err != nil {
		x.Fail(err)
	}
}

// NoResponses notes that no more responses come.
func (x *Session) NoResponses() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.over = true
	x.cond.Broadcast()
}

// Fail ends the session for err. A client whose request or response is refused
// gets a page if nothing of a response is under way. It has a moment to read it.
func (x *Session) Fail(err error) {
	r, ok := err.(*adapt.Refusal)
	switch {
	case !ok:
		x.fail(err, 0, "")
	case r.Side == adapt.Request:
		x.settle()
		x.fail(err, 400, adapt.WhyRequest)
	case r.Word == adapt.Upgraded:
		x.fail(err, 502, adapt.WhyUpgrade)
	default:
		x.fail(err, 502, adapt.WhyResponse)
	}
}

// fail is Fail with the page; status 0: none.
func (x *Session) fail(err error, status int, why string) {
	x.mu.Lock()
	first := x.End(err)
	tell := first && status != 0 && !x.partial && !x.raw
	if tell {
		x.told = make(chan struct{})
		x.timer = time.AfterFunc(x.Config.Linger, func() {
			x.Abort()
			close(x.told)
		})
	}
	x.cond.Broadcast()
	x.mu.Unlock()
	switch {
	case !first:
	case !tell:
		x.Abort()
	default:
		head, body := adapt.Page(status, why, true)
		x.Client.Write(bytes.Join([][]byte{head, body}, nil))
		x.Client.CloseWrite()
	}
}

// discard waits until the client has read its last page, and closes. What it
// sends is of no account.
func (x *Session) discard() {
	ended := x.Client.Err() != nil
	for x.Client.Err() == nil {
		x.Client.Consume(len(x.Client.Unread()))
		x.Client.Fill()
	}
	x.mu.Lock()
	told := x.told
	x.mu.Unlock()
	if ended && told != nil { // nothing of the client's can tell
		<-told
	}
	x.heard = true
	x.Abort()
}

// Close waits until the last page had its time. Both directions have ended.
func (x *Session) Close() {
	switch {
	case x.told != nil && !x.heard: // the client had ended before: give it time
		<-x.told
	case x.timer != nil:
		x.timer.Stop()
	}
}
