package appliance

import (
	"context"
	"log/slog"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/clearspan/clearspan/appliance/audit"
	"github.com/clearspan/clearspan/appliance/config"
	"github.com/clearspan/clearspan/appliance/intake"
	"github.com/clearspan/clearspan/decrypt"
	"github.com/clearspan/clearspan/decrypt/quic"
)

// Audit entries of QUIC flows, of all intakes together. Whoever makes up datagrams
// fills the trail with no more.
const (
	quicEntries = 50   // a second
	quicBurst   = 1000 // at once
)

const (
	quicSweep  = 100 * time.Millisecond // between looks for flows that waited too long
	quicReport = 10 * time.Second       // between warnings at least
)

// quicFlows holds the QUIC flows of all intakes. Peeks are added before run begins.
type quicFlows struct {
	peeks     []*quic.Peek
	unwritten atomic.Uint64 // flows without an audit entry

	mu     sync.Mutex
	tokens float64
	filled time.Time
}

// peekQUIC returns what judges the QUIC flows of an intake.
func (a *Appliance) peekQUIC(c config.Intake) func(client, origin netip.AddrPort, payload []byte) intake.QUICVerdict {
	peek := quic.NewPeek(quic.Config{Judge: func(r *quic.Result) quic.Verdict {
		return a.judgeQUIC(c.Name, c.QUIC == config.BlockQUIC, r)
	}})
	a.quic.peeks = append(a.quic.peeks, peek)
	return func(client, origin netip.AddrPort, payload []byte) intake.QUICVerdict {
		switch peek.Datagram(client, origin, payload) {
		case quic.Pass:
			return intake.QUICPass
		case quic.Refuse:
			return intake.QUICRefuse
		}
		return intake.QUICUndecided
	}
}

// judgeQUIC asks the policy about a QUIC flow and accounts for it. Nobody else hears
// of it.
func (a *Appliance) judgeQUIC(name string, block bool, r *quic.Result) quic.Verdict {
	s := a.engine.Load().JudgeQUIC(
		&decrypt.Incoming{Intake: name, Client: r.Client, Origin: r.Origin},
		&decrypt.QUIC{Version: r.Version, Datagrams: r.Datagrams, Hello: r.State.String()}, r.Hello, block)
	s.Start = r.Start
	a.metrics.QUIC(s)
	if a.quic.affords(s.End) {
		a.audit.Write(audit.NewEntry(s, nil, nil))
	} else {
		a.quic.unwritten.Add(1)
	}
	if s.QUIC.Refused {
		return quic.Refuse
	}
	return quic.Pass
}

// affords reports whether there may be one more audit entry.
func (q *quicFlows) affords(now time.Time) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.filled.IsZero() {
		q.tokens = quicBurst
	} else if passed := now.Sub(q.filled); passed > 0 {
		q.tokens = min(quicBurst, q.tokens+passed.Seconds()*quicEntries)
	}
	q.filled = now
	if q.tokens < 1 {
		return false
	}
	q.tokens--
	return true
}

// forgotten returns how many flows were forgotten before they were judged.
func (q *quicFlows) forgotten() (n uint64) {
	for _, p := range q.peeks {
		n += p.Evicted()
	}
	return n
}

// run judges flows that waited for too long, and warns of those without an entry, until
// ctx ends.
func (q *quicFlows) run(ctx context.Context, log *slog.Logger) {
	if len(q.peeks) == 0 {
		return
	}
	sweep := time.NewTicker(quicSweep)
	defer sweep.Stop()
	var reported uint64
	var at time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-sweep.C:
			for _, p := range q.peeks {
				p.Expire()
			}
			if n := q.unwritten.Load(); n > reported && now.Sub(at) >= quicReport {
				log.Warn("QUIC flows without audit entries", "flows", n-reported)
				reported, at = n, now
			}
		}
	}
}
