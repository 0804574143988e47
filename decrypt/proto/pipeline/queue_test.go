package pipeline

import "testing"

// A queue that is never empty stays within its bound.
func TestQueue(t *testing.T) {
	var q Queue[int]
	for i := range 20 {
		q.Push(i)
	}
	for i := range 10 * Max {
		if got, ok := q.Front(); !ok || got != i {
			t.Fatalf("command %d is %d, %v", i, got, ok)
		}
		q.Pop()
		if !q.Push(i+20) || q.Len() != 20 {
			t.Fatalf("no room for command %d of %d", i, q.Len())
		}
	}
	if cap(q.items) > 4*Max {
		t.Errorf("room for %d commands", cap(q.items))
	}
	for range 30 {
		q.Pop()
	}
	if c, ok := q.Front(); ok || c != 0 {
		t.Error("an empty queue has a command")
	}
	for range Max {
		q.Push(1)
	}
	if q.Push(1) {
		t.Error("more than Max commands are outstanding")
	}
}
