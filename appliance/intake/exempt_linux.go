package intake

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// exemptSet holds addresses of one end and one family.
type exemptSet struct {
	*nftables.Set
	family  family
	clients bool
}

// exemptSets are all four.
type exemptSets []exemptSet

// addExemptSets adds them to a table, with what they hold.
func addExemptSets(c *nftables.Conn, table *nftables.Table, e Exempt) (exemptSets, error) {
	var sets exemptSets
	for _, end := range []string{"clients", "origins"} {
		for _, f := range families() {
			kind, suffix := nftables.TypeIPAddr, "4"
			if f.number == unix.AF_INET6 {
				kind, suffix = nftables.TypeIP6Addr, "6"
			}
			set := &nftables.Set{Table: table, Name: "exempt_" + end + suffix, Interval: true, KeyType: kind}
			if err := c.AddSet(set, nil); err != nil {
				return nil, fmt.Errorf("write nftables sets: %w", err)
			}
			sets = append(sets, exemptSet{set, f, end == "clients"})
		}
	}
	return sets, sets.fill(c, e)
}

// keysAtOnce keeps the elements in one message within a netlink attribute of 64 KiB.
const keysAtOnce = 1000

// replace has the sets hold other addresses.
func (s exemptSets) replace(c *nftables.Conn, e Exempt) error {
	if err := e.check(); err != nil {
		return err
	}
	for _, set := range s {
		c.FlushSet(set.Set)
	}
	if err := s.fill(c, e); err != nil {
		return err
	}
	if err := c.Flush(); err != nil {
		return fmt.Errorf("change nftables sets: %w", err)
	}
	return nil
}

// fill appends what the sets hold to a transaction.
func (s exemptSets) fill(c *nftables.Conn, e Exempt) error {
	if err := e.check(); err != nil {
		return err
	}
	for _, set := range s {
		prefixes := e.Origins
		if set.clients {
			prefixes = e.Clients
		}
		for keys := range slices.Chunk(addressKeys(prefixes, set.family), keysAtOnce) {
			if err := c.SetAddElements(set.Set, keys); err != nil {
				return fmt.Errorf("write nftables sets: %w", err)
			}
		}
	}
	return nil
}

// match begins a rule for packets to or from the addresses, in nft's words
// "ip saddr @exempt_clients4".
func (s exemptSet) match() []expr.Any {
	offset := uint32(destination4At)
	switch v6 := s.family.number == unix.AF_INET6; {
	case v6 && s.clients:
		offset = source6At
	case v6:
		offset = destination6At
	case s.clients:
		offset = source4At
	}
	return []expr.Any{
		&expr.Meta{Key: expr.MetaKeyNFPROTO, Register: 1},
		equal(byte(s.family.number)),
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseNetworkHeader, Offset: offset, Len: s.KeyType.Bytes},
		lookup(s.Set),
	}
}

// addressKeys turns the prefixes of a family into intervals as the kernel has them:
// the first address of each, and the first one behind it unless there is none. Those
// that overlap or touch become one.
func addressKeys(prefixes []netip.Prefix, f family) []nftables.SetElement {
	var mine []netip.Prefix
	for _, p := range prefixes {
		if p.Addr().BitLen() == f.loopback.BitLen() {
			mine = append(mine, p.Masked())
		}
	}
	slices.SortFunc(mine, func(a, b netip.Prefix) int { return a.Addr().Compare(b.Addr()) })
	var keys []nftables.SetElement
	if len(mine) > 0 && mine[0].Addr() != f.wildcard {
		keys = append(keys, nftables.SetElement{Key: f.wildcard.AsSlice(), IntervalEnd: true})
	}
	var end netip.Addr // the first address behind the interval, invalid: none
	for i, p := range mine {
		next := nextAddr(p)
		switch {
		case i > 0 && (!end.IsValid() || p.Addr().Compare(end) <= 0):
			if end.IsValid() && (!next.IsValid() || next.Compare(end) > 0) {
				end = next
			}
			continue
		case i > 0:
			keys = append(keys, nftables.SetElement{Key: end.AsSlice(), IntervalEnd: true})
		}
		keys = append(keys, nftables.SetElement{Key: p.Addr().AsSlice()})
		end = next
	}
	if end.IsValid() {
		keys = append(keys, nftables.SetElement{Key: end.AsSlice(), IntervalEnd: true})
	}
	return keys
}

// nextAddr returns the first address that follows those of a prefix, the invalid one if
// there is none.
func nextAddr(p netip.Prefix) netip.Addr {
	last := p.Addr().AsSlice()
	for bit := p.Bits(); bit < len(last)*8; bit++ {
		last[bit/8] |= 0x80 >> (bit % 8)
	}
	addr, _ := netip.AddrFromSlice(last)
	return addr.Next()
}
