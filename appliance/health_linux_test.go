package appliance

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/clearspan/clearspan/appliance/config"
	"github.com/clearspan/clearspan/appliance/control"
	"github.com/clearspan/clearspan/appliance/health"
	"github.com/clearspan/clearspan/certs"
	"github.com/clearspan/clearspan/hack/netlab"
	"github.com/clearspan/clearspan/hack/tempo"
)

// unplugged is a box in a namespace of its own whose recorder is required.
type unplugged struct {
	*testing.T
	lab           *netlab.Lab
	box, recorder *netlab.Namespace
	appliance     *Appliance
	client        *http.Client
}

func newUnplugged(t *testing.T) *unplugged {
	lab := netlab.ForTest(t)
	u := &unplugged{T: t, lab: lab}
	for name, ns := range map[string]**netlab.Namespace{"box": &u.box, "recorder": &u.recorder} {
		var err error
		if *ns, err = lab.Namespace(name); err != nil {
			t.Fatal(err)
		}
	}
	u.plug()
	c := parse(t, t.TempDir(), `state: state
intake: [{name: fixed, mode: static, listen: "127.0.0.1:0", origin: 192.0.2.1:443, sni: example.com}]
mirror: [{name: recorder, kind: interface, interface: mirror0}, {name: live, kind: pcap-over-ip, listen: "127.0.0.1:0"}]
admin: {listen: "127.0.0.1:0", ready: {mirrors: [recorder]}}
`)
	if err := u.box.Do(func() (err error) { u.appliance, err = New(c, "test", nil); return err }); err != nil {
		t.Fatal(err)
	}
	startNew(t, u.appliance)
	transport := &http.Transport{DialContext: u.box.DialContext, DisableKeepAlives: true}
	u.client = &http.Client{Transport: transport, Timeout: 10 * time.Second}
	return u
}

// plug makes the cable between the box and the recorder.
func (u *unplugged) plug() {
	u.Helper()
	err := u.lab.Link(netlab.End{Namespace: u.box, Name: "mirror0", Silent: true}, netlab.End{Namespace: u.recorder, Name: "rec0", Silent: true}, netlab.LinkOptions{})
	if err != nil {
		u.Fatal(err)
	}
}

// get returns the status and the body of a page of the administration.
func (u *unplugged) get(path string) (int, string) {
	u.Helper()
	r, err := u.client.Get("http://" + u.appliance.admin.Addr().String() + path)
	if err != nil {
		u.Fatal(err)
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		u.Fatal(err)
	}
	return r.StatusCode, string(body)
}

// recorderPart returns what the board says of the recorder.
func (u *unplugged) recorderPart() health.Part {
	for _, p := range u.appliance.Health().Parts() {
		if p.Kind == health.Mirror && p.Name == "recorder" {
			return p
		}
	}
	u.Fatal("the recorder is not on the board")
	panic("unreachable")
}

// await waits until the answer to /readyz has the status and the text.
func (u *unplugged) await(what string, status int, text string) {
	u.Helper()
	start := time.Now()
	tempo.Until(u.T, fmt.Sprintf("%s: /readyz answers %d with %q", what, status, text), func() bool {
		got, body := u.get("/readyz")
		return got == status && strings.Contains(body, text)
	})
	u.Logf("%s: seen after %v", what, time.Since(start))
}

// TestRecorderUnplugged: the box is not ready without its recorder, and says so wherever
// one asks.
func TestRecorderUnplugged(t *testing.T) {
	u := newUnplugged(t)
	ip := func(ns *netlab.Namespace, args ...string) func() {
		return func() {
			t.Helper()
			if out, err := exec.Command("ip", append([]string{"-n", ns.FullName()}, args...)...).CombinedOutput(); err != nil {
				t.Fatalf("ip %q: %v: %s", args, err, out)
			}
		}
	}
	u.await("start", 200, "ready")
	for _, tt := range []struct {
		name         string
		unplug, plug func()
		why          string
	}{
		{"the interface is down", ip(u.box, "link", "set", "mirror0", "down"), ip(u.box, "link", "set", "mirror0", "up"), "down"},
		{"the recorder is off", ip(u.recorder, "link", "set", "rec0", "down"), ip(u.recorder, "link", "set", "rec0", "up"), "no carrier"},
		{"the interface is gone", ip(u.box, "link", "del", "mirror0"), u.plug, "missing"},
	} {
		before := time.Now()
		tt.unplug()
		u.await(tt.name, 503, "not ready\ndown: mirror recorder: interface mirror0: "+tt.why)
		if p := u.recorderPart(); p.State != health.Down || p.Since.Before(before) || !p.Required {
			t.Errorf("%s: %+v", tt.name, p)
		}
		_, metrics := u.get("/metrics")
		for _, want := range []string{
			`clearspan_mirror_up{sink="recorder"} 0`, `clearspan_mirror_up{sink="live"} 1`, "clearspan_ready 0", `clearspan_part_up{name="recorder",part="mirror"} 0`,
		} {
			if !strings.Contains(metrics, want+"\n") {
				t.Errorf("%s: no %s", tt.name, want)
			}
		}
		if alerts := u.appliance.Health().Alerts(); len(alerts) == 0 || alerts[0].Name != "mirror-down" || alerts[0].Part != "recorder" || alerts[0].Do == "" {
			t.Errorf("%s: %+v", tt.name, alerts)
		}
		tt.plug()
		u.await("plugged in", 200, "ready\n")
		if p := u.recorderPart(); p.State != health.OK || p.Why != "" {
			t.Errorf("plugged in: %+v", p)
		}
	}
	resolved := u.appliance.Health().Alerts()
	for _, a := range resolved {
		if a.Resolved.IsZero() {
			t.Errorf("not resolved: %+v", a)
		}
	}
	if len(resolved) < 3 {
		t.Errorf("%d resolved alerts", len(resolved))
	}
}

// authorityOf makes the authority of a box that ends at a time.
func authorityOf(t *testing.T, c *config.Config, end time.Time) {
	t.Helper()
	dir := c.AuthorityDir()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	_, _, err := certs.LoadOrCreate(filepath.Join(dir, "ca.crt"), filepath.Join(dir, "ca.key"), certs.CreateOptions{CommonName: "about to end", Lifetime: time.Until(end)})
	if err != nil {
		t.Fatal(err)
	}
}

// TestAuthorityEndsSoon: the log, the board and the metrics tell of an authority with a
// day left.
func TestAuthorityEndsSoon(t *testing.T) {
	c := parse(t, t.TempDir(), fmt.Sprintf(box, "192.0.2.1:443", "bump"))
	end := time.Now().Add(30 * time.Hour).Truncate(time.Second)
	authorityOf(t, c, end)
	var log lockedText
	a, err := New(c, "test", slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	startNew(t, a)
	tempo.Until(t, "a warning in the log", func() bool {
		return strings.Contains(log.String(), `level=WARN msg="authority ends soon" authority=trusted not_after=`)
	})
	for _, p := range a.Health().Parts() {
		if p.Kind == health.Authority && (p.Name == "trusted") != (p.State == health.Degraded) {
			t.Errorf("%+v", p)
		}
	}
	if got := a.state().Authorities["trusted"]; got.Sub(end).Abs() > 2*time.Second {
		t.Errorf("ends %v, want %v", got, end)
	}
	alerts := a.Health().Alerts()
	if len(alerts) != 1 || alerts[0].Name != "authority-degraded" || !strings.Contains(alerts[0].Why, "in 1 day") || !strings.Contains(alerts[0].Do, "ca rotate") {
		t.Errorf("%+v", alerts)
	}
}

// TestFailedReloadIsTold: the board and the metrics tell of a configuration that could not
// be put in force, until one can.
func TestFailedReloadIsTold(t *testing.T) {
	c := parse(t, t.TempDir(), fmt.Sprintf(box, "192.0.2.1:443", "bump"))
	fails := true
	a, err := New(c, "test", nil, WithReloader("test.yaml", func(_ context.Context, a *Appliance) (done control.Reloaded, err error) {
		if fails {
			return done, fmt.Errorf("test.yaml:1:1: no intake")
		}
		return a.Reload(c)
	}))
	if err != nil {
		t.Fatal(err)
	}
	startNew(t, a)
	for _, fails = range []bool{true, false} {
		before := time.Now()
		if _, err := a.Operations().Reload(context.Background()); (err != nil) != fails {
			t.Fatal(err)
		}
		s := a.state()
		if s.Unchanged != fails || s.Reloaded.Before(before) {
			t.Errorf("reload that fails: %t: %+v", fails, s)
		}
		for _, p := range s.Health.Parts {
			if p.Kind == health.Config && (p.State == health.Degraded) != fails {
				t.Errorf("reload that fails: %t: %+v", fails, p)
			}
		}
	}
}
