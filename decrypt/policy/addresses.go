package policy

import "net/netip"

// TunnelByAddress returns the addresses whose sessions the table tunnels whatever
// else there is to know of them: those of clients and those of origins. Rules
// behind the first one that does something else are left out, and so is a rule
// that names no addresses. An intake may leave such connections alone without
// asking. The caller must not change the result's elements.
func (t *Table) TunnelByAddress() (clients, origins []netip.Prefix) {
	for i := range t.rules {
		r := &t.rules[i]
		if r.Action != Tunnel {
			break
		}
		if len(r.Protocol) > 0 || len(r.Port) > 0 || len(r.ALPN) > 0 || len(r.hosts) > 0 {
			continue
		}
		switch {
		case len(r.Origin) == 0:
			clients = append(clients, r.Client...)
		case len(r.Client) == 0:
			origins = append(origins, r.Origin...)
		}
	}
	return clients, origins
}
