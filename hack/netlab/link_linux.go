package netlab

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// End is one end of a link.
type End struct {
	Namespace *Namespace
	Name      string           // of the interface, 1-15 octets, unique in its namespace
	MAC       net.HardwareAddr // nil: the kernel chooses
	Addresses []netip.Prefix   // host addresses with the length of their network
	Silent    bool             // the interface sends nothing by itself: no IPv6, no ARP
}

// LinkOptions holds what both ends of a link share.
type LinkOptions struct {
	MTU int // octets of an IP packet; 0 is 1500
}

// Link joins two namespaces with a veth pair. Both ends are up when it returns,
// and IPv6 addresses usable at once. Nothing is left if it fails.
func (l *Lab) Link(a, b End, o LinkOptions) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return ErrClosed
	}
	for _, e := range []End{a, b} {
		if len(e.Name) == 0 || len(e.Name) >= unix.IFNAMSIZ {
			return fmt.Errorf("make link: interface name %q has not 1-15 octets", e.Name)
		}
	}
	if o.MTU == 0 {
		o.MTU = 1500
	}
	attrs := netlink.NewLinkAttrs()
	attrs.Name, attrs.MTU, attrs.HardwareAddr = a.Name, o.MTU, a.MAC
	// The kernel notices the carrier of a pair up to a second late if both ends
	// happen to have the same index (linkwatch_urgent_event in linkwatch.c).
	l.links++
	attrs.Index = firstIndex + l.links
	veth := netlink.NewVeth(attrs)
	veth.PeerName, veth.PeerMTU, veth.PeerHardwareAddr = b.Name, uint32(o.MTU), b.MAC
	veth.PeerNamespace = netlink.NsFd(b.Namespace.handle)
	if err := a.Namespace.links.LinkAdd(veth); err != nil {
		return fmt.Errorf("make link %s-%s: %w", a.Name, b.Name, err)
	}
	for _, step := range []func(End) error{End.configure, End.await} {
		for _, e := range []End{a, b} {
			if err := step(e); err != nil {
				if link, e := a.Namespace.links.LinkByName(a.Name); e == nil {
					_ = a.Namespace.links.LinkDel(link)
				}
				return fmt.Errorf("configure interface %s in %s: %w", e.Name, e.Namespace.name, err)
			}
		}
	}
	return nil
}

// firstIndex is above the indexes that the kernel gives to the other ends.
const firstIndex = 1000

// await waits until the end is ready for traffic, at most 5 s: it has carrier, has
// joined the multicast groups in which neighbours ask for its IPv6 addresses (RFC
// 4291, Section 2.7.1), and has the link-local address from which it asks for those
// that it forwards to. All that happens in the kernel's own time. A solicitation
// that comes earlier, or cannot be sent, costs a second.
func (e End) await() error {
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		link, err := e.Namespace.links.LinkByName(e.Name)
		if err != nil {
			return err
		}
		if link.Attrs().OperState != netlink.OperUp {
			continue
		}
		if joined, err := e.joined(); joined || err != nil {
			return err
		}
	}
	return errors.New("not ready after 5s")
}

// joined reports whether the solicited-node groups of all IPv6 addresses are
// joined.
func (e End) joined() (bool, error) {
	var want []string
	for _, p := range e.Addresses {
		if p.Addr().Is6() {
			a := p.Addr().As16()
			want = append(want, fmt.Sprintf("%s ff0200000000000000000001ff%x", e.Name, a[13:]))
		}
	}
	if len(want) == 0 {
		return true, nil
	}
	var groups, addresses string
	err := e.Namespace.Do(func() error {
		text, err := os.ReadFile("/proc/thread-self/net/igmp6")
		if err != nil {
			return err
		}
		groups = strings.Join(strings.Fields(string(text)), " ")
		text, err = os.ReadFile("/proc/thread-self/net/if_inet6")
		addresses = string(text)
		return err
	})
	if !e.linkLocal(addresses) {
		return false, err
	}
	for _, w := range want {
		if !strings.Contains(groups, " "+w+" ") {
			return false, err
		}
	}
	return true, err
}

// linkLocal reports whether the end is in the lines of if_inet6 with a link-local
// address that it may use.
func (e End) linkLocal(lines string) bool {
	const tentative = 0x40 // IFA_F_TENTATIVE
	for line := range strings.Lines(lines) {
		words := strings.Fields(line) // address, index, length, scope, flags, name
		if len(words) < 6 || words[5] != e.Name || !strings.HasPrefix(words[0], "fe80") {
			continue
		}
		if flags, err := strconv.ParseUint(words[4], 16, 32); err == nil && flags&tentative == 0 {
			return true
		}
	}
	return false
}

func (e End) configure() error {
	h := e.Namespace.links
	link, err := h.LinkByName(e.Name)
	if err != nil {
		return err
	}
	if e.Silent {
		if err := e.Namespace.Do(func() error {
			return writeSysctl("net/ipv6/conf/"+e.Name+"/disable_ipv6", "1")
		}); err != nil {
			return err
		}
		if err := h.LinkSetARPOff(link); err != nil {
			return err
		}
	}
	for _, p := range e.Addresses {
		addr := &netlink.Addr{IPNet: ipNet(p)}
		if p.Addr().Is6() {
			addr.Flags = unix.IFA_F_NODAD
		}
		if err := h.AddrAdd(link, addr); err != nil {
			return fmt.Errorf("add address %s: %w", p, err)
		}
	}
	return h.LinkSetUp(link)
}

func ipNet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}

// Route sends packets for dst to the neighbour via. A dst of zero bits is the
// default route.
func (n *Namespace) Route(dst netip.Prefix, via netip.Addr) error {
	if err := n.links.RouteAdd(&netlink.Route{Dst: ipNet(dst.Masked()), Gw: via.AsSlice()}); err != nil {
		return fmt.Errorf("add route %s via %s in %s: %w", dst, via, n.name, err)
	}
	return nil
}

// SetUp sets an interface up or down.
func (n *Namespace) SetUp(ifname string, up bool) error {
	link, err := n.links.LinkByName(ifname)
	if err != nil {
		return fmt.Errorf("find interface %s: %w", ifname, err)
	}
	if up {
		return n.links.LinkSetUp(link)
	}
	return n.links.LinkSetDown(link)
}

// Interface returns a snapshot of an interface: addresses, flags, counters.
func (n *Namespace) Interface(ifname string) (*netlink.LinkAttrs, error) {
	link, err := n.links.LinkByName(ifname)
	if err != nil {
		return nil, fmt.Errorf("find interface %s in %s: %w", ifname, n.name, err)
	}
	return link.Attrs(), nil
}

// Interfaces returns the names of the interfaces, the loopback included.
func (n *Namespace) Interfaces() ([]string, error) {
	links, err := dump(n.links.LinkList)
	if err != nil {
		return nil, fmt.Errorf("list interfaces of %s: %w", n.name, err)
	}
	names := make([]string, len(links))
	for i, link := range links {
		names[i] = link.Attrs().Name
	}
	return names, nil
}

// deleteLinks removes all veth ends in the namespace, and so their peers.
func (n *Namespace) deleteLinks() error {
	links, err := dump(n.links.LinkList)
	if err != nil {
		return fmt.Errorf("list interfaces: %w", err)
	}
	var errs []error
	for _, link := range links {
		if link.Type() != "veth" {
			continue
		}
		if err := n.links.LinkDel(link); err != nil && !errors.Is(err, unix.ENODEV) {
			errs = append(errs, fmt.Errorf("delete interface %s: %w", link.Attrs().Name, err))
		}
	}
	return errors.Join(errs...)
}

// dump calls list until the kernel's table has not changed while it was read,
// at most 20 times.
func dump[T any](list func() (T, error)) (v T, err error) {
	for range 20 {
		if v, err = list(); !errors.Is(err, netlink.ErrDumpInterrupted) {
			return v, err
		}
	}
	return v, err
}
