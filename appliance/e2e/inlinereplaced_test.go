package e2e

import (
	"strings"
	"syscall"
	"testing"

	"github.com/clearspan/clearspan/hack/lab"
	"github.com/clearspan/clearspan/hack/scenetest"
)

// TestInlineReplaced has workers replaced whose sessions go through a device: by reloads, by
// an upgrade, and because one is killed. No session fails or misses the device, one goes on
// all the while, and the legs come back at the end.
func TestInlineReplaced(t *testing.T) {
	c, d := deviceScene(t, "timeout: 20s, on_failure: closed", (*device).bridge, settings{Blind: true})
	load := &load{page: c.Page(c.Nginx(), "page.bin", 20_000), roots: c.Pool(c.CA)}
	lasting := c.Chat(993)
	lasting.Exchange(1)
	stop := load.start(c)
	load.more(t, 10)
	before := c.Appliance.Worker()
	another := func(what string) {
		t.Helper()
		scenetest.Eventually(t, "another worker after "+what, func() bool { now := c.Appliance.Worker(); return now != 0 && now != before })
		before = c.Appliance.Worker()
		lasting.Exchange(1)
		load.more(t, 10)
	}
	reload := func() { c.Clearspan("reload", "-c", c.Appliance.ConfigFile) }
	c.rewrite("on_failure: closed", "on_failure: open")
	reload()
	another("a reload")
	c.Clearspan("upgrade", "-c", c.Appliance.ConfigFile, "--binary", scenetest.Binary)
	another("an upgrade")
	c.rewrite("on_failure: open", "on_failure: closed")
	reload()
	another("another reload")

	// The kernel has the time-out, and the legs are away.
	for _, change := range [][2]string{{"timeout: 20s", "timeout: 19s"}, {"[chain0, chain1]", "[chain0, chain2]"}} {
		c.rewrite(change[0], change[1])
		if r, err := lab.Run(c.Ctx, c.Box, "", scenetest.Binary, "reload", "-c", c.Appliance.ConfigFile); err == nil || !strings.Contains(r.Stdout+r.Stderr, "needs a restart") {
			t.Errorf("reload with %s: %v\n%s%s", change[1], err, r.Stdout, r.Stderr)
		}
		c.rewrite(change[1], change[0])
	}
	reload()
	another("a reload of what runs")
	stop()
	if n := load.failed.Load(); n > 0 {
		t.Errorf("%d of %d sessions failed, first: %v", n, load.done.Load(), load.first)
	}
	syscall.Kill(before, syscall.SIGKILL)
	scenetest.Eventually(t, "the worker is gone", func() bool { return syscall.Kill(before, 0) != nil })
	stop = load.start(c)
	another("a death")
	stop()
	if n := load.failed.Load(); n > 0 {
		t.Errorf("after a death: %d of %d sessions failed, first: %v", n, load.done.Load(), load.first)
	}
	lasting.End()
	c.Stop()
	words := d.words(c.Entries())
	t.Logf("%d sessions, entries say %v", load.done.Load(), words)
	if len(words) != 1 || words["carried"] == 0 {
		t.Errorf("entries say %v", words)
	}
	for _, leg := range []string{"chain0", "chain1"} {
		if r, err := lab.Run(c.Ctx, c.Box, "", "ip", "link", "show", "dev", leg); err != nil {
			t.Errorf("leg %s: %v\n%s", leg, err, r.Stderr)
		}
	}
}
