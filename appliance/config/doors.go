package config

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/clearspan/clearspan/decrypt"
)

// OpenDoors names, a line each, the ways by which a session passes without a
// judgement: those of defaults, too. Each line says which key opens the door.
func (c *Config) OpenDoors() []string {
	var open doors
	for _, in := range c.Intakes {
		switch in.Mode {
		case Wire:
			open.wire(in)
		case TProxy, Redirect:
			open.routed(in)
		case Explicit:
			open.proxy(in)
		}
	}
	open.when(c.Policy.Mode == Monitor, "policy.mode: monitor: every session passes undecrypted")
	open.when(c.Limits.Overload == TunnelOverload, "limits.overload: tunnel: sessions pass undecrypted while there is no room")
	open.when(c.Origin.ClientCertificate == decrypt.TunnelRequest, "origin.client_certificate: tunnel: an origin that asks for a client certificate has its sessions pass undecrypted")
	open.when(c.Origin.OnInvalid.Default == decrypt.PassOn, "origin.on_invalid: default: tunnel: sessions of origins with invalid certificates pass undecrypted")
	for _, s := range c.Services {
		open.service(s)
	}
	return open
}

// doors are lines about keys that open one.
type doors []string

// when adds a line if the door is open.
func (d *doors) when(open bool, format string, args ...any) {
	if open {
		*d = append(*d, fmt.Sprintf(format, args...))
	}
}

func (d *doors) service(s Service) {
	d.when(s.OnFailure == FailOpen, "service %s: on_failure: open: sessions pass it by while it fails", s.Name)
	d.when(s.Foreign == PassForeign, "service %s: foreign: pass: sessions of every other protocol pass it by", s.Name)
	d.when(s.Foreign == KnownForeign, "service %s: foreign: known: sessions of known protocols that it is not for pass it by", s.Name)
	d.when(s.Upgrade == PassForeign, "service %s: upgrade: pass: WebSocket, and what follows other upgrades and CONNECT, pass it by", s.Name)
	d.when(s.Ranges == PassRanges, "service %s: ranges: pass: a client may fetch content in parts, each of which it sees alone", s.Name)
	d.when(s.Paused == PassPaused, "service %s: paused: pass: a body that pauses passes it by", s.Name)
	d.when(len(s.Streams) > 0, "service %s: streams: endless content of type %s passes it by", s.Name, strings.Join(s.Streams, ", "))
}

const passQUIC = "intake %s: quic: pass: QUIC passes undecrypted, unless the policy terminates it"

func (d *doors) wire(in Intake) {
	d.when(in.Down == DownWire, "intake %s: down: wire: connections pass undecrypted while clearspan is away, stands still for %v, or is overloaded for a second", in.Name, in.Stall)
	d.when(in.QUIC == PassQUIC, passQUIC, in.Name)
	d.when(!in.Strict, "intake %s: strict: false: fragments, IP options, foreign tags and unknown connections pass unjudged", in.Name)
}

func (d *doors) routed(in Intake) {
	d.when(in.Down == DownPass, "intake %s: down: pass: connections are routed past undecrypted while clearspan is away", in.Name)
	d.when(in.QUIC == PassQUIC, passQUIC, in.Name)
	d.when(in.Strays == PassStrays, "intake %s: strays: pass: connections that began while clearspan was away go on undecrypted", in.Name)
}

func (d *doors) proxy(in Intake) {
	d.when(len(in.Reach) > 0, "intake %s: reach: clients of other machines reach %v", in.Name, in.Reach)
	everybody := slices.ContainsFunc(in.Clients, func(p netip.Prefix) bool { return p.Bits() == 0 })
	d.when(everybody, "intake %s: from: the proxy serves every client", in.Name)
}
