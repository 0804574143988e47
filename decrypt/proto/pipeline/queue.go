// Package pipeline keeps the commands of a pipelined dialogue (RFC 2920) in order.
package pipeline

// Max is the number of commands that may be without a reply. A client with more
// speaks no protocol that we know.
const Max = 1000

// Queue holds the commands that have no reply yet, oldest first. The zero value is
// empty. A Queue is not safe for concurrent use.
type Queue[T any] struct {
	items []T
	head  int
}

// Push appends c. It returns false if Max commands are outstanding.
func (q *Queue[T]) Push(c T) bool {
	if q.Len() >= Max {
		return false
	}
	if q.head > Max {
		n := copy(q.items, q.items[q.head:])
		clear(q.items[n:])
		q.items, q.head = q.items[:n], 0
	}
	q.items = append(q.items, c)
	return true
}

// Front returns the oldest command, false if there is none.
func (q *Queue[T]) Front() (c T, ok bool) {
	if q.head == len(q.items) {
		return c, false
	}
	return q.items[q.head], true
}

// Pop removes the oldest command, if there is one.
func (q *Queue[T]) Pop() {
	if q.head == len(q.items) {
		return
	}
	var none T
	q.items[q.head] = none
	q.head++
	if q.head == len(q.items) {
		q.items, q.head = q.items[:0], 0
	}
}

// Len returns the number of commands without a reply.
func (q *Queue[T]) Len() int { return len(q.items) - q.head }
