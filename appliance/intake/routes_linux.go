package intake

import (
	"errors"
	"fmt"
	"net"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// addRoute leads packets with the mark to the local stack, whatever their
// destination: a rule to a table, and a route in it.
func addRoute(f family, mark uint32, table, priority int) error {
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		return fmt.Errorf("find lo: %w", err)
	}
	bits := f.loopback.BitLen()
	route := netlink.Route{
		Family:    f.number,
		Type:      unix.RTN_LOCAL,
		Scope:     netlink.SCOPE_HOST,
		Dst:       &net.IPNet{IP: make(net.IP, bits/8), Mask: net.CIDRMask(0, bits)},
		LinkIndex: lo.Attrs().Index,
		Table:     table,
	}
	if err := netlink.RouteReplace(&route); err != nil {
		return fmt.Errorf("add local default to routing table %d: %w", table, err)
	}
	rule := netlink.NewRule()
	rule.Family, rule.Mark, rule.Table, rule.Priority = f.number, mark, table, priority
	if err := netlink.RuleAdd(rule); err != nil {
		return fmt.Errorf("add routing rule %d: %w", priority, err)
	}
	return nil
}

// removeRoutes removes what addRoute added for mark and table, if anything.
func removeRoutes(mark uint32, table int) error {
	var errs []error
	for _, number := range []int{unix.AF_INET, unix.AF_INET6} {
		rules, err := listRules(number)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		for _, rule := range rules {
			if rule.Mark == mark && rule.Table == table {
				if err := netlink.RuleDel(&rule); err != nil {
					errs = append(errs, fmt.Errorf("remove routing rule %d: %w", rule.Priority, err))
				}
			}
		}
		routes, err := listLocal(number, table)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		for _, route := range routes {
			if err := netlink.RouteDel(&route); err != nil && !errors.Is(err, unix.ESRCH) {
				errs = append(errs, fmt.Errorf("remove local default from routing table %d: %w", table, err))
			}
		}
	}
	return errors.Join(errs...)
}

// sweepRoutes removes the routes of slots that nobody holds. That of the mark
// own is left to its holder.
func sweepRoutes(own uint32) error {
	found := make(map[int]bool)
	for _, number := range []int{unix.AF_INET, unix.AF_INET6} {
		rules, err := listRules(number)
		if err != nil {
			return err
		}
		for _, rule := range rules {
			slot := rule.Table - baseTable
			if slot >= 0 && slot < slots && rule.Mark == slotMark(slot) {
				found[slot] = true
			}
		}
	}
	var errs []error
	for slot := range found {
		mark, table := slotMark(slot), slotTable(slot)
		if mark != own {
			errs = append(errs, ifUnlocked(markLock(mark), func() error { return removeRoutes(mark, table) }))
		}
	}
	return errors.Join(errs...)
}

// listRules returns the routing rules of a family, none if the kernel does not
// have it.
func listRules(number int) ([]netlink.Rule, error) {
	rules, err := dump(func() ([]netlink.Rule, error) { return netlink.RuleList(number) })
	if err != nil {
		return nil, fmt.Errorf("list routing rules: %w", err)
	}
	for i := range rules {
		rules[i].Family = number
	}
	return rules, nil
}

// listLocal returns the local default routes in table.
func listLocal(number, table int) ([]netlink.Route, error) {
	filter := &netlink.Route{Table: table, Type: unix.RTN_LOCAL}
	routes, err := dump(func() ([]netlink.Route, error) {
		return netlink.RouteListFiltered(number, filter, netlink.RT_FILTER_TABLE|netlink.RT_FILTER_TYPE)
	})
	if err != nil {
		return nil, fmt.Errorf("list routing table %d: %w", table, err)
	}
	return routes, nil
}

// dump repeats a netlink dump that a change has interrupted. A family or table
// that does not exist is an empty dump.
func dump[T any](list func() ([]T, error)) (all []T, err error) {
	for range 8 {
		if all, err = list(); !errors.Is(err, netlink.ErrDumpInterrupted) {
			break
		}
	}
	if errors.Is(err, unix.EAFNOSUPPORT) || errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.ENOENT) {
		return nil, nil
	}
	return all, err
}
