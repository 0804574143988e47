package appliance

import (
	"crypto/tls"

	"github.com/clearspan/clearspan/appliance/config"
	"github.com/clearspan/clearspan/appliance/intake"
	"github.com/clearspan/clearspan/decrypt/policy"
)

// openTProxy opens an intake that needs the kernel's help.
func (a *Appliance) openTProxy(c config.Intake, own []tls.Certificate, o intake.Options) (intake.Intake, error) {
	t := intake.TProxy{Listen: c.Listen, From: c.From, Ports: ports(c.Ports), Certificates: own, Forwarded: a.forwarded(c)}
	in, err := intake.NewTProxy(t, o)
	return a.routed(c.Name, in, err)
}

// openRedirect opens an intake that needs the kernel's help.
func (a *Appliance) openRedirect(c config.Intake, o intake.Options) (intake.Intake, error) {
	r := intake.Redirect{Listen: c.Listen, From: c.From, Ports: ports(c.Ports), Forwarded: a.forwarded(c)}
	in, err := intake.NewRedirect(r, o)
	return a.routed(c.Name, in, err)
}

// forwarded returns what becomes of packets that such an intake does not take.
func (a *Appliance) forwarded(c config.Intake) intake.Forwarded {
	return intake.Forwarded{
		Block:      c.Down == config.DownBlock,
		Reset:      c.Strays == config.ResetStrays,
		RefuseQUIC: c.QUIC == config.BlockQUIC,
		Exempt:     a.exemptRouted(a.engine.Load()),
	}
}

// routed notes an intake that was opened, for its counters and for reloads.
func (a *Appliance) routed(name string, in intake.Routed, err error) (intake.Intake, error) {
	if err != nil {
		return nil, err
	}
	strays := func() (map[string]uint64, error) { n, err := in.Counts(); return n.Strays, err }
	quic := func() (map[string]uint64, error) { n, err := in.Counts(); return n.QUIC, err }
	err = a.metrics.Strays(name, strays)
	if err == nil {
		err = a.metrics.QUICDatagrams(name, quic)
	}
	if err != nil {
		in.Close()
		return nil, err
	}
	a.routes = append(a.routes, in)
	return in, nil
}

// exemptRouted returns the addresses whose packets such intakes leave alone.
func (a *Appliance) exemptRouted(g *generation) intake.Exempt {
	clients, origins := g.policy.TunnelByAddress()
	if n := len(clients) + len(origins); n > intake.MaxExempt {
		a.log.Warn("too many exempt addresses for the rules of the kernel: the rest is not exempt", "addresses", n, "limit", intake.MaxExempt)
		clients = clients[:min(len(clients), intake.MaxExempt)]
		origins = origins[:min(len(origins), intake.MaxExempt-len(clients))]
	}
	return intake.Exempt{Clients: clients, Origins: origins}
}

// ports lists the ports of ranges one by one.
func ports(ranges []policy.PortRange) (all []uint16) {
	for _, r := range ranges {
		for port := int(r.First); port <= int(r.Last); port++ {
			all = append(all, uint16(port))
		}
	}
	return all
}
