package e2e

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/clearspan/clearspan/hack/lab"
)

// kernelState returns everything in the box's kernel that an intake may change.
func (c *scene) kernelState() string {
	c.Helper()
	var all strings.Builder
	for _, command := range []string{
		"nft list ruleset", "ip rule", "ip -6 rule", "ip route show table all", "ip -6 route show table all",
	} {
		args := strings.Fields(command)
		r, err := lab.Run(c.ctx, c.Box, "", args[0], args[1:]...)
		if err != nil {
			c.Fatal(err)
		}
		all.WriteString("# " + command + "\n" + r.Stdout)
	}
	return all.String()
}

// TestKernelRules makes sure that what [scene.stop] compares sees the rules of a
// running appliance, and that they are gone after it.
func TestKernelRules(t *testing.T) {
	c := newScene(t, settings{})
	running := c.kernelState()
	for _, part := range []string{"clearspan", "tproxy", "fwmark"} {
		if strings.Contains(c.kernel, part) || !strings.Contains(running, part) {
			t.Errorf("want %q while it runs only; before:\n%s\nrunning:\n%s", part, c.kernel, running)
		}
	}
	c.stop()
	if after := c.kernelState(); after != c.kernel {
		t.Errorf("left:\n%s", after)
	}
}

// unmapped returns an IPv4 address that stands in IPv6 frames as what it is: a
// recorder sees IPv6 where client and origin speak different versions.
func unmapped(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
}
