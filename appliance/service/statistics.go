package service

import (
	"cmp"
	"slices"
	"sync"
	"time"
)

// Statistics counts what services did. The zero value is ready; it is safe for
// concurrent use. Its size is bounded by the configuration: names times words.
type Statistics struct {
	mu     sync.Mutex
	counts map[[2]string]*Count
}

// Count is how often a service did something.
type Count struct {
	Service, Word string
	Messages      uint64
	Took          time.Duration // until it had decided, all together
}

// Observe counts one message. It suits [Options.Observe].
func (s *Statistics) Observe(service, word string, took time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := [2]string{service, word}
	c := s.counts[key]
	if c == nil {
		if s.counts == nil {
			s.counts = make(map[[2]string]*Count)
		}
		c = &Count{Service: service, Word: word}
		s.counts[key] = c
	}
	c.Messages++
	c.Took += took
}

// Counts returns all counts, ordered by service and word.
func (s *Statistics) Counts() []Count {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]Count, 0, len(s.counts))
	for _, c := range s.counts {
		list = append(list, *c)
	}
	slices.SortFunc(list, func(a, b Count) int {
		return cmp.Or(cmp.Compare(a.Service, b.Service), cmp.Compare(a.Word, b.Word))
	})
	return list
}
