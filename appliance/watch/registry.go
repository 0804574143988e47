package watch

import (
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/clearspan/clearspan/decrypt"
)

// DefaultEnded is how many ended sessions are kept if nothing else is said.
const DefaultEnded = 100_000

// shards of open sessions. With 50,000 sessions each holds some 200.
const shards = 256

// Registry knows open and ended sessions. It is safe for concurrent use.
type Registry struct {
	shards      [shards]shard
	ended       *ring
	began       atomic.Uint64
	subscribers subscribers
	samples     samples
}

// shard is a part of the open sessions.
type shard struct {
	mu   sync.Mutex
	open map[uint64]*Live
	_    [48]byte // a cache line each
}

// New returns a registry that keeps that many ended sessions, [DefaultEnded] for 0.
func New(ended int) *Registry {
	if ended <= 0 {
		ended = DefaultEnded
	}
	return &Registry{ended: newRing(ended)}
}

// key returns the number behind an identifier, which is random; false if it is none.
func key(id string) (uint64, bool) {
	if len(id) != 16 {
		return 0, false
	}
	n, err := strconv.ParseUint(id, 16, 64)
	return n, err == nil
}

func (r *Registry) shard(key uint64) *shard { return &r.shards[key%shards] }

// Begin takes a session that begins. It suits [decrypt.Config.Watch].
func (r *Registry) Begin(s decrypt.Running) decrypt.Observer {
	a := s.Account()
	n, ok := key(a.ID)
	if !ok {
		return nil
	}
	l := &Live{registry: r, running: s, account: a, key: n, stage: decrypt.StagePeek, known: know(a)}
	r.began.Add(1)
	in := r.shard(n)
	in.mu.Lock()
	if in.open == nil {
		in.open = make(map[uint64]*Live)
	}
	in.open[n] = l
	in.mu.Unlock()
	return l
}

// End takes a session that has ended, whether Begin was told of it or not. user is the
// user that its logins told, "" for none.
func (r *Registry) End(s *decrypt.Session, user string) {
	if n, ok := key(s.ID); ok {
		in := r.shard(n)
		in.mu.Lock()
		if _, watched := in.open[n]; watched {
			delete(in.open, n)
		} else {
			r.began.Add(1)
		}
		in.mu.Unlock()
	}
	k := know(s)
	row := rowOf(s, &k)
	row.State, row.Duration, row.Reason, row.User, row.Lost = Ended, max(s.End.Sub(s.Start), 0), s.Reason, user, s.Missed()
	if s.QUIC != nil {
		row.Transport = "quic"
	}
	r.ended.add(&row)
	r.subscribers.tell(func() Row { return row })
}

// live returns the open session with an identifier, nil for none.
func (r *Registry) live(id string) *Live {
	n, ok := key(id)
	if !ok {
		return nil
	}
	in := r.shard(n)
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.open[n]
}

// Kill resets the open session with an identifier, and reports whether there is one. Its
// audit entry has the reason `operator`.
func (r *Registry) Kill(id string) bool {
	l := r.live(id)
	if l == nil {
		return false
	}
	l.running.Cut()
	return true
}

// Get returns the session with an identifier, and whether it is open or still kept.
func (r *Registry) Get(id string) (Row, bool) {
	if l := r.live(id); l != nil {
		return l.row(time.Now()), true
	}
	return r.ended.get(id)
}

// all calls visit with every open session, shard by shard. No lock is held meanwhile.
func (r *Registry) all(visit func(*Live)) {
	var buf []*Live
	for i := range r.shards {
		in := &r.shards[i]
		buf = buf[:0]
		in.mu.Lock()
		for _, l := range in.open {
			buf = append(buf, l)
		}
		in.mu.Unlock()
		for _, l := range buf {
			visit(l)
		}
	}
}
