package wire

import (
	"errors"
	"fmt"
	"net"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Routing tables: what comes in goes to the sockets, what our sockets send goes
// out on the leg of their mark.
const (
	localTable = 100
	legTable   = 101 // and the next one
)

// gateway is a neighbour that does not exist. With it, all destinations share
// one neighbour entry, and the kernel asks for none, since legs have no ARP.
var gateways = map[int]net.IP{
	unix.AF_INET:  net.IPv4(169, 254, 0, 1),
	unix.AF_INET6: net.ParseIP("fe80::1"),
}

// route adds rules and routes for the legs; what exists already is kept. One leg may be
// left without routes: a leg that is down can have none.
func (n *namespace) route(indexes [2]int, names [2]string, without int) error {
	return n.Do(func() error {
		for _, family := range []int{unix.AF_INET, unix.AF_INET6} {
			if err := n.routeFamily(family, indexes, names, without); err != nil {
				return err
			}
		}
		return nil
	})
}

func (n *namespace) routeFamily(family int, indexes [2]int, names [2]string, without int) error {
	lo, err := n.Links.LinkByName("lo")
	if err != nil {
		return fmt.Errorf("find lo: %w", err)
	}
	bits := 32
	if family == unix.AF_INET6 {
		bits = 128
	}
	everything := &net.IPNet{IP: make(net.IP, bits/8), Mask: net.CIDRMask(0, bits)}
	routes := []*netlink.Route{{
		Family: family, Type: unix.RTN_LOCAL, Scope: netlink.SCOPE_HOST,
		Dst: everything, LinkIndex: lo.Attrs().Index, Table: localTable,
	}}
	var rules []*netlink.Rule
	for i := range indexes {
		if i != without {
			routes = append(routes, &netlink.Route{
				Family: family, Dst: everything, LinkIndex: indexes[i], Table: legTable + i,
				Gw: gateways[family], Flags: int(netlink.FLAG_ONLINK),
			})
		}
		// By interface, not by mark: by mark, the output of sockets would come back.
		in, out := netlink.NewRule(), netlink.NewRule()
		in.Family, in.IifName, in.Table, in.Priority = family, names[i], localTable, 100+i
		out.Family, out.Mark, out.Table, out.Priority = family, legMark(i), legTable+i, 110+i
		rules = append(rules, in, out)
	}
	for _, route := range routes {
		if err := n.Links.RouteReplace(route); err != nil {
			return fmt.Errorf("add route to table %d: %w", route.Table, err)
		}
	}
	for _, rule := range rules {
		if err := n.Links.RuleAdd(rule); err != nil && !errors.Is(err, unix.EEXIST) {
			return fmt.Errorf("add routing rule %d: %w", rule.Priority, err)
		}
	}
	return nil
}

// legMark is the mark of sockets whose packets leave by the leg of that index.
func legMark(leg int) uint32 { return uint32(leg) + 1 }
