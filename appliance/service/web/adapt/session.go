package adapt

import (
	"context"
	"sync"
	"time"

	"github.com/clearspan/clearspan/appliance/service/web/buffered"
	"github.com/clearspan/clearspan/decrypt"
)

// Session is one session whose messages services see: what it has in common with
// any version of HTTP. It is safe for concurrent use.
type Session struct {
	Config  *Config
	Context context.Context // of all that works for the session; it ends with End
	Account *decrypt.Session

	Client, Origin *buffered.End

	cancel context.CancelFunc
	user   string

	mu    sync.Mutex
	err   error             // why the session ended
	words map[string]string // the worst of each service
	past  bool              // the session goes past the services
}

// NewSession returns a session between two ends, to be closed. It borrows cfg.
func NewSession(ctx context.Context, cfg *Config, account *decrypt.Session, client, origin decrypt.End) *Session {
	s := &Session{
		Config: cfg, Account: account,
		Client: buffered.New(client), Origin: buffered.New(origin),
		words: make(map[string]string),
	}
	s.Context, s.cancel = context.WithCancel(ctx)
	if cfg.User != nil {
		s.user = cfg.User(account)
	}
	return s
}

// End cancels the context and keeps err as the reason, and reports whether it is
// the first one. The ends stay open.
func (s *Session) End(err error) (first bool) {
	s.mu.Lock()
	if first = s.err == nil; first {
		s.err = err
	}
	s.mu.Unlock()
	if first {
		s.cancel()
	}
	return first
}

// Err returns the first reason why the session ended, nil without one.
func (s *Session) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// Abort resets both ends.
func (s *Session) Abort() {
	s.Client.Abort()
	s.Origin.Abort()
}

// Close gives back what the session holds, and returns why it ended. Nobody may
// use its ends any more.
func (s *Session) Close() error {
	s.cancel()
	s.Client.Drop()
	s.Origin.Drop()
	return s.Err()
}

// note records what a service did with a message.
func (s *Session) note(service, word string, took time.Duration) {
	if s.Config.Observe != nil {
		s.Config.Observe(service, word, took)
	}
	s.mu.Lock()
	worse := severity[word] > severity[s.words[service]]
	if worse {
		s.words[service] = word
	}
	s.mu.Unlock()
	if worse {
		s.Account.Served(service, word)
	}
}

// Bypass notes, once, that from now on octets go past all services that are not HTTP.
func (s *Session) Bypass() {
	s.mu.Lock()
	before := s.past
	s.past = true
	s.mu.Unlock()
	if before {
		return
	}
	for i := range s.Config.Services {
		s.note(s.Config.Services[i].Name, WordBypassed, 0)
	}
}

// BypassLong notes that a message of WebSocket, too long to be held, goes past the
// services, and reports whether it may: if each service that wants it bypasses such a
// length, or fails open.
func (s *Session) BypassLong(kind Kind, most int64) bool {
	for i := range s.Config.Services {
		w := &s.Config.Services[i]
		if w.wants(kind) && w.WebSocket && !w.FailOpen && (w.MaxBody == 0 || w.MaxBody > most) {
			return false
		}
	}
	for i := range s.Config.Services {
		if w := &s.Config.Services[i]; w.wants(kind) {
			s.note(w.Name, WordBypassed, 0)
		}
	}
	return true
}

// Wants reports whether any service wants messages of a kind.
func (s *Session) Wants(kind Kind) bool {
	for i := range s.Config.Services {
		if s.Config.Services[i].wants(kind) {
			return true
		}
	}
	return false
}
