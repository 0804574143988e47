package intake

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// Bounds of what is looked at.
const (
	copyRate = 1000 // datagrams a second, and as many at once

	maxFlows    = 65536            // of each family in a set
	refusedTime = 2 * time.Minute  // after the last datagram of a flow that is refused
	heldTime    = 10 * time.Second // during which no other datagram of a flow is held
)

// quicTable is a table that hands copies of QUIC to this process, before the
// forwardedTable takes effect; it goes with the process. Where QUIC is refused, it holds
// the first datagram of each flow, for which the process answers: a hello is often two
// datagrams, of which a client would not send the second after a refusal. Where QUIC
// passes, it refuses single flows.
type quicTable struct {
	table   *ownedTable
	nflog   *nflog
	exempt  exemptSets
	refused map[int]*nftables.Set // by family number; nil where QUIC is refused
	icmp    *icmpAnswers          // nil: no datagram is held
}

// quicTableName is the name of an intake's table.
func quicTableName(name string) string { return tablePrefix + name + "/quic" }

// quicName is the name of this process's table.
func (f *forwardedTable) quicName() string { return quicTableName(f.match.name) + f.suffix }

// openQUICTable writes the table. f is called for each copy once serve runs.
func (f *forwardedTable) openQUICTable() (_ *quicTable, err error) {
	name := f.quicName()
	q := new(quicTable)
	defer func() {
		if err != nil {
			err = errors.Join(err, q.close())
		}
	}()
	if q.nflog, err = openNFLOG(name); err != nil {
		return nil, err
	}
	if f.config.QUIC == BlockQUIC {
		var lack error
		if q.icmp, lack = openICMPAnswers(); lack != nil {
			f.log.Warn("QUIC is refused before its name is known", "err", lack)
		}
	}
	if q.table, err = newOwnedTable(name, 0); err != nil {
		return nil, err
	}
	if err = q.rules(f); err == nil {
		err = q.table.conn.Flush()
	}
	if err != nil {
		return nil, fmt.Errorf("write nftables table %s: %w", name, err)
	}
	return q, nil
}

// rules appends the rules to a transaction. In nft's words, with all that may be there:
//
//	chain forward { type filter hook forward priority mangle - 1
//	  iifname != @from accept
//	  ip saddr @exempt_clients4 accept
//	  ... and so on, as in the forwardedTable
//	  meta l4proto != udp accept
//	  ip saddr . udp sport . ip daddr . udp dport @refused4 update @refused4 { ... } goto refuse
//	  ... the same for ip6
//	  @th,64,8 & 0xc0 == 0xc0 @th,72,32 1 goto long
//	  ... the same for other versions
//	}
//	chain long {
//	  ip saddr . ... != @held4 limit rate 1000/second log prefix "... held" group N add @held4 { ... } counter name "quic_refused" drop
//	  ... the same for ip6
//	  limit rate 1000/second log prefix "..." group N
//	  counter name "quic_passed"
//	}
//	chain refuse { counter name "quic_refused" reject with icmpx port-unreachable }
//
// What exceeds the rate is not held: the forwardedTable refuses it at once.
func (q *quicTable) rules(f *forwardedTable) error {
	c, table := q.table.conn, q.table.Table
	b := ruleBuilder{c: c, table: table}
	selected, err := f.match.addSets(c, table)
	if err != nil {
		return err
	}
	if q.exempt, err = addExemptSets(c, table, f.config.Exempt); err != nil {
		return err
	}
	forward := b.chain("forward", nftables.ChainHookForward, nftables.ChainPriorityRef(*nftables.ChainPriorityMangle-1))
	long := b.plainChain("long")
	b.others(forward, selected)
	b.exempt(forward, q.exempt)
	b.notUDP(forward)
	if f.config.QUIC == BlockQUIC {
		if q.icmp != nil {
			if err := q.hold(&b, long); err != nil {
				return err
			}
		}
		b.rule(long, q.nflog.log(false))
	} else {
		refuse := b.refuse()
		q.refused = make(map[int]*nftables.Set)
		for _, family := range families() {
			set, err := b.flows("refused", family, refusedTime)
			if err != nil {
				return err
			}
			q.refused[family.number] = set
			b.rule(forward, flowKey(family), inFlows(set, false), dynset(set, unix.NFT_DYNSET_OP_UPDATE, refusedTime), goTo(refuse))
		}
		b.rule(long, q.nflog.log(false))
		b.rule(long, b.counter(countQUIC))
	}
	b.longHeaders(forward, long)
	return nil
}

// hold appends what drops the first datagram of each flow.
func (q *quicTable) hold(b *ruleBuilder, long *nftables.Chain) error {
	count := b.counter(countRefused)
	for _, family := range families() {
		set, err := b.flows("held", family, heldTime)
		if err != nil {
			return err
		}
		b.rule(long, flowKey(family), inFlows(set, true), q.nflog.log(true), dynset(set, unix.NFT_DYNSET_OP_ADD, heldTime),
			count, &expr.Verdict{Kind: expr.VerdictDrop})
	}
	return nil
}

// refuse has a flow refused from now on.
func (q *quicTable) refuse(client, origin netip.AddrPort) error {
	number := unix.AF_INET
	if client.Addr().Is6() {
		number = unix.AF_INET6
	}
	set := q.refused[number]
	if set == nil {
		return nil
	}
	if err := q.table.conn.SetAddElements(set, []nftables.SetElement{{Key: flowOctets(client, origin)}}); err != nil {
		return err
	}
	return q.table.conn.Flush()
}

// close ends the group, and removes the table.
func (q *quicTable) close() error {
	var errs []error
	if q.table != nil {
		errs = append(errs, q.table.Close())
	}
	if q.nflog != nil {
		errs = append(errs, q.nflog.close())
	}
	if q.icmp != nil {
		errs = append(errs, q.icmp.close())
	}
	return errors.Join(errs...)
}
