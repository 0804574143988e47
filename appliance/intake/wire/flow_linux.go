package wire

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"time"

	"github.com/cilium/ebpf"

	"github.com/clearspan/clearspan/decrypt"
)

// tupleOf is the programs' key of a flow.
func tupleOf(client, origin netip.AddrPort) kernelTuple {
	return kernelTuple{
		Client:     addrWords(client.Addr()),
		Origin:     addrWords(origin.Addr()),
		ClientPort: swapPort(client.Port()),
		OriginPort: swapPort(origin.Port()),
	}
}

// addrWords holds an address in network order, IPv4 mapped.
func addrWords(a netip.Addr) (w [4]uint32) {
	b := a.As16()
	for i := range w {
		w[i] = binary.NativeEndian.Uint32(b[4*i:])
	}
	return w
}

func addrOf(w [4]uint32) netip.Addr {
	var b [16]byte
	for i := range w {
		binary.NativeEndian.PutUint32(b[4*i:], w[i])
	}
	return netip.AddrFrom16(b).Unmap()
}

// swapPort turns a port between the order of the host and that of the network.
func swapPort(port uint16) uint16 {
	var b [2]byte
	binary.BigEndian.PutUint16(b[:], port)
	return binary.NativeEndian.Uint16(b[:])
}

func (t kernelTuple) client() netip.AddrPort {
	return netip.AddrPortFrom(addrOf(t.Client), swapPort(t.ClientPort))
}

func (t kernelTuple) origin() netip.AddrPort {
	return netip.AddrPortFrom(addrOf(t.Origin), swapPort(t.OriginPort))
}

// Directions of a flow's sides.
const (
	toOrigin = 0
	toClient = 1
)

// lookup returns what the programs know of a flow, ebpf.ErrKeyNotExist if
// nothing.
func (p *program) lookup(t kernelTuple) (*kernelFlow, error) {
	f := new(kernelFlow)
	if err := p.Flows.Lookup(t, f); err != nil {
		return nil, err
	}
	return f, nil
}

// transition changes the state of a flow and returns true if it was from.
func (p *program) transition(t kernelTuple, from, to kernelState) (bool, error) {
	return p.change(kernelTransition{Tuple: t, From: uint32(from), To: uint32(to)})
}

// change is a transition with all that may be asked for.
func (p *program) change(c kernelTransition) (bool, error) {
	if _, err := p.WireTransition.Run(&ebpf.RunOptions{Context: &c, ContextOut: &c}); err != nil {
		return false, fmt.Errorf("change state of flow: %w", err)
	}
	return c.Found == c.From, nil
}

// link tells the facts of layer 2, and of the handshake if it was seen.
func (f *kernelFlow) link() decrypt.Link {
	out, back := &f.Sides[toOrigin], &f.Sides[toClient]
	var l decrypt.Link
	copy(l.ClientMAC[:], out.Mac[6:])
	copy(l.OriginMAC[:], out.Mac[:6])
	if f.Tagged != 0 {
		l.VLAN = f.Tci & 0xfff
	}
	if back.Time == 0 {
		return l
	}
	l.Handshake = &decrypt.Handshake{Client: out.handshake(), Origin: back.handshake()}
	return l
}

// handshake is one end's part of the handshake.
func (s *kernelSide) handshake() decrypt.HandshakeSide {
	return decrypt.HandshakeSide{
		ISN:     s.Isn,
		Window:  uint16(s.FirstWindow),
		Options: append([]byte(nil), s.Options[:min(int(s.OptionLen), len(s.Options))]...),
		TTL:     s.Ttl,
		Time:    wallClock(s.Time).Round(time.Microsecond),
	}
}

// options are those of SYN and SYN-ACK.
func (f *kernelFlow) options() (client, origin options) {
	read := func(s *kernelSide) options {
		return readOptions(s.Options[:min(int(s.OptionLen), len(s.Options))])
	}
	return read(&f.Sides[toOrigin]), read(&f.Sides[toClient])
}
