package ticket

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// maxSecrets bounds the secrets that open at a time.
const maxSecrets = 4

// Secrets are those that open tickets now. The first seals. Several engines may share them.
// Safe for concurrent use.
type Secrets struct {
	version atomic.Uint64 // counts changes of list by Set

	mu   sync.Mutex
	list []Secret // each at the oldest period that opens
}

// NewSecrets returns secrets of which the first seals. Without any, a random one is made: its
// tickets end with this memory.
func NewSecrets(list ...Secret) *Secrets {
	s := new(Secrets)
	s.Set(list)
	return s
}

// Set replaces the secrets. It takes the first four of them.
func (s *Secrets) Set(list []Secret) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.list = slices.Clone(list[:min(len(list), maxSecrets)])
	s.version.Add(1)
}

// List returns the secrets at now, each at the oldest period that opens, without those that
// are over. It forgets the periods before. A secret of a time to come is left out; if nothing
// else is there to seal, the first is a new one.
func (s *Secrets) List(now time.Time) []Secret {
	s.mu.Lock()
	defer s.mu.Unlock()
	oldest := hour(now) - (Periods - 1)
	list := make([]Secret, 0, maxSecrets)
	for i, secret := range s.list {
		if secret.Hour > hour(now) || !secret.Until.IsZero() && !now.Before(secret.Until) {
			continue
		}
		secret, ok := secret.At(max(oldest, secret.Hour))
		if !ok {
			continue
		}
		if i > 0 && secret.Until.IsZero() {
			secret.Until = now.Add(Periods * Period)
		}
		list = append(list, secret)
	}
	if len(list) == 0 || !list[0].Until.IsZero() {
		list = slices.Insert(list, 0, New(now))
		s.version.Add(1)
	}
	list = list[:min(len(list), maxSecrets)]
	clear(s.list)
	s.list = list
	return slices.Clone(list)
}
