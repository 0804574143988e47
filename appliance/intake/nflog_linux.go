package intake

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/google/nftables/expr"
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

// nflog are the packets that a rule "log group N" hands to this process. The kernel
// gives the group back when the socket is closed. A dead process may have left a rule
// for the same group: the prefix tells ours.
type nflog struct {
	group  uint16
	prefix string
	conn   *netlink.Conn
	closed atomic.Bool
	done   sync.WaitGroup
}

// openNFLOG takes a group. The rule must have the prefix.
func openNFLOG(prefix string) (*nflog, error) {
	conn, err := netlink.Dial(unix.NETLINK_NETFILTER, nil)
	if err != nil {
		return nil, fmt.Errorf("open netfilter log: %w", err)
	}
	conn.SetReadBuffer(copyRoom) // a smaller one does, too
	for n := range groups {
		l := &nflog{group: uint16(baseGroup + n), prefix: prefix, conn: conn}
		err = l.configure(logCommand, logBind)
		if errors.Is(err, unix.EPERM) || errors.Is(err, unix.EBUSY) {
			continue // another process has it
		}
		if err == nil {
			mode := binary.BigEndian.AppendUint32(nil, copyLength)
			err = l.configure(logMode, append(mode, logCopyPacket, 0)...)
		}
		if err == nil {
			return l, nil
		}
		break
	}
	return nil, errors.Join(fmt.Errorf("open netfilter log: %w", err), conn.Close())
}

func (l *nflog) configure(attribute uint16, data ...byte) error {
	attributes, err := netlink.MarshalAttributes([]netlink.Attribute{{Type: attribute, Data: data}})
	if err != nil {
		return err
	}
	_, err = l.conn.Execute(nfMessage(logConfig, netlink.Acknowledge, unix.AF_UNSPEC, l.group, attributes))
	return err
}

// log is what hands copies to this process, up to a rate. held has them told apart.
func (l *nflog) log(held bool) []expr.Any {
	prefix := l.prefix
	if held {
		prefix += heldSuffix
	}
	return []expr.Any{
		&expr.Limit{Type: expr.LimitTypePkts, Rate: copyRate, Unit: expr.LimitTimeSecond, Burst: copyRate},
		&expr.Log{
			Key:   1<<unix.NFTA_LOG_GROUP | 1<<unix.NFTA_LOG_SNAPLEN | 1<<unix.NFTA_LOG_QTHRESHOLD | 1<<unix.NFTA_LOG_PREFIX,
			Group: l.group, Snaplen: copyLength, QThreshold: 1, Data: []byte(prefix),
		},
	}
}

// heldSuffix ends the prefix of copies of held datagrams.
const heldSuffix = " held"

// serve calls f, which borrows the packet, for each copy until close. If it ends
// before that, it tells failed.
func (l *nflog) serve(f func(packet []byte, held bool), failed func(error)) {
	l.done.Go(func() {
		for {
			messages, err := l.conn.Receive()
			if errors.Is(err, unix.ENOBUFS) {
				continue // copies were dropped for want of room
			}
			if l.closed.Load() {
				return
			}
			if err != nil {
				failed(err)
				return
			}
			for _, m := range messages {
				if packet, held := parseNFLOG(m, l.prefix); packet != nil {
					f(packet, held)
				}
			}
		}
	})
}

// parseNFLOG returns the packet in a message, nil if there is none, or if it comes from
// another rule.
func parseNFLOG(m netlink.Message, prefix string) (packet []byte, held bool) {
	const header = 4 // struct nfgenmsg
	if m.Header.Type != logPacket || len(m.Data) < header {
		return nil, false
	}
	attributes, err := netlink.NewAttributeDecoder(m.Data[header:])
	if err != nil {
		return nil, false
	}
	ours := false
	for attributes.Next() {
		switch attributes.Type() {
		case logPayload:
			packet = attributes.Bytes()
		case logPrefix:
			var own string
			own, held = strings.CutSuffix(attributes.String(), heldSuffix)
			ours = own == prefix
		}
	}
	if !ours {
		return nil, false
	}
	return packet, held
}

// close gives the group back and waits until f is not called any more.
func (l *nflog) close() error {
	l.closed.Store(true)
	err := l.conn.Close()
	l.done.Wait()
	return err
}
