package icap

import (
	"fmt"
	"time"
)

// Check asks each server for OPTIONS now, and again whenever it has not answered anything
// for interval. So [Client.Servers] knows of one that is away before a message needs it.
// A check that fails has no server left alone: messages find that out. Call Check once,
// before Close.
func (c *Client) Check(interval time.Duration) {
	for _, s := range c.servers {
		c.wg.Go(func() { s.checkEvery(interval) })
	}
}

func (s *server) checkEvery(interval time.Duration) {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		s.check(interval)
		select {
		case <-s.c.ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// check asks for OPTIONS unless that is under way, or the server has answered within
// recent.
func (s *server) check(recent time.Duration) {
	s.mu.Lock()
	needless := s.closed || s.down || s.asking != nil || time.Since(s.proven) < recent
	s.mu.Unlock()
	if needless {
		return
	}
	o, err := s.fetch(s.c.ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.checked = err; err == nil {
		s.opts, s.until, s.proven = o, time.Now().Add(o.ttl), time.Now()
	}
}

// problem returns why the server does not do its work at present, nil if it does.
func (s *server) problem() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.down && s.lastErr != nil:
		return s.lastErr
	case s.checked != nil:
		return s.checked
	case s.streak >= tolerated:
		return fmt.Errorf("%d messages in a row failed, the last one: %w", s.streak, s.lastFailure)
	}
	return nil
}
