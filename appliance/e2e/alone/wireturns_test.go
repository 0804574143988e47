package alone

import (
	"context"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/clearspan/clearspan/hack/lab"
	"github.com/clearspan/clearspan/hack/scenetest"
	"github.com/clearspan/clearspan/hack/tempo"
)

// TestWireTakesTurns replaces the process of a wire, by a reload of what it cannot change
// in place and by an upgrade, under new TLS connections. None fails, and none passes
// unopened.
func TestWireTakesTurns(t *testing.T) {
	c := newFailing(t, ", down: block, stall: 2s")
	var mu sync.Mutex
	var attempts []attempt
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for ctx.Err() == nil {
				a := c.once(20 * time.Second) // one after the other, as fast as the machine is
				mu.Lock()
				attempts = append(attempts, a)
				mu.Unlock()
			}
		})
	}
	run := func(args ...string) {
		t.Helper()
		before := c.appliance.Worker()
		if r, err := lab.Run(t.Context(), c.Box, "", scenetest.Binary, args...); err != nil {
			t.Fatalf("%v: %v\n%s%s", args, err, r.Stdout, r.Stderr)
		}
		if c.appliance.Worker() == before {
			t.Errorf("%v: the worker is the same", args)
		}
	}
	for _, name := range []string{"one.jsonl", "two.jsonl"}[:min(2, 1+tempo.Rounds())] {
		text, err := os.ReadFile(c.appliance.ConfigFile)
		if err != nil {
			t.Fatal(err)
		}
		for _, old := range []string{"sessions.jsonl", "one.jsonl"} {
			text = []byte(strings.Replace(string(text), "file: "+old, "file: "+name, 1))
		}
		if err := os.WriteFile(c.appliance.ConfigFile, text, 0o644); err != nil {
			t.Fatal(err)
		}
		run("reload", "-c", c.appliance.ConfigFile)
	}
	run("upgrade", "-c", c.appliance.ConfigFile)
	time.Sleep(200 * time.Millisecond)
	cancel()
	all.Wait()
	failed, unopened := 0, 0
	for _, a := range attempts {
		switch {
		case a.err != nil:
			failed++
			t.Logf("failed, begun %v before the end: %v", time.Since(a.begun), a.err)
		case !a.forged:
			unopened++
		}
	}
	t.Logf("%d connections, %d failed, %d not opened", len(attempts), failed, unopened)
	if failed+unopened > 0 || len(attempts) < 20 {
		t.Errorf("%d of %d connections failed, %d were not opened", failed, len(attempts), unopened)
	}
	if err := c.appliance.Stop(); err != nil {
		t.Error(err)
	}
}
