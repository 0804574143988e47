package netspace

import (
	"errors"
	"fmt"
	"os"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// Host is the network namespace that interfaces are taken from and given back to.
// Safe for concurrent use.
type Host struct {
	handle netns.NsHandle
	links  *netlink.Handle
}

// OwnHost opens the namespace of this process, that is, of its main thread. The
// caller closes it.
func OwnHost() (*Host, error) {
	handle, err := netns.GetFromPid(os.Getpid())
	if err != nil {
		return nil, fmt.Errorf("open own namespace: %w", err)
	}
	return newHost(handle)
}

// HostNamed opens the namespace of that name in /run/netns. The caller closes it.
func HostNamed(name string) (*Host, error) {
	handle, err := netns.GetFromName(name)
	if err != nil {
		return nil, fmt.Errorf("open namespace %s: %w", name, err)
	}
	return newHost(handle)
}

func newHost(handle netns.NsHandle) (*Host, error) {
	links, err := netlink.NewHandleAt(handle, unix.NETLINK_ROUTE)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open netlink: %w", err), handle.Close())
	}
	return &Host{handle, links}, nil
}

// ID identifies the namespace on this machine, as long as it exists.
func (h *Host) ID() string { return h.handle.UniqueId() }

// Close lets go of the namespace.
func (h *Host) Close() error {
	h.links.Close()
	return h.handle.Close()
}

// Port is what is remembered of an interface, to give it back as it was.
type Port struct {
	Name string `json:"name"`
	Up   bool   `json:"up"`
}

// Inspect looks at an interface of the host. One that has addresses or belongs to
// another is refused: taking it away would cut off the host.
func (h *Host) Inspect(name string) (Port, error) {
	link, err := h.links.LinkByName(name)
	if err != nil {
		return Port{}, fmt.Errorf("find port %s: %w", name, err)
	}
	attrs := link.Attrs()
	if attrs.MasterIndex != 0 {
		return Port{}, fmt.Errorf("take port %s: it belongs to a bridge or bond", name)
	}
	if attrs.EncapType != "ether" {
		return Port{}, fmt.Errorf("take port %s: not an Ethernet interface", name)
	}
	addrs, err := h.links.AddrList(link, netlink.FAMILY_ALL)
	if err != nil {
		return Port{}, fmt.Errorf("list addresses of port %s: %w", name, err)
	}
	for _, a := range addrs {
		if !a.IP.IsLinkLocalUnicast() {
			return Port{}, fmt.Errorf("take port %s: it has the address %s, such a port must not have one", name, a.IPNet)
		}
	}
	return Port{Name: name, Up: attrs.RawFlags&unix.IFF_UP != 0}, nil
}

// Move moves an interface from the host into another namespace, down.
func (h *Host) Move(p Port, n *Namespace) error {
	link, err := h.links.LinkByName(p.Name)
	if err == nil {
		err = h.links.LinkSetDown(link)
	}
	if err == nil {
		err = h.links.LinkSetNsFd(link, int(n.file.Fd()))
	}
	if err != nil {
		return fmt.Errorf("move port %s: %w", p.Name, err)
	}
	return nil
}

// Return moves an interface back from another namespace, and sets it up if it was. It is no
// error if it is not there: it never came, or was taken out of the machine.
func (h *Host) Return(p Port, n *Namespace) error {
	link, err := n.Links.LinkByName(p.Name)
	if _, missing := err.(netlink.LinkNotFoundError); missing {
		return nil
	}
	if err == nil {
		err = n.Links.LinkSetDown(link)
	}
	if err == nil {
		err = n.Links.LinkSetNsFd(link, int(h.handle))
	}
	if err == nil && p.Up {
		if link, err = h.links.LinkByName(p.Name); err == nil {
			err = h.links.LinkSetUp(link)
		}
	}
	if err != nil {
		return fmt.Errorf("return port %s: %w", p.Name, err)
	}
	return nil
}
