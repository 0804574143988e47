package intakes

import (
	"fmt"
	"net"
	"strings"

	"github.com/clearspan/clearspan/appliance/config"
	"github.com/clearspan/clearspan/appliance/keeper"
)

// ResourceName is the name of what the keeper holds for an intake.
func ResourceName(c config.Intake) string { return "intake/" + c.Name }

// Resources returns what the keeper opens for the intakes of a configuration.
func Resources(cfg *config.Config) (list []keeper.Resource) {
	for _, c := range cfg.Intakes {
		switch c.Mode {
		case config.Explicit, config.Static:
			list = append(list, Listener(ResourceName(c), c.Listen()))
		case config.TProxy:
			list = append(list, diversion(c))
		case config.Redirect:
			list = append(list, redirection(c))
		}
	}
	return list
}

// Listener is the resource of a TCP listener.
func Listener(name, address string) keeper.Resource {
	r := keeper.Listener(name, "tcp", address, net.ListenConfig{})
	if strings.HasSuffix(address, ":0") { // each time another one
		r.Key += " " + name
	}
	return r
}

// Alone says why two processes cannot have the intakes of a configuration at once; empty:
// they can.
func Alone(cfg *config.Config) string {
	for _, c := range cfg.Intakes {
		switch c.Mode {
		case config.Explicit, config.Static, config.TProxy, config.Redirect, config.Wire: // a wire is taken over as it runs
		default:
			return fmt.Sprintf("intake %s has mode %s", c.Name, c.Mode)
		}
	}
	return ""
}
