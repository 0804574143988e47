package bench

import (
	"context"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// objects are a curve: CPU time per GiB by the size of the objects that make it up,
// on sessions that stay open.
func objects() (list []workload) {
	for i, size := range sizes {
		list = append(list, workload{
			long: i%2 == 1,
			name: fmt.Sprintf("objects of %d KiB", size>>10), title: "CPU time per GiB by the size of objects, in octets", curve: "objects", x: size,
			unit: "s/GiB", scale: 1, once: true, cost: cpuSeconds, suits: func(c *contender) bool { return !c.slow && plainly(c) },
			run: func(ctx context.Context, b *bed, c *contender) (work, error) {
				const clients = 4
				each := max(1, b.part(min(1600, 128<<20/size))/clients)
				err := together(clients, func(int) error {
					k, err := c.dial(ctx, name, nil)
					if err != nil {
						return err
					}
					defer k.close()
					for range each {
						if err := k.get(fmt.Sprint(size), int64(size)); err != nil {
							return err
						}
					}
					return nil
				})
				return work{units: float64(clients*each) * float64(size) / (1 << 30)}, err
			},
		})
	}
	return list
}

// crowds are a curve: CPU time per GiB of large downloads by the number of idle
// sessions beside them.
func crowds() (list []workload) {
	for i, n := range []int{10, 100, 1000, 4000} {
		list = append(list, workload{
			long: i == 1 || i == 3,
			name: fmt.Sprintf("beside %d sessions", n), title: "CPU time per GiB by the number of idle sessions beside", curve: "sessions", x: n,
			unit: "s/GiB", scale: 1, once: true, cost: cpuSeconds, suits: func(c *contender) bool { return !c.peer && plainly(c) || c.name == haproxy },
			run: beside(n, bulk),
		})
	}
	return list
}

// beside returns work beside n sessions that were opened just now. Neither what they
// have left behind, which is cleared away first, is charged, nor what their end takes.
func beside(n int, run func(context.Context, *bed, *contender) (work, error)) func(context.Context, *bed, *contender) (work, error) {
	return func(ctx context.Context, b *bed, c *contender) (work, error) {
		open, before, err := c.crowded(ctx, b, n)
		if err != nil {
			closeAll(open)
			return work{}, err
		}
		done, err := run(ctx, b, c)
		done.before, done.after = before, func() { closeAll(open) }
		return done, err
	}
}

// crowded opens n sessions, waits until what that has left behind is cleared away, and
// returns the CPU time so far.
func (c *contender) crowded(ctx context.Context, b *bed, n int) (open []*client, before float64, err error) {
	if b.Quick && n > 100 {
		n /= 8
	}
	if open, err = c.dialMany(ctx, n); err != nil {
		return open, 0, err
	}
	if c.worked = time.Now(); b.Quick {
		time.Sleep(time.Second)
	} else if _, err := rested(ctx, b, c); err != nil {
		return open, 0, err
	}
	before, err = cpuSeconds(c)
	return open, before, err
}

// newcomers are a curve: CPU time of a session with a full handshake by the number
// of idle sessions beside it; of so many that garbage is collected several times.
func newcomers() (list []workload) {
	for i, n := range []int{10, 1000, fit(8000)} {
		list = append(list, workload{
			name: fmt.Sprintf("handshakes beside %d sessions", n), title: "CPU time of a session with a full handshake by the number of idle sessions beside",
			curve: "newcomers", x: n, unit: "ms/session", scale: 1e3, once: true, long: i > 1, cost: cpuSeconds,
			suits: func(c *contender) bool { return c.name == ours || c.name == oursAgainst || c.name == haproxy },
			run:   beside(n, sessions(6000, full)),
		})
	}
	return list
}

// idles are a curve: resident memory of an idle session by the number of them.
func idles() (list []workload) {
	points := []int{500, fit(10_000), fit(50_000)}
	for i, n := range points {
		if slices.Index(points, n) < i {
			continue // there are no descriptors for more
		}
		list = append(list, workload{
			name: fmt.Sprintf("%d idle sessions", n), title: "resident memory of an idle session by the number of them", curve: "idle", x: n,
			unit: "KiB/session", scale: 1.0 / 1024, once: true, long: i > 0, cost: memory, settle: rested, run: idle(n),
			variant: func(*bed, string) (string, error) { return "", nil }, // nothing is kept of earlier work
		})
	}
	return list
}

// fit returns n, or how many sessions a process may have descriptors for: two for
// each, and those that ours keeps for sessions that come at the same time.
func fit(n int) int {
	var limit unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &limit) != nil {
		return n
	}
	most := int(min(limit.Max, 1<<20))/2 - 2000
	return max(10, min(n, most/100*100))
}
