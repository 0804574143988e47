package intakes

import (
	"os"

	"github.com/clearspan/clearspan/appliance/admin"
	"github.com/clearspan/clearspan/appliance/config"
	"github.com/clearspan/clearspan/appliance/intake"
	"github.com/clearspan/clearspan/appliance/intake/nameserver"
	"github.com/clearspan/clearspan/appliance/keeper"
)

// nameSockets is the resource of the sockets of a forwarder of DNS.
func nameSockets(c config.Intake) keeper.Resource {
	return keeper.Resource{
		Name: ResourceName(c),
		Key:  unique("dns", ResourceName(c), c.DNS.Listen),
		Open: func() (keeper.Holding, error) {
			sockets, err := nameserver.Listen(c.DNS.Listen)
			if err != nil {
				return nil, err
			}
			defer sockets.Close()
			files, err := sockets.Files()
			if err != nil {
				return nil, err
			}
			return keeper.Files(files), nil
		},
		Adopt: func(files []*os.File) (keeper.Holding, error) { return keeper.Files(files), nil },
	}
}

// openDNS opens a forwarder of DNS.
func (s *Set) openDNS(c config.Intake) (intake.Intake, error) {
	c.DNS.Logger = s.log.With("intake", c.Name)
	if files := s.cfg.Holder.Take(ResourceName(c)); files != nil {
		var err error
		if c.DNS.Sockets, err = nameserver.SocketsOf(files); err != nil {
			return nil, err
		}
	}
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
