package intakes

import (
	"context"
	"net/netip"
	"time"

	"github.com/clearspan/clearspan/appliance/intake"
	"github.com/clearspan/clearspan/decrypt"
	"github.com/clearspan/clearspan/decrypt/quic"
)

const (
	quicSweep  = 100 * time.Millisecond // between looks for flows that waited too long
	quicReport = 10 * time.Second       // between warnings at least
)

// peekQUIC returns what judges the QUIC flows of an intake.
func (s *Set) peekQUIC(name string, how intake.QUIC) func(client, origin netip.AddrPort, payload []byte) intake.QUICVerdict {
	peek := quic.NewPeek(quic.Config{Judge: func(r *quic.Result) quic.Verdict {
		return s.judgeQUIC(name, how == intake.BlockQUIC, r)
	}})
	s.peeks = append(s.peeks, peek)
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
func (s *Set) judgeQUIC(name string, block bool, r *quic.Result) quic.Verdict {
	flow := s.cfg.Engine().JudgeQUIC(
		&decrypt.Incoming{Intake: name, Client: r.Client, Origin: r.Origin},
		&decrypt.QUIC{Version: r.Version, Datagrams: r.Datagrams, Hello: r.State.String()}, r.Hello, block)
	flow.Start = r.Start
	s.cfg.Book.Flow(flow)
	if flow.QUIC.Refused {
		return quic.Refuse
	}
	return quic.Pass
}

// forgotten returns how many flows were forgotten before they were judged.
func (s *Set) forgotten() (n uint64) {
	for _, p := range s.peeks {
		n += p.Evicted()
	}
	return n
}

// sweepQUIC judges flows that waited for too long, and warns of those without an entry, until
// ctx ends.
func (s *Set) sweepQUIC(ctx context.Context) {
	if len(s.peeks) == 0 {
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
			for _, p := range s.peeks {
				p.Expire()
			}
			if n := s.cfg.Book.Unwritten(); n > reported && now.Sub(at) >= quicReport {
				s.log.Warn("QUIC flows without audit entries", "flows", n-reported)
				reported, at = n, now
			}
		}
	}
}
