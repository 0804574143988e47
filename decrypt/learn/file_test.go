package learn

import (
	"bytes"
	"context"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

var compareEntries = cmp.Options{cmpopts.EquateComparable(netip.Addr{}, Destination{})}

func TestSurvivesRestart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "learned.json")
	before := newDesk(nil)
	before.refuse(3, facts(alice, site, there))
	before.refuse(3, facts("2001:db8::1", site, "proxied.example.test:443"))
	odd := facts(alice, site, there)
	odd.ALPN = []string{"none", "such"}
	before.Learn(FailedOrigin, odd, bump, "handshake")
	before.Learn(NarrowOffer, odd, bump, "refused")
	before.Keep(before.List()[0].ID, true)
	if err := before.Save(path); err != nil {
		t.Fatal(err)
	}
	if s, err := os.Stat(path); err != nil || s.Mode() != 0o600 {
		t.Errorf("%v, %v", s.Mode(), err)
	}
	after := newDesk(nil)
	if err := after.Load(path); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before.List(), after.List(), compareEntries); diff != "" || len(after.List()) != 4 {
		t.Errorf("(-before +after):\n%s", diff)
	}
	if after.Recall(facts(alice, site, there), nil) != Pinned {
		t.Error("not recalled")
	}
	late := newDesk(nil)
	late.clock = late.clock.Add(30 * time.Hour)
	if err := late.Load(path); err != nil || len(late.List()) != 1 || !late.List()[0].Kept {
		t.Errorf("a day later: %+v, %v", late.List(), err)
	}
}

func TestBrokenFile(t *testing.T) {
	for _, content := range []string{"", "{", "[]", `{"version":2,"entries":[]}`, `{"version":1,"entries":[{"client":"x"}]}`} {
		path := filepath.Join(t.TempDir(), "learned.json")
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		d := newDesk(nil)
		if err := d.Load(path); err != nil {
			t.Errorf("%q: %v", content, err)
		}
		if b, err := os.ReadFile(path + broken); err != nil || string(b) != content {
			t.Errorf("%q is not set aside: %v", content, err)
		}
		if !bytes.Contains(d.log.Bytes(), []byte("level=WARN")) {
			t.Errorf("%q: no warning", content)
		}
		if err := d.Save(path); err != nil {
			t.Error(err)
		}
	}
	if err := newDesk(nil).Load(filepath.Join(t.TempDir(), "absent")); err != nil {
		t.Errorf("no file: %v", err)
	}
}

// TestRun: changes are saved after a second, many at once, and the last ones at
// the end.
func TestRun(t *testing.T) {
	path := filepath.Join(t.TempDir(), "learned.json")
	synctest.Test(t, func(t *testing.T) {
		table := New(usual, Config{})
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { table.Run(ctx, path); close(done) }()
		learn := func(host string) {
			table.Learn(ClientCertificate, facts(alice, host, there), bump, "requested")
		}
		saved := func() int {
			synctest.Wait()
			d := New(usual, Config{})
			d.Load(path)
			return len(d.List())
		}
		learn("a.test")
		time.Sleep(saveDelay / 2)
		learn("b.test")
		if n := saved(); n != 0 {
			t.Errorf("%d saved at once", n)
		}
		time.Sleep(saveDelay)
		if n := saved(); n != 2 {
			t.Errorf("%d saved after a second", n)
		}
		learn("c.test")
		stop()
		<-done
		if n := saved(); n != 3 {
			t.Errorf("%d saved at the end", n)
		}
	})
}

// FuzzFile: any file is refused or read, and what is read is written and read
// again.
func FuzzFile(f *testing.F) {
	d := newDesk(nil)
	d.refuse(3, facts(alice, site, there))
	d.Learn(ClientCertificate, facts(bob, "", "proxied.example.test:443"), bump, "requested")
	path := filepath.Join(f.TempDir(), "learned.json")
	if err := d.Save(path); err != nil {
		f.Fatal(err)
	}
	seed, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed)
	f.Add([]byte(`{"version":1,"entries":[{"id":"","lesson":"pinned","client":"192.0.2.1","host":"a","destinations":["a:1","[::1]:2"],"by":"192.0.2.1","kept":true}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		entries, err := decode(bytes.NewReader(data))
		if err != nil {
			return
		}
		d := newDesk(nil)
		for _, e := range entries {
			if e.valid() && !e.expired(d.clock) && d.entries.Find(e.key()) == nil {
				d.add(e)
			}
		}
		path := filepath.Join(t.TempDir(), "learned.json")
		if err := d.Save(path); err != nil {
			t.Skip(err) // a time that JSON has no form for
		}
		again := newDesk(nil)
		if err := again.Load(path); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(d.List(), again.List(), compareEntries); diff != "" {
			t.Errorf("(-written +read):\n%s", diff)
		}
	})
}
