package recorder

import (
	"context"
	"encoding/hex"
	"log/slog"
	"net/url"
	"sync"
	"time"

	"github.com/clearspan/clearspan/appliance/recorder/tsa"
)

const (
	stampAgain = 10 * time.Second // between two tries, at first
	stampMost  = 10 * time.Minute
	stampLast  = 5 * time.Second // for the last one, when the recorder ends
)

// stamper asks an authority for time stamps, beside the analysis. Only the newest signature
// matters: a stamp of it covers all before. A nil one asks nobody.
type stamper struct {
	url       string
	authority string
	log       *slog.Logger
	cancel    context.CancelFunc
	done      chan struct{}
	wanted    chan wantedStamp // of 1: the newest
	ending    chan struct{}

	mu      sync.Mutex
	got     *stamped
	last    *time.Time
	problem string
}

// wantedStamp is a link that is to be stamped.
type wantedStamp struct {
	seq  uint64
	head string
}

// stamped is a token that has come.
type stamped struct {
	wantedStamp
	authority string
	token     []byte
}

// newStamper returns what asks the authority at a URL; nil if it is "".
func newStamper(address string, log *slog.Logger) *stamper {
	if address == "" {
		return nil
	}
	s := &stamper{url: address, authority: address, log: log, done: make(chan struct{}), wanted: make(chan wantedStamp, 1), ending: make(chan struct{})}
	if u, err := url.Parse(address); err == nil {
		s.authority = u.Host
	}
	var ctx context.Context
	ctx, s.cancel = context.WithCancel(context.Background())
	go s.run(ctx)
	return s
}

// want asks for a stamp of a link.
func (s *stamper) want(seq uint64, head string) {
	if s == nil {
		return
	}
	select {
	case <-s.wanted: // an older one
	default:
	}
	s.wanted <- wantedStamp{seq, head}
}

// take returns the token that has come; nil: there is none.
func (s *stamper) take() (t *stamped) {
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	t, s.got = s.got, nil
	return t
}

// state says how it goes.
func (s *stamper) state() (last *time.Time, problem string) {
	if s == nil {
		return nil, ""
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last, s.problem
}

// end ends it, but waits a while for what was asked for.
func (s *stamper) end() {
	if s == nil {
		return
	}
	close(s.ending)
	select {
	case <-s.done:
	case <-time.After(stampLast):
	}
	s.cancel()
	<-s.done
}

func (s *stamper) run(ctx context.Context) {
	defer close(s.done)
	for {
		select {
		case w := <-s.wanted:
			s.ask(ctx, w)
		case <-s.ending:
			select {
			case w := <-s.wanted:
				s.try(ctx, w)
			default:
			}
			return
		}
	}
}

// ask asks until there is a token, or a newer link. When the recorder ends, it asks once more.
func (s *stamper) ask(ctx context.Context, w wantedStamp) {
	for wait := stampAgain; !s.try(ctx, w); wait = min(2*wait, stampMost) {
		select {
		case w = <-s.wanted:
			wait = stampAgain
		case <-time.After(wait):
		case <-s.ending:
			select {
			case w = <-s.wanted:
			default:
			}
			s.try(ctx, w)
			return
		}
	}
}

// try asks once.
func (s *stamper) try(ctx context.Context, w wantedStamp) bool {
	hash, err := hex.DecodeString(w.head)
	if err != nil || len(hash) != 32 {
		return true
	}
	token, err := tsa.Request(ctx, s.url, [32]byte(hash))
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		if s.problem == "" {
			s.log.Warn("no time stamp, asking again", "authority", s.authority, "err", err)
		}
		s.problem = err.Error()
		return false
	}
	if s.problem != "" {
		s.log.Info("time stamps come again", "authority", s.authority)
	}
	now := time.Now().UTC()
	s.problem, s.last, s.got = "", &now, &stamped{w, s.authority, token}
	return true
}
