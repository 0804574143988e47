package config

import (
	"fmt"
	"net/netip"

	"github.com/clearspan/clearspan/appliance/service/inline"
)

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
		h := r.table(item, "hops")
		leg := required(h, "leg", parseInterface)
		hop := inline.Hop{Address: required(h, "address", parseHostPrefix), Gateway: required(h, "gateway", parseAddress)}
		h.close()
		i := 0
		if leg == legs[1] {
			i = 1
		}
		family := 0
		if hop.Address.Addr().Is6() {
			family = 1
		}
		switch {
		case leg == "" || legs[0] == "" || !hop.Address.IsValid() || !hop.Gateway.IsValid(): // told already
			faulty = true
			continue
		case leg != legs[i]:
			r.fail(h.place("leg"), "leg: %q is not a leg of the service", leg)
			faulty = true
			continue
		case !hop.Address.Masked().Contains(hop.Gateway) || hop.Gateway == hop.Address.Addr():
			r.fail(h.place("gateway"), "gateway: %s is not another address in the network %s", hop.Gateway, hop.Address.Masked())
			faulty = true
			continue
		case families[i][family]:
			r.fail(h.place("address"), "address: leg %s has one of that version of IP already", leg)
		}
		families[i][family] = true
		hops[i] = append(hops[i], hop)
	}
	if !faulty && families[0] != families[1] {
		r.fail(n.place(), "hops: want the same versions of IP on both legs")
	}
	return hops
}

// parseHostPrefix accepts an address with the length of its network.
func parseHostPrefix(s string) (netip.Prefix, error) {
	p, err := netip.ParsePrefix(s)
	if err != nil || p.Addr().Is4In6() || p.Addr().IsUnspecified() || p.Addr().IsMulticast() {
		return netip.Prefix{}, fmt.Errorf("want an address with the length of its network such as 10.0.0.2/30, not %q", s)
	}
	return p, nil
}
