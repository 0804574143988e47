package appliance

import (
	"context"

	"github.com/clearspan/clearspan/appliance/audit"
	"github.com/clearspan/clearspan/decrypt"
)

// serve is the handler of every intake.
func (a *Appliance) serve(ctx context.Context, in *decrypt.Incoming) {
	a.metrics.SessionOpened(in.Intake)
	a.engine.Load().Serve(ctx, in)
}

// forbid is asked by intakes before they accept a proxy request: it refuses with
// a page what policy terminates whatever follows.
func (a *Appliance) forbid(in *decrypt.Incoming) (page []byte, forbidden bool) {
	g := a.engine.Load()
	if !g.early {
		return nil, false
	}
	s := g.DenyEarly(in)
	if s == nil {
		return nil, false
	}
	a.metrics.SessionOpened(in.Intake)
	a.ended(s, nil)
	return g.page.HTML(s), true
}

// ended is the engine's observer.
func (a *Appliance) ended(s *decrypt.Session, t decrypt.Stream) {
	a.metrics.SessionEnded(s)
	for leg, l := range map[string]decrypt.LegTLS{"client": s.ClientTLS, "origin": s.OriginTLS} {
		if l.Handshake > 0 {
			a.metrics.Handshake(leg, l.Handshake, l.Version != 0)
		}
	}
	r := a.feed.Report(s, t)
	for service, finding := range s.Findings() {
		a.log.Warn("service found a threat", "session", s.ID, "service", service, "finding", finding, "client", s.Client, "origin", s.Origin)
	}
	a.audit.Write(audit.NewEntry(s, r.Mirrors, r.Flow).With(r.Facts))
}
