package gate

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// Run is one call of go test.
type Run struct {
	Root   string   // the module's folder
	Module string   // its path
	Args   []string // of go test, without -json
	Limits Limits
	Keep   io.Writer // gets the events
	Out    io.Writer // gets what people read
}

// Do runs the tests and waits for their end. A package that takes longer than its
// limit is ended, with what its goroutines did. An error means that the tests could
// not be run; whether they passed says the report.
func (r *Run) Do(ctx context.Context) (*Report, error) {
	out := &serial{w: r.Out}
	cmd := exec.CommandContext(ctx, "go", slices.Concat([]string{"test"}, r.Args, []string{"-json"})...) // a -C comes first
	cmd.Dir, cmd.Stderr = r.Root, out
	// The tests' own cleaning up is worth waiting for.
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	events, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start go test: %w", err)
	}
	guard := &guard{run: r, out: out, timers: make(map[string]*time.Timer)}
	report, err := Read(events, r.Keep, out, r.Module, Watch{guard.start, guard.stop})
	wait := cmd.Wait()
	if err != nil {
		return nil, err
	}
	if wait != nil && report.Good() {
		return report, fmt.Errorf("go test: %w", wait)
	}
	return report, ctx.Err()
}

// guard holds packages to their limits.
type guard struct {
	run *Run
	out io.Writer

	mu     sync.Mutex
	timers map[string]*time.Timer
}

func (g *guard) start(pkg string) {
	folder := strings.TrimPrefix(strings.TrimPrefix(pkg, g.run.Module), "/")
	limit := g.run.Limits.Of(folder)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.timers[pkg] = time.AfterFunc(limit, func() {
		g.mu.Lock() // stop comes with the end of the tests, and waits for the words
		defer g.mu.Unlock()
		if endTests(filepath.Join(g.run.Root, folder)) {
			fmt.Fprintf(g.out, "%s: ended: over its limit of %v (hack/gate/limits.txt)\n", folder, limit)
		}
	})
}

func (g *guard) stop(pkg string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if t := g.timers[pkg]; t != nil {
		t.Stop()
		delete(g.timers, pkg)
	}
}

// serial lets several goroutines write, one after the other.
type serial struct {
	mu sync.Mutex
	w  io.Writer
}

func (s *serial) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.w.Write(p)
}
