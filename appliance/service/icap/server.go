package icap

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

const (
	tolerated   = 3 // failures in a row before a server is asked for OPTIONS
	firstPause  = time.Second
	longestRest = 30 * time.Second
)

// server is one server of the service: its options, connections and health.
type server struct {
	endpoint
	cfg *Config
	c   *Client

	busy     atomic.Int64 // messages in hand
	messages atomic.Uint64
	failed   atomic.Uint64

	mu      sync.Mutex
	closed  bool
	idle    []*conn
	open    int // connections, idle ones included
	queue   []chan *conn
	pruning *time.Timer

	opts        *options
	until       time.Time     // when opts has to be asked for again
	asked       time.Time     // when they were asked for last
	asking      chan struct{} // closed when OPTIONS under way is answered; nil: none is
	lastErr     error         // of OPTIONS
	lastFailure error         // of anything

	failures int       // in a row
	streak   int       // messages that failed in a row
	proven   time.Time // when it last answered as it should
	checked  error     // of the last check, see Client.Check
	down     bool      // left alone until it answers OPTIONS
}

// options returns what the server offers. It waits for the first answer only;
// later ones come while the old one is used.
func (s *server) options(ctx context.Context) (*options, error) {
	for {
		s.mu.Lock()
		o := s.opts
		if o == nil || time.Now().After(s.until) {
			s.ask()
		}
		asking, closed := s.asking, s.closed
		s.mu.Unlock()
		switch {
		case o != nil:
			return o, nil
		case closed:
			return nil, &Error{Kind: Unavailable, Err: errClosed}
		}
		select {
		case <-asking:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		s.mu.Lock()
		o, err := s.opts, s.lastErr
		s.mu.Unlock()
		if o == nil && err != nil {
			return nil, err
		}
	}
}

// ask sends OPTIONS unless that is under way. The caller holds the lock.
func (s *server) ask() {
	if s.asking != nil || s.closed {
		return
	}
	answered := make(chan struct{})
	s.asking, s.asked = answered, time.Now()
	s.c.wg.Go(func() {
		o, err := s.fetch(s.c.ctx)
		s.mu.Lock()
		defer s.mu.Unlock()
		s.asking, s.lastErr = nil, err
		if err == nil {
			s.opts, s.until = o, time.Now().Add(o.ttl)
			s.proven, s.checked = time.Now(), nil
		} else {
			s.until = time.Now().Add(firstPause)
			s.fail(err, true)
		}
		close(answered)
	})
}

// changed tells the tag of an answer. If it is another than that of the options
// these are asked for again, once a second at most.
func (s *server) changed(tag string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if tag != "" && s.opts != nil && s.opts.tag != tag && time.Since(s.asked) >= minOptionsTTL {
		s.until = time.Time{}
	}
}

// fetch asks for the options over a connection of its own.
func (s *server) fetch(ctx context.Context) (*options, error) {
	c, err := s.dial(ctx)
	if err != nil {
		kind := Unavailable
		if errors.Is(err, context.DeadlineExceeded) {
			kind = Timeout
		}
		return nil, &Error{Kind: kind, Err: err}
	}
	defer c.Close()
	stop := context.AfterFunc(ctx, func() { c.Close() })
	defer stop()
	w := newWatch(c, s.cfg.Timeout)
	defer w.stop()
	o, err := s.inquire(c, w)
	if err != nil && w.late() {
		return nil, fault(Timeout, "no answer to OPTIONS within %v", s.cfg.Timeout)
	}
	return o, err
}

func (s *server) inquire(c *conn, w *watch) (*options, error) {
	_, err := fmt.Fprintf(c, "OPTIONS %s ICAP/1.0\r\nHost: %s\r\nAllow: 204, 206\r\nEncapsulated: null-body=0\r\n\r\n", s.uri, s.host)
	if err != nil {
		return nil, &Error{Kind: Unavailable, Err: err}
	}
	w.send(sent)
	a, err := readAnswer(c.br)
	switch {
	case gone(err):
		return nil, fault(Unavailable, "connection closed instead of an answer to OPTIONS")
	case err != nil:
		return nil, fault(Protocol, "answer to OPTIONS: %w", err)
	}
	if a.status >= 400 {
		return nil, refusal(a.status)
	}
	o, err := parseOptions(a)
	if err != nil {
		return nil, fault(Protocol, "answer to OPTIONS: %w", err)
	}
	return o, nil // what body there is, is of no use
}

// succeed notes that the server did what it should.
func (s *server) succeed() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failures, s.streak, s.proven, s.checked = 0, 0, time.Now(), nil
}

// fail notes a failure. A hard one, which is that the server cannot be reached or
// does not answer OPTIONS, has it left alone. After some others in a row it is
// asked for OPTIONS: messages that break it must not take it away from all others.
// The caller holds the lock.
func (s *server) fail(err error, hard bool) {
	s.failed.Add(1)
	s.streak++
	s.lastFailure = err
	switch s.failures++; {
	case s.down || s.closed:
		return
	case !hard && s.failures >= tolerated:
		s.failures = 0
		s.ask()
		return
	case !hard:
		return
	}
	s.down = true
	s.cfg.Logger.Warn("ICAP server is not used until it answers", "server", s.host, "err", err)
	s.c.wg.Go(s.probe)
}

// probe asks for OPTIONS, in growing intervals, until they are answered.
func (s *server) probe() {
	for pause := firstPause; ; pause = min(2*pause, longestRest) {
		t := time.NewTimer(pause)
		select {
		case <-s.c.ctx.Done():
			t.Stop()
			return
		case <-t.C:
		}
		o, err := s.fetch(s.c.ctx)
		if err != nil {
			s.mu.Lock()
			s.lastErr = err
			s.mu.Unlock()
			continue
		}
		s.mu.Lock()
		s.opts, s.until, s.lastErr = o, time.Now().Add(o.ttl), nil
		s.proven, s.checked = time.Now(), nil
		s.down, s.failures, s.streak = false, 0, 0
		s.mu.Unlock()
		s.cfg.Logger.Info("ICAP server is used again", "server", s.host)
		return
	}
}

// load returns how many messages the server has in hand, and whether it may be
// asked at all, with the error if not.
func (s *server) load() (busy int64, up bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.busy.Load(), !s.down, s.lastErr
}

// refusal gives the failure behind a status that is none of success.
func refusal(status int) *Error {
	kind := Protocol
	switch {
	case status == 503:
		kind = Overload
	case status == 408:
		kind = Timeout
	case status == 404 || status >= 500:
		kind = Unavailable
	}
	return fault(kind, "server answers %d", status)
}
