package intakes

import (
	"github.com/clearspan/clearspan/appliance/intake"
)

// addRouted notes an intake that was opened, for its counters and for reloads.
func (s *Set) addRouted(name string, in intake.Routed, err error) (intake.Intake, error) {
	if err != nil {
		return nil, err
	}
	strays := func() (map[string]uint64, error) { n, err := in.Counts(); return n.Strays, err }
	quic := func() (map[string]uint64, error) { n, err := in.Counts(); return n.QUIC, err }
	err = s.cfg.Metrics.Strays(name, strays)
	if err == nil {
		err = s.cfg.Metrics.QUICDatagrams(name, quic)
	}
	if err != nil {
		in.Close()
		return nil, err
	}
	s.routed = append(s.routed, in)
	return in, nil
}

// Succeeded says that another process has taken over: Stop takes away what would stay.
func (s *Set) Succeeded() {
	for _, in := range s.routed {
		in.Succeeded()
	}
}

// exemptRouted returns the addresses whose packets such intakes leave alone.
func (s *Set) exemptRouted() intake.Exempt {
	e, n := s.exempt(intake.MaxExempt)
	if n > intake.MaxExempt {
		s.log.Warn("too many exempt addresses for the rules of the kernel: the rest is not exempt", "addresses", n, "limit", intake.MaxExempt)
	}
	return e
}

// exempt returns what the policy tunnels by address, at most limit of n prefixes.
func (s *Set) exempt(limit int) (e intake.Exempt, n int) {
	e.Clients, e.Origins = s.cfg.Engine().Policy.TunnelByAddress()
	n = len(e.Clients) + len(e.Origins)
	e.Clients = e.Clients[:min(len(e.Clients), limit)]
	e.Origins = e.Origins[:min(len(e.Origins), limit-len(e.Clients))]
	return e, n
}
