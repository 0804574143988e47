package e2e

import (
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/clearspan/clearspan/hack/lab"
	"github.com/clearspan/clearspan/hack/scenetest"
)

// TestNameServerReplaced has workers of a name server replaced, by reloads and an upgrade,
// under queries by UDP and TCP that are asked once: each is answered. After a worker is
// killed, another one answers.
func TestNameServerReplaced(t *testing.T) {
	const names = `{name: names, mode: dns, listen: "` + lab.BoxLANV4 + `:53", upstream: ` + lab.OriginV4 + `, from: [198.51.100.0/24]}`
	c := newScene(t, settings{
		Intake: names, Blind: true,
		Prepare: prepared(func(c *scene) {
			server, err := lab.StartNSD(c.Origin, c.Directory("nsd"), domain)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { server.Stop() })
		}),
	})
	ask := func(network string) error {
		raw, err := c.Client.DialContext(c.Ctx, network, lab.BoxLANV4+":53")
		if err != nil {
			return err
		}
		defer raw.Close()
		raw.SetDeadline(time.Now().Add(30 * time.Second))
		conn := &dns.Conn{Conn: raw}
		if err := conn.WriteMsg(new(dns.Msg).SetQuestion(domain+".", dns.TypeSOA)); err != nil {
			return err
		}
		_, err = conn.ReadMsg()
		return err
	}
	var answered atomic.Int64
	var stops []func() (int, int, error)
	for _, network := range []string{"udp", "udp", "tcp", "tcp"} {
		stops = append(stops, c.again(func() error { defer answered.Add(1); return ask(network) }))
	}
	before := c.Appliance.Worker()
	another := func(what string) {
		t.Helper()
		if now := c.Appliance.Worker(); now == before {
			t.Errorf("%s: the worker is the same", what)
		}
		before = c.Appliance.Worker()
		enough := answered.Load() + 20
		scenetest.Eventually(t, "queries after "+what, func() bool { return answered.Load() >= enough })
	}
	c.rewrite(names, names+"\n  - {name: proxy, mode: explicit, listen: 127.0.0.1:8080}")
	c.Clearspan("reload", "-c", c.Appliance.ConfigFile)
	another("a reload")
	c.Clearspan("upgrade", "-c", c.Appliance.ConfigFile, "--binary", scenetest.Binary)
	another("an upgrade")
	c.rewrite("from: [198.51.100.0/24]", "from: [198.51.100.0/24, 192.0.2.0/24]")
	c.Clearspan("reload", "-c", c.Appliance.ConfigFile)
	another("a change of the intake")
	for _, stop := range stops {
		if done, failed, first := stop(); failed > 0 || done == 0 {
			t.Errorf("%d of %d queries failed, first: %v", failed, done, first)
		}
	}
	t.Logf("%d queries", answered.Load())
	syscall.Kill(before, syscall.SIGKILL)
	scenetest.Eventually(t, "another worker", func() bool { now := c.Appliance.Worker(); return now != 0 && now != before })
	for _, network := range []string{"udp", "tcp"} {
		if err := ask(network); err != nil {
			t.Errorf("after a death, %s: %v", network, err)
		}
	}
}
