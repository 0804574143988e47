package intakes

import (
	"github.com/clearspan/clearspan/appliance/admin"
	"github.com/clearspan/clearspan/appliance/config"
	"github.com/clearspan/clearspan/appliance/intake"
	"github.com/clearspan/clearspan/appliance/intake/nameserver"
)

// openDNS opens a forwarder of DNS.
func (s *Set) openDNS(c config.Intake) (intake.Intake, error) {
	c.DNS.Logger = s.log.With("intake", c.Name)
	in, err := nameserver.New(c.DNS)
	if err != nil {
		return nil, err
	}
	s.names = append(s.names, in)
	if len(s.names) > 1 {
		return in, nil
	}
	return in, s.cfg.Metrics.DNS(func() (q admin.Queries) {
		for _, in := range s.names {
			n := in.Stats()
			q.Passed += n.Passed
			q.Stripped += n.Stripped
			q.Failed += n.Failed
			q.Refused += n.Refused
			q.Dropped += n.Dropped
		}
		return q
	})
}
