// Package h2 carries sessions of HTTP/2 through services: a connection with the
// client and one with the origin. Messages that no service needs pass frame by
// frame.
package h2

import (
	"errors"
	"sync"

	"github.com/clearspan/clearspan/appliance/service/web/adapt"
	"github.com/clearspan/clearspan/decrypt"
	"github.com/clearspan/clearspan/decrypt/proto/http2"
)

// maxStreams bounds those that are open at a time.
const maxStreams = 1024

// Session is an HTTP/2 session: a connection with the client, one with the origin.
// Streams are numbered anew toward the origin, in the order in which services let
// their requests pass.
type Session struct {
	*adapt.Session

	mu       sync.Mutex
	err      error // why nothing is carried any more
	conns    [2]*conn
	byClient map[uint32]*stream
	byOrigin map[uint32]*stream
	newest   uint32  // stream of the client
	opened   uint32  // stream at the origin
	away     bool    // the origin takes no more streams
	held     [2]int  // messages that services have, by kind
	kept     int     // octets that streams keep in memory
	ahead    int64   // window that streams have beyond the first, for messages that services have
	lazy     bool    // the frame that is being taken is not the last at hand
	ended    [2]bool // no more comes from that connection
	wg       sync.WaitGroup
}

// New returns an HTTP/2 session. The caller closes it.
func New(s *adapt.Session) *Session {
	x := &Session{Session: s, byClient: make(map[uint32]*stream), byOrigin: make(map[uint32]*stream)}
	x.conns = [2]*conn{
		adapt.Request:  newConn(x, adapt.Request, s.Client),
		adapt.Response: newConn(x, adapt.Response, s.Origin),
	}
	for _, c := range x.conns {
		x.wg.Go(func() { x.contain(func() error { return x.write(c) }) })
	}
	return x
}

// contain calls f in a goroutine of the session's. An error of f, or a panic, ends
// the session.
func (x *Session) contain(f func() error) {
	if err := decrypt.Contain(f); err != nil {
		x.Fail(err)
	}
}

// FromClient reads the client's frames until it ends.
func (x *Session) FromClient() {
	client := x.conns[adapt.Request]
	switch err := client.readPreface(); {
	case err == http2.ErrPreface:
		x.Fail(adapt.Refuse(adapt.Request, adapt.Protocol))
	case err != nil:
		x.Fail(err)
	default:
		x.read(client, x.conns[adapt.Response])
	}
}

// FromOrigin reads the origin's frames until it ends.
func (x *Session) FromOrigin() {
	x.read(x.conns[adapt.Response], x.conns[adapt.Request])
}

// Fail ends the session for err. It resets both ends.
func (x *Session) Fail(err error) {
	x.stop(err)
	if x.End(err) {
		x.Abort()
	}
}

var errEnded = errors.New("the session has ended")

// Close ends what still runs when both directions have ended.
func (x *Session) Close() {
	x.stop(errEnded)
	x.wg.Wait()
}

// stop wakes everybody for the end.
func (x *Session) stop(err error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.err == nil {
		x.err = err
	}
	for _, st := range x.byClient {
		x.drop(st, x.err)
	}
	for _, c := range x.conns {
		c.kick()
		c.cond.Broadcast()
	}
}

// read takes frames of one connection until its end, and carries that on.
func (x *Session) read(from, to *conn) {
	if err := x.take(from, to); err != nil {
		x.Fail(err)
		return
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, st := range x.byClient {
		st.halves[from.kind].cut(&adapt.BodyError{Err: adapt.ErrTruncated})
	}
	x.ended[from.kind] = true
	// Who does not speak any more opens no window either.
	for x.err == nil && !x.ended[to.kind] && (x.held[from.kind] > 0 || x.pending(from.kind)) {
		to.cond.Wait()
	}
	to.open, to.ended = true, true
	to.kick()
	from.kick()
}
