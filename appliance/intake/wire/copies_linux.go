package wire

import (
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"os"
	"path/filepath"
	"unsafe"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// copies is the way of copied frames: out of the namespace by a link of two virtual
// interfaces, from whose far end a program passes them on to the port. The link
// finishes them: it has none of the offloads that let frames be longer than the
// MTU and lack sums.
type copies struct {
	inner int // index in the namespace, 0: there are none
	outer int // index in the process's namespace
	port  int // index there of the port where they leave

	kept bool // the link is that of another process, which may still use it
}

// innerCopies is the name of the end in the namespace.
const innerCopies = "copies"

// outerCopies is the name of the end outside, one for each wire.
func outerCopies(name string) string {
	h := fnv.New32a()
	h.Write([]byte(name))
	return fmt.Sprintf("cswire%08x", h.Sum32())
}

// linkCopies makes the link anew, or takes it away where no copies are wanted.
func (n *namespace) linkCopies(name string, c Config) (copies, error) {
	var none copies
	if err := n.Do(n.deleteCopiesLink); err != nil {
		return none, fmt.Errorf("remove link for copies: %w", err)
	}
	if c.Copy.To == "" || !c.Copy.Plain && !c.Copy.Tunneled && !c.Copy.Other {
		return none, nil
	}
	host, err := hostLinks()
	if err != nil {
		return none, err
	}
	defer host.Close()
	port, err := host.LinkByName(c.Copy.To)
	if err != nil {
		return none, fmt.Errorf("find port for copies %s: %w", c.Copy.To, err)
	}
	there, err := hostNamespace()
	if err != nil {
		return none, err
	}
	defer there.Close()

	made := copies{port: port.Attrs().Index}
	err = n.Do(func() error {
		mtu := 0
		for _, name := range c.Legs {
			leg, err := n.Links.LinkByName(name)
			if err != nil {
				return err
			}
			mtu = max(mtu, leg.Attrs().MTU)
		}
		if mtu > port.Attrs().MTU {
			return fmt.Errorf("MTU of %s is %d, that of the legs %d", c.Copy.To, port.Attrs().MTU, mtu)
		}
		attrs := netlink.NewLinkAttrs()
		attrs.Name, attrs.MTU = innerCopies, mtu
		veth := netlink.NewVeth(attrs)
		veth.PeerName, veth.PeerMTU, veth.PeerNamespace = outerCopies(name), uint32(mtu), netlink.NsFd(there)
		if err := n.Links.LinkAdd(veth); err != nil {
			return err
		}
		near, err := n.Links.LinkByName(innerCopies)
		if err != nil {
			return err
		}
		made.inner = near.Attrs().Index
		return errors.Join(disableOffloads(innerCopies), setUpSilent(n.Links, near))
	})
	if err != nil {
		return none, fmt.Errorf("make link for copies: %w", err)
	}
	far, err := host.LinkByName(outerCopies(name))
	if err != nil {
		return none, fmt.Errorf("find link for copies: %w", err)
	}
	made.outer = far.Attrs().Index
	if err := setUpSilent(host, far); err != nil {
		return none, fmt.Errorf("set up link for copies: %w", err)
	}
	return made, nil
}

// setUpSilent sets an interface up that says nothing of its own.
func setUpSilent(links *netlink.Handle, l netlink.Link) error {
	return errors.Join(
		writeSysctl("ipv6/conf/"+l.Attrs().Name+"/disable_ipv6", "1"),
		links.LinkSetARPOff(l),
		links.LinkSetUp(l))
}

// deleteCopiesLink removes the link if there is one; both ends go.
func (n *namespace) deleteCopiesLink() error {
	l, err := n.Links.LinkByName(innerCopies)
	if _, missing := err.(netlink.LinkNotFoundError); missing {
		return nil
	}
	if err != nil {
		return err
	}
	return n.Links.LinkDel(l)
}

// removeCopies takes the link away.
func (n *namespace) removeCopies() error {
	if err := n.Do(n.deleteCopiesLink); err != nil {
		return fmt.Errorf("remove link for copies: %w", err)
	}
	return nil
}

// disableOffloads has the kernel complete checksums, and with that cut frames to
// the MTU, before it gives them to the interface. It runs in the namespace.
func disableOffloads(name string) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	for _, command := range []uint32{unix.ETHTOOL_STXCSUM, unix.ETHTOOL_STSO, unix.ETHTOOL_SGSO} {
		value := struct{ command, value uint32 }{command: command} // struct ethtool_value, 0 is off
		request := struct {                                        // struct ifreq
			name [unix.IFNAMSIZ]byte
			data unsafe.Pointer
			_    [24 - unsafe.Sizeof(uintptr(0))]byte
		}{data: unsafe.Pointer(&value)}
		copy(request.name[:], name)
		if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCETHTOOL, uintptr(unsafe.Pointer(&request))); errno != 0 {
			return fmt.Errorf("switch off offload: %w", errno)
		}
	}
	return nil
}

// attachCopies puts the program at the far end of the link to work. The
// directory of pins exists.
func (p *program) attachCopies(name string, c copies) error {
	pin := filepath.Join(pinDir(name), "copies")
	if c.kept {
		return p.attachLink(pin, p.WireCopy, func() (link.Link, error) {
			return link.AttachTCX(link.TCXOptions{Interface: c.outer, Program: p.WireCopy, Attach: ebpf.AttachTCXIngress})
		})
	}
	if err := os.Remove(pin); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove pin of an earlier process: %w", err)
	}
	if c.inner == 0 {
		return nil
	}
	l, err := link.AttachTCX(link.TCXOptions{Interface: c.outer, Program: p.WireCopy, Attach: ebpf.AttachTCXIngress})
	if err != nil {
		return fmt.Errorf("attach program for copies: %w", err)
	}
	p.links = append(p.links, l)
	if err := l.Pin(pin); err != nil {
		return fmt.Errorf("pin link: %w", err)
	}
	return nil
}
