package intake

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// tableOwner is the netlink socket that owns an nftables table, see ownedTable. It is a file,
// so that the program that takes this one's place can have it: the kernel knows owners by
// their sockets, not by their processes. Its methods are not safe for concurrent use.
type tableOwner struct{ file *os.File }

// owner returns the owner of t once more. The table is there until both are closed.
func (t *ownedTable) owner() (tableOwner, error) {
	raw, err := t.socket.SyscallConn()
	if err != nil {
		return tableOwner{}, fmt.Errorf("hold nftables table %s: %w", t.Name, err)
	}
	fd, failed := -1, error(nil)
	err = raw.Control(func(s uintptr) { fd, failed = unix.FcntlInt(s, unix.F_DUPFD_CLOEXEC, 0) })
	if err = errors.Join(err, failed); err != nil {
		return tableOwner{}, fmt.Errorf("hold nftables table %s: %w", t.Name, err)
	}
	return tableOwner{os.NewFile(uintptr(fd), "nftables")}, nil
}

// adoptOwner takes the file of an owner, which it borrows after an error.
func adoptOwner(file *os.File) (o tableOwner, err error) {
	o = tableOwner{file}
	var protocol int
	failed := o.control(func(fd int) { protocol, err = unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_PROTOCOL) })
	if err = errors.Join(failed, err); err != nil {
		return tableOwner{}, fmt.Errorf("take over owner of a table: %w", err)
	}
	if name, err := o.name(); err != nil || name.Pid == 0 || protocol != unix.NETLINK_NETFILTER {
		return tableOwner{}, fmt.Errorf("take over owner of a table: not its socket (protocol %d, %v)", protocol, err)
	}
	return o, nil
}

// name returns the address that the kernel knows the owner by.
func (o tableOwner) name() (*unix.SockaddrNetlink, error) {
	var at unix.Sockaddr
	var err error
	failed := o.control(func(fd int) { at, err = unix.Getsockname(fd) })
	if err = errors.Join(failed, err); err != nil {
		return nil, err
	}
	name, ok := at.(*unix.SockaddrNetlink)
	if !ok {
		return nil, fmt.Errorf("address of a netlink socket is a %T", at)
	}
	return name, nil
}

func (o tableOwner) control(f func(fd int)) error {
	raw, err := o.file.SyscallConn()
	if err != nil {
		return err
	}
	return raw.Control(func(fd uintptr) { f(int(fd)) })
}

// insertAccept has a chain of the table begin with an accept.
func (o tableOwner) insertAccept(table *nftables.Table, chain string) error {
	name, err := o.name()
	if err != nil {
		return err
	}
	verdict, err := expr.Marshal(byte(table.Family), &expr.Verdict{Kind: expr.VerdictAccept})
	if err != nil {
		return err
	}
	list, err := netlink.MarshalAttributes([]netlink.Attribute{{Type: unix.NLA_F_NESTED | unix.NFTA_LIST_ELEM, Data: verdict}})
	if err != nil {
		return err
	}
	rule, err := netlink.MarshalAttributes([]netlink.Attribute{
		{Type: unix.NFTA_RULE_TABLE, Data: []byte(table.Name + "\x00")},
		{Type: unix.NFTA_RULE_CHAIN, Data: []byte(chain + "\x00")},
		{Type: unix.NLA_F_NESTED | unix.NFTA_RULE_EXPRESSIONS, Data: list},
	})
	if err != nil {
		return err
	}
	const newRule = unix.NFNL_SUBSYS_NFTABLES<<8 | unix.NFT_MSG_NEWRULE
	return transact(netlink.NewConn(o, name.Pid), nfMessage(newRule, netlink.Acknowledge|netlink.Create, byte(table.Family), 0, rule))
}

// Close removes the table, if nobody else has its owner.
func (o tableOwner) Close() error {
	if err := o.file.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
		return err
	}
	return nil
}

// Send, SendMessages and Receive are what package netlink needs of a socket.

// Send sends a request.
func (o tableOwner) Send(m netlink.Message) error { return o.SendMessages([]netlink.Message{m}) }

// SendMessages sends requests at once.
func (o tableOwner) SendMessages(messages []netlink.Message) error {
	var all []byte
	for _, m := range messages {
		one, err := m.MarshalBinary()
		if err != nil {
			return err
		}
		all = append(all, one...)
	}
	var err error
	failed := o.control(func(fd int) { err = unix.Sendto(fd, all, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}) })
	return errors.Join(failed, err)
}

const (
	ownerAnswer  = 8 << 10         // octets: an acknowledgment, or an error with the request
	ownerTimeout = 5 * time.Second // the kernel has answered when the request is sent
)

// Receive returns what the kernel answered.
func (o tableOwner) Receive() ([]netlink.Message, error) {
	raw, err := o.file.SyscallConn()
	if err != nil {
		return nil, err
	}
	if err := o.file.SetReadDeadline(time.Now().Add(ownerTimeout)); err != nil {
		return nil, err
	}
	answer := make([]byte, ownerAnswer)
	var n int
	failed := raw.Read(func(fd uintptr) bool {
		n, _, err = unix.Recvfrom(int(fd), answer, 0)
		return !errors.Is(err, unix.EAGAIN)
	})
	if err = errors.Join(failed, err); err != nil {
		return nil, err
	}
	parsed, err := syscall.ParseNetlinkMessage(answer[:n])
	if err != nil {
		return nil, err
	}
	var messages []netlink.Message
	for _, m := range parsed {
		messages = append(messages, netlink.Message{Header: netlink.Header{
			Length: m.Header.Len, Type: netlink.HeaderType(m.Header.Type), Flags: netlink.HeaderFlags(m.Header.Flags), Sequence: m.Header.Seq, PID: m.Header.Pid,
		}, Data: m.Data})
	}
	return messages, nil
}
