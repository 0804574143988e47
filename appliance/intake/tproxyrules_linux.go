package intake

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

const (
	tablePrefix = "clearspan_"
	divertChain = "divert"
)

// addTable writes the table in one transaction. In nft's words:
//
//	chain divert { type filter hook prerouting priority raw
//	  meta l4proto { tcp, icmp, icmpv6 } socket transparent 1 notrack meta mark set MARK accept
//	  fib daddr type local accept
//	  meta nfproto ipv4 iifname @from tcp flags syn / syn,ack tcp dport @ports
//	    tproxy ip to 127.0.0.1:PORT notrack meta mark set MARK accept
//	  ... the same for ipv6
//	}
//	chain legs { type filter hook output priority raw
//	  meta mark MARK+1 notrack
//	}
//
// The first rule takes packets of our sockets, both legs, and ICMP errors about
// them. All of it comes before connection tracking, and tproxy ends the rule if
// nobody listens, so that exactly the packets we take are not tracked.
func (n *tproxyNFT) addTable() error {
	c, err := nftables.New()
	if err != nil {
		return fmt.Errorf("open nftables: %w", err)
	}
	table := &nftables.Table{Family: nftables.TableFamilyINet, Name: tablePrefix + n.name}
	// The kernel replaces a table of that name at once.
	c.AddTable(table)
	c.DelTable(table)
	c.AddTable(table)

	protocols := &nftables.Set{Table: table, Anonymous: true, Constant: true, KeyType: nftables.TypeInetProto}
	err = c.AddSet(protocols, []nftables.SetElement{{Key: []byte{unix.IPPROTO_TCP}}, {Key: []byte{unix.IPPROTO_ICMP}}, {Key: []byte{unix.IPPROTO_ICMPV6}}})
	if err != nil {
		return fmt.Errorf("write nftables sets: %w", err)
	}
	sets, err := n.addSets(c, table)
	if err != nil {
		return err
	}

	divert := c.AddChain(&nftables.Chain{
		Table: table, Name: divertChain, Type: nftables.ChainTypeFilter,
		Hooknum: nftables.ChainHookPrerouting, Priority: nftables.ChainPriorityRaw,
	})
	c.AddRule(&nftables.Rule{Table: table, Chain: divert, Exprs: append([]expr.Any{
		&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: 1},
		lookup(protocols),
		&expr.Socket{Key: expr.SocketKeyTransparent, Register: 1},
		equal(1),
	}, n.take()...)})
	c.AddRule(&nftables.Rule{Table: table, Chain: divert, Exprs: acceptLocal()})
	for _, f := range families() {
		if at := n.listenAddr(f); at.IsValid() {
			c.AddRule(&nftables.Rule{Table: table, Chain: divert, Exprs: n.divert(f, at, sets)})
		}
	}

	legs := c.AddChain(&nftables.Chain{
		Table: table, Name: "legs", Type: nftables.ChainTypeFilter,
		Hooknum: nftables.ChainHookOutput, Priority: nftables.ChainPriorityRaw,
	})
	c.AddRule(&nftables.Rule{Table: table, Chain: legs, Exprs: []expr.Any{
		&expr.Meta{Key: expr.MetaKeyMARK, Register: 1},
		equal(binaryutil.NativeEndian.PutUint32(n.mark + 1)...),
		&expr.Notrack{},
	}})
	if err := c.Flush(); err != nil {
		return fmt.Errorf("write nftables table %s: %w", table.Name, err)
	}
	return nil
}

// divert is the rule that gives new connections of one family to the listener.
func (n *tproxyNFT) divert(f family, at netip.AddrPort, sets nftSets) []expr.Any {
	rule := append(n.matchSYN(f, sets),
		&expr.Immediate{Register: 1, Data: at.Addr().AsSlice()},
		&expr.Immediate{Register: 2, Data: binaryutil.BigEndian.PutUint16(at.Port())},
		&expr.TProxy{Family: byte(f.number), TableFamily: byte(nftables.TableFamilyINet), RegAddr: 1, RegPort: 2})
	return append(rule, n.take()...)
}

// take ends a rule whose packets go to our sockets.
func (n *tproxyNFT) take() []expr.Any {
	return []expr.Any{
		&expr.Notrack{},
		&expr.Immediate{Register: 1, Data: binaryutil.NativeEndian.PutUint32(n.mark)},
		&expr.Meta{Key: expr.MetaKeyMARK, SourceRegister: true, Register: 1},
		&expr.Verdict{Kind: expr.VerdictAccept},
	}
}

// removeTable removes a table by its full name, if it is there.
func removeTable(name string) error {
	c, err := nftables.New()
	if err != nil {
		return fmt.Errorf("open nftables: %w", err)
	}
	c.DelTable(&nftables.Table{Family: nftables.TableFamilyINet, Name: name})
	if err := c.Flush(); err != nil && !errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("remove nftables table %s: %w", name, err)
	}
	return nil
}

// sweepTables removes the tables of intakes that are dead. Those of other
// processes and other modes stay, and so does that of own, which is replaced.
func sweepTables(own string) error {
	c, err := nftables.New()
	if err != nil {
		return fmt.Errorf("open nftables: %w", err)
	}
	chains, err := dump(func() ([]*nftables.Chain, error) { return c.ListChainsOfTableFamily(nftables.TableFamilyINet) })
	if err != nil {
		return fmt.Errorf("list nftables chains: %w", err)
	}
	var errs []error
	for _, chain := range chains {
		name, ours := strings.CutPrefix(chain.Table.Name, tablePrefix)
		if ours && chain.Name == divertChain && name != own {
			errs = append(errs, ifUnlocked(tableLock(name), func() error { return removeTable(chain.Table.Name) }))
		}
	}
	return errors.Join(errs...)
}
