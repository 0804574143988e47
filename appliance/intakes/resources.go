package intakes

import (
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
		case config.DNS:
			list = append(list, nameSockets(c))
		}
	}
	return list
}

// Listener is the resource of a TCP listener.
func Listener(name, address string) keeper.Resource {
	r := keeper.Listener(name, "tcp", address, net.ListenConfig{})
	r.Key = unique("tcp", name, address)
	return r
}

// unique is the key of what listens at an address, which another one of that network may
// have only if the kernel chooses the port.
func unique(network, name, address string) string {
	if strings.HasSuffix(address, ":0") { // each time another one
		return network + " " + address + " " + name
	}
	return network + " " + address
}
