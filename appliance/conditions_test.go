package appliance

import (
	"strings"
	"testing"
	"time"

	"github.com/clearspan/clearspan/appliance/admin"
)

// TestCounts: loss and failures are told while they are new, and few failures not at all.
func TestCounts(t *testing.T) {
	m := admin.NewMetrics("test")
	m.Sink("recorder", []string{"no-link", "concealed"}, nil)
	c := &counts{read: m.Totals}
	now := time.Unix(1000, 0)
	tell := func(holds func(time.Time) (string, bool)) string {
		why, is := holds(now)
		if is != (why != "") {
			t.Errorf("%q, %t", why, is)
		}
		return why
	}
	m.MirrorLost("recorder", "no-link", 5) // before anybody looked
	c.at(now)
	m.MirrorLost("recorder", "concealed", 10)
	for range 19 {
		m.Handshake("", "client", time.Second, false)
	}
	now = now.Add(look)
	for name, holds := range map[string]func(time.Time) (string, bool){"loss": c.loss, "client": c.failing("client"), "origin": c.failing("origin")} {
		if why := tell(holds); why != "" {
			t.Errorf("%s: %s", name, why)
		}
	}
	m.MirrorLost("recorder", "no-link", 7)
	m.Handshake("", "client", time.Second, true)
	now = now.Add(look)
	if why := tell(c.loss); why != "mirror recorder lost 7 octets within 5 minutes" {
		t.Error(why)
	}
	if why := tell(c.failing("client")); !strings.HasPrefix(why, "19 of 20 handshakes with the client failed") {
		t.Error(why)
	}
	for range 2 * window / look {
		now = now.Add(look)
		c.at(now)
	}
	if len(c.samples) > int(window/look)+2 {
		t.Errorf("%d samples", len(c.samples))
	}
	if why := tell(c.loss) + tell(c.failing("client")); why != "" {
		t.Errorf("told for ever: %s", why)
	}
}
