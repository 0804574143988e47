package inline

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/clearspan/clearspan/appliance/netspace"
)

// localTable is the routing table for what comes in: all of it is for us.
const localTable = 100

// gateways are neighbours that do not exist. Routes lead to them, and they have
// the link-layer address of the other leg: behind the device is nobody else.
var gateways = map[int]netip.Addr{
	unix.AF_INET:  netip.AddrFrom4([4]byte{169, 254, 0, 1}),
	unix.AF_INET6: netip.MustParseAddr("fe80::1"),
}

// port is one leg of the device, in its namespace.
type port struct {
	*netspace.Namespace
	link  netspace.Port
	index int
	mac   net.HardwareAddr
}

// openPort makes the namespace and moves the leg there.
func openPort(c Config, i int, link netspace.Port, host *netspace.Host) (*port, error) {
	in, err := netspace.Make(namespaceName(c.Name, i))
	if err != nil {
		return nil, err
	}
	p := &port{Namespace: in, link: link}
	if err = p.prepare(c); err == nil {
		err = host.Move(link, in)
	}
	if err == nil {
		err = p.find(c)
	}
	if err != nil {
		return nil, errors.Join(err, p.close(host))
	}
	return p, nil
}

// findPort enters the namespace of a leg that another process has moved there.
func findPort(c Config, i int) (*port, error) {
	in, err := netspace.Find(namespaceName(c.Name, i))
	if err != nil {
		return nil, err
	}
	p := &port{Namespace: in, link: netspace.Port{Name: c.Legs[i]}}
	if err := p.find(c); err != nil {
		p.Close()
		return nil, err
	}
	return p, nil
}

// find looks at the leg, in the namespace.
func (p *port) find(c Config) error {
	link, err := p.Links.LinkByName(p.link.Name)
	if err != nil {
		return fmt.Errorf("find leg %s: %w", p.link.Name, err)
	}
	if c.resolves() && link.Attrs().RawFlags&unix.IFF_NOARP != 0 {
		return fmt.Errorf("use leg %s: ARP is off, hops need it: ip link set dev %s arp on", p.link.Name, p.link.Name)
	}
	p.index, p.mac = link.Attrs().Index, link.Attrs().HardwareAddr
	return nil
}

// prepare makes the namespace fit for the leg before it comes: an interface takes its
// settings over from "default".
func (p *port) prepare(c Config) error {
	lo, err := p.Links.LinkByName("lo")
	if err != nil {
		return fmt.Errorf("find lo: %w", err)
	}
	if err := p.Links.LinkSetUp(lo); err != nil {
		return fmt.Errorf("set up lo: %w", err)
	}
	if err := p.removeAddresses(lo); err != nil {
		return err
	}
	// ARP is answered for nobody, since every address counts as ours, and there is
	// no IPv6 address that could be announced; where neighbours are asked for, for
	// those of the leg, and from a link-local one.
	answers, generate := "8", "1"
	if c.resolves() {
		answers, generate = "1", "0"
	}
	for _, set := range [][2]string{
		{"ipv4/ip_forward", "0"},
		{"ipv4/conf/all/rp_filter", "0"},
		{"ipv4/conf/default/rp_filter", "0"},
		{"ipv4/conf/all/route_localnet", "1"}, // clients on this machine
		{"ipv4/conf/all/arp_ignore", answers},
		{"ipv6/conf/default/addr_gen_mode", generate},
		{"ipv6/conf/default/accept_ra", "0"},
		{"ipv6/conf/default/accept_dad", "0"},
		{"ipv4/tcp_syncookies", "0"}, // a cookie returns in a frame that no socket waits for
		{"ipv4/tcp_max_syn_backlog", "16384"},
		{"ipv4/tcp_tw_reuse", "1"},
		{"ipv4/tcp_mtu_probing", "1"},
		{"ipv4/tcp_retries2", strconv.Itoa(tcpRetries2(c.Timeout))},
		{"ipv4/tcp_invalid_ratelimit", "0"}, // a probe without an answer counts as one swallowed
		{"ipv4/ip_local_port_range", "10240 65535"},
	} {
		if err := p.Set(set[0], set[1]); err != nil {
			return err
		}
	}
	// Kernels before 6.14 wait a second before a port in TIME-WAIT is used again.
	if err := p.Set("ipv4/tcp_tw_reuse_delay", "1"); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// removeAddresses takes lo's own addresses away: they are as foreign as all others, those
// of clients or origins on this machine.
func (p *port) removeAddresses(lo netlink.Link) error {
	addrs, err := p.Links.AddrList(lo, netlink.FAMILY_ALL)
	if err != nil {
		return fmt.Errorf("list addresses of lo: %w", err)
	}
	for _, a := range addrs {
		if err := p.Links.AddrDel(lo, &a); err != nil {
			return fmt.Errorf("remove address %s of lo: %w", a.IPNet, err)
		}
	}
	return nil
}

// setUp sets the leg up. The programs are at work by then: it says nothing.
func (p *port) setUp() error {
	link, err := p.Links.LinkByIndex(p.index)
	if err == nil {
		err = p.Links.LinkSetUp(link)
	}
	if err != nil {
		return fmt.Errorf("set up leg %s: %w", p.link.Name, err)
	}
	return nil
}

// route leads what comes in to our sockets, and what they send to the device. It
// may be called again: what is there already is kept.
func (p *port) route(peer net.HardwareAddr, hops []Hop) error {
	lo, err := p.Links.LinkByName("lo")
	if err != nil {
		return fmt.Errorf("find lo: %w", err)
	}
	for _, family := range []int{unix.AF_INET, unix.AF_INET6} {
		gateway := gateways[family]
		bits := gateway.BitLen()
		everything := &net.IPNet{IP: make(net.IP, bits/8), Mask: net.CIDRMask(0, bits)}
		err := p.Links.RouteReplace(&netlink.Route{
			Family: family, Type: unix.RTN_LOCAL, Scope: netlink.SCOPE_HOST,
			Dst: everything, LinkIndex: lo.Attrs().Index, Table: localTable,
		})
		if err != nil {
			return fmt.Errorf("add route to table %d: %w", localTable, err)
		}
		rule := netlink.NewRule()
		rule.Family, rule.IifName, rule.Table, rule.Priority = family, p.link.Name, localTable, localTable
		if err := p.Links.RuleAdd(rule); err != nil && !errors.Is(err, unix.EEXIST) {
			return fmt.Errorf("add routing rule: %w", err)
		}
		if len(hops) > 0 {
			if gateway, err = p.addAddress(family, hops); err != nil {
				return err
			}
			if !gateway.IsValid() {
				continue // this family is not routed
			}
		} else {
			err := p.Links.NeighSet(&netlink.Neigh{
				Family: family, LinkIndex: p.index, State: netlink.NUD_PERMANENT,
				IP: gateway.AsSlice(), HardwareAddr: peer,
			})
			if err != nil {
				return fmt.Errorf("add neighbour %s: %w", gateway, err)
			}
		}
		err = p.Links.RouteReplace(&netlink.Route{
			Family: family, Dst: everything, LinkIndex: p.index,
			Gw: gateway.AsSlice(), Flags: int(netlink.FLAG_ONLINK),
		})
		if err != nil {
			return fmt.Errorf("add default route: %w", err)
		}
	}
	return nil
}

// addAddress gives the leg its address of a family. It returns the gateway, an invalid
// one if there is none.
func (p *port) addAddress(family int, hops []Hop) (netip.Addr, error) {
	for _, h := range hops {
		if h.Gateway.Is4() != (family == unix.AF_INET) {
			continue
		}
		addr := &netlink.Addr{IPNet: &net.IPNet{
			IP: h.Address.Addr().AsSlice(), Mask: net.CIDRMask(h.Address.Bits(), h.Address.Addr().BitLen()),
		}}
		if family == unix.AF_INET6 {
			addr.Flags = unix.IFA_F_NODAD
		}
		link, err := p.Links.LinkByIndex(p.index)
		if err == nil {
			err = p.Links.AddrReplace(link, addr)
		}
		if err != nil {
			return netip.Addr{}, fmt.Errorf("add address %s to leg %s: %w", h.Address, p.link.Name, err)
		}
		return h.Gateway, nil
	}
	return netip.Addr{}, nil
}

// close gives the leg back and removes the namespace.
func (p *port) close(host *netspace.Host) error {
	if err := host.Return(p.link, p.Namespace); err != nil {
		p.Close()
		return err // the namespace stays, with the leg: a later start tries again
	}
	return p.Remove()
}
