package wire

import (
	"errors"
	"net"
)

// take makes two sockets of a flow. If octets of the origin are under way it
// leaves the flow as it is, to be tried again.
func (l *lateListener) take(t kernelTuple, p *heldFlow) {
	flow, err := l.program.lookup(t)
	if err != nil || flow.State != kernelStateSTATE_HELD {
		l.forget(t, p) // reset by an end, or let go by the kernel
		l.reinject(p.frames)
		return
	}
	if flow.Sides[toClient].Ended != 0 {
		l.giveUp(t, p, errEnded)
		return
	}
	if _, _, err := endpoints(t, flow, &p.frames[0].frame); err != nil {
		if !errors.Is(err, errInFlight) {
			l.giveUp(t, p, err)
		}
		return
	}
	if ok, err := l.program.transition(t, kernelStateSTATE_HELD, kernelStateSTATE_TAKING); !ok {
		l.giveUp(t, p, err)
		return
	}
	client, origin, err := l.restoreSockets(t, p)
	if err == nil {
		_, err = l.program.transition(t, kernelStateSTATE_TAKING, kernelStateSTATE_TAKEN)
	}
	if err != nil {
		for _, c := range []*net.TCPConn{client, origin} {
			if c != nil {
				c.SetLinger(0)
				c.Close()
			}
		}
		_, _ = l.program.transition(t, kernelStateSTATE_TAKING, kernelStateSTATE_HELD)
		if !errors.Is(err, errInFlight) {
			l.giveUp(t, p, err)
		}
		return
	}
	l.forget(t, p)
	l.counters.taken.Add(1)
	l.legs.put(client, &originLeg{conn: origin, link: flow.link(), banner: l.banners.take(t, flow)})
	l.ready = append(l.ready, client)
	l.reinject(p.frames)
}

// restoreSockets makes the sockets of a flow in state TAKING, which holds all octets of
// both ends.
func (l *lateListener) restoreSockets(t kernelTuple, p *heldFlow) (client, origin *net.TCPConn, err error) {
	flow, err := l.program.lookup(t)
	if err != nil {
		return nil, nil, err
	}
	ends := [2]endpoint{}
	if ends[0], ends[1], err = endpoints(t, flow, &p.frames[0].frame); err != nil {
		return nil, nil, err
	}
	fds := make([]int, 0, 2)
	defer func() {
		for _, fd := range fds {
			closeInRepair(fd)
		}
	}()
	for i := range ends {
		fd, err := restoreSocket(l.socket, &ends[i])
		if err != nil {
			return nil, nil, err
		}
		fds = append(fds, fd)
	}
	// A frame that was on its way past the programs when the state changed.
	after, err := l.program.lookup(t)
	if err != nil {
		return nil, nil, err
	}
	if after.Sides[toClient].Next != flow.Sides[toClient].Next {
		return nil, nil, errInFlight
	}
	for _, fd := range fds {
		if err := endRepair(fd); err != nil {
			return nil, nil, err
		}
	}
	client, err = tcpConn(fds[0])
	if err == nil {
		origin, err = tcpConn(fds[1])
	}
	fds = nil
	return client, origin, err
}
