package e2e

import (
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/clearspan/clearspan/hack/lab"
	"github.com/clearspan/clearspan/hack/scenetest"
)

// TestRoutedReplaced has workers of a gateway replaced under load: by a reload, by an
// upgrade, and because one is killed. No connection fails, a session goes on all the while,
// and the rules stay.
func TestRoutedReplaced(t *testing.T) {
	for _, mode := range []string{"tproxy", "redirect"} {
		t.Run(mode, func(t *testing.T) { replaced(t, mode) })
	}
}

func replaced(t *testing.T, mode string) {
	gateway := `{name: gateway, mode: ` + mode + `, listen: ":8099", from: [` + lab.LANInterface + `], ports: [443, 993], down: block, strays: reset}`
	c := newScene(t, settings{
		Intake: gateway, Blind: true,
		Finish: prepared(func(c *scene) {
			if n := strings.Count(c.KernelState(), "table inet clearspan_gateway/"); n != 1 {
				c.Errorf("%d tables block, want 1:\n%s", n, c.KernelState())
			}
			c.Clearspan("intake", "remove", "gateway")
		}),
	})
	load := &load{page: c.Page(c.Nginx(), "page.bin", 20_000), roots: c.Pool(c.CA)}
	lasting := c.Chat(993)
	lasting.Exchange(1)
	dials := c.dials()
	stop := load.start(c)
	load.more(t, 10)
	first := c.Appliance.Worker()

	other := func(what string, before int) int {
		scenetest.Eventually(t, "another worker after "+what, func() bool { now := c.Appliance.Worker(); return now != 0 && now != before })
		lasting.Exchange(1)
		load.more(t, 10)
		return c.Appliance.Worker()
	}
	c.rewrite(gateway, gateway+"\n  - {name: proxy, mode: explicit, listen: 127.0.0.1:8080}")
	c.Clearspan("reload", "-c", c.Appliance.ConfigFile)
	second := other("a reload", first)
	c.Clearspan("upgrade", "-c", c.Appliance.ConfigFile, "--binary", scenetest.Binary)
	third := other("an upgrade", second)
	c.rewrite("proxy, mode: explicit, listen: 127.0.0.1:8080", "proxy, mode: explicit, listen: 127.0.0.1:8081")
	c.Clearspan("reload", "-c", c.Appliance.ConfigFile)
	fourth := other("another reload", third)

	// Other ports are other rules.
	c.rewrite("ports: [443, 993]", "ports: [443, 993, 995]")
	if r, err := lab.Run(c.Ctx, c.Box, "", scenetest.Binary, "reload", "-c", c.Appliance.ConfigFile); err == nil || !strings.Contains(r.Stdout+r.Stderr, "restart") {
		t.Errorf("reload of ports: %v\n%s%s", err, r.Stdout, r.Stderr)
	}
	c.rewrite("ports: [443, 993, 995]", "ports: [443, 993]")
	c.Clearspan("reload", "-c", c.Appliance.ConfigFile)
	fifth := other("a reload of what runs", fourth)
	stop()
	if n := load.failed.Load(); n > 0 {
		t.Errorf("%d of %d sessions failed, first: %v", n, load.done.Load(), load.first)
	}

	syscall.Kill(fifth, syscall.SIGKILL)
	scenetest.Eventually(t, "the worker is gone", func() bool { return syscall.Kill(fifth, 0) != nil })
	stop = load.start(c)
	other("a death", fifth)
	stop()
	if n := load.failed.Load(); n > 0 {
		t.Errorf("after a death: %d of %d sessions failed, first: %v", n, load.done.Load(), load.first)
	}
	if done, failed := dials(); failed > 0 || done == 0 {
		t.Errorf("%d of %d connections refused", failed, done)
	}
	lasting.End()
	t.Logf("%d sessions", load.done.Load())
}

// rewrite replaces something in the configuration file.
func (c *scene) rewrite(before, after string) {
	c.Helper()
	text := string(c.ReadFile(c.Appliance.ConfigFile))
	if !strings.Contains(text, before) {
		c.Fatalf("no %q in the configuration", before)
	}
	c.Write(c.Appliance.ConfigFile, []byte(strings.Replace(text, before, after, 1)))
}

// dials connects over and over until the function returned is called, which counts.
func (c *scene) dials() func() (done, failed int64) {
	var n, refused atomic.Int64
	end := make(chan struct{})
	var running sync.WaitGroup
	running.Go(func() {
		for {
			select {
			case <-end:
				return
			case <-time.After(10 * time.Millisecond):
			}
			n.Add(1)
			conn, err := c.Client.DialContext(c.Ctx, "tcp", net.JoinHostPort(lab.OriginV4, "443"))
			if err != nil {
				refused.Add(1)
				continue
			}
			conn.Close()
		}
	})
	stop := sync.OnceFunc(func() { close(end); running.Wait() })
	c.Cleanup(stop)
	return func() (int64, int64) { stop(); return n.Load(), refused.Load() }
}
