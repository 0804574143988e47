package icap

import (
	"context"
	"errors"
	"slices"
	"time"
)

var (
	errQueue  = errors.New("too many messages wait for a connection")
	errWaited = errors.New("no connection became free in time")
	errClosed = errors.New("client is closed")
)

// limit is how many connections there may be. The caller holds the lock.
func (s *server) limit() int {
	if s.opts != nil && s.opts.connections > 0 {
		return min(s.cfg.Connections, s.opts.connections)
	}
	return s.cfg.Connections
}

// take returns a connection: one that is idle, unless fresh is set, a new one, or
// the next that becomes free. It is given back by put or drop.
func (s *server) take(ctx context.Context, fresh bool) (*conn, error) {
	s.mu.Lock()
	for len(s.idle) > 0 {
		last := len(s.idle) - 1
		c := s.idle[last]
		s.idle = s.idle[:last]
		if !fresh && time.Since(c.since) < idleLimit && c.usable() {
			s.mu.Unlock()
			return c, nil
		}
		s.open--
		c.Close()
	}
	switch {
	case s.closed:
		s.mu.Unlock()
		return nil, &Error{Kind: Unavailable, Err: errClosed}
	case s.open < s.limit():
		s.open++
		s.mu.Unlock()
		return s.filled(ctx)
	case len(s.queue) >= s.cfg.Queue:
		s.mu.Unlock()
		return nil, &Error{Kind: Overload, Err: errQueue}
	}
	turn := make(chan *conn, 1)
	s.queue = append(s.queue, turn)
	s.mu.Unlock()

	t := time.NewTimer(s.cfg.Timeout)
	defer t.Stop()
	var err error
	select {
	case c, ok := <-turn:
		return s.granted(ctx, c, ok, fresh)
	case <-t.C:
		err = &Error{Kind: Overload, Err: errWaited}
	case <-ctx.Done():
		err = ctx.Err()
	}
	s.mu.Lock()
	i := slices.Index(s.queue, turn)
	if i >= 0 {
		s.queue = slices.Delete(s.queue, i, i+1)
	}
	s.mu.Unlock()
	if i < 0 { // it was granted meanwhile
		if c, ok := <-turn; ok {
			s.pass(c)
		}
	}
	return nil, err
}

// granted uses the turn of one that waited: a connection, or room for one.
func (s *server) granted(ctx context.Context, c *conn, ok, fresh bool) (*conn, error) {
	switch {
	case !ok:
		return nil, &Error{Kind: Unavailable, Err: errClosed}
	case c != nil && !fresh && c.usable():
		return c, nil
	case c != nil:
		c.Close()
	}
	return s.filled(ctx)
}

// filled dials for a connection that is counted already.
func (s *server) filled(ctx context.Context) (*conn, error) {
	c, err := s.dial(ctx)
	if err == nil {
		return c, nil
	}
	s.pass(nil)
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case errors.Is(err, context.DeadlineExceeded):
		return nil, &Error{Kind: Timeout, Err: err}
	}
	return nil, &Error{Kind: Unavailable, Err: err}
}

// put gives a connection back that can serve another request.
func (s *server) put(c *conn) {
	c.reused, c.since = true, time.Now()
	s.pass(c)
}

// drop gives a connection back that cannot.
func (s *server) drop(c *conn) {
	c.Close()
	s.pass(nil)
}

// pass hands a connection, or room for one, to who waits longest.
func (s *server) pass(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	over := s.closed || s.open > s.limit()
	switch {
	case !over && len(s.queue) > 0:
		turn := s.queue[0]
		s.queue = slices.Delete(s.queue, 0, 1)
		turn <- c
		return
	case !over && c != nil:
		s.idle = append(s.idle, c)
		if s.pruning == nil {
			s.pruning = time.AfterFunc(idleLimit, s.prune)
		}
		return
	}
	s.open--
	if c != nil {
		c.Close()
	}
}

// prune closes connections that were idle for long.
func (s *server) prune() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.idle = slices.DeleteFunc(s.idle, func(c *conn) bool {
		old := s.closed || time.Since(c.since) >= idleLimit
		if old {
			s.open--
			c.Close()
		}
		return old
	})
	s.pruning = nil
	if len(s.idle) > 0 {
		s.pruning = time.AfterFunc(idleLimit/2, s.prune)
	}
}

// close ends what is idle and what waits.
func (s *server) close() {
	s.mu.Lock()
	s.closed = true
	for _, turn := range s.queue {
		close(turn)
	}
	s.queue = nil
	if s.pruning != nil {
		s.pruning.Stop()
	}
	s.mu.Unlock()
	s.prune()
}
