package intake

import (
	"net/netip"
	"slices"
	"time"

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

// Copies of datagrams, and flows that are refused while others pass.
const (
	copyRate = 1000 // datagrams a second, and as many at once

	maxRefused  = 65536           // flows of each family
	refusedTime = 2 * time.Minute // after their last datagram
)

// fenceSets are the sets of a fence that change.
type fenceSets struct {
	table   *nftables.Table // nil: there are none
	exempt  exemptSets
	refused map[int]*nftables.Set // by family number; empty: none
}

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
//	  ip saddr . udp sport . ip daddr . udp dport @refused4 update @refused4 { ... } goto refuse
//	  ... the same for ip6
//	  @th,64,8 & 0xc0 == 0xc0 @th,72,32 1 goto quic
//	  ... the same for other versions
//	  udp dport 443 goto refuse
//	}
//	chain quic {
//	  limit rate 1000/second burst 1000 packets log prefix "..." group N snaplen 2048 queue-threshold 1
//	  goto refuse, or counter name "quic_passed"
//	}
//	chain refuse { counter name "quic_refused" reject with icmpx port-unreachable }
//
// The first chain matches nothing. Where a rule speaks of tproxy, the kernel puts
// fragments together before it routes them; the others rely on that.
func (f *fence) rules(c *nftables.Conn, table *nftables.Table) (fenceSets, error) {
	s := f.selection
	selected, err := s.addSets(c, table)
	if err != nil {
		return fenceSets{}, err
	}
	sets := fenceSets{table: table}
	if sets.exempt, err = addExemptSets(c, table, f.config.Exempt); err != nil {
		return fenceSets{}, err
	}
	b := ruleBuilder{c: c, table: table}

	fragments := b.chain("fragments", nftables.ChainHookPrerouting, nftables.ChainPriorityRaw)
	b.rule(fragments,
		&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: 1}, equal(255),
		&expr.Immediate{Register: 1, Data: []byte{0, 0}},
		&expr.TProxy{Family: unix.NFPROTO_UNSPEC, TableFamily: byte(nftables.TableFamilyINet), RegPort: 1})

	forward := b.chain("forward", nftables.ChainHookForward, nftables.ChainPriorityMangle)
	b.rule(forward,
		&expr.Meta{Key: expr.MetaKeyIIFNAME, Register: 1},
		&expr.Lookup{SourceRegister: 1, SetName: selected.from.Name, SetID: selected.from.ID, Invert: true},
		accept())
	if f.config.Block {
		b.rule(forward, s.segments(selected, tcpOpening, tcpSYN), b.counter(countBlocked), &expr.Verdict{Kind: expr.VerdictDrop})
	}
	for _, set := range sets.exempt {
		b.rule(forward, set.match(), accept())
	}
	if f.config.Reset {
		b.rule(forward, s.segments(selected, tcpSYN|tcpRST, 0), b.counter(countReset), &expr.Reject{Type: unix.NFT_REJECT_TCP_RST})
	} else {
		b.rule(forward, s.segments(selected, tcpSYN|tcpRST, 0), b.counter(countStrays), accept())
	}
	if f.config.RefuseQUIC || f.copies != nil {
		sets.refused, err = f.quicRules(&b, forward)
	}
	return sets, err
}

// quicRules appends those about QUIC to the chain forward.
func (f *fence) quicRules(b *ruleBuilder, forward *nftables.Chain) (refused map[int]*nftables.Set, err error) {
	refuse, quic := b.plainChain("refuse"), b.plainChain("quic")
	b.rule(refuse, b.counter(countRefused), &expr.Reject{Type: unix.NFT_REJECT_ICMPX_UNREACH, Code: unix.NFT_REJECT_ICMPX_PORT_UNREACH})
	if f.copies != nil {
		b.rule(quic,
			&expr.Limit{Type: expr.LimitTypePkts, Rate: copyRate, Unit: expr.LimitTimeSecond, Burst: copyRate},
			&expr.Log{
				Key:   1<<unix.NFTA_LOG_GROUP | 1<<unix.NFTA_LOG_SNAPLEN | 1<<unix.NFTA_LOG_QTHRESHOLD | 1<<unix.NFTA_LOG_PREFIX,
				Group: f.copies.group, Snaplen: copyLength, QThreshold: 1, Data: []byte(f.copies.prefix),
			})
	}
	if f.config.RefuseQUIC {
		b.rule(quic, goTo(refuse))
	} else {
		b.rule(quic, b.counter(countQUIC))
	}

	b.rule(forward,
		&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: 1},
		&expr.Cmp{Op: expr.CmpOpNeq, Register: 1, Data: []byte{unix.IPPROTO_UDP}},
		accept())
	if !f.config.RefuseQUIC {
		refused = make(map[int]*nftables.Set)
		for _, family := range families() {
			set := refusedSet(b.table, family)
			if err := b.c.AddSet(set, nil); err != nil {
				return nil, err
			}
			refused[family.number] = set
			b.rule(forward, flowKey(family),
				&expr.Lookup{SourceRegister: keyRegister, SetName: set.Name, SetID: set.ID},
				&expr.Dynset{SrcRegKey: keyRegister, SetName: set.Name, SetID: set.ID, Operation: unix.NFT_DYNSET_OP_UPDATE, Timeout: refusedTime},
				goTo(refuse))
		}
	}
	for _, v := range versions {
		b.rule(forward,
			&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseTransportHeader, Offset: longHeaderAt, Len: 1},
			&expr.Bitwise{SourceRegister: 1, DestRegister: 1, Len: 1, Mask: []byte{0xc0}, Xor: []byte{0}},
			equal(0xc0),
			&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseTransportHeader, Offset: versionAt, Len: 4},
			&expr.Bitwise{SourceRegister: 1, DestRegister: 1, Len: 4, Mask: binaryutil.BigEndian.PutUint32(v[1]), Xor: make([]byte, 4)},
			equal(binaryutil.BigEndian.PutUint32(v[0])...),
			goTo(quic))
	}
	if ports := f.selection.ports; f.config.RefuseQUIC && (len(ports) == 0 || slices.Contains(ports, quicPort)) {
		b.rule(forward,
			&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseTransportHeader, Offset: tcpPortAt, Len: 2},
			equal(binaryutil.BigEndian.PutUint16(quicPort)...),
			goTo(refuse))
	}
	return refused, nil
}

// keyRegister is where the key of a flow begins: the first of 4 octets,
// NFT_REG32_00.
const keyRegister = 8

// flowKey loads addresses and ports of a datagram: "ip saddr . udp sport . ip daddr .
// udp dport". Each field begins in a register of its own.
func flowKey(f family) []expr.Any {
	source, destination := uint32(source4At), uint32(destination4At)
	if f.number == unix.AF_INET6 {
		source, destination = source6At, destination6At
	}
	length := uint32(f.loopback.BitLen() / 8)
	address := func(register, offset uint32) expr.Any {
		return &expr.Payload{DestRegister: register, Base: expr.PayloadBaseNetworkHeader, Offset: offset, Len: length}
	}
	port := func(register, offset uint32) expr.Any {
		return &expr.Payload{DestRegister: register, Base: expr.PayloadBaseTransportHeader, Offset: offset, Len: 2}
	}
	words := length / 4
	return []expr.Any{
		&expr.Meta{Key: expr.MetaKeyNFPROTO, Register: 1},
		equal(byte(f.number)),
		address(keyRegister, source),
		port(keyRegister+words, udpPortsAt),
		address(keyRegister+words+1, destination),
		port(keyRegister+2*words+1, udpPortsAt+2),
	}
}

// refusedSet is the set of flows that are refused while others pass.
func refusedSet(table *nftables.Table, f family) *nftables.Set {
	name, address := "refused4", nftables.TypeIPAddr
	if f.number == unix.AF_INET6 {
		name, address = "refused6", nftables.TypeIP6Addr
	}
	return &nftables.Set{
		Table: table, Name: name, Dynamic: true, HasTimeout: true, Timeout: refusedTime, Size: maxRefused, Concatenation: true,
		KeyType: nftables.MustConcatSetType(address, nftables.TypeInetService, address, nftables.TypeInetService),
	}
}

// refuse adds a flow to them.
func (s fenceSets) refuse(c *nftables.Conn, client, origin netip.AddrPort) error {
	number := unix.AF_INET
	if client.Addr().Is6() {
		number = unix.AF_INET6
	}
	set := s.refused[number]
	if set == nil {
		return nil
	}
	var key []byte
	for _, end := range []netip.AddrPort{client, origin} {
		key = append(key, end.Addr().AsSlice()...)
		key = append(key, binaryutil.BigEndian.PutUint16(end.Port())...)
		key = append(key, 0, 0)
	}
	return c.SetAddElements(set, []nftables.SetElement{{Key: key}})
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

func accept() expr.Any { return &expr.Verdict{Kind: expr.VerdictAccept} }

func goTo(to *nftables.Chain) expr.Any {
	return &expr.Verdict{Kind: expr.VerdictGoto, Chain: to.Name}
}
