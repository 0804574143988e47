package watch

import (
	"errors"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/clearspan/clearspan/appliance/query"
)

// MaxSubscribers bounds the subscribers of a registry.
const MaxSubscribers = 64

// queueLength is how many events wait for a subscriber.
const queueLength = 1024

// ErrSubscribers says that there are too many.
var ErrSubscribers = errors.New("too many subscribers")

// Subscription is a stream of rows: of each session when its octets begin to be relayed,
// and when it has ended.
type Subscription struct {
	// C has the rows. [Subscription.Close] closes it.
	C <-chan Row

	c      chan Row
	query  *query.Query
	missed atomic.Uint64
	from   *subscribers
	mu     sync.Mutex // guards closed, and sends against Close
	closed bool
}

// Missed returns how many rows matched and were not sent, because nobody read.
func (s *Subscription) Missed() uint64 { return s.missed.Load() }

// Close ends the subscription. Later calls do nothing.
func (s *Subscription) Close() {
	s.from.remove(s)
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.closed = true
		close(s.c)
	}
}

// send sends a row that matches, if there is room.
func (s *Subscription) send(row *Row) {
	if !s.query.Match(row) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	select {
	case s.c <- *row:
	default:
		s.missed.Add(1)
	}
}

// subscribers are those of a registry.
type subscribers struct {
	changing sync.Mutex
	list     atomic.Pointer[[]*Subscription] // never changed, only replaced
}

// Subscribe begins to send rows that match q, from now on. The caller must Close the
// subscription.
func (r *Registry) Subscribe(q *query.Query) (*Subscription, error) {
	c := make(chan Row, queueLength)
	s := &Subscription{C: c, c: c, query: q, from: &r.subscribers}
	if !r.subscribers.add(s) {
		return nil, ErrSubscribers
	}
	return s, nil
}

func (l *subscribers) add(s *Subscription) bool {
	l.changing.Lock()
	defer l.changing.Unlock()
	var list []*Subscription
	if old := l.list.Load(); old != nil {
		list = *old
	}
	if len(list) >= MaxSubscribers {
		return false
	}
	list = append(slices.Clip(list), s)
	l.list.Store(&list)
	return true
}

func (l *subscribers) remove(s *Subscription) {
	l.changing.Lock()
	defer l.changing.Unlock()
	if old := l.list.Load(); old != nil {
		list := slices.DeleteFunc(slices.Clone(*old), func(o *Subscription) bool { return o == s })
		l.list.Store(&list)
	}
}

// tell sends a row to whom it matches. It is made only if somebody has subscribed.
func (l *subscribers) tell(row func() Row) {
	list := l.list.Load()
	if list == nil || len(*list) == 0 {
		return
	}
	r := row()
	for _, s := range *list {
		s.send(&r)
	}
}
