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

// peek is a table that hands copies of QUIC to this process, before the fence takes
// effect; it goes with the process. Where QUIC is refused, it holds the first datagram
// of each flow, for which the process answers: a hello is often two datagrams, of which
// a client would not send the second after a refusal. Where QUIC passes, it refuses
// single flows.
type peek struct {
	table   *ownedTable
	copies  *copies
	exempt  exemptSets
	refused map[int]*nftables.Set // by family number; nil where QUIC is refused
	answers *answers              // nil: no datagram is held
}

// peekTable is the name of an intake's table.
func peekTable(name string) string { return tablePrefix + name + "/quic" }

// openPeek writes the table. f is called for each copy once serve runs.
func (f *fence) openPeek() (_ *peek, err error) {
	name := peekTable(f.selection.name)
	p := new(peek)
	defer func() {
		if err != nil {
			err = errors.Join(err, p.close())
		}
	}()
	if p.copies, err = openCopies(name); err != nil {
		return nil, err
	}
	if f.config.RefuseQUIC {
		var lack error
		if p.answers, lack = openAnswers(); lack != nil {
			f.log.Warn("QUIC is refused before its name is known", "err", lack)
		}
	}
	if p.table, err = newOwnedTable(name, 0); err != nil {
		return nil, err
	}
	if err = p.rules(f); err == nil {
		err = p.table.conn.Flush()
	}
	if err != nil {
		return nil, fmt.Errorf("write nftables table %s: %w", name, err)
	}
	return p, nil
}

// rules appends the rules to a transaction. In nft's words, with all that may be there:
//
//	chain forward { type filter hook forward priority mangle - 1
//	  iifname != @from accept
//	  ip saddr @exempt_clients4 accept
//	  ... and so on, as in the fence
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
// What exceeds the rate is not held: the fence refuses it at once.
func (p *peek) rules(f *fence) error {
	c, table := p.table.conn, p.table.Table
	b := ruleBuilder{c: c, table: table}
	selected, err := f.selection.addSets(c, table)
	if err != nil {
		return err
	}
	if p.exempt, err = addExemptSets(c, table, f.config.Exempt); err != nil {
		return err
	}
	forward := b.chain("forward", nftables.ChainHookForward, nftables.ChainPriorityRef(*nftables.ChainPriorityMangle-1))
	long := b.plainChain("long")
	b.others(forward, selected)
	b.exempt(forward, p.exempt)
	b.notUDP(forward)
	if f.config.RefuseQUIC {
		if p.answers != nil {
			if err := p.hold(&b, long); err != nil {
				return err
			}
		}
		b.rule(long, p.copies.log(false))
	} else {
		refuse := b.refuse()
		p.refused = make(map[int]*nftables.Set)
		for _, family := range families() {
			set, err := b.flows("refused", family, refusedTime)
			if err != nil {
				return err
			}
			p.refused[family.number] = set
			b.rule(forward, flowKey(family), inFlows(set, false), dynset(set, unix.NFT_DYNSET_OP_UPDATE, refusedTime), goTo(refuse))
		}
		b.rule(long, p.copies.log(false))
		b.rule(long, b.counter(countQUIC))
	}
	b.longHeaders(forward, long)
	return nil
}

// hold appends what drops the first datagram of each flow.
func (p *peek) hold(b *ruleBuilder, long *nftables.Chain) error {
	count := b.counter(countRefused)
	for _, family := range families() {
		set, err := b.flows("held", family, heldTime)
		if err != nil {
			return err
		}
		b.rule(long, flowKey(family), inFlows(set, true), p.copies.log(true), dynset(set, unix.NFT_DYNSET_OP_ADD, heldTime),
			count, &expr.Verdict{Kind: expr.VerdictDrop})
	}
	return nil
}

// refuse has a flow refused from now on.
func (p *peek) refuse(client, origin netip.AddrPort) error {
	number := unix.AF_INET
	if client.Addr().Is6() {
		number = unix.AF_INET6
	}
	set := p.refused[number]
	if set == nil {
		return nil
	}
	if err := p.table.conn.SetAddElements(set, []nftables.SetElement{{Key: flowOctets(client, origin)}}); err != nil {
		return err
	}
	return p.table.conn.Flush()
}

// close ends the copies, and removes the table.
func (p *peek) close() error {
	var errs []error
	if p.table != nil {
		errs = append(errs, p.table.Close())
	}
	if p.copies != nil {
		errs = append(errs, p.copies.close())
	}
	if p.answers != nil {
		errs = append(errs, p.answers.close())
	}
	return errors.Join(errs...)
}
