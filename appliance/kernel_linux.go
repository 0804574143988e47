package appliance

import (
	"crypto/tls"

	"github.com/clearspan/clearspan/appliance/config"
	"github.com/clearspan/clearspan/appliance/intake"
)

// openTProxy opens an intake that needs the kernel's help.
func openTProxy(c config.Intake, own []tls.Certificate, o intake.Options) (intake.Intake, error) {
	return intake.NewTProxy(intake.TProxy{Listen: c.Listen, From: c.From, Ports: ports(c.Ports), Certificates: own}, o)
}

// openRedirect opens an intake that needs the kernel's help.
func openRedirect(c config.Intake, o intake.Options) (intake.Intake, error) {
	return intake.NewRedirect(intake.Redirect{Listen: c.Listen, From: c.From, Ports: ports(c.Ports)}, o)
}

// ports lists the ports of ranges one by one.
func ports(ranges []config.PortRange) (all []uint16) {
	for _, r := range ranges {
		for port := int(r.First); port <= int(r.Last); port++ {
			all = append(all, uint16(port))
		}
	}
	return all
}
