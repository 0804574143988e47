package decrypt

import (
	"context"
	"errors"
	"io"
	"syscall"
	"time"

	"github.com/clearspan/clearspan/decrypt/policy"
	"github.com/clearspan/clearspan/decrypt/sniff"
)

// tunnel passes everything unchanged, from the octets that were peeked at on.
func (j *joint) tunnel(ctx context.Context) error {
	if err := j.dial(ctx); err != nil {
		return err
	}
	j.begun()
	j.s.Outcome = Tunneling
	j.open()
	return j.pass(Tunneled)
}

// clientFirst takes a session whose client spoke first, in a protocol that does
// not turn to TLS.
func (j *joint) clientFirst(ctx context.Context, proto sniff.Protocol) error {
	if proto == sniff.HTTP {
		j.s.Host = j.httpHost()
	}
	switch j.decide(j.facts()) {
	case policy.Terminate:
		j.s.Outcome = Terminated
		return fail(reasonPolicy, nil, 0)
	case policy.Tunnel, policy.TunnelCheck:
		return j.tunnel(ctx)
	}
	if err := j.dial(ctx); err != nil {
		return err
	}
	j.begun()
	j.s.Outcome = Passed
	if services := j.services(); len(services) > 0 {
		return j.serve(ctx, services, Plain, j.client, j.origin)
	}
	j.open()
	return j.pass(Plain)
}

// pass relays both directions as they are, tapped as content or, if nobody
// listens, by splice(2).
func (j *joint) pass(content Content) error {
	j.client.large, j.origin.large = true, true
	j.client.stall, j.origin.stall = j.e.cfg.IdleTimeout, j.e.cfg.IdleTimeout
	pump := func(dir Direction, from, to *leg) func() error {
		if j.stream == nil && from.raw != nil && to.raw != nil {
			return func() error { return j.splice(dir, from, to) }
		}
		return func() error { return j.pumpRaw(dir, content, from, to) }
	}
	return j.both(pump(ClientToOrigin, j.client, j.origin), pump(OriginToClient, j.origin, j.client))
}

// pumpRaw relays one direction of octets that are not encrypted, or not opened,
// straight from the buffer they were read into.
func (j *joint) pumpRaw(dir Direction, content Content, from, to *leg) error {
	for {
		if err := j.await(from, 0); err == errPoked {
			continue // by a dialogue that is over
		} else if err != nil {
			return err
		}
		p := from.unread()
		if len(p) == 0 {
			return j.sourceEnded(dir, from, to)
		}
		if err := j.relayed(dir, content, p); err != nil {
			return err
		}
		if err := to.send(p); err != nil {
			return j.undeliverable(dir, from, err)
		}
		from.consume(len(p))
	}
}

// sourceEnded carries the end of a raw source on.
func (j *joint) sourceEnded(dir Direction, from, to *leg) error {
	if from.rerr != io.EOF {
		return j.broken(dir, from.rerr)
	}
	j.end(dir)
	return j.closed(dir, to)
}

// spliceRun is how many octets go by between two looks at the counters.
const spliceRun = 16 << 20

// splice relays one direction inside the kernel, after what is buffered.
func (j *joint) splice(dir Direction, from, to *leg) error {
	if p := from.unread(); len(p) > 0 {
		if err := j.relayed(dir, Tunneled, p); err != nil {
			return err
		}
		if err := to.send(p); err != nil {
			return j.undeliverable(dir, from, err)
		}
		from.consume(len(p))
	}
	if from.rerr != nil {
		return j.sourceEnded(dir, from, to)
	}
	for {
		before := j.progress.Load()
		deadline := time.Now().Add(j.e.cfg.IdleTimeout)
		from.SetReadDeadline(deadline)
		to.SetWriteDeadline(deadline)
		n, err := io.Copy(to.conn, &io.LimitedReader{R: from.conn, N: spliceRun})
		j.s.octets[j.seen(dir)].Add(uint64(n))
		j.progress.Add(n)
		switch {
		case err == nil && n == spliceRun:
		case err == nil:
			from.rerr = io.EOF
			return j.sourceEnded(dir, from, to)
		case isTimeout(err) && j.progress.Load() != before:
		case isTimeout(err):
			return fail(reasonIdle, nil, 0)
		case errors.Is(err, syscall.EPIPE):
			return j.undeliverable(dir, from, err)
		default:
			return j.broken(dir, err)
		}
	}
}
