package learn

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// hosts lists what a table knows.
func hosts(t *Table) (list []string) {
	for _, e := range t.List() {
		list = append(list, e.Host)
	}
	return list
}

// TestTwoProcesses: what one learns, the other knows; what one forgets, both forget.
func TestTwoProcesses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "learned.json")
	old, next := newDesk(nil), newDesk(nil)
	learn := func(d *desk, host, origin string) {
		d.Learn(ClientCertificate, facts(alice, host, origin), bump, "requested")
	}
	sync := func(tables ...*desk) {
		t.Helper()
		for _, d := range tables {
			if err := d.Sync(path); err != nil {
				t.Fatal(err)
			}
		}
	}
	want := func(d *desk, want ...string) {
		t.Helper()
		if diff := cmp.Diff(want, hosts(d.Table)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
	learn(old, "a.test", there)
	learn(old, "b.test", there)
	sync(old)
	if err := next.Load(path); err != nil {
		t.Fatal(err)
	}
	want(next, "a.test", "b.test")
	learn(old, "c.test", there)
	learn(next, "d.test", there)
	sync(next, old, next)
	want(next, "a.test", "b.test", "c.test", "d.test")
	want(old, "a.test", "b.test", "c.test", "d.test")

	next.Delete(next.List()[0].ID)
	next.Keep(next.List()[0].ID, true)
	learn(old, "b.test", "192.0.2.77:443")
	sync(next, old, next)
	for _, d := range []*desk{old, next} {
		want(d, "b.test", "c.test", "d.test")
		if e := d.List()[0]; !e.Kept || len(e.Destinations) != 2 {
			t.Errorf("entry %+v", e)
		}
	}
	if late := newDesk(nil); late.Load(path) != nil || len(late.List()) != 3 {
		t.Errorf("file holds %v", hosts(late.Table))
	}
	sync(old, old, next)
	want(old, "b.test", "c.test", "d.test")
}

// TestUsed: sessions that either process carried by an entry count once.
func TestUsed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "learned.json")
	a, b := newDesk(nil), newDesk(nil)
	a.Learn(ClientCertificate, facts(alice, site, there), bump, "requested")
	for _, d := range []*desk{a, b} {
		if err := d.Sync(path); err != nil {
			t.Fatal(err)
		}
	}
	for _, d := range []*desk{a, b, b} {
		if d.Recall(facts(alice, site, there), nil) != ClientCertificate {
			t.Error("not recalled")
		}
	}
	for i, d := range []*desk{a, b, a, b} {
		d.Learn(ClientCertificate, facts(alice, fmt.Sprintf("%d.test", i), there), bump, "requested") // or nothing is written
		if err := d.Sync(path); err != nil {
			t.Fatal(err)
		}
	}
	used := func(d *desk) uint64 { l := d.List(); return l[len(l)-1].Used }
	if x, y := used(a), used(b); x != 3 || y != 3 {
		t.Errorf("used %d and %d times, want 3", x, y)
	}
}

// TestFileLearned: a process hears of another one's lesson without one of its own.
func TestFileLearned(t *testing.T) {
	path := filepath.Join(t.TempDir(), "learned.json")
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		var both sync.WaitGroup
		tables := []*Table{New(usual, Config{}), New(usual, Config{})}
		for _, table := range tables {
			both.Go(func() { table.Run(ctx, path) })
		}
		for i := range 5 {
			tables[i%2].Learn(ClientCertificate, facts(alice, fmt.Sprintf("%d.test", i), there), bump, "requested")
			time.Sleep(saveDelay + lookEvery + time.Second)
			for n, table := range tables {
				if got := hosts(table); len(got) != i+1 {
					t.Errorf("after lesson %d: table %d knows %v", i, n, got)
				}
			}
		}
		before, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if after, err := os.Stat(path); err != nil || !os.SameFile(before, after) {
			t.Errorf("the file is written without a change: %v", err)
		}
		stop()
		both.Wait()
	})
}
