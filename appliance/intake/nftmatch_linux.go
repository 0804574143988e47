package intake

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/clearspan/clearspan/decrypt/policy"
	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

const (
	tcpFlagsAt = 13   // offset in the TCP header, RFC 9293, Section 3.1
	tcpPortAt  = 2    // destination port
	tcpSYN     = 0x02 // flags
	tcpRST     = 0x04
	tcpOpening = 0x12 // SYN, ACK: an opening segment has the first alone, whatever else it has

	addressLocal = 2 // type of an address of this box, RTN_LOCAL
)

// maxPortKeys keeps the set of ports within one netlink attribute of 64 KiB.
const maxPortKeys = 2000

// nftMatch says which routed connections an intake takes, and where to.
type nftMatch struct {
	name  string
	from  []string
	ports []uint16 // none: every port

	port             uint16         // to listen on; 0: any
	listen4, listen6 netip.AddrPort // invalid: the family is not taken
}

// newNFTMatch judges what all intakes for routed traffic have in common.
func newNFTMatch(name string, from []string, ranges []policy.PortRange) (nftMatch, error) {
	ports := singly(ranges)
	if !validTable(name) {
		return nftMatch{}, fmt.Errorf("name %q: not 1 to 64 letters, digits, hyphens, underscores and dots", name)
	}
	if len(from) == 0 {
		return nftMatch{}, errors.New("no interface to take traffic from")
	}
	if slices.Contains(from, "lo") {
		return nftMatch{}, errors.New("take traffic from lo: the box's own traffic cannot be diverted")
	}
	if slices.Contains(ports, 0) {
		return nftMatch{}, errors.New("port 0 does not exist")
	}
	m := nftMatch{name: name, from: distinct(from), ports: distinct(ports)}
	if n := len(portKeys(m.ports)); n > maxPortKeys {
		return nftMatch{}, fmt.Errorf("more than %d ranges of ports", maxPortKeys/2)
	}
	return m, nil
}

// singly lists the ports of ranges one by one.
func singly(ranges []policy.PortRange) (all []uint16) {
	for _, r := range ranges {
		for port := int(r.First); port <= int(r.Last); port++ {
			all = append(all, uint16(port))
		}
	}
	return all
}

// distinct returns the values of s in order, each once.
func distinct[T string | uint16](s []T) []T {
	s = slices.Clone(s)
	slices.Sort(s)
	return slices.Compact(s)
}

// validTable reports whether an nftables table may be called clearspan_name.
func validTable(name string) bool {
	return 0 < len(name) && len(name) <= 64 &&
		strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") == ""
}

// parseListen reads ":port" or "address:port"; without an address host is an
// unspecified one.
func parseListen(s string) (host netip.Addr, port uint16, err error) {
	bad := fmt.Errorf("listen %q: not :port", s)
	address, digits, err := net.SplitHostPort(s)
	if err != nil {
		return netip.Addr{}, 0, bad
	}
	host = netip.IPv6Unspecified()
	if address != "" {
		if host, err = netip.ParseAddr(address); err != nil {
			return netip.Addr{}, 0, bad
		}
	}
	n, err := strconv.ParseUint(digits, 10, 16)
	if err != nil {
		return netip.Addr{}, 0, bad
	}
	return host, uint16(n), nil
}

// family is one of the two versions of IP.
type family struct {
	network  string // as net.Listen takes it
	number   int    // AF_INET, AF_INET6; NFPROTO_IPV4, NFPROTO_IPV6 are the same numbers
	loopback netip.Addr
	wildcard netip.Addr
}

// families returns both, IPv4 first.
func families() []family {
	return []family{
		{"tcp4", unix.AF_INET, netip.AddrFrom4([4]byte{127, 0, 0, 1}), netip.IPv4Unspecified()},
		{"tcp6", unix.AF_INET6, netip.IPv6Loopback(), netip.IPv6Unspecified()},
	}
}

// listen listens in each family on the address that at chooses, and notes where.
// It does without IPv6 if the system does. The listeners are the caller's.
func (m *nftMatch) listen(at func(family) netip.Addr, config net.ListenConfig, log *slog.Logger) ([]acceptor, error) {
	var listeners []acceptor
	for _, f := range families() {
		l, err := listen(f.network, netip.AddrPortFrom(at(f), m.port).String(), config)
		if f.number == unix.AF_INET6 && (errors.Is(err, unix.EADDRNOTAVAIL) || errors.Is(err, unix.EAFNOSUPPORT)) {
			log.Warn("IPv6 is disabled, only IPv4 is diverted")
			continue
		}
		if err != nil {
			return nil, errors.Join(err, closeAll(listeners))
		}
		listeners = append(listeners, l)
		m.noteListener(addrPort(l.Addr()))
	}
	return listeners, nil
}

func closeAll(listeners []acceptor) error {
	var errs []error
	for _, l := range listeners {
		errs = append(errs, l.Close())
	}
	return errors.Join(errs...)
}

// noteListener notes where the connections of one family are taken.
func (m *nftMatch) noteListener(at netip.AddrPort) {
	if at.Addr().Is4() {
		m.listen4 = at
	} else {
		m.listen6 = at
	}
}

// listenAddr returns what was noted.
func (m *nftMatch) listenAddr(f family) netip.AddrPort {
	if f.number == unix.AF_INET {
		return m.listen4
	}
	return m.listen6
}

// nftSets are the sets that the rules of an nftMatch look into.
type nftSets struct{ from, ports *nftables.Set }

// addSets adds them to table.
func (m *nftMatch) addSets(c *nftables.Conn, table *nftables.Table) (nftSets, error) {
	sets := nftSets{
		from:  &nftables.Set{Table: table, Name: "from", Constant: true, KeyType: nftables.TypeIFName},
		ports: &nftables.Set{Table: table, Name: "ports", Constant: true, Interval: true, KeyType: nftables.TypeInetService},
	}
	err := c.AddSet(sets.from, interfaceKeys(m.from))
	if len(m.ports) > 0 {
		err = errors.Join(err, c.AddSet(sets.ports, portKeys(m.ports)))
	}
	if err != nil {
		return nftSets{}, fmt.Errorf("write nftables sets: %w", err)
	}
	return sets, nil
}

// matchSYN begins a rule for new connections of one family. In nft's words:
//
//	meta nfproto ipv4 iifname @from tcp flags syn / syn,ack tcp dport @ports
//
// Only an opening SYN matches: other packets of a connection that is not ours
// belong to one that began before us.
func (m *nftMatch) matchSYN(f family, sets nftSets) []expr.Any {
	return append([]expr.Any{
		&expr.Meta{Key: expr.MetaKeyNFPROTO, Register: 1},
		equal(byte(f.number)),
		&expr.Meta{Key: expr.MetaKeyIIFNAME, Register: 1},
		lookup(sets.from),
	}, m.matchFlags(sets, tcpOpening, tcpSYN)...)
}

// matchFlags begins a rule for TCP segments to the ports whose flags, masked, are these.
func (m *nftMatch) matchFlags(sets nftSets, mask, flags byte) []expr.Any {
	rule := []expr.Any{
		&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: 1},
		equal(unix.IPPROTO_TCP),
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseTransportHeader, Offset: tcpFlagsAt, Len: 1},
		&expr.Bitwise{SourceRegister: 1, DestRegister: 1, Len: 1, Mask: []byte{mask}, Xor: []byte{0}},
		equal(flags),
	}
	if len(m.ports) > 0 {
		rule = append(rule,
			&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseTransportHeader, Offset: tcpPortAt, Len: 2},
			lookup(sets.ports))
	}
	return rule
}

// acceptLocal is the rule "fib daddr type local accept".
func acceptLocal() []expr.Any {
	return []expr.Any{
		&expr.Fib{Register: 1, FlagDADDR: true, ResultADDRTYPE: true},
		equal(binaryutil.NativeEndian.PutUint32(addressLocal)...),
		&expr.Verdict{Kind: expr.VerdictAccept},
	}
}

func equal(data ...byte) *expr.Cmp {
	return &expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: data}
}

func lookup(set *nftables.Set) *expr.Lookup {
	return &expr.Lookup{SourceRegister: 1, SetName: set.Name, SetID: set.ID}
}

func interfaceKeys(names []string) []nftables.SetElement {
	var keys []nftables.SetElement
	for _, name := range names {
		key := make([]byte, unix.IFNAMSIZ)
		copy(key, name)
		keys = append(keys, nftables.SetElement{Key: key})
	}
	return keys
}

// portKeys turns sorted ports into intervals as the kernel has them: the first
// port of each, and the first one behind it unless there is none.
func portKeys(ports []uint16) []nftables.SetElement {
	keys := []nftables.SetElement{{Key: []byte{0, 0}, IntervalEnd: true}}
	for i, port := range ports {
		if i == 0 || ports[i-1]+1 != port {
			keys = append(keys, nftables.SetElement{Key: binaryutil.BigEndian.PutUint16(port)})
		}
		if port != 65535 && (i == len(ports)-1 || ports[i+1] != port+1) {
			keys = append(keys, nftables.SetElement{Key: binaryutil.BigEndian.PutUint16(port + 1), IntervalEnd: true})
		}
	}
	return keys
}
