package memo

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

func keys(m *Memo[int, string, string]) (list []int) {
	for k := range m.All() {
		list = append(list, k)
	}
	return list
}

func TestOrder(t *testing.T) {
	m := Memo[int, string, string]{Limits: Limits{Entries: 4, Each: 3}}
	for k := range 3 {
		if out := m.Put(k, "a", 0, fmt.Sprint(k)); out != nil {
			t.Fatalf("%v had to go", out)
		}
	}
	m.Touch(0)
	if out := m.Put(3, "a", 0, "3"); !slices.Equal(out, []string{"1"}) {
		t.Errorf("of its own, %v had to go", out)
	}
	m.Put(4, "b", 0, "4")
	if out := m.Put(5, "b", 0, "5"); !slices.Equal(out, []string{"2"}) {
		t.Errorf("of all, %v had to go", out)
	}
	if got := keys(&m); !slices.Equal(got, []int{5, 4, 3, 0}) {
		t.Errorf("holds %v", got)
	}
	if m.Find(2) != nil || *m.Find(0) != "0" {
		t.Error("finds another")
	}
	*m.Find(0) = "changed"
	if out := m.Put(0, "b", 0, "new"); out != nil || *m.Find(0) != "new" || m.Len() != 4 {
		t.Errorf("in place of an older one: %v out, %d entries", out, m.Len())
	}
	for k := range m.All() {
		m.Remove(k)
	}
	if m.Len() != 0 || len(m.owners) != 0 || m.order.Len() != 0 {
		t.Error("not empty")
	}
}

func TestSpared(t *testing.T) {
	m := Memo[int, string, string]{Limits: Limits{Entries: 2, Each: 2}, Spared: func(v *string) bool { return *v == "kept" }}
	m.Put(1, "a", 0, "kept")
	m.Put(2, "a", 0, "x")
	if out := m.Put(3, "a", 0, "kept"); !slices.Equal(out, []string{"x"}) {
		t.Errorf("%v had to go", out)
	}
	for _, owner := range []string{"a", "b"} {
		if out := m.Put(4, owner, 0, "y"); !slices.Equal(out, []string{"y"}) || m.Len() != 2 {
			t.Errorf("beside what is spared: %v out", out)
		}
	}
}

func TestCost(t *testing.T) {
	m := Memo[int, string, string]{Limits: Limits{Entries: 9, Each: 9, Cost: 10}}
	m.Put(1, "a", 4, "1")
	m.Put(2, "b", 4, "2")
	if out := m.Put(3, "b", 4, "3"); !slices.Equal(out, []string{"1"}) {
		t.Errorf("%v had to go", out)
	}
	if out := m.Charge(2, 7); !slices.Equal(out, []string{"3"}) || m.Cost() != 7 {
		t.Errorf("%v had to go, cost %d", out, m.Cost())
	}
	if out := m.Charge(2, 11); out != nil || m.Find(2) == nil {
		t.Errorf("one alone: %v had to go", out)
	}
	if out := m.Put(4, "b", 11, "4"); !slices.Equal(out, []string{"4"}) || m.Len() != 1 {
		t.Errorf("dearer than all may cost: %v had to go, %d left", out, m.Len())
	}
}

// TestBounds has many owners use a memo in every way.
func TestBounds(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	m := Memo[int, int, int64]{Limits: Limits{Entries: 50, Each: 7, Cost: 300, EachCost: 60}}
	cost := make(map[int]int64)
	for range 20_000 {
		k := rnd.IntN(200)
		switch rnd.IntN(4) {
		case 0:
			m.Remove(k)
		case 1:
			m.Touch(k)
		case 2:
			if m.Find(k) != nil {
				cost[k] = rnd.Int64N(20)
				m.Charge(k, cost[k])
			}
		default:
			cost[k] = rnd.Int64N(20)
			m.Put(k, rnd.IntN(20), cost[k], 0)
		}
		var sum int64
		of, costs := make(map[int]int), make(map[int]int64)
		for k := range m.All() {
			sum += cost[k]
			of[m.entries[k].owner]++
			costs[m.entries[k].owner] += cost[k]
		}
		for owner, n := range of {
			own := m.owners[owner]
			if n > 7 || own.order.Len() != n || costs[owner] > 60 || own.cost != costs[owner] {
				t.Fatalf("owner %d has %d entries that cost %d", owner, n, costs[owner])
			}
		}
		if sum != m.Cost() || sum > 300 || m.Len() > 50 || m.order.Len() != m.Len() || len(m.owners) != len(of) {
			t.Fatalf("%d entries that cost %d, %d by its own count", m.Len(), sum, m.Cost())
		}
	}
}
