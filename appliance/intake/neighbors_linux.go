package intake

import (
	"errors"
	"fmt"
	"net/netip"

	rtnetlink "github.com/mdlayher/netlink"
	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// neighbors knows the link-layer addresses of clients on the interfaces they
// come from, by asking the kernel for one entry at a time. Safe for concurrent
// use.
//
// It keeps one socket. Package vishvananda/netlink would open one for each question,
// and read the answer into 64 KiB of stack, which the session's goroutine would keep.
type neighbors struct {
	links  []int
	socket *rtnetlink.Conn // nil: it is closed, or was never open
}

// newNeighbors fails if an interface does not exist. Close it.
func newNeighbors(ifaces []string) (neighbors, error) {
	var n neighbors
	for _, iface := range ifaces {
		link, err := netlink.LinkByName(iface)
		if err != nil {
			return neighbors{}, fmt.Errorf("find interface %s: %w", iface, err)
		}
		n.links = append(n.links, link.Attrs().Index)
	}
	socket, err := rtnetlink.Dial(unix.NETLINK_ROUTE, nil)
	if err != nil {
		return neighbors{}, fmt.Errorf("ask for neighbours: %w", err)
	}
	n.socket = socket
	return n, nil
}

// close ends the socket. mac must not be called any more.
func (n neighbors) close() error {
	if n.socket == nil {
		return nil
	}
	return n.socket.Close()
}

// mac returns the address of a client, or zeros for one behind a further router.
func (n neighbors) mac(client netip.Addr) [6]byte {
	number := uint8(unix.AF_INET)
	if client.Is6() {
		number = unix.AF_INET6
	}
	address := nl.NewRtAttr(netlink.NDA_DST, client.AsSlice()).Serialize()
	for _, link := range n.links {
		entry, err := n.ask(append((&netlink.Ndmsg{Family: number, Index: uint32(link)}).Serialize(), address...))
		if err == nil && len(entry.HardwareAddr) == 6 {
			return [6]byte(entry.HardwareAddr)
		}
	}
	return [6]byte{}
}

// ask asks for the one entry that question describes.
func (n neighbors) ask(question []byte) (*netlink.Neigh, error) {
	answers, err := n.socket.Execute(rtnetlink.Message{
		Header: rtnetlink.Header{Type: unix.RTM_GETNEIGH, Flags: rtnetlink.Request},
		Data:   question,
	})
	switch {
	case err != nil:
		return nil, err
	case len(answers) == 0 || answers[0].Header.Type != unix.RTM_NEWNEIGH:
		return nil, errors.New("no entry")
	}
	return netlink.NeighDeserialize(answers[0].Data)
}
