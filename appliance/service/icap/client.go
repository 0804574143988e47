package icap

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// Client has the servers of one service adapt messages. Safe for concurrent use.
type Client struct {
	cfg     Config
	servers []*server
	next    atomic.Uint32 // who is asked first among equals

	ctx    context.Context // of what runs beside messages
	cancel context.CancelFunc
	wg     sync.WaitGroup
}

// New returns a client, which connects nowhere before the first message.
func New(cfg Config) (*Client, error) {
	if len(cfg.URLs) == 0 || len(cfg.URLs) > MaxServers {
		return nil, fmt.Errorf("make ICAP client: want 1 to %d URLs", MaxServers)
	}
	setDefault(&cfg.Timeout, 30*time.Second)
	setDefault(&cfg.Replay, 64<<10)
	setDefault(&cfg.Preview, MaxPreview)
	setDefault(&cfg.Connections, 64)
	setDefault(&cfg.Queue, 1024)
	cfg.Replay, cfg.Preview = min(cfg.Replay, MaxReplay), min(cfg.Preview, MaxPreview)
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Dial == nil {
		cfg.Dial = new(net.Dialer).DialContext
	}
	if cfg.TLS == nil {
		cfg.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	c := &Client{cfg: cfg}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	for _, u := range cfg.URLs {
		e, err := parseURL(u)
		if err != nil {
			c.cancel()
			return nil, fmt.Errorf("make ICAP client: %w", err)
		}
		c.servers = append(c.servers, &server{endpoint: e, cfg: &c.cfg, c: c})
	}
	return c, nil
}

func setDefault[T comparable](p *T, v T) {
	var zero T
	if *p == zero {
		*p = v
	}
}

// Close ends idle connections, and refuses further messages. Those under way go
// on; their connections end with them.
func (c *Client) Close() error {
	for _, s := range c.servers {
		s.close()
	}
	c.cancel()
	c.wg.Wait()
	return nil
}

// Status is how a server does.
type Status struct {
	Server   string // host and port
	Up       bool   // false: left alone after failures
	Busy     int64  // messages in hand
	Messages uint64 // so far
	Failures uint64 // so far, those of OPTIONS included
	Err      error  // why it does not do its work at present; nil: it does, as far as is known
}

// Servers returns the state of the servers, in the order of Config.URLs.
func (c *Client) Servers() []Status {
	out := make([]Status, 0, len(c.servers))
	for _, s := range c.servers {
		busy, up, _ := s.load()
		out = append(out, Status{s.host, up, busy, s.messages.Load(), s.failed.Load(), s.problem()})
	}
	return out
}

// Adapt has one server adapt a message. ctx bounds it until Result.Body is
// closed. An error is ctx's, that of the message's body, one about a malformed
// message, or an *[Error]; after it nobody reads the body any more. It waits for
// servers no longer than Config says, and for the body as long as it takes.
func (c *Client) Adapt(ctx context.Context, m *Message) (*Result, error) {
	start := time.Now()
	src := newSource(m, c.cfg.Replay)
	if most := c.cfg.MaxBody; most > 0 && src.length > most {
		if c.cfg.Oversize {
			return nil, c.failure(fault(TooLarge, "body of %d octets", src.length), nil, src)
		}
		return bypass(src, "max-body"), nil
	}
	tried := make([]bool, len(c.servers))
	for {
		i, err := c.choose(tried)
		if err != nil {
			return nil, c.failure(err, nil, src)
		}
		tried[i] = true
		s := c.servers[i]
		res, err := s.adapt(ctx, m, src)
		if err == nil {
			res.Detail.Took = time.Since(start)
			return res, nil
		}
		var e *Error
		if !errors.As(err, &e) {
			if b := (bodyError{}); errors.As(err, &b) {
				err = b.error
			}
			src.land()
			return nil, err
		}
		if e.Kind == TooLarge {
			if !c.cfg.Oversize && src.rewind() {
				return bypass(src, "max-body"), nil
			}
			return nil, c.failure(e, s, src)
		}
		if !src.rewind() || !c.others(tried) {
			return nil, c.failure(e, s, src)
		}
	}
}

// choose returns the server with the fewest messages in hand among those that are
// up and were not tried.
func (c *Client) choose(tried []bool) (int, error) {
	best, least := -1, int64(0)
	first := int(c.next.Add(1))
	var last error
	for n := range c.servers {
		i := (first + n) % len(c.servers)
		busy, up, err := c.servers[i].load()
		switch {
		case tried[i]:
		case !up:
			last = err
		case best < 0 || busy < least:
			best, least = i, busy
		}
	}
	if best >= 0 {
		return best, nil
	}
	if last == nil {
		last = errors.New("after failures")
	}
	return 0, fault(Unavailable, "no server is up: %w", last)
}

// others reports whether a server is left to try.
func (c *Client) others(tried []bool) bool {
	for i, s := range c.servers {
		if _, up, _ := s.load(); up && !tried[i] {
			return true
		}
	}
	return false
}

// failure completes an error with its server and the message's content.
func (c *Client) failure(err error, s *server, src *source) error {
	e := new(Error)
	if p := (*Error)(nil); errors.As(err, &p) {
		*e = *p // it may be shared
	} else {
		e.Kind, e.Err = Protocol, err
	}
	if s != nil {
		e.Server = s.host
	}
	src.land()
	if e.Whole = src.rewind(); e.Whole && !src.empty() {
		src.release()
		e.Original = src
	}
	return e
}

// bypass has a message pass without a server.
func bypass(src *source, why string) *Result {
	res := &Result{Detail: Detail{Bypass: why}}
	if !src.empty() {
		src.release()
		res.Body = original{src}
	}
	return res
}
