package wire

import (
	"context"
	"errors"
	"net"
	"net/netip"

	"github.com/clearspan/clearspan/decrypt"
)

var errUnknown = errors.New("find flow: not one of the wire")

// arrive tells where an accepted connection was going.
func (w *wire) arrive(conn *net.TCPConn) (*decrypt.Incoming, func(), error) {
	client, origin := addrPort(conn.RemoteAddr()), addrPort(conn.LocalAddr())
	in := &decrypt.Incoming{Client: client, Origin: origin}
	flow, err := w.program.lookup(tupleOf(client, origin))
	if err != nil {
		return nil, nil, errUnknown
	}
	leg := 1 - int(flow.Leg&1)
	room, timeout := w.room, w.timeout
	in.Link = flow.link()
	in.Dial = func(ctx context.Context) (net.Conn, error) {
		return room.dial(ctx, client, origin, leg, timeout)
	}
	if w.late == nil {
		return in, nil, nil
	}
	k := w.late.claim(conn)
	if k == nil {
		return nil, nil, errUnknown
	}
	in.Link, in.Greeting = k.link, k.greeting
	first := k.origin // the engine dials once at a time
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
	}
	return in, ended, nil
}

func addrPort(a net.Addr) netip.AddrPort {
	t, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.AddrPort{}
	}
	p := t.AddrPort()
	return netip.AddrPortFrom(p.Addr().Unmap().WithZone(""), p.Port())
}
