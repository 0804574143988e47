package bench

import (
	"cmp"
	"context"
	"crypto/tls"
	"fmt"
	"slices"
	"sync"
	"time"
)

// workload is something that clients do.
type workload struct {
	name  string
	title string
	unit  string  // of cost
	scale float64 // from seconds, or octets, to the unit
	once  bool    // in the first round only
	long  bool    // not in a quick run
	curve string  // of which it is a point; "" if of none
	x     int     // where on the curve

	// variant returns more of a configuration, as YAML, and rules of the policy; such
	// a workload goes through an appliance of its own with that. nil: through all
	// contenders.
	variant func(b *bed, dir string) (more string, err error)

	suits  func(*contender) bool // nil: every contender takes part
	cost   func(*contender) (float64, error)
	settle func(context.Context, *bed, *contender) (work, error) // before it is measured; may be nil
	run    func(context.Context, *bed, *contender) (work, error)
}

// work is what was done.
type work struct {
	units  float64 // by which cost is divided
	delays []time.Duration
	before float64 // if not 0, cost before what counts began
	after  func()  // ends what stands until cost is read; may be nil
}

// Workloads returns the names of all workloads and curves.
func Workloads() (names []string) {
	for _, w := range workloads {
		if !slices.Contains(names, w.kind()) {
			names = append(names, w.kind())
		}
	}
	return names
}

// kind is the name of the curve, or of the workload itself.
func (w workload) kind() string { return cmp.Or(w.curve, w.name) }

var workloads = slices.Concat(plain, objects(), crowds(), newcomers(), idles(), rules(), entries(), mirrors())

var plain = []workload{
	{name: "bulk", title: "large downloads, some at once", unit: "s/GiB", scale: 1, cost: cpuSeconds, run: bulk},
	{name: "requests", title: "requests of 1 KiB on open sessions, one after the other on each", unit: "us/request", scale: 1e6, cost: cpuSeconds, run: requests},
	{name: "handshakes", title: "sessions with full handshakes on both legs, a request of 1 KiB each; clients offer ML-KEM first", unit: "ms/session", scale: 1e3,
		cost: cpuSeconds, suits: plainly, settle: sessions(8, full), run: sessions(400, full)},
	{name: "x25519", title: "sessions with full handshakes on both legs, a request of 1 KiB each; clients offer X25519 alone", unit: "ms/session", scale: 1e3,
		cost: cpuSeconds, suits: x25519, settle: sessions(8, classical), run: sessions(400, classical)},
	{name: "resumed", title: "sessions that resume on both legs, a request of 1 KiB each", unit: "ms/session", scale: 1e3,
		cost: cpuSeconds, suits: func(c *contender) bool { return c.tickets }, settle: sessions(8, resumed), run: sessions(400, resumed)},
	{name: "names", title: "sessions to names that were never seen, a request of 1 KiB each", unit: "ms/session", scale: 1e3,
		cost: cpuSeconds, suits: func(c *contender) bool { return c.forges && plainly(c) }, settle: sessions(8, full), run: sessions(200, unseen)},
	{name: "pages", title: "pages: a session with 12 requests of 1 KiB to 512 KiB", unit: "ms/page", scale: 1e3, cost: cpuSeconds, run: pages},
	{name: "idle", title: "resident memory of an idle session", unit: "KiB/session", scale: 1.0 / 1024, once: true, cost: memory, suits: plainly, settle: rested, run: idle(2000)},
}

// bulk downloads the large object with every client at once. A contender that is
// very slow gets the eighth part.
func bulk(ctx context.Context, b *bed, c *contender) (work, error) {
	octets := b.Size
	if c.slow {
		octets /= 8
	}
	err := together(b.Clients, func(int) error {
		k, err := c.dial(ctx, name, nil)
		if err != nil {
			return err
		}
		defer k.close()
		return k.get("object", octets)
	})
	return work{units: float64(octets) * float64(b.Clients) / (1 << 30)}, err
}

// requests are made on eight sessions.
func requests(ctx context.Context, b *bed, c *contender) (work, error) {
	const sessions = 8
	each := b.part(400)
	var mu sync.Mutex
	var delays []time.Duration
	err := together(sessions, func(int) error {
		k, err := c.dial(ctx, name, nil)
		if err != nil {
			return err
		}
		defer k.close()
		mine := make([]time.Duration, 0, each)
		for range each {
			start := time.Now()
			if err := k.get("1024", 1024); err != nil {
				return err
			}
			mine = append(mine, time.Since(start))
		}
		mu.Lock()
		defer mu.Unlock()
		delays = append(delays, mine...)
		return nil
	})
	return work{units: float64(sessions * each), delays: delays}, err
}

// kind is how a session is begun.
type kind uint8

const (
	full      kind = iota // no ticket
	classical             // no ticket, no ML-KEM
	resumed               // with the ticket of an earlier session
	unseen                // to a name that was never seen
)

// sessions returns work of n sessions, four at a time.
func sessions(n int, how kind) func(context.Context, *bed, *contender) (work, error) {
	return func(ctx context.Context, b *bed, c *contender) (work, error) {
		const workers = 4
		each := max(1, b.part(n)/workers)
		var mu sync.Mutex
		var delays []time.Duration
		err := together(workers, func(worker int) error {
			var tickets tls.ClientSessionCache
			if how == resumed {
				tickets = c.cache(worker)
			}
			for i := range each {
				host := name
				if how == unseen {
					host = fmt.Sprintf("n%d-%d-%d.%s", time.Now().UnixNano(), worker, i, domain)
				}
				start := time.Now()
				var k *client
				var err error
				if how == classical {
					k, err = c.dialX25519(ctx, host)
				} else {
					k, err = c.dial(ctx, host, tickets)
				}
				if err != nil {
					return err
				}
				took := time.Since(start)
				err = k.get("1024", 1024)
				if err == nil && how == resumed && i > 0 && !k.conn.ConnectionState().DidResume {
					err = fmt.Errorf("the session is not resumed")
				}
				k.close()
				if err != nil {
					return err
				}
				mu.Lock()
				delays = append(delays, took)
				mu.Unlock()
			}
			return nil
		})
		return work{units: float64(workers * each), delays: delays}, err
	}
}

// pages are loaded by four clients at once.
func pages(ctx context.Context, b *bed, c *contender) (work, error) {
	const workers = 4
	page := []int{8 << 10, 1 << 10, 64 << 10, 8 << 10, 1 << 10, 512 << 10, 8 << 10, 64 << 10, 8 << 10, 1 << 10, 64 << 10, 8 << 10}
	each := max(1, b.part(80)/workers)
	var mu sync.Mutex
	var delays []time.Duration
	err := together(workers, func(int) error {
		for range each {
			start := time.Now()
			k, err := c.dial(ctx, name, nil)
			if err != nil {
				return err
			}
			for _, size := range page {
				if err := k.get(fmt.Sprint(size), int64(size)); err != nil {
					k.close()
					return err
				}
			}
			k.close()
			mu.Lock()
			delays = append(delays, time.Since(start))
			mu.Unlock()
		}
		return nil
	})
	return work{units: float64(workers * each), delays: delays}, err
}

// idle returns work of n sessions, each of which makes a request and is let be.
func idle(n int) func(context.Context, *bed, *contender) (work, error) {
	return func(ctx context.Context, b *bed, c *contender) (work, error) {
		n := b.part(n)
		open, err := c.dialMany(ctx, n)
		done := work{units: float64(n), after: func() { closeAll(open) }}
		if err != nil {
			return done, err
		}
		c.worked = time.Now()
		_, err = rested(ctx, b, c)
		return done, err
	}
}

// rested is a settle: nothing is done, until the contender has given back what it
// needed for work that is done.
func rested(ctx context.Context, b *bed, c *contender) (work, error) {
	rest := 8 * time.Second
	switch {
	case b.Quick && c.peer:
		rest = time.Second
	case b.Quick:
		rest = 4 * time.Second
	}
	select {
	case <-time.After(time.Until(c.worked.Add(rest))):
	case <-ctx.Done():
	}
	return work{}, ctx.Err()
}

// together runs f n times at once and returns the first error.
func together(n int, f func(worker int) error) error {
	var all sync.WaitGroup
	errs := make(chan error, n)
	for i := range n {
		all.Go(func() {
			if err := f(i); err != nil {
				errs <- err
			}
		})
	}
	all.Wait()
	close(errs)
	return <-errs
}

// plainly leaves those out that differ from others by what a workload does not ask
// for.
func plainly(c *contender) bool { return !c.tickets && !serviced[c.name] }

// x25519 leaves SSLsplit out, too: it knows curves of NIST alone.
func x25519(c *contender) bool { return plainly(c) && c.name != split && c.name != splitMirror }

var serviced = map[string]bool{
	oursParsed: true, oursInline: true,
	oursICAP: true, otherICAP: true, squidICAP: true, ours204: true, other204: true, squid204: true,
}
