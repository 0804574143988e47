package appliance

import (
	"github.com/clearspan/clearspan/appliance/admin"
	"github.com/clearspan/clearspan/appliance/config"
	"github.com/clearspan/clearspan/appliance/intake"
	"github.com/clearspan/clearspan/appliance/intake/nameserver"
)

var strips = map[config.StripDNS]nameserver.Strip{
	config.StripECH:    nameserver.Keys,
	config.StripH3:     nameserver.HTTP3,
	config.StripRecord: nameserver.Records,
}

// openNames opens a forwarder of DNS.
func (a *Appliance) openNames(c config.Intake) (intake.Intake, error) {
	var strip nameserver.Strip
	for _, s := range c.Strip {
		strip |= strips[s]
	}
	s, err := nameserver.New(nameserver.Config{
		Listen: c.Listen, Upstream: c.Upstream, From: c.Clients, Strip: strip, Timeout: c.Timeout, Logger: a.log.With("intake", c.Name),
	})
	if err != nil {
		return nil, err
	}
	a.names = append(a.names, s)
	if len(a.names) > 1 {
		return s, nil
	}
	return s, a.metrics.DNS(func() (q admin.Queries) {
		for _, s := range a.names {
			n := s.Stats()
			q.Passed += n.Passed
			q.Stripped += n.Stripped
			q.Failed += n.Failed
			q.Refused += n.Refused
			q.Dropped += n.Dropped
		}
		return q
	})
}
