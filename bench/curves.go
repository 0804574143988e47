package bench

import (
	"context"
	"fmt"
	"time"
)

// objects are a curve: CPU time per GiB by the size of the objects that make it up,
// on sessions that stay open.
func objects() (list []workload) {
	for _, size := range sizes {
		list = append(list, workload{
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
	for _, n := range []int{10, 100, 1000, 4000} {
		list = append(list, workload{
			name: fmt.Sprintf("beside %d sessions", n), title: "CPU time per GiB by the number of idle sessions beside", curve: "sessions", x: n,
			unit: "s/GiB", scale: 1, once: true, cost: cpuSeconds, suits: func(c *contender) bool { return !c.peer && plainly(c) || c.name == haproxy },
			run: func(ctx context.Context, b *bed, c *contender) (work, error) {
				if b.Quick && n > 100 {
					n /= 8
				}
				open, err := c.dialMany(ctx, n)
				defer closeAll(open)
				if err != nil {
					return work{}, err
				}
				time.Sleep(time.Second)
				before, err := cpuSeconds(c)
				if err != nil {
					return work{}, err
				}
				done, err := bulk(ctx, b, c)
				done.before = before
				return done, err
			},
		})
	}
	return list
}
