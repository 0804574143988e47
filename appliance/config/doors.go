package config

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/clearspan/clearspan/decrypt"
)

// OpenDoors names, a line each, the ways by which a session passes without a
// judgement: those of defaults, too. Each line says which key opens the door.
func (c *Config) OpenDoors() (lines []string) {
	door := func(format string, args ...any) { lines = append(lines, fmt.Sprintf(format, args...)) }
	for _, in := range c.Intakes {
		switch in.Mode {
		case Wire:
			if in.Down == DownWire {
				door("intake %s: down: wire: connections pass undecrypted while clearspan is away, stands still for %v, or is overloaded for a second", in.Name, in.Stall)
			}
			if in.QUIC == PassQUIC {
				door("intake %s: quic: pass: QUIC passes undecrypted, unless the policy terminates it", in.Name)
			}
			if !in.Strict {
				door("intake %s: strict: false: fragments, IP options, foreign tags and unknown connections pass unjudged", in.Name)
			}
		case TProxy, Redirect:
			if in.Down == DownPass {
				door("intake %s: down: pass: connections are routed past undecrypted while clearspan is away", in.Name)
			}
			if in.QUIC == PassQUIC {
				door("intake %s: quic: pass: QUIC passes undecrypted, unless the policy terminates it", in.Name)
			}
			if in.Strays == PassStrays {
				door("intake %s: strays: pass: connections that began while clearspan was away go on undecrypted", in.Name)
			}
		case Explicit:
			if len(in.Reach) > 0 {
				door("intake %s: reach: clients of other machines reach %v", in.Name, in.Reach)
			}
			if slices.ContainsFunc(in.Clients, func(p netip.Prefix) bool { return p.Bits() == 0 }) {
				door("intake %s: from: the proxy serves every client", in.Name)
			}
		}
	}
	if c.Policy.Mode == Monitor {
		door("policy.mode: monitor: every session passes undecrypted")
	}
	if c.Limits.Overload == TunnelOverload {
		door("limits.overload: tunnel: sessions pass undecrypted while there is no room")
	}
	if c.Origin.ClientCertificate == decrypt.TunnelRequest {
		door("origin.client_certificate: tunnel: an origin that asks for a client certificate has its sessions pass undecrypted")
	}
	if c.Origin.OnInvalid.Default == decrypt.PassOn {
		door("origin.on_invalid: default: tunnel: sessions of origins with invalid certificates pass undecrypted")
	}
	for _, s := range c.Services {
		if s.OnFailure == FailOpen {
			door("service %s: on_failure: open: sessions pass it by while it fails", s.Name)
		}
	}
	return lines
}
