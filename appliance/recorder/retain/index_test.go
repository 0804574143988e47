package retain

import (
	"encoding/binary"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/clearspan/clearspan/appliance/recorder/trail"
)

func hash(n int) (h trail.Hash) {
	binary.BigEndian.PutUint64(h[:], uint64(n))
	return h
}

func numbers(list []Object) (n []int) {
	for _, o := range list {
		n = append(n, int(binary.BigEndian.Uint64(o.Hash[:])))
	}
	return n
}

func open(t *testing.T) *Index {
	t.Helper()
	x, err := Open(filepath.Join(t.TempDir(), "retain %?.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { x.Close() })
	return x
}

// TestIndex: an object stays as long as one of the classes keeps it in which it was seen, and
// belongs to that one.
func TestIndex(t *testing.T) {
	x, now := open(t), time.Now()
	at := func(days int) time.Time { return now.AddDate(0, 0, -days) }
	seen := func(n int, size uint64, c Class, days int) {
		t.Helper()
		if err := x.Note(t.Context(), []Seen{{hash(n), size, c, at(days)}}); err != nil {
			t.Fatal(err)
		}
	}
	seen(1, 100, Received, 40)
	seen(2, 100, Received, 40)
	seen(2, 100, Sent, 50)     // which keeps it
	seen(3, 100, Received, 10) // and before
	seen(3, 100, Received, 60)
	seen(4, 100, Mail, 4000)
	seen(5, 100, Sent, 100)
	seen(5, 100, Received, 5)  // which keeps it longer
	seen(6, 100, Received, -9) // by a clock that is wrong
	p := Policy{Received: Limit{Age: 30 * 24 * time.Hour}, Sent: Limit{Age: 60 * 24 * time.Hour}}
	old, err := x.Old(t.Context(), p.Received.Before(now), p.Sent.Before(now), p.Mail.Before(now), trail.Hash{})
	if got := numbers(old); err != nil || !slices.Equal(got, []int{1}) {
		t.Errorf("old: %v, %v", got, err)
	}
	kept, err := x.Kept(t.Context(), &p)
	if err != nil || kept[Received].Objects != 4 || kept[Sent].Objects != 1 || kept[Mail].Objects != 1 || kept[Received].Size != 400 {
		t.Errorf("%+v, %v", kept, err)
	}
	if got := kept[Received].Oldest; !got.Equal(time.Unix(0, at(40).UnixNano())) {
		t.Errorf("the oldest was received %v", got)
	}
	list, err := x.Oldest(t.Context(), &p, Received, 150)
	if got := numbers(list); err != nil || !slices.Equal(got, []int{1, 3}) {
		t.Errorf("oldest: %v, %v", got, err)
	}
}

// TestPin: what is pinned stays, until the last one that pinned it lets it go.
func TestPin(t *testing.T) {
	x := open(t)
	old := time.Now().AddDate(-1, 0, 0)
	if err := x.Note(t.Context(), []Seen{{hash(1), 5, Sent, old}, {hash(2), 5, Sent, old}}); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a", "b", "b"} {
		if err := x.Pin(t.Context(), name, []trail.Hash{hash(1)}); err != nil {
			t.Fatal(err)
		}
	}
	all := []Object{{hash(1), 5}, {hash(2), 5}}
	for _, step := range []struct {
		unpin string
		gone  []int
	}{{"c", []int{2}}, {"a", nil}, {"b", []int{1}}} {
		if err := x.Unpin(t.Context(), step.unpin); err != nil {
			t.Fatal(err)
		}
		var gone []int
		err := x.Remove(t.Context(), all, func(h trail.Hash) (bool, error) {
			if known, err := x.Knows(t.Context(), h); err != nil || !known {
				return false, err
			}
			gone = append(gone, numbers([]Object{{Hash: h}})...)
			return true, nil
		})
		if err != nil || !slices.Equal(gone, step.gone) {
			t.Errorf("without %s %v goes, want %v: %v", step.unpin, gone, step.gone, err)
		}
		if list, _ := x.Oldest(t.Context(), &Policy{}, Sent, 100); slices.Contains(numbers(list), 2) || step.unpin == "c" && len(list) > 0 {
			t.Errorf("%v would go", numbers(list))
		}
	}
}
