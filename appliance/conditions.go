package appliance

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/clearspan/clearspan/appliance/admin"
	"github.com/clearspan/clearspan/appliance/health"
)

const (
	// Conditions are judged by what was counted within window, looked at every look.
	window, look = 5 * time.Minute, 5 * time.Second
	// Of fewest handshakes, more than manyFail must fail.
	fewest, manyFail = 20, 0.2
)

// counts are totals of the last minutes. The board asks for them one at a time.
type counts struct {
	read    func() admin.Totals
	samples []sample // the oldest first, one beyond the window
}

type sample struct {
	at time.Time
	admin.Totals
}

// at takes a sample if one is due, and returns the first of the window and the last.
func (c *counts) at(now time.Time) (first, last sample) {
	if n := len(c.samples); n == 0 || now.Sub(c.samples[n-1].at) >= look {
		c.samples = append(c.samples, sample{now, c.read()})
	}
	for len(c.samples) > 1 && now.Sub(c.samples[1].at) >= window {
		c.samples = slices.Delete(c.samples, 0, 1)
	}
	return c.samples[0], c.samples[len(c.samples)-1]
}

// loss tells of mirrors that lose octets.
func (c *counts) loss(now time.Time) (why string, holds bool) {
	first, last := c.at(now)
	var causes []string
	for _, name := range slices.Sorted(maps.Keys(last.Lost)) {
		if n := last.Lost[name] - first.Lost[name]; n > 0 {
			causes = append(causes, fmt.Sprintf("mirror %s lost %d octets within 5 minutes", name, n))
		}
	}
	return strings.Join(causes, "; "), causes != nil
}

// failing returns what tells of handshakes of a leg that fail.
func (c *counts) failing(leg string) func(now time.Time) (why string, holds bool) {
	return func(now time.Time) (string, bool) {
		first, last := c.at(now)
		before, after := first.Handshakes[leg], last.Handshakes[leg]
		failed := after[1] - before[1]
		all := after[0] - before[0] + failed
		if all < fewest || float64(failed) <= manyFail*float64(all) {
			return "", false
		}
		return fmt.Sprintf("%d of %d handshakes with the %s failed within 5 minutes", failed, all, leg), true
	}
}

// watchCounts has the board judge what is counted.
func (a *Appliance) watchCounts() {
	c := &counts{read: a.metrics.Totals}
	for _, condition := range []health.Condition{
		{
			Name: "mirror-loss", Severity: health.Warning, Holds: c.loss,
			Do: "Look at the recorder, its interface and its disk. The metric clearspan_mirror_lost_octets_total has the reasons.",
		},
		{
			Name: "clients-refuse", Severity: health.Warning, Holds: c.failing("client"),
			Do: "Clients lack the certificate of the authority, or pin certificates. The audit log has who: tls_client.refusal.",
		},
		{
			Name: "origins-fail", Severity: health.Warning, Holds: c.failing("origin"),
			Do: "Look at the network behind the box, and at the verdicts about origins.",
		},
	} {
		a.health.Watch(condition)
	}
}
