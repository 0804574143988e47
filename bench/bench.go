// Package bench measures what clearspan costs, against the programs that do
// similar work, in one interleaved run on one machine. It builds its own network
// of namespaces and needs root.
//
// Charged is the program under test alone: the CPU time of all its threads and
// children, user and kernel, per unit of work. Client and origin run beside it on
// the same cores and are not counted. Absolute figures change with the machine
// and the moment; ratios within a run are what counts.
//
// A [workload] is what clients do; a contender is a program that stands between
// them and the origin. Each round takes every workload through every contender.
package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/clearspan/clearspan/hack/lab"
	"github.com/clearspan/clearspan/hack/netlab"
)

// Options describes a run.
type Options struct {
	Binary    string    // the clearspan under test
	Against   string    // another clearspan, to compare with; may be empty
	Floor     []string  // the command that runs [Floor], without its two arguments; nil leaves it out
	Out       io.Writer // progress and the tables
	Results   string    // directory for the JSON file; "" writes none
	Rounds    int       // default 5, quick 1
	Size      int64     // octets a download, default 256 MiB, quick 32 MiB
	Clients   int       // parallel downloads, default 4
	Quick     bool      // a fraction of the work
	Profiles  string    // directory for CPU profiles of the clearspan under test, made if missing; "" writes none
	Only      []string  // names of the programs that take part; nil: all
	Workloads []string  // names of the workloads; nil: all
}

const (
	prefix = "csbench"
	name   = "www.example.test"
	domain = "example.test"
)

func (o Options) complete() (Options, error) {
	rounds, size := 5, int64(256<<20)
	if o.Quick {
		rounds, size = 1, 32<<20
	}
	if o.Rounds <= 0 {
		o.Rounds = rounds
	}
	if o.Size <= 0 {
		o.Size = size
	}
	if o.Clients <= 0 {
		o.Clients = 4
	}
	for _, name := range o.Workloads {
		if !slices.Contains(Workloads(), name) {
			return o, fmt.Errorf("unknown workload %q, want some of %v", name, Workloads())
		}
	}
	return o, nil
}

// versionOf returns what a clearspan says of itself.
func versionOf(binary string) (string, error) {
	out, err := exec.Command(binary, "version").Output()
	if err != nil {
		return "", fmt.Errorf("ask clearspan for its version: %w", err)
	}
	line, _, _ := strings.Cut(string(out), "\n")
	return strings.TrimPrefix(line, "clearspan "), nil
}

// part returns n, or the eighth of it in a quick run, but no less than one.
func (o Options) part(n int) int {
	if o.Quick {
		n /= 8
	}
	return max(n, 1)
}

// Run measures every program that is installed, round by round.
func Run(ctx context.Context, o Options) (err error) {
	if o, err = o.complete(); err != nil {
		return err
	}
	version, err := versionOf(o.Binary)
	if err != nil {
		return err
	}
	if o.Profiles != "" {
		if err := os.MkdirAll(o.Profiles, 0o700); err != nil {
			return fmt.Errorf("create directory for profiles: %w", err)
		}
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
	// Ports of connections that have ended are not to be wanted: the client's and the
	// box's own.
	for _, ns := range []*netlab.Namespace{g.Client, g.Box} {
		if err := errors.Join(ns.Sysctl("net.ipv4.ip_local_port_range", "10500 64999"), ns.Sysctl("net.ipv4.tcp_tw_reuse", "1")); err != nil {
			return fmt.Errorf("build network: %w", err)
		}
	}
	b := &bed{Options: o, gateway: g}
	if err := b.serve(); err != nil {
		return err
	}
	contenders, skipped, err := b.contenders(ctx)
	if err != nil {
		return err
	}
	if b.takes(oursWire) {
		wired, remove, err := b.wire()
		if err != nil {
			return fmt.Errorf("start %s: %w", oursWire, err)
		}
		defer func() { err = errors.Join(err, remove()) }()
		contenders = append(contenders, wired)
	}
	for _, s := range skipped {
		fmt.Fprintf(o.Out, "skipped: %s\n", s)
	}
	report := newReport(o, version)
	report.Skipped = skipped
	for round := range o.Rounds {
		for _, w := range workloads {
			if !o.has(w) || w.once && round > 0 {
				continue
			}
			if err := b.round(ctx, round, w, contenders, report); err != nil {
				return err
			}
		}
	}
	return report.write(o)
}

// has tells whether a workload is part of the run.
func (o Options) has(w workload) bool {
	if len(o.Workloads) == 0 {
		return !w.long || !o.Quick
	}
	return slices.Contains(o.Workloads, w.kind())
}

// round takes a workload through the contenders that it is for, once.
func (b *bed) round(ctx context.Context, round int, w workload, contenders []*contender, report *report) error {
	if w.variant == nil {
		return b.through(ctx, round, w, contenders, report)
	}
	for name, binary := range map[string]string{ours: b.Binary, oursAgainst: b.Against} {
		if binary == "" || !b.takes(name) {
			continue
		}
		c, stop, err := b.variant(w, name, binary)
		if err != nil {
			return fmt.Errorf("measure %s: %w", w.name, err)
		}
		if err := errors.Join(b.through(ctx, round, w, []*contender{c}, report), stop()); err != nil {
			return err
		}
	}
	return nil
}

// through measures a workload with each of the contenders that it is for.
func (b *bed) through(ctx context.Context, round int, w workload, contenders []*contender, report *report) error {
	for _, c := range contenders {
		if w.suits != nil && !w.suits(c) {
			continue
		}
		m, err := b.measure(ctx, w, c)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil && c.peer {
			// A peer that fails is a result, too.
			fmt.Fprintf(b.Out, "round %d  %-10s %-28s failed: %v\n", round+1, w.name, c.name, err)
			report.fail(w, c.name, err)
			continue
		}
		if err != nil {
			return fmt.Errorf("measure %s, %s: %w", w.name, c.name, err)
		}
		report.add(w, c.name, m)
		fmt.Fprintf(b.Out, "round %d  %-10s %-28s %s\n", round+1, w.name, c.name, m.line(w))
	}
	return nil
}

func (b *bed) takes(name string) bool { return len(b.Only) == 0 || slices.Contains(b.Only, name) }

// bed is the network with the origin running.
type bed struct {
	Options
	gateway *lab.Gateway
	pki     *lab.PKI
}

// sizes are the objects on the origin beside the large one, in octets.
var sizes = []int{1 << 10, 8 << 10, 64 << 10, 512 << 10, 4 << 20, 32 << 20}

// serve starts the origin with its objects.
func (b *bed) serve() error {
	dir, err := b.gateway.Lab.Dir("origin")
	if err != nil {
		return err
	}
	if b.pki, err = lab.NewPKI(dir); err != nil {
		return err
	}
	pair, err := b.pki.Issue(name, "*."+domain)
	if err != nil {
		return err
	}
	web, err := lab.StartNginx(b.gateway.Origin, dir, lab.Sites(pair))
	if err != nil {
		return err
	}
	for _, size := range sizes {
		if err := writeObject(filepath.Join(web.Root, fmt.Sprint(size)), int64(size)); err != nil {
			return err
		}
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

// measurement is one workload through one contender in one round.
type measurement struct {
	cost    float64         // seconds of CPU time per unit, or octets of memory
	elapsed time.Duration   // of all the work
	delays  []time.Duration // of each exchange, sorted; nil where they say nothing
}

// measure takes a workload through a contender.
func (b *bed) measure(ctx context.Context, w workload, c *contender) (m measurement, err error) {
	if w.settle != nil {
		if _, err := w.settle(ctx, b, c); err != nil { // what is to be warm is made warm
			return m, err
		}
	}
	before, err := w.cost(c)
	if err != nil {
		return m, err
	}
	start := time.Now()
	done, err := w.run(ctx, b, c)
	if done.after != nil {
		defer done.after()
	}
	if err != nil {
		return m, err
	}
	c.worked = time.Now()
	m.elapsed = c.worked.Sub(start)
	time.Sleep(200 * time.Millisecond) // what the program does after the last octet
	after, err := w.cost(c)
	if err != nil {
		return m, err
	}
	if done.before != 0 {
		before = done.before
	}
	m.cost = (after - before) / done.units
	slices.Sort(done.delays)
	m.delays = done.delays
	return m, nil
}
