package decrypt

import (
	"context"
	"errors"
	"io"
	"syscall"
	"time"

	"github.com/clearspan/clearspan/decrypt/internal/leg"
	"github.com/clearspan/clearspan/decrypt/policy"
	"github.com/clearspan/clearspan/decrypt/sniff"
)

// tunnel passes everything unchanged, from the octets that were peeked at on.
func (s *session) tunnel(ctx context.Context) error {
	if err := s.dial(ctx); err != nil {
		return err
	}
	s.begun()
	s.account.Outcome = Tunneling
	s.open()
	return s.pass(Tunneled)
}

// clientFirst takes a session whose client spoke first, in a protocol that does
// not turn to TLS.
func (s *session) clientFirst(ctx context.Context, proto sniff.Protocol) error {
	if proto == sniff.HTTP {
		s.account.Host = s.httpHost()
	}
	switch s.ask(s.facts()) {
	case policy.Terminate:
		s.account.Outcome = Terminated
		return fail(reasonPolicy, nil, 0)
	case policy.Tunnel, policy.TunnelCheck:
		return s.tunnel(ctx)
	}
	if err := s.dial(ctx); err != nil {
		return err
	}
	s.begun()
	s.account.Outcome = Passed
	if services := s.services(); len(services) > 0 {
		return s.serve(ctx, services, Plain, s.client, s.origin)
	}
	s.open()
	return s.pass(Plain)
}

// pass relays both directions as they are, tapped as content or, if nobody
// listens, by splice(2).
func (s *session) pass(content Content) error {
	for _, l := range []*leg.Leg{s.client, s.origin} {
		l.Large()
		l.Stall(s.engine.cfg.IdleTimeout)
	}
	pump := func(dir Direction, from, to *leg.Leg) func() error {
		if s.stream == nil && from.Socket() && to.Socket() {
			return func() error { return s.splice(dir, from, to) }
		}
		return func() error { return s.pumpRaw(dir, content, from, to) }
	}
	return s.both(pump(ClientToOrigin, s.client, s.origin), pump(OriginToClient, s.origin, s.client))
}

// pumpRaw relays one direction of octets that are not encrypted, or not opened,
// straight from the buffer they were read into.
func (s *session) pumpRaw(dir Direction, content Content, from, to *leg.Leg) error {
	for {
		if err := s.await(from, 0); err == errPoked {
			continue // by a dialogue that is over
		} else if err != nil {
			return err
		}
		p := from.Unread()
		if len(p) == 0 {
			return s.sourceEnded(dir, from, to)
		}
		if err := s.relayed(dir, content, p); err != nil {
			return err
		}
		if err := to.Send(p); err != nil {
			return s.undeliverable(dir, from, err)
		}
		from.Consume(len(p))
	}
}

// sourceEnded carries the end of a raw source on.
func (s *session) sourceEnded(dir Direction, from, to *leg.Leg) error {
	if from.Err() != io.EOF {
		return s.broken(dir, from.Err())
	}
	s.end(dir)
	return s.closed(dir, to)
}

// spliceChunk is how many octets the kernel passes on between two looks at the counters.
const spliceChunk = 16 << 20

// splice relays one direction inside the kernel, after what is buffered.
func (s *session) splice(dir Direction, from, to *leg.Leg) error {
	if p := from.Unread(); len(p) > 0 {
		if err := s.relayed(dir, Tunneled, p); err != nil {
			return err
		}
		if err := to.Send(p); err != nil {
			return s.undeliverable(dir, from, err)
		}
		from.Consume(len(p))
	}
	if from.Err() != nil {
		return s.sourceEnded(dir, from, to)
	}
	for {
		before := s.progress.Load()
		n, err := from.SpliceTo(to, spliceChunk, time.Now().Add(s.engine.cfg.IdleTimeout))
		s.account.octets[s.sessionDir(dir)].Add(uint64(n))
		s.progress.Add(n)
		switch {
		case err == nil && n == spliceChunk:
		case err == nil:
			return s.sourceEnded(dir, from, to)
		case leg.IsTimeout(err) && s.progress.Load() != before:
		case leg.IsTimeout(err):
			return fail(reasonIdle, nil, 0)
		case errors.Is(err, syscall.EPIPE):
			return s.undeliverable(dir, from, err)
		default:
			return s.broken(dir, err)
		}
	}
}
