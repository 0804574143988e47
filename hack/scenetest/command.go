package scenetest

import (
	"strings"
	"time"

	"github.com/clearspan/clearspan/hack/lab"
)

// Clearspan runs a command on the box.
func (c *Scene) Clearspan(args ...string) string {
	c.Helper()
	r, err := lab.Run(c.Ctx, c.Box, "", Binary, args...)
	if err != nil {
		c.Errorf("clearspan %s: %v\n%s", strings.Join(args, " "), err, r.Stderr)
	}
	return r.Stdout
}

// AwaitTaking waits until a wire takes connections.
func (c *Scene) AwaitTaking(name string) {
	c.Helper()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if strings.Contains(c.Clearspan("wire", "status", name), "taking connections") {
			return
		}
	}
	c.Fatal("the wire takes no connections")
}
