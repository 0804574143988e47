package intake

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"
)

// Pauses after a failure to accept: the first one, doubled up to the last one.
const (
	minPause = 5 * time.Millisecond
	maxPause = time.Second
)

// keepAlive finds peers that vanished: two minutes after their last octet.
var keepAlive = net.KeepAliveConfig{Enable: true, Idle: 60 * time.Second, Interval: 15 * time.Second, Count: 4}

// acceptor is what the server needs of a *net.TCPListener.
type acceptor interface {
	Accept() (net.Conn, error)
	Addr() net.Addr
	Close() error
}

// server is the accept loop and the account of sessions that all intakes share.
type server struct {
	Options
	listeners []acceptor
	session   func(ctx context.Context, conn *net.TCPConn) // one client connection, start to end
	undo      func() error                                 // undoes what the intake set up; may be nil
	bounds    destinationGuard                             // of destinations that clients name

	closing  chan struct{} // closed by Close
	done     chan struct{} // closed by finish
	throttle throttle
	loops    throttle
	failure  atomic.Pointer[acceptFailure] // the last one; nil: there was none

	mu     sync.Mutex
	closed bool
	open   int // sessions and accept loops
}

// newServer takes the listeners, at least one. The caller sets session before
// Serve.
func newServer(o Options, listeners ...acceptor) *server {
	return &server{
		Options:   o,
		listeners: listeners,
		closing:   make(chan struct{}),
		done:      make(chan struct{}),
	}
}

// listen opens a TCP listener without Multipath TCP, whose sockets could not be
// spliced or dumped like others.
func listen(network, address string, config net.ListenConfig) (*net.TCPListener, error) {
	config.SetMultipathTCP(false)
	config.KeepAliveConfig = keepAlive
	l, err := config.Listen(context.Background(), network, address)
	if err != nil {
		return nil, err
	}
	return l.(*net.TCPListener), nil
}

// listen returns the listeners of an intake that has one address: those that are open
// already, or a new one.
func (o Options) listen(address string) (list []acceptor, err error) {
	for _, l := range o.Listeners {
		list = append(list, l)
	}
	if len(list) > 0 {
		return list, nil
	}
	l, err := listen("tcp", address, net.ListenConfig{})
	if err != nil {
		return nil, err
	}
	return []acceptor{l}, nil
}

// Serve implements [Intake].
func (s *server) Serve(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() { s.Close() })
	defer stop()
	if !s.begin(len(s.listeners)) {
		return nil
	}
	var loops sync.WaitGroup
	for _, l := range s.listeners {
		beat := s.Pulse.Loop(l)
		loops.Go(func() {
			defer s.end() // a connection that was accepted before Close is served
			s.accept(ctx, l, beat)
		})
	}
	loops.Wait()
	return nil
}

// begin counts accept loops as sessions, unless the server is closed.
func (s *server) begin(loops int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.open += loops
	return true
}

// Addr implements [Intake].
func (s *server) Addr() net.Addr { return s.listeners[0].Addr() }

// Close implements [Intake].
func (s *server) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	close(s.closing)
	idle := s.open == 0
	s.mu.Unlock()

	var errs []error
	for _, l := range s.listeners {
		errs = append(errs, l.Close())
	}
	if idle {
		s.finish()
	}
	return errors.Join(errs...)
}

// Wait implements [Intake].
func (s *server) Wait() { <-s.done }

// finish runs once, when the server is closed and without sessions.
func (s *server) finish() {
	if s.undo != nil {
		if err := s.undo(); err != nil {
			s.Logger.Error("intake not removed completely", "err", err)
		}
	}
	close(s.done)
}

// accept runs until the listener is closed by Close. beat is called when a pulse wakes it.
func (s *server) accept(ctx context.Context, l acceptor, beat func()) {
	pause := time.Duration(0)
	for {
		conn, err := l.Accept()
		if errors.Is(err, os.ErrDeadlineExceeded) {
			beat()
			continue
		}
		if err != nil {
			if s.isClosed() {
				return
			}
			s.Count(AcceptFailed)
			s.failure.Store(&acceptFailure{err, time.Now()})
			if missed, ok := s.throttle.allow(time.Now()); ok {
				s.Logger.Error("accept failed", "err", err, "missed", missed)
			}
			pause = min(max(2*pause, minPause), maxPause)
			select {
			case <-time.After(pause):
			case <-s.closing:
			}
			continue
		}
		if pause > 0 {
			s.failure.Store(nil)
		}
		pause = 0
		tcp := conn.(*net.TCPConn)
		if s.Listeners != nil {
			tcp.SetKeepAliveConfig(keepAlive) // an error: it is closed
		}
		if !s.start(tcp, func() { s.session(ctx, tcp) }) {
			reset(tcp)
		}
	}
}

// acceptFailure is an error of accept, and when it came.
type acceptFailure struct {
	err error
	at  time.Time
}

// Failing returns why connections are not accepted at present, nil if they are.
func (s *server) Failing() error {
	if f := s.failure.Load(); f != nil && time.Since(f.at) < 2*maxPause { // it is tried again meanwhile
		return f.err
	}
	return nil
}

// start runs f, which serves conn, in a goroutine of its own and closes conn
// after it. It reports false, and leaves conn alone, if there may be no further
// session.
func (s *server) start(conn io.Closer, f func()) bool {
	if refused, ok := s.Limiter.take(); !ok {
		s.Count(refused)
		if missed, ok := s.throttle.allow(time.Now()); ok {
			s.Logger.Warn("session refused", "reason", refused.String(), "missed", missed)
		}
		return false
	}
	s.mu.Lock()
	if s.closed && s.open == 0 {
		s.mu.Unlock()
		s.Limiter.release()
		return false
	}
	s.open++
	s.mu.Unlock()
	go func() {
		defer s.end()
		defer s.Limiter.release()
		defer conn.Close()
		defer s.contain()
		f()
	}()
	return true
}

// contain, deferred, keeps a panic within the session it happened in.
func (s *server) contain() {
	if v := recover(); v != nil {
		s.Count(Panicked)
		s.Logger.Error("session panicked", "err", fmt.Sprint(v), "stack", string(debug.Stack()))
	}
}

func (s *server) end() {
	s.mu.Lock()
	s.open--
	last := s.closed && s.open == 0
	s.mu.Unlock()
	if last {
		s.finish()
	}
}

func (s *server) isClosed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closed
}

// reset closes conn with a RST.
func reset(conn *net.TCPConn) {
	conn.SetLinger(0)
	conn.Close()
}

// addrPort returns a as the other packages know addresses: IPv4 as IPv4, no zone.
func addrPort(a net.Addr) netip.AddrPort {
	t, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.AddrPort{}
	}
	p := t.AddrPort()
	return netip.AddrPortFrom(p.Addr().Unmap().WithZone(""), p.Port())
}

// throttle lets one log line through every ten seconds.
type throttle struct {
	mu     sync.Mutex
	next   time.Time
	missed int
}

// allow reports whether to log now, and how many lines were held back before.
func (t *throttle) allow(now time.Time) (missed int, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if now.Before(t.next) {
		t.missed++
		return 0, false
	}
	missed, t.missed = t.missed, 0
	t.next = now.Add(10 * time.Second)
	return missed, true
}
