package intake

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"sync"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// Messages and attributes of linux/netfilter/nfnetlink_log.h.
const (
	logPacket  = unix.NFNL_SUBSYS_ULOG << 8
	logConfig  = unix.NFNL_SUBSYS_ULOG<<8 | 1
	logCommand = 1 // attributes of a configuration
	logMode    = 2
	logPayload = 9 // attributes of a packet
	logPrefix  = 10

	logBind       = 1 // command
	logCopyPacket = 2 // mode: whole packets
)

// Groups of copies. Each intake takes one that nobody in the network namespace has.
const (
	baseGroup = 0x6373
	groups    = 64

	copyLength = 2048    // octets of each packet, at most
	copyRoom   = 4 << 20 // octets of copies that wait; the kernel drops others
)

// copies are the packets that a rule "log group N" hands to this process. The kernel
// gives the group back when the socket is closed. A dead process may have left a rule
// for the same group: the prefix tells ours.
type copies struct {
	group  uint16
	prefix string
	conn   *netlink.Conn
	done   sync.WaitGroup
}

// openCopies takes a group. The rule must have the prefix.
func openCopies(prefix string) (*copies, error) {
	conn, err := netlink.Dial(unix.NETLINK_NETFILTER, nil)
	if err != nil {
		return nil, fmt.Errorf("open netfilter log: %w", err)
	}
	conn.SetReadBuffer(copyRoom) // a smaller one does, too
	for n := range groups {
		c := &copies{group: uint16(baseGroup + n), prefix: prefix, conn: conn}
		err = c.configure(logCommand, logBind)
		if errors.Is(err, unix.EPERM) || errors.Is(err, unix.EBUSY) {
			continue // another process has it
		}
		if err == nil {
			mode := binary.BigEndian.AppendUint32(nil, copyLength)
			err = c.configure(logMode, append(mode, logCopyPacket, 0)...)
		}
		if err == nil {
			return c, nil
		}
		break
	}
	return nil, errors.Join(fmt.Errorf("open netfilter log: %w", err), conn.Close())
}

func (c *copies) configure(attribute uint16, data ...byte) error {
	attributes, err := netlink.MarshalAttributes([]netlink.Attribute{{Type: attribute, Data: data}})
	if err != nil {
		return err
	}
	_, err = c.conn.Execute(nfMessage(logConfig, netlink.Acknowledge, unix.AF_UNSPEC, c.group, attributes))
	return err
}

// serve calls f, which borrows the datagram, for each copy until close.
func (c *copies) serve(f func(client, origin netip.AddrPort, payload []byte)) {
	c.done.Go(func() {
		for {
			messages, err := c.conn.Receive()
			if errors.Is(err, unix.ENOBUFS) {
				continue // copies were dropped for want of room
			}
			if err != nil {
				return // closed
			}
			for _, m := range messages {
				if client, origin, payload, ok := parseDatagram(copied(m, c.prefix)); ok {
					f(client, origin, payload)
				}
			}
		}
	})
}

// copied returns the packet in a message, nil if there is none, or if it comes from
// another rule.
func copied(m netlink.Message, prefix string) (packet []byte) {
	const header = 4 // struct nfgenmsg
	if m.Header.Type != logPacket || len(m.Data) < header {
		return nil
	}
	attributes, err := netlink.NewAttributeDecoder(m.Data[header:])
	if err != nil {
		return nil
	}
	ours := false
	for attributes.Next() {
		switch attributes.Type() {
		case logPayload:
			packet = attributes.Bytes()
		case logPrefix:
			ours = attributes.String() == prefix
		}
	}
	if !ours {
		return nil
	}
	return packet
}

// close gives the group back and waits until f is not called any more.
func (c *copies) close() error {
	err := c.conn.Close()
	c.done.Wait()
	return err
}
