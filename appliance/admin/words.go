package admin

import (
	"sync"
	"unicode/utf8"
)

const (
	// maxWords is how many values one label takes, maxWord how long each may be
	// in octets. A configuration stays far below both.
	maxWords = 256
	maxWord  = 64
	// other stands for every value beyond.
	other = "other"
)

// words bounds the values of one label: the first maxWords pass, the rest
// becomes "other", so that no input can grow the set of time series. The zero
// value is ready; it is safe for concurrent use.
type words struct {
	mu   sync.RWMutex
	seen map[string]struct{}
}

// bound returns s or "other".
func (w *words) bound(s string) string {
	w.mu.RLock()
	_, ok := w.seen[s]
	w.mu.RUnlock()
	if ok {
		return s
	}
	if s == "" || len(s) > maxWord || !utf8.ValidString(s) {
		return other
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, ok := w.seen[s]; ok {
		return s
	}
	if len(w.seen) >= maxWords {
		return other
	}
	if w.seen == nil {
		w.seen = make(map[string]struct{})
	}
	w.seen[s] = struct{}{}
	return s
}
