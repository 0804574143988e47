// Package ws carries what follows a granted upgrade to WebSocket (RFC 6455) through
// services. It shows them whole messages, and passes frames on as they came unless a
// service changed their message.
package ws

import (
	"context"
	"crypto/rand"
	"sync"
	"time"

	"github.com/clearspan/clearspan/appliance/service/web/adapt"
	"github.com/clearspan/clearspan/appliance/service/web/buffered"
	"github.com/clearspan/clearspan/decrypt/proto"
	"github.com/clearspan/clearspan/decrypt/proto/websocket"
)

// MaxMessage is the longest message that is held and shown, in octets of its frames.
const MaxMessage = 16 << 20

// Conn is a connection of WebSocket: one goroutine reads the client, one the origin.
type Conn struct {
	*adapt.Session
	handshake []byte // header block of the request
	ctx       context.Context
	cancel    context.CancelFunc // of what services do; called when the connection is closed

	sides [2]side // by adapt.Kind

	mu     sync.Mutex
	closed *closing // nil: still open
}

// closing is the error of a connection that we close.
type closing struct {
	code   uint16
	reason string // told to the ends
	err    error  // of the session; nil: a service blocked a message
}

// Error says why.
func (c *closing) Error() string { return "close connection: " + c.reason }

// New returns a connection whose handshake has ended. It borrows the handshake, the
// header block of the request.
func New(s *adapt.Session, handshake []byte) *Conn {
	c := &Conn{Session: s, handshake: handshake}
	c.ctx, c.cancel = context.WithCancel(s.Context)
	for _, kind := range []adapt.Kind{adapt.Request, adapt.Response} {
		c.sides[kind] = side{conn: c, kind: kind, in: s.Client, out: s.Origin, drained: make(chan struct{})}
	}
	c.sides[adapt.Response].in, c.sides[adapt.Response].out = s.Origin, s.Client
	c.sides[adapt.Request].frames = websocket.NewReader(proto.ClientToOrigin)
	c.sides[adapt.Response].frames = websocket.NewReader(proto.OriginToClient)
	return c
}

// FromClient carries what the client sends to its end.
func (c *Conn) FromClient() error { return c.run(adapt.Request) }

// FromOrigin carries what the origin sends to its end.
func (c *Conn) FromOrigin() error { return c.run(adapt.Response) }

// run carries one side. If the connection is closed by us, it waits until both ends
// have read that.
func (c *Conn) run(kind adapt.Kind) error {
	s := &c.sides[kind]
	err := s.carry()
	s.free()
	if why, ok := err.(*closing); ok {
		c.close(why)
	}
	why := c.why()
	if why == nil {
		close(s.drained)
		return err
	}
	s.drain()
	close(s.drained)
	<-c.sides[1-kind].drained
	return why.err
}

// why returns why we closed the connection, nil while it is open.
func (c *Conn) why() *closing {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.closed
}

// close tells both ends that the connection ends, once. They have a moment to read it.
func (c *Conn) close(why *closing) {
	c.mu.Lock()
	first := c.closed == nil
	if first {
		c.closed = why
	}
	c.mu.Unlock()
	if !first {
		return
	}
	c.cancel()
	timer := time.AfterFunc(c.Config.Linger, c.Abort)
	context.AfterFunc(c.Context, func() { timer.Stop() })
	var both sync.WaitGroup
	for i := range c.sides {
		both.Go(c.sides[i].shut)
	}
	both.Wait()
}

// side is one direction.
type side struct {
	conn    *Conn
	kind    adapt.Kind // whose frames it reads
	in, out *buffered.End
	frames  *websocket.Reader
	drained chan struct{} // closed when nothing more is read

	// The message under way, of the goroutine that reads.
	op     websocket.Opcode
	held   []byte // its frames, as they came
	length int64  // of its content, so far
	room   int    // taken of what may be held
	passes bool   // it goes past the services

	writing sync.Mutex
	within  bool // a frame is written in part; guarded by writing
	shutOff bool // the end was told that all ends; guarded by writing
}

// key returns the key of a mask if what the side writes needs one, nil otherwise.
func (s *side) key() *[4]byte {
	if s.kind == adapt.Response {
		return nil
	}
	key := new([4]byte)
	rand.Read(key[:])
	return key
}

// write passes octets on. within tells that a frame goes on behind them.
func (s *side) write(p []byte, within bool) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	if s.shutOff {
		return context.Canceled // of no account: the connection is closed
	}
	s.within = within
	_, err := s.out.Write(p)
	return err
}

// shut writes a Close frame behind what was written, and the end.
func (s *side) shut() {
	s.writing.Lock()
	defer s.writing.Unlock()
	s.shutOff = true
	why := s.conn.why()
	if !s.within {
		s.out.Write(websocket.AppendClose(nil, why.code, why.reason, s.key()))
	}
	s.out.CloseWrite()
}

// drain reads to the end. What comes is of no account.
func (s *side) drain() {
	for s.in.Err() == nil {
		s.in.Consume(len(s.in.Unread()))
		s.in.Fill()
	}
}
