package services

import (
	"fmt"
	"os"

	"github.com/clearspan/clearspan/appliance/config"
	"github.com/clearspan/clearspan/appliance/keeper"
	"github.com/clearspan/clearspan/appliance/service/inline"
)

// resourceName is the name of what the keeper holds for a service.
func resourceName(s config.Service) string { return "service/" + s.Name }

// Resources returns what the keeper opens for the services of a configuration.
func Resources(cfg *config.Config) (list []keeper.Resource) {
	for _, s := range cfg.Services {
		if s.Kind == config.Inline {
			list = append(list, chain(s))
		}
	}
	return list
}

// Tied reports whether the processes that use a service end with the keeper: the next start
// takes the legs of a device back.
func Tied(s config.Service) bool { return s.Kind == config.Inline }

// chain is the resource of what an inline device has in the kernel.
func chain(s config.Service) keeper.Resource {
	c := s.Inline
	c.Name = s.Name
	return keeper.Resource{
		Name: resourceName(s),
		Key:  fmt.Sprintf("inline %s %q %d %v %v", c.Name, c.Legs, c.VLAN, c.Hops, c.Timeout),
		Sole: true, Claims: []string{"leg " + c.Legs[0], "leg " + c.Legs[1]},
		Open: func() (keeper.Holding, error) {
			k, err := inline.OpenChain(c)
			if err != nil {
				return nil, fmt.Errorf("open service %s: %w", s.Name, err)
			}
			return k, nil
		},
		Adopt: func(files []*os.File) (keeper.Holding, error) {
			k, err := inline.AdoptChain(c, files)
			if err != nil {
				return nil, err
			}
			return k, nil
		},
	}
}
