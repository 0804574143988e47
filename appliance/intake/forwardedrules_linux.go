package intake

import (
	"slices"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// Offsets in IP headers, from their beginning, and in the transport header.
const (
	source4At, destination4At = 12, 16
	source6At, destination6At = 8, 24
	udpPortsAt                = 0
	longHeaderAt              = 8 // of UDP: what follows the header
	versionAt                 = 9 // RFC 8999, Section 5.1
	quicPort                  = 443
)

// versions of QUIC that are known, as value and mask: RFC 9000, RFC 9369, drafts.
// The bump in the wire knows the same (is_quic of bpf/refuse.h).
var versions = [][2]uint32{{0x00000001, 0xffffffff}, {0x6b3343cf, 0xffffffff}, {0xff000000, 0xffffff00}}

// rules appends the rules to a transaction. In nft's words, with all that may be there:
//
//	chain fragments { type filter hook prerouting priority raw
//	  meta l4proto 255 tproxy to :0
//	}
//	chain forward { type filter hook forward priority mangle
//	  iifname != @from accept
//	  tcp flags syn / syn,ack tcp dport @ports counter name "blocked" drop
//	  ip saddr @exempt_clients4 accept
//	  ... ip daddr @exempt_origins4, and the same for ip6
//	  tcp flags ! syn,rst tcp dport @ports counter name "strays_reset" reject with tcp reset
//	  meta l4proto != udp accept
//	  @th,64,8 & 0xc0 == 0xc0 @th,72,32 1 goto refuse
//	  ... the same for other versions
//	  udp dport 443 goto refuse
//	}
//	chain refuse { counter name "quic_refused" reject with icmpx port-unreachable }
//
// The first chain matches nothing. Where a rule speaks of tproxy, the kernel puts
// fragments together before it routes them; the others rely on that.
func (f *forwardedTable) rules(c *nftables.Conn, table *nftables.Table) (exemptSets, error) {
	m := f.match
	selected, err := m.addSets(c, table)
	if err != nil {
		return nil, err
	}
	exempt, err := addExemptSets(c, table, f.config.Exempt)
	if err != nil {
		return nil, err
	}
	b := ruleBuilder{c: c, table: table}

	fragments := b.chain("fragments", nftables.ChainHookPrerouting, nftables.ChainPriorityRaw)
	b.rule(fragments,
		&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: 1}, equal(255),
		&expr.Immediate{Register: 1, Data: []byte{0, 0}},
		&expr.TProxy{Family: unix.NFPROTO_UNSPEC, TableFamily: byte(nftables.TableFamilyINet), RegPort: 1})

	forward := b.chain("forward", nftables.ChainHookForward, nftables.ChainPriorityMangle)
	b.others(forward, selected)
	if f.config.Down == DownBlock {
		b.rule(forward, m.matchFlags(selected, tcpOpening, tcpSYN), b.counter(countBlocked), &expr.Verdict{Kind: expr.VerdictDrop})
	}
	b.exempt(forward, exempt)
	if f.config.Strays == ResetStrays {
		b.rule(forward, m.matchFlags(selected, tcpSYN|tcpRST, 0), b.counter(countReset), &expr.Reject{Type: unix.NFT_REJECT_TCP_RST})
	} else {
		b.rule(forward, m.matchFlags(selected, tcpSYN|tcpRST, 0), b.counter(countStrays), accept())
	}
	if f.config.QUIC != BlockQUIC {
		return exempt, nil
	}
	b.notUDP(forward)
	refuse := b.refuse()
	b.longHeaders(forward, refuse)
	if len(m.ports) == 0 || slices.Contains(m.ports, quicPort) {
		b.rule(forward,
			&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseTransportHeader, Offset: tcpPortAt, Len: 2},
			equal(binaryutil.BigEndian.PutUint16(quicPort)...),
			goTo(refuse))
	}
	return exempt, nil
}

// ruleBuilder appends to a transaction.
type ruleBuilder struct {
	c     *nftables.Conn
	table *nftables.Table
}

// chain adds one that the kernel calls.
func (b *ruleBuilder) chain(name string, hook *nftables.ChainHook, priority *nftables.ChainPriority) *nftables.Chain {
	return b.c.AddChain(&nftables.Chain{Table: b.table, Name: name, Type: nftables.ChainTypeFilter, Hooknum: hook, Priority: priority})
}

// plainChain adds one that other chains lead to.
func (b *ruleBuilder) plainChain(name string) *nftables.Chain {
	return b.c.AddChain(&nftables.Chain{Table: b.table, Name: name})
}

// rule appends one; parts are expressions and lists of them.
func (b *ruleBuilder) rule(chain *nftables.Chain, parts ...any) {
	var exprs []expr.Any
	for _, part := range parts {
		switch part := part.(type) {
		case []expr.Any:
			exprs = append(exprs, part...)
		case expr.Any:
			exprs = append(exprs, part)
		}
	}
	b.c.AddRule(&nftables.Rule{Table: b.table, Chain: chain, Exprs: exprs})
}

// counter adds one of that name, and counts with it.
func (b *ruleBuilder) counter(name string) expr.Any {
	b.c.AddObj(&nftables.NamedObj{Table: b.table, Name: name, Type: nftables.ObjTypeCounter, Obj: &expr.Counter{}})
	return &expr.Objref{Type: int(nftables.ObjTypeCounter), Name: name}
}

// others lets pass what comes in elsewhere.
func (b *ruleBuilder) others(chain *nftables.Chain, selected nftSets) {
	b.rule(chain,
		&expr.Meta{Key: expr.MetaKeyIIFNAME, Register: 1},
		&expr.Lookup{SourceRegister: 1, SetName: selected.from.Name, SetID: selected.from.ID, Invert: true},
		accept())
}

// exempt lets pass what is exempt.
func (b *ruleBuilder) exempt(chain *nftables.Chain, sets exemptSets) {
	for _, set := range sets {
		b.rule(chain, set.match(), accept())
	}
}

// notUDP lets pass what is not UDP.
func (b *ruleBuilder) notUDP(chain *nftables.Chain) {
	b.rule(chain,
		&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: 1},
		&expr.Cmp{Op: expr.CmpOpNeq, Register: 1, Data: []byte{unix.IPPROTO_UDP}},
		accept())
}

// longHeaders leads datagrams with a long header of QUIC to another chain.
func (b *ruleBuilder) longHeaders(chain, to *nftables.Chain) {
	for _, v := range versions {
		b.rule(chain,
			&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseTransportHeader, Offset: longHeaderAt, Len: 1},
			&expr.Bitwise{SourceRegister: 1, DestRegister: 1, Len: 1, Mask: []byte{0xc0}, Xor: []byte{0}},
			equal(0xc0),
			&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseTransportHeader, Offset: versionAt, Len: 4},
			&expr.Bitwise{SourceRegister: 1, DestRegister: 1, Len: 4, Mask: binaryutil.BigEndian.PutUint32(v[1]), Xor: make([]byte, 4)},
			equal(binaryutil.BigEndian.PutUint32(v[0])...),
			goTo(to))
	}
}

// refuse adds the chain that refuses datagrams.
func (b *ruleBuilder) refuse() *nftables.Chain {
	chain := b.plainChain("refuse")
	b.rule(chain, b.counter(countRefused), &expr.Reject{Type: unix.NFT_REJECT_ICMPX_UNREACH, Code: unix.NFT_REJECT_ICMPX_PORT_UNREACH})
	return chain
}

func accept() expr.Any { return &expr.Verdict{Kind: expr.VerdictAccept} }

func goTo(to *nftables.Chain) expr.Any {
	return &expr.Verdict{Kind: expr.VerdictGoto, Chain: to.Name}
}
