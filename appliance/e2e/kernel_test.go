package e2e

import (
	"strings"
	"testing"
)

// TestKernelRules makes sure that what [scene.stop] compares sees the rules of a
// running appliance, and that they are gone after it.
func TestKernelRules(t *testing.T) {
	c := newScene(t, settings{})
	running := c.KernelState()
	for _, part := range []string{"clearspan", "tproxy", "fwmark"} {
		if strings.Contains(c.Kernel, part) || !strings.Contains(running, part) {
			t.Errorf("want %q while it runs only; before:\n%s\nrunning:\n%s", part, c.Kernel, running)
		}
	}
	c.Stop()
	if after := c.KernelState(); after != c.Kernel {
		t.Errorf("left:\n%s", after)
	}
}
