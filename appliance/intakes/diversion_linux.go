package intakes

import (
	"fmt"
	"os"

	"github.com/clearspan/clearspan/appliance/config"
	"github.com/clearspan/clearspan/appliance/intake"
	"github.com/clearspan/clearspan/appliance/keeper"
)

// diversion is the resource of the kernel's rules and listeners of a tproxy intake.
func diversion(c config.Intake) keeper.Resource {
	t := c.TProxy
	return keeper.Resource{
		Name: ResourceName(c),
		Key:  fmt.Sprintf("tproxy %s %s %q %v %d %d %d", c.Name, t.Listen, t.From, t.Ports, t.Mark, t.Table, t.Priority),
		Sole: true,
		Open: func() (keeper.Holding, error) {
			d, err := intake.OpenDiversion(c.Name, t)
			if err != nil {
				return nil, err
			}
			return d, nil
		},
		Adopt: func(files []*os.File) (keeper.Holding, error) {
			d, err := intake.AdoptDiversion(c.Name, t, files)
			if err != nil {
				return nil, err
			}
			return d, nil
		},
	}
}

// redirection is the resource of the kernel's rules and listeners of a redirect intake.
func redirection(c config.Intake) keeper.Resource {
	r := c.Redirect
	return keeper.Resource{
		Name: ResourceName(c),
		Key:  fmt.Sprintf("redirect %s %s %q %v", c.Name, r.Listen, r.From, r.Ports),
		Sole: true,
		Open: func() (keeper.Holding, error) {
			d, err := intake.OpenRedirection(c.Name, r)
			if err != nil {
				return nil, err
			}
			return d, nil
		},
		Adopt: func(files []*os.File) (keeper.Holding, error) {
			d, err := intake.AdoptRedirection(c.Name, r, files)
			if err != nil {
				return nil, err
			}
			return d, nil
		},
	}
}
