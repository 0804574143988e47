package intake

import (
	"fmt"
	"net/netip"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// neighbours knows the link-layer addresses of clients on the interfaces they
// come from, by asking the kernel for one entry at a time. Safe for concurrent
// use.
type neighbours struct{ links []int }

// newNeighbours fails if an interface does not exist.
func newNeighbours(ifaces []string) (neighbours, error) {
	var n neighbours
	for _, iface := range ifaces {
		link, err := netlink.LinkByName(iface)
		if err != nil {
			return neighbours{}, fmt.Errorf("find interface %s: %w", iface, err)
		}
		n.links = append(n.links, link.Attrs().Index)
	}
	return n, nil
}

// mac returns the address of a client, or zeros for one behind a further router.
func (n neighbours) mac(client netip.Addr) [6]byte {
	number := uint8(unix.AF_INET)
	if client.Is6() {
		number = unix.AF_INET6
	}
	for _, link := range n.links {
		request := nl.NewNetlinkRequest(unix.RTM_GETNEIGH, 0)
		request.AddData(&netlink.Ndmsg{Family: number, Index: uint32(link)})
		request.AddData(nl.NewRtAttr(netlink.NDA_DST, client.AsSlice()))
		replies, err := request.Execute(unix.NETLINK_ROUTE, unix.RTM_NEWNEIGH)
		if err != nil || len(replies) == 0 {
			continue
		}
		entry, err := netlink.NeighDeserialize(replies[0])
		if err == nil && len(entry.HardwareAddr) == 6 {
			return [6]byte(entry.HardwareAddr)
		}
	}
	return [6]byte{}
}
