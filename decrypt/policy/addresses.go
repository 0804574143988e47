package policy

import "net/netip"

// TunnelByAddress returns the addresses whose sessions the table tunnels whatever
// else there is to know of them: those of clients and those of origins. Rules
// behind the first one that does something else are left out, and so is a rule
// that names no addresses. An intake may leave such connections alone without
// asking. There are none where events may decide or sessions are to be audited one
// by one, as [Table.Monitor] does. The caller must not change the result's elements.
func (t *Table) TunnelByAddress() (clients, origins []netip.Prefix) {
	if t.monitor || len(t.events) > 0 {
		return nil, nil
	}
	for i := range t.rules {
		r := &t.rules[i]
		if r.action != Tunnel {
			break
		}
		c := r.conditions
		if r.named || c == nil || !c.byAddress() {
			continue
		}
		switch {
		case len(c.origin) == 0:
			clients = append(clients, c.client...)
		case len(c.client) == 0:
			origins = append(origins, c.origin...)
		}
	}
	return clients, origins
}

// byAddress reports whether addresses are all that is asked for.
func (c *conditions) byAddress() bool {
	return len(c.intake)+len(c.protocol)+len(c.port)+len(c.alpn)+len(c.ja4)+len(c.time) == 0 && !c.certificate.asks()
}
