// Package bench measures what clearspan costs, against the programs that do
// similar work, in one interleaved run on one machine. It builds its own network
// of namespaces and needs root.
//
// Charged is the program under test alone: the CPU time of all its threads, user
// and kernel, per GiB of application data relayed. Client and origin run beside
// it on the same cores and are not counted. Absolute figures change with the
// machine and the moment; ratios within a run are what counts.
package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/clearspan/clearspan/hack/lab"
	"github.com/clearspan/clearspan/hack/netlab"
)

// Options describes a run.
type Options struct {
	Binary  string    // the clearspan under test
	Out     io.Writer // progress and the table
	Results string    // directory for the JSON file; "" writes none
	Rounds  int       // default 5
	Size    int64     // octets a download, default 256 MiB
	Clients int       // parallel downloads, default 4
	Only    []string  // names of the programs that take part; nil: all
}

const (
	prefix = "csbench"
	name   = "www.example.test"
)

// Run measures every program that is installed, round by round.
func Run(ctx context.Context, o Options) (err error) {
	if o.Rounds <= 0 {
		o.Rounds = 5
	}
	if o.Size <= 0 {
		o.Size = 256 << 20
	}
	if o.Clients <= 0 {
		o.Clients = 4
	}
	l, err := netlab.New(prefix)
	if err != nil {
		return fmt.Errorf("build network: %w", err)
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	g, err := lab.NewGateway(l)
	if err != nil {
		return fmt.Errorf("build network: %w", err)
	}
	b := &bed{Options: o, gateway: g}
	if err := b.serve(); err != nil {
		return err
	}
	contenders, skipped, err := b.contenders()
	if err != nil {
		return err
	}
	wired, remove, err := b.wire()
	if err != nil {
		return fmt.Errorf("start %s: %w", oursWire, err)
	}
	defer func() { err = errors.Join(err, remove()) }()
	contenders = append(contenders, wired)
	for _, s := range skipped {
		fmt.Fprintf(o.Out, "skipped: %s\n", s)
	}
	report := newReport(o)
	for round := range o.Rounds {
		for _, c := range contenders {
			m, err := b.measure(ctx, c)
			if err != nil {
				return fmt.Errorf("measure %s: %w", c.name, err)
			}
			report.add(c.name, m)
			fmt.Fprintf(o.Out, "round %d  %-28s %6.2f s CPU/GiB  %6.2f s\n", round+1, c.name, m.perGiB, m.elapsed.Seconds())
		}
	}
	return report.write(o)
}

// bed is the network with the origin running.
type bed struct {
	Options
	gateway *lab.Gateway
	pki     *lab.PKI
}

// serve starts the origin with one large file.
func (b *bed) serve() error {
	dir, err := b.gateway.Lab.Dir("origin")
	if err != nil {
		return err
	}
	if b.pki, err = lab.NewPKI(dir); err != nil {
		return err
	}
	pair, err := b.pki.Issue(name)
	if err != nil {
		return err
	}
	web, err := lab.StartNginx(b.gateway.Origin, dir, lab.Sites(pair))
	if err != nil {
		return err
	}
	return writeObject(filepath.Join(web.Root, "object"), b.Size)
}

// writeObject writes a file of size octets.
func writeObject(file string, size int64) error {
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	defer f.Close()
	block := make([]byte, 1<<20)
	for i := range block {
		block[i] = byte(i * 7 >> 3)
	}
	for left := size; left > 0; left -= int64(len(block)) {
		if _, err := f.Write(block[:min(left, int64(len(block)))]); err != nil {
			return err
		}
	}
	return nil
}

// measurement is one contender in one round.
type measurement struct {
	perGiB  float64 // seconds of CPU time per GiB relayed
	elapsed time.Duration
}

// measure downloads the object through one contender, by all clients at once.
func (b *bed) measure(ctx context.Context, c *contender) (measurement, error) {
	before, err := cpuTime(c.pid)
	if err != nil {
		return measurement{}, err
	}
	start := time.Now()
	if err := b.load(ctx, c); err != nil {
		return measurement{}, err
	}
	elapsed := time.Since(start)
	time.Sleep(200 * time.Millisecond) // what the program does after the last octet
	after, err := cpuTime(c.pid)
	if err != nil {
		return measurement{}, err
	}
	gib := float64(b.Size) * float64(b.Clients) / (1 << 30)
	return measurement{(after - before).Seconds() / gib, elapsed}, nil
}
