package e2e

import (
	"strings"

	"github.com/clearspan/clearspan/hack/lab"
)

// refused runs curl with a CA file; it must fail. The exit status and what curl
// said are returned.
func (c *scene) refused(ca string, args ...string) lab.Result {
	c.Helper()
	r, err := lab.Curl(c.Ctx, c.Client, ca, args...)
	if err == nil {
		c.Fatalf("curl %s: got an answer: %.200q", strings.Join(args, " "), r.Stdout)
	}
	return r
}
