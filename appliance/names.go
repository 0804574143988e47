package appliance

import (
	"errors"

	"github.com/clearspan/clearspan/appliance/config"
	"github.com/clearspan/clearspan/appliance/intake"
	"github.com/clearspan/clearspan/appliance/intake/nameserver"
)

// openNames opens a forwarder of DNS.
func (a *Appliance) openNames(c config.Intake) (intake.Intake, error) {
	strip := nameserver.Keys
	if c.Strip == config.StripRecord {
		strip = nameserver.Records
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
	count := func(what func(nameserver.Stats) uint64) func() uint64 {
		return func() (n uint64) {
			for _, s := range a.names {
				n += what(s.Stats())
			}
			return n
		}
	}
	return s, errors.Join(
		a.metrics.Counter("dns_passed_total", "DNS queries answered as the server did.", count(func(s nameserver.Stats) uint64 { return s.Passed })),
		a.metrics.Counter("dns_stripped_total", "DNS queries whose answer lost what hides server names.", count(func(s nameserver.Stats) uint64 { return s.Stripped })),
		a.metrics.Counter("dns_failed_total", "DNS queries that no server answered, or not understandably.", count(func(s nameserver.Stats) uint64 { return s.Failed })),
		a.metrics.Counter("dns_refused_total", "DNS queries that were malformed, or of clients that are not answered.", count(func(s nameserver.Stats) uint64 { return s.Refused })),
		a.metrics.Counter("dns_dropped_total", "DNS queries and connections beyond what is taken at a time.", count(func(s nameserver.Stats) uint64 { return s.Dropped })),
	)
}
