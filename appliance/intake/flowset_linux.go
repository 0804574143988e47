package intake

import (
	"net/netip"
	"time"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

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

// flowOctets is the same key as an element of a set.
func flowOctets(client, origin netip.AddrPort) (key []byte) {
	for _, end := range []netip.AddrPort{client, origin} {
		key = append(key, end.Addr().AsSlice()...)
		key = append(key, binaryutil.BigEndian.PutUint16(end.Port())...)
		key = append(key, 0, 0)
	}
	return key
}

// flows adds a set of flows of one family, each of which stays for a while.
func (b *ruleBuilder) flows(name string, f family, lasts time.Duration) (*nftables.Set, error) {
	suffix, address := "4", nftables.TypeIPAddr
	if f.number == unix.AF_INET6 {
		suffix, address = "6", nftables.TypeIP6Addr
	}
	set := &nftables.Set{
		Table: b.table, Name: name + suffix, Dynamic: true, HasTimeout: true, Timeout: lasts, Size: maxFlows, Concatenation: true,
		KeyType: nftables.MustConcatSetType(address, nftables.TypeInetService, address, nftables.TypeInetService),
	}
	return set, b.c.AddSet(set, nil)
}

// inFlows goes on behind [flowKey] if the flow is in a set, or with not, if it is not.
func inFlows(set *nftables.Set, not bool) expr.Any {
	return &expr.Lookup{SourceRegister: keyRegister, SetName: set.Name, SetID: set.ID, Invert: not}
}

// dynset adds the flow to a set, or has it stay for longer.
func dynset(set *nftables.Set, operation uint32, lasts time.Duration) expr.Any {
	return &expr.Dynset{SrcRegKey: keyRegister, SetName: set.Name, SetID: set.ID, Operation: operation, Timeout: lasts}
}
