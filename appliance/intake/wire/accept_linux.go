package wire

import (
	"context"
	"errors"
	"net"
	"net/netip"

	"github.com/clearspan/clearspan/decrypt"
)

var errUnknown = errors.New("find flow: not one of the wire")

// incoming tells where an accepted connection was going.
func (w *wire) incoming(conn *net.TCPConn) (*decrypt.Incoming, func(), error) {
	client, origin := addrPort(conn.RemoteAddr()), addrPort(conn.LocalAddr())
	in := &decrypt.Incoming{Client: client, Origin: origin}
	tuple := tupleOf(client, origin)
	if w.originLegs == nil { // no longer one of those that anybody may begin
		if _, err := w.program.transition(tuple, kernelStateSTATE_TAKEN, kernelStateSTATE_TAKEN); err != nil {
			return nil, nil, err
		}
	}
	flow, err := w.program.lookup(tuple)
	if err != nil {
		return nil, nil, errUnknown
	}
	w.sessions.add(tuple, flow.Sides[toOrigin].Isn)
	retire := func() { w.retire(tuple, flow.Sides[toOrigin].Isn) }
	leg := 1 - int(flow.Leg&1)
	namespace, timeout := w.namespace, w.timeout
	in.Link = flow.link()
	in.Dial = func(ctx context.Context) (net.Conn, error) {
		return namespace.dial(ctx, client, origin, leg, timeout)
	}
	if w.originLegs == nil {
		return in, retire, nil
	}
	k := w.originLegs.take(conn)
	if k == nil {
		retire()
		return nil, nil, errUnknown
	}
	in.Link, in.Greeting = k.link, k.banner
	first := k.conn // the engine dials once at a time
	anew := in.Dial
	in.Dial = func(ctx context.Context) (net.Conn, error) {
		if first == nil {
			return anew(ctx)
		}
		conn := first
		first = nil
		return conn, nil
	}
	ended := func() {
		if first != nil { // nobody wanted it
			first.SetLinger(0)
			first.Close()
		}
		retire()
	}
	return in, ended, nil
}

// retire makes room for another flow; what the sockets of this one still say has
// a place of its own.
func (w *wire) retire(t kernelTuple, isn uint32) {
	w.sessions.remove(t, isn)
	w.mu.RLock()
	defer w.mu.RUnlock()
	if w.closed {
		return
	}
	_, _ = w.program.change(kernelTransition{ // or it is gone already
		Tuple: t, From: uint32(kernelStateSTATE_TAKEN), To: uint32(kernelStateSTATE_ENDED), Isn: isn,
	})
}

func addrPort(a net.Addr) netip.AddrPort {
	t, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.AddrPort{}
	}
	p := t.AddrPort()
	return netip.AddrPortFrom(p.Addr().Unmap().WithZone(""), p.Port())
}
