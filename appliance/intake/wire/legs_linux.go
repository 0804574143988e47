package wire

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// leg is what is remembered of an interface, to give it back as it was.
type leg struct {
	Name    string `json:"name"`
	Up      bool   `json:"up"`
	ARP     bool   `json:"arp"`
	Promisc bool   `json:"promisc"`
}

// inspectLeg looks at an interface of the process's own namespace. One that has
// addresses or belongs to another is refused: taking it away would cut off the
// host.
func inspectLeg(name string) (leg, error) {
	link, err := netlink.LinkByName(name)
	if err != nil {
		return leg{}, fmt.Errorf("find leg %s: %w", name, err)
	}
	attrs := link.Attrs()
	if attrs.MasterIndex != 0 {
		return leg{}, fmt.Errorf("take leg %s: it belongs to a bridge or bond", name)
	}
	if attrs.EncapType != "ether" {
		return leg{}, fmt.Errorf("take leg %s: not an Ethernet interface", name)
	}
	addrs, err := netlink.AddrList(link, netlink.FAMILY_ALL)
	if err != nil {
		return leg{}, fmt.Errorf("list addresses of leg %s: %w", name, err)
	}
	for _, a := range addrs {
		if !a.IP.IsLinkLocalUnicast() {
			return leg{}, fmt.Errorf("take leg %s: it has the address %s, a leg must not have one", name, a.IPNet)
		}
	}
	return leg{
		Name:    name,
		Up:      attrs.RawFlags&unix.IFF_UP != 0,
		ARP:     attrs.RawFlags&unix.IFF_NOARP == 0,
		Promisc: attrs.Promisc > 0,
	}, nil
}

// moveLeg moves an interface from the process's namespace into the namespace.
func (n *namespace) moveLeg(name string) error {
	link, err := netlink.LinkByName(name)
	if err != nil {
		return fmt.Errorf("find leg %s: %w", name, err)
	}
	return n.Do(func() error {
		f, err := os.Open("/proc/thread-self/ns/net")
		if err != nil {
			return err
		}
		defer f.Close()
		// This thread is in the namespace, the package's own handle in the process's.
		host, err := hostLinks()
		if err != nil {
			return err
		}
		defer host.Close()
		if err := host.LinkSetNsFd(link, int(f.Fd())); err != nil {
			return fmt.Errorf("move leg %s: %w", name, err)
		}
		return nil
	})
}

// has reports whether an interface is in the namespace.
func (n *namespace) has(name string) bool {
	return n.Do(func() error {
		_, err := n.Links.LinkByName(name)
		return err
	}) == nil
}

// prepare makes the namespace fit for the legs before they come: an interface takes
// its settings over from "default".
func (n *namespace) prepare() error {
	return n.Do(func() error {
		lo, err := n.Links.LinkByName("lo")
		if err != nil {
			return fmt.Errorf("find lo: %w", err)
		}
		if err := n.Links.LinkSetUp(lo); err != nil {
			return fmt.Errorf("set up lo: %w", err)
		}
		for _, s := range [][2]string{
			{"ipv4/ip_forward", "0"},
			{"ipv4/conf/all/rp_filter", "0"},
			{"ipv4/conf/default/rp_filter", "0"},
			{"ipv6/conf/default/addr_gen_mode", "1"}, // no address, so nothing to announce
			{"ipv6/conf/default/accept_ra", "0"},
			{"ipv6/conf/default/accept_dad", "0"},
			{"ipv4/tcp_fwmark_accept", "1"}, // an accepted socket is routed by the leg of its SYN
			{"ipv4/tcp_syncookies", "0"},    // a cookie returns in a frame that no socket waits for
			{"ipv4/tcp_tw_reuse", "1"},
			{"ipv4/tcp_mtu_probing", "1"}, // ICMP about our packets goes to the ends
		} {
			if err := writeSysctl(s[0], s[1]); err != nil {
				return err
			}
		}
		// Kernels before 6.14 wait a second before a port in TIME-WAIT is used again.
		if err := writeSysctl("ipv4/tcp_tw_reuse_delay", "1"); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		return nil
	})
}

// setUpLegs makes the legs silent and promiscuous, sets them up but for the one that is
// held down, and returns their indexes, and which were not up before.
func (n *namespace) setUpLegs(legs [2]string, held int) (indexes [2]int, fresh [2]bool, err error) {
	err = n.Do(func() error {
		for i, name := range legs {
			link, err := n.Links.LinkByName(name)
			if err != nil {
				return fmt.Errorf("find leg %s: %w", name, err)
			}
			indexes[i], fresh[i] = link.Attrs().Index, link.Attrs().RawFlags&unix.IFF_UP == 0
			for _, s := range [][2]string{
				{"ipv4/conf/" + name + "/rp_filter", "0"},
				{"ipv6/conf/" + name + "/addr_gen_mode", "1"},
				{"ipv6/conf/" + name + "/accept_ra", "0"},
			} {
				if err := writeSysctl(s[0], s[1]); err != nil {
					return err
				}
			}
			for _, set := range []func(netlink.Link) error{n.Links.LinkSetARPOff, n.Links.SetPromiscOn, n.Links.LinkSetUp} {
				if i == held && fresh[i] {
					break // it has all of this from before
				}
				if err := set(link); err != nil {
					return fmt.Errorf("set up leg %s: %w", name, err)
				}
			}
		}
		return nil
	})
	return indexes, fresh, err
}

// releaseLeg moves an interface from the namespace to the process's namespace, down,
// with the flags it had.
func (n *namespace) releaseLeg(l leg) error {
	host, err := hostNamespace()
	if err != nil {
		return err
	}
	defer host.Close()
	err = n.Do(func() error {
		link, err := n.Links.LinkByName(l.Name)
		if err != nil {
			if _, missing := err.(netlink.LinkNotFoundError); missing {
				return nil // it never came, or was taken out of the machine
			}
			return err
		}
		errs := []error{n.Links.LinkSetDown(link)}
		if l.ARP {
			errs = append(errs, n.Links.LinkSetARPOn(link))
		}
		if !l.Promisc {
			errs = append(errs, n.Links.SetPromiscOff(link))
		}
		return errors.Join(append(errs, n.Links.LinkSetNsFd(link, int(host)))...)
	})
	if err != nil {
		return fmt.Errorf("release leg %s: %w", l.Name, err)
	}
	return nil
}

// restoreLeg makes an interface in the process's namespace as it was. Of a wire whose
// namespace has gone, physical legs come back by themselves, as the wire had them.
func restoreLeg(l leg) error {
	links, err := hostLinks()
	if err != nil {
		return err
	}
	defer links.Close()
	link, err := links.LinkByName(l.Name)
	if errors.As(err, new(netlink.LinkNotFoundError)) {
		return nil // as in releaseLeg
	}
	if err == nil && l.ARP {
		err = links.LinkSetARPOn(link)
	}
	if err == nil && !l.Promisc && link.Attrs().Promisc > 0 {
		err = links.SetPromiscOff(link)
	}
	if err == nil && l.Up {
		err = links.LinkSetUp(link)
	}
	if err != nil {
		return fmt.Errorf("set up leg %s: %w", l.Name, err)
	}
	return nil
}

func writeSysctl(name, value string) error {
	// Resolved by the namespace of the thread that opens it.
	f, err := os.OpenFile(filepath.Join("/proc/sys/net", name), os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(value)
	return errors.Join(err, f.Close())
}
