package health

import (
	"encoding/json"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// clock is a board's time.
type clock struct{ time.Time }

func (c *clock) board() *Board {
	b := New()
	b.now = func() time.Time { return c.Time }
	return b
}

func (c *clock) pass(d time.Duration) { c.Time = c.Add(d) }

func TestBoardTellsSinceWhen(t *testing.T) {
	c := &clock{time.Unix(1000, 0)}
	b := c.board()
	now := Reading{}
	b.Add(Mirror, "recorder", func() Reading { return now })
	c.pass(time.Minute)
	now = Reading{State: Down, Why: "interface mirror0: missing"}
	if p := b.Parts()[0]; p.State != Down || !p.Since.Equal(c.Time) || p.Why != now.Why || p.Do == "" {
		t.Errorf("%+v", p)
	}
	down := c.Time
	c.pass(time.Minute)
	now.Why = "interface mirror0: no carrier"
	if p := b.Parts()[0]; !p.Since.Equal(down) || p.Why != now.Why {
		t.Errorf("another cause changed the time: %+v", p)
	}
	now = Reading{}
	if p := b.Parts()[0]; p.State != OK || !p.Since.Equal(c.Time) || p.Why != "" || p.Do != "" {
		t.Errorf("%+v", p)
	}
}

func TestReadiness(t *testing.T) {
	b := New()
	b.Set(Worker, "main", Reading{})
	b.Require(Worker, "main", true)
	b.Set(Mirror, "recorder", Reading{State: Down, Why: "missing"})
	if h := b.Health(); !h.Ready || h.State != Degraded {
		t.Errorf("a mirror that nobody requires: %+v", h)
	}
	b.Require(Mirror, "recorder", true)
	if h := b.Health(); h.Ready || h.State != Down {
		t.Errorf("a mirror that is required: %+v", h)
	}
	b.Set(Mirror, "recorder", Reading{State: Degraded})
	if h := b.Health(); !h.Ready || h.State != Degraded {
		t.Errorf("a required mirror that does a part of its work: %+v", h)
	}
	b.Set(Mirror, "recorder", Reading{})
	if h := b.Health(); !h.Ready || h.State != OK {
		t.Errorf("all well: %+v", h)
	}
	b.Require(Service, "av", true)
	if h := b.Health(); h.Ready {
		t.Errorf("a required part that did not start: %+v", h)
	}
}

func TestOrderAndRemoval(t *testing.T) {
	b := New()
	for _, k := range []key{{Disk, "state"}, {Mirror, "b"}, {Mirror, "a"}, {Worker, "main"}} {
		b.Set(k.kind, k.name, Reading{})
	}
	b.Set(Mirror, "c", Reading{})
	b.Remove(Mirror, "c")
	b.Remove(Mirror, "d")
	var got []string
	for _, p := range b.Parts() {
		got = append(got, p.String())
	}
	if diff := cmp.Diff([]string{"worker main", "mirror a", "mirror b", "disk state"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestAlerts(t *testing.T) {
	c := &clock{time.Unix(1000, 0)}
	b := c.board()
	b.Set(Mirror, "recorder", Reading{State: Down, Why: "missing"})
	loss := false
	b.Watch(Condition{Name: "loss", Severity: Warning, Do: "look", Holds: func(time.Time) (string, bool) { return "1 %", loss }})
	start := c.Time
	b.Alerts()
	c.pass(time.Second)
	loss = true
	b.Alerts()
	want := []Alert{
		{Name: "mirror-down", Severity: Critical, Part: "recorder", Since: start, Why: "missing", Do: advice(Mirror)},
		{Name: "loss", Severity: Warning, Since: c.Time, Why: "1 %", Do: "look"},
	}
	c.pass(time.Second)
	if diff := cmp.Diff(want, b.Alerts()); diff != "" {
		t.Error(diff)
	}
	b.Set(Worker, "main", Reading{State: Down, Why: "starting", Quiet: true})
	b.Require(Service, "av", true) // it has not started yet
	b.Set(Mirror, "recorder", Reading{})
	want[0].Resolved = c.Time
	want[0], want[1] = want[1], want[0]
	if diff := cmp.Diff(want, b.Alerts()); diff != "" {
		t.Errorf("the resolved one is told, too: %s", diff)
	}
	c.pass(keepResolved)
	if got := b.Alerts(); len(got) != 1 {
		t.Errorf("%+v", got)
	}
}

func TestBounds(t *testing.T) {
	b := New()
	for i := range maxParts + 10 {
		b.Set(Mirror, fmt.Sprint(i), Reading{})
	}
	if n := len(b.Parts()); n != maxParts {
		t.Errorf("%d parts", n)
	}
	b = New()
	for range 3 * maxResolved {
		b.Set(Mirror, "m", Reading{State: Down})
		b.Set(Mirror, "m", Reading{})
	}
	if n := len(b.Alerts()); n != maxResolved {
		t.Errorf("%d alerts", n)
	}
}

func TestConcurrentUse(t *testing.T) {
	b := New()
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for j := range 100 {
				name := fmt.Sprint(j % 7)
				b.Add(Mirror, name, func() Reading { return Reading{State: State(j % 3)} })
				b.Set(Service, name, Reading{State: State(i % 3)})
				b.Health()
				b.Alerts()
				b.Remove(Mirror, name)
			}
		})
	}
	all.Wait()
}

func TestStateWords(t *testing.T) {
	for s := OK; s <= Down; s++ {
		text, err := json.Marshal(s)
		var back State
		if err != nil || json.Unmarshal(text, &back) != nil || back != s {
			t.Errorf("%s, %v: %v", text, err, back)
		}
	}
	if json.Unmarshal([]byte(`"well"`), new(State)) == nil {
		t.Error("a word that is none")
	}
}
