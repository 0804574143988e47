package intake

import (
	"errors"
	"fmt"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
)

// redirectNFT is what the kernel is told for one redirect intake: a table of
// address translation that goes when nobody has its owner any more.
type redirectNFT struct {
	nftMatch
	owner tableOwner // without a file until add
}

// redirectChain is the name of the chain in the table.
const redirectChain = "redirect"

func (r *redirectNFT) table() *nftables.Table {
	return &nftables.Table{Family: nftables.TableFamilyINet, Name: tablePrefix + r.name}
}

func newRedirectNFT(name string, config Redirect) (*redirectNFT, error) {
	m, err := newNFTMatch(name, config.From, config.Ports)
	if err != nil {
		return nil, err
	}
	host, port, err := parseListen(config.Listen)
	if err != nil {
		return nil, err
	}
	if !host.IsUnspecified() {
		return nil, fmt.Errorf("listen %q: the kernel redirects to the interface's own address, give :port", config.Listen)
	}
	m.port = port
	return &redirectNFT{nftMatch: m}, nil
}

// lock reserves the name for this process and removes what dead processes left
// behind. The locks are held until they are closed.
func (r *redirectNFT) lock() (nameLocks, error) {
	held, err := r.reserve()
	if err != nil {
		return nil, err
	}
	nftMu.Lock()
	defer nftMu.Unlock()
	if err := errors.Join(sweepTables(r.name), sweepRoutes(0), removeTable(tablePrefix+r.name)); err != nil {
		return nil, errors.Join(err, held.Close())
	}
	return held, nil
}

// reserve reserves the name for this process.
func (r *redirectNFT) reserve() (held nameLocks, err error) {
	if err := held.lock(tableLock(r.name)); err != nil {
		return nil, fmt.Errorf("name %q: %w", r.name, err)
	}
	return held, nil
}

// add writes the rules. In nft's words:
//
//	chain redirect { type nat hook prerouting priority dstnat
//	  fib daddr type local accept
//	  meta nfproto ipv4 iifname @from tcp flags syn / syn,ack tcp dport @ports redirect to :PORT
//	  ... the same for ipv6
//	}
//
// Connection tracking picks up connections in the middle; without the flags they
// would be redirected, too. After an error, remove cleans up.
func (r *redirectNFT) add() (err error) {
	nftMu.Lock()
	defer nftMu.Unlock()
	table, err := newOwnedTable(tablePrefix+r.name, 0)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, table.Close()) }() // r.owner goes on
	if r.owner, err = table.owner(); err != nil {
		return err
	}
	c := table.conn
	sets, err := r.addSets(c, table.Table)
	if err != nil {
		return err
	}
	chain := c.AddChain(&nftables.Chain{
		Table: table.Table, Name: redirectChain, Type: nftables.ChainTypeNAT,
		Hooknum: nftables.ChainHookPrerouting, Priority: nftables.ChainPriorityNATDest,
	})
	c.AddRule(&nftables.Rule{Table: table.Table, Chain: chain, Exprs: acceptLocal()})
	for _, f := range families() {
		if at := r.listenAddr(f); at.IsValid() {
			c.AddRule(&nftables.Rule{Table: table.Table, Chain: chain, Exprs: append(r.matchSYN(f, sets),
				&expr.Immediate{Register: 1, Data: binaryutil.BigEndian.PutUint16(at.Port())},
				&expr.Redir{RegisterProtoMin: 1},
			)})
		}
	}
	if err := c.Flush(); err != nil {
		return fmt.Errorf("write nftables table %s: %w", table.Name, err)
	}
	return nil
}

// pass lets new connections be routed, by an accept in front. The rules behind it
// stay: with the last one, the kernel would stop to track connections and to
// translate those that there are.
func (r *redirectNFT) pass() error {
	if err := r.owner.insertAccept(r.table(), redirectChain); err != nil {
		return fmt.Errorf("write nftables table %s%s: %w", tablePrefix, r.name, err)
	}
	return nil
}

// remove takes the redirection back. It is not an error if there is nothing to
// remove.
func (r *redirectNFT) remove() error {
	if r.owner.file == nil {
		return nil
	}
	if err := r.owner.Close(); err != nil {
		return fmt.Errorf("remove nftables table %s%s: %w", tablePrefix, r.name, err)
	}
	return nil
}
