package wirefuzz

import (
	"bufio"
	"encoding/json"
	"os"
	"sync"
	"testing"

	"github.com/clearspan/clearspan/appliance/intake/wire"
)

// known is a case that diverged once.
type known struct {
	Name string
	Open bool // it does so in a wire that passes what it cannot judge
	Case Case
}

// readKnown reads the cases of testdata, one on each line.
func readKnown(t *testing.T) (list []known) {
	t.Helper()
	f, err := os.Open("testdata/known.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		var k known
		if err := json.Unmarshal(lines.Bytes(), &k); err != nil {
			t.Fatalf("%s: %v", lines.Text(), err)
		}
		list = append(list, k)
	}
	return list
}

// The fuzzer finds what is wrong with a wire that is open: it would otherwise be of no
// use to find nothing.
func TestFindsOpen(t *testing.T) {
	t.Parallel()
	r := newRig(t, kind{takeover: wire.Late, open: true})
	var list []known
	for _, k := range readKnown(t) {
		if k.Open {
			list = append(list, k)
		}
	}
	got := r.runKnown(list)
	for _, k := range list {
		if got[k.Name] == nil {
			t.Errorf("%s: not found in an open wire\n%v", k.Name, &k.Case)
		}
	}
}

// runKnown runs each case three times at most, until it diverges.
func (r *rig) runKnown(list []known) map[string]*divergence {
	var mu sync.Mutex
	var all sync.WaitGroup
	got := make(map[string]*divergence)
	for _, k := range list {
		all.Go(func() {
			for range 3 {
				d, err := r.run(&k.Case)
				if err != nil {
					r.t.Errorf("%s: %v", k.Name, err)
				}
				if d != nil {
					mu.Lock()
					got[k.Name] = d
					mu.Unlock()
					return
				}
			}
		})
	}
	all.Wait()
	return got
}
