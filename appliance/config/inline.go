package config

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/clearspan/clearspan/appliance/service/inline"
)

// inline reads the keys of that kind that are more than their descriptions say.
func (r *reader) inline(t *table, s *Service) {
	s.Inline.Legs = r.legs(t)
	s.Inline.Probe.Interval = value(t, "probe", 2*time.Second, func(v string) (time.Duration, error) {
		if v == "off" {
			return -1, nil
		}
		return duration(100*time.Millisecond, time.Hour)(v)
	})
	s.Inline.Hops = r.hops(t, s.Inline.Legs)
}

// hops reads the key hops of a service of kind inline: for each leg an address of
// each version of IP that the device routes.
func (r *reader) hops(t *table, legs [2]string) (hops [2][]inline.Hop) {
	n := t.get("hops")
	if n == nil {
		return hops
	}
	items := r.list(n, "hops")
	if n.kind() == list && len(items) == 0 {
		r.fail(n.place(), "hops: list is empty")
	}
	var families [2][2]bool // by leg; IPv4, IPv6
	faulty := false
	for _, item := range items {
		leg, hop, ok := r.hop(item, legs)
		if !ok {
			faulty = true
			continue
		}
		family := 0
		if hop.Address.Addr().Is6() {
			family = 1
		}
		if families[leg][family] {
			r.fail(item.child("address").place(), "address: leg %s has one of that version of IP already", legs[leg])
		}
		families[leg][family] = true
		hops[leg] = append(hops[leg], hop)
	}
	if !faulty && families[0] != families[1] {
		r.fail(n.place(), "hops: want the same versions of IP on both legs")
	}
	return hops
}

// hop reads one item of hops, and which of the two legs it is for. ok tells that it is
// without a fault.
func (r *reader) hop(n *node, legs [2]string) (leg int, hop inline.Hop, ok bool) {
	h := r.table(n, "hops")
	name := required(h, "leg", parseInterface)
	hop = inline.Hop{Address: required(h, "address", parseHostPrefix), Gateway: required(h, "gateway", parseAddress)}
	h.close()
	if name == legs[1] {
		leg = 1
	}
	switch {
	case name == "" || legs[0] == "" || !hop.Address.IsValid() || !hop.Gateway.IsValid(): // told already
		return leg, hop, false
	case name != legs[leg]:
		r.fail(h.place("leg"), "leg: %q is not a leg of the service", name)
		return leg, hop, false
	case !hop.Address.Masked().Contains(hop.Gateway) || hop.Gateway == hop.Address.Addr():
		r.fail(h.place("gateway"), "gateway: %s is not another address in the network %s", hop.Gateway, hop.Address.Masked())
		return leg, hop, false
	}
	return leg, hop, true
}

// parseHostPrefix accepts an address with the length of its network.
func parseHostPrefix(s string) (netip.Prefix, error) {
	p, err := netip.ParsePrefix(s)
	if err != nil || p.Addr().Is4In6() || p.Addr().IsUnspecified() || p.Addr().IsMulticast() {
		return netip.Prefix{}, fmt.Errorf("want an address with the length of its network such as 10.0.0.2/30, not %q", s)
	}
	return p, nil
}
