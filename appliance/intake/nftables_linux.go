package intake

import (
	"errors"
	"fmt"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// Flags of tables, of linux/netfilter/nf_tables.h.
const (
	tableOwned   = 0x2 // NFT_TABLE_F_OWNER
	tablePersist = 0x4 // NFT_TABLE_F_PERSIST, Linux 6.9
)

// ownedTable is an nftables table that lives as long as the netlink socket that
// made it: the kernel destroys it when the socket is closed, which is at once if
// the process dies, however it dies. Nobody else can change it, and flushing the
// ruleset leaves it alone. Changes go through conn. Needs Linux 5.12. One that persists
// stays when the socket is closed, and belongs to nobody from then on.
type ownedTable struct {
	*nftables.Table
	conn   *nftables.Conn
	socket *netlink.Conn // of conn
}

// newOwnedTable creates an empty table of that name, which must not exist. flags may
// hold tablePersist; a kernel that does not know it returns unix.EOPNOTSUPP.
func newOwnedTable(name string, flags uint32) (*ownedTable, error) {
	var socket *netlink.Conn
	conn, err := nftables.New(nftables.AsLasting(), nftables.WithSockOptions(func(c *netlink.Conn) error {
		socket = c
		return setWriteBuffer(c)
	}))
	if err != nil {
		return nil, fmt.Errorf("open nftables: %w", err)
	}
	t := &ownedTable{&nftables.Table{Family: nftables.TableFamilyINet, Name: name, Flags: tableOwned | flags}, conn, socket}
	if err := createTable(socket, t.Table); err != nil {
		return nil, errors.Join(fmt.Errorf("create nftables table %s: %w", name, err), t.Close())
	}
	return t, nil
}

// writeBuffer is for transactions with many elements of sets.
const writeBuffer = 4 << 20

// setWriteBuffer is an option of netlink sockets.
func setWriteBuffer(c *netlink.Conn) error {
	c.SetWriteBuffer(writeBuffer) // a smaller one does for most
	return nil
}

// Close removes the table and all that is in it, or leaves it if it persists.
func (t *ownedTable) Close() error { return t.conn.CloseLasting() }

// createTable writes a table with its flags, which package nftables leaves out.
func createTable(socket *netlink.Conn, t *nftables.Table) error {
	attributes, err := netlink.MarshalAttributes([]netlink.Attribute{
		{Type: unix.NFTA_TABLE_NAME, Data: []byte(t.Name + "\x00")},
		{Type: unix.NFTA_TABLE_FLAGS, Data: binaryutil.BigEndian.PutUint32(t.Flags)},
	})
	if err != nil {
		return err
	}
	const newTable = unix.NFNL_SUBSYS_NFTABLES<<8 | unix.NFT_MSG_NEWTABLE
	return transact(socket, nfMessage(newTable, netlink.Acknowledge|netlink.Create|netlink.Excl, byte(t.Family), 0, attributes))
}

// transact has the kernel make one change, which asks to be acknowledged.
func transact(socket *netlink.Conn, change netlink.Message) error {
	_, err := socket.SendMessages([]netlink.Message{
		nfMessage(unix.NFNL_MSG_BATCH_BEGIN, 0, unix.AF_UNSPEC, unix.NFNL_SUBSYS_NFTABLES, nil),
		change,
		nfMessage(unix.NFNL_MSG_BATCH_END, 0, unix.AF_UNSPEC, unix.NFNL_SUBSYS_NFTABLES, nil),
	})
	if err != nil {
		return err
	}
	_, err = socket.Receive()
	return err
}

// nfMessage is a request with the header struct nfgenmsg: family, version and,
// in network order, a resource.
func nfMessage(kind netlink.HeaderType, flags netlink.HeaderFlags, family byte, resource uint16, attributes []byte) netlink.Message {
	header := append([]byte{family, unix.NFNETLINK_V0}, binaryutil.BigEndian.PutUint16(resource)...)
	return netlink.Message{
		Header: netlink.Header{Type: kind, Flags: netlink.Request | flags},
		Data:   append(header, attributes...),
	}
}
