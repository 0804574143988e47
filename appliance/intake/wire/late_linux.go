package wire

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cilium/ebpf/ringbuf"
	"golang.org/x/sys/unix"

	"github.com/clearspan/clearspan/decrypt"
)

// late is a listener whose connections have begun without us, those of one shard. One
// goroutine, on a thread of its own, runs everything here: frames that are held come in
// through the ring, decisions are made, sockets built, frames put back. Shards share
// nothing but what says so.
type late struct {
	beater
	bounds    bounds
	name      string
	namespace *namespace
	open      opener // of the loop's thread
	program   *program
	ring      *ringbuf.Reader
	replay    *replayer
	decide    func(in *decrypt.Incoming, flight []byte) Verdict
	block     bool // nobody there: flows stay where they are
	keep      bool // so do flows that cannot be taken
	log       *slog.Logger
	tally     *tally // shared
	addr      net.Addr
	record    ringbuf.Record
	pending   map[kernelTuple]*pending
	octets    int // of all pending frames
	swept     time.Time

	greetings greetings
	passing   passings
	starting  sync.Once
	first     chan struct{}     // closed by the first Accept
	done      chan struct{}     // closed by Close
	out       chan *net.TCPConn // closed by the loop
	failure   error             // of the loop, to be read when out is closed
	ready     []*net.TCPConn
	handover  *handover // shared
}

// tally counts what user space decides.
type tally struct{ taken, passed, undecided, failed atomic.Uint64 }

// pending is a flow whose client's payload is held.
type pending struct {
	flow    *kernelFlow
	isn     uint32
	since   time.Time
	frames  []*held
	octets  int
	decided bool // to be taken as soon as its octets are settled
}

// raisePriority has the calling thread, and none that it makes, run before others
// where processors are short: connections pass while the loop stands still. A round
// is a few milliseconds of work at most.
func raisePriority() error {
	return unix.SchedSetAttr(0, &unix.SchedAttr{
		Size: unix.SizeofSchedAttr, Policy: unix.SCHED_RR, Flags: unix.SCHED_FLAG_RESET_ON_FORK, Priority: 1,
	}, 0)
}

// begin makes the thread of the loop, which runs from the first Accept on. It takes
// its priority while the process may still do that.
func (l *late) begin() {
	l.first, l.done, l.out = make(chan struct{}), make(chan struct{}), make(chan *net.TCPConn, l.bounds.queued)
	set := make(chan struct{})
	go func() {
		defer close(l.out)
		runtime.LockOSThread() // for good: the thread ends with the loop
		if l.open = socketHere; !enter(l.namespace) {
			l.open = l.namespace.Socket
		}
		if err := raisePriority(); err != nil {
			l.log.Debug("priority of the wire's loop not raised", "err", err)
		}
		close(set)
		select {
		case <-l.first:
			l.failure = l.run()
		case <-l.done:
		}
	}()
	<-set
}

// enter has the calling thread, which is locked, be in the namespace, so that no other
// one is needed to make sockets. It returns false if it cannot.
func enter(n *namespace) bool {
	if unix.Gettid() == unix.Getpid() {
		return false // the main thread outlives the loop
	}
	var ns *os.File
	err := n.Do(func() (err error) {
		ns, err = os.Open("/proc/thread-self/ns/net")
		return err
	})
	if err != nil {
		return false
	}
	defer ns.Close()
	return unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET) == nil
}

// socketHere makes a socket in the namespace of the calling thread.
func socketHere(family, kind, protocol int) (int, error) {
	return unix.Socket(family, kind|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, protocol)
}

// run takes frames from the ring until the listener is closed. If nobody accepts what
// it took, it stands still in the end, and the wire counts as down.
func (l *late) run() error {
	l.running.Lock()
	defer l.running.Unlock()
	for !l.closed {
		l.beat()
		for len(l.ready) > 0 {
			select {
			case l.out <- l.ready[0]:
				l.ready = l.ready[1:]
			case <-l.done:
				return nil
			}
		}
		l.ring.SetDeadline(time.Now().Add(l.wait()))
		err := l.ring.ReadInto(&l.record)
		switch {
		case err == nil:
			l.event(l.record.RawSample)
		case errors.Is(err, os.ErrDeadlineExceeded):
		case errors.Is(err, ringbuf.ErrClosed):
			return nil
		default:
			return err
		}
		l.sweep()
	}
	return nil
}

// Accept returns the next connection that was taken over.
func (l *late) Accept() (net.Conn, error) {
	l.starting.Do(func() { close(l.first) })
	if conn, ok := <-l.out; ok {
		return conn, nil
	}
	if l.failure != nil {
		return nil, l.failure
	}
	return nil, net.ErrClosed
}

// wait is how long to wait for the next frame.
func (l *late) wait() time.Duration {
	if len(l.pending) > 0 {
		return min(time.Millisecond, l.interval())
	}
	return l.interval()
}

// Close ends Accept and lets go of what is held. What Accept returned goes on.
// When it has returned, neither pulse nor programs are used any more.
func (l *late) Close() (err error) {
	l.ending.Do(func() {
		close(l.done)
		err = l.ring.Close()
		l.stop()
		l.abandon()
		err = errors.Join(err, l.replay.close())
	})
	return err
}

// Addr is that of the socket that stands for us in the kernel.
func (l *late) Addr() net.Addr { return l.addr }

// event takes one frame from the ring.
func (l *late) event(b []byte) {
	t, isn, h, ok := readEvent(b)
	if !ok {
		l.tally.failed.Add(1)
		return
	}
	if h.passed {
		l.greetings.add(t, isn, &h.frame)
		return
	}
	p := l.pending[t]
	if p != nil && p.isn != isn { // the client began anew
		l.drop(t, p)
		p = nil
	}
	if p == nil {
		flow, err := l.program.lookup(t)
		if err != nil || flow.State != kernelStateSTATE_HELD || flow.Sides[toOrigin].Isn != isn {
			l.putBack([]*held{h}) // decided meanwhile; the frame goes where its flow does
			return
		}
		p = &pending{flow: flow, isn: isn, since: time.Now(), decided: len(l.pending) >= l.bounds.flows || l.octets >= l.bounds.octets}
		l.pending[t] = p
	}
	p.frames = append(p.frames, h)
	p.octets += len(h.frame.octets)
	l.octets += len(h.frame.octets)
	l.consider(t, p)
}

// consider decides on a flow if what is held of it suffices.
func (l *late) consider(t kernelTuple, p *pending) {
	if !p.decided && l.decide != nil {
		flight := p.flight()
		if len(flight) == 0 {
			return
		}
		in := &decrypt.Incoming{Intake: l.name, Client: t.client(), Origin: t.origin(), Link: p.flow.link()}
		switch l.ask(in, flight) {
		case More:
			if p.octets < flightLimit {
				return
			}
			l.tally.undecided.Add(1)
		case Pass:
			l.tally.passed.Add(1)
			l.letGo(t, p)
			return
		}
	}
	p.decided = true
	l.take(t, p)
}

// ask calls the hook. A panic there concerns one flow, which is taken: whatever
// was wrong with it is found within a session.
func (l *late) ask(in *decrypt.Incoming, flight []byte) (v Verdict) {
	defer func() {
		if r := recover(); r != nil {
			l.log.Error("decision panicked", "client", in.Client, "origin", in.Origin, "err", fmt.Sprint(r), "stack", string(debug.Stack()))
			v = Take
		}
	}()
	return l.decide(in, flight)
}

// drop ends the wait for a flow. It is not to be called twice.
func (l *late) drop(t kernelTuple, p *pending) {
	delete(l.pending, t)
	l.octets -= p.octets
}

// flight returns the client's octets from the first on, as far as they are
// without a gap.
func (p *pending) flight() (b []byte) {
	next := p.isn + 1
	for more := true; more; {
		more = false
		for _, h := range p.frames {
			body := h.frame.payload()
			skip := int32(next - h.frame.seq)
			if h.direction != toOrigin || skip < 0 || int(skip) >= len(body) {
				continue
			}
			b = append(b, body[skip:]...)
			next += uint32(len(body)) - uint32(skip)
			more = true
		}
	}
	return b
}

// letGo has a flow pass for good: from when its origin has acknowledged the octets
// that were judged, which it gets from us.
func (l *late) letGo(t kernelTuple, p *pending) {
	l.drop(t, p)
	if !l.pass(t, p) {
		l.release(t, p)
	}
}

// release has a flow pass at once, with the frames that were held.
func (l *late) release(t kernelTuple, p *pending) {
	_, _ = l.program.transition(t, kernelStateSTATE_HELD, kernelStateSTATE_PASSED) // gone is gone
	l.putBack(p.frames)
}

// giveUp ends the wait for a flow that cannot be taken: it passes, or, where the
// wire is to be blocked then, is tried again when the client repeats itself.
func (l *late) giveUp(t kernelTuple, p *pending, err error) {
	l.tally.failed.Add(1)
	l.log.Debug("flow not taken", "client", t.client(), "origin", t.origin(), "err", err)
	l.drop(t, p)
	if !l.keep {
		l.release(t, p)
	}
}

// putBack returns frames to where they came in.
func (l *late) putBack(frames []*held) {
	if err := l.replay.setMark(markReplayed); err != nil {
		l.log.Debug("frames not put back", "err", err)
		return
	}
	for _, h := range frames {
		if err := l.replay.send(h); err != nil {
			l.tally.failed.Add(1) // its sender sends it again
			l.log.Debug("frame not put back", "err", err)
		}
	}
}

// sweep, once a millisecond, takes flows that wait for their octets to settle or
// for a client that says no more.
func (l *late) sweep() {
	now := time.Now()
	if len(l.pending)+len(l.passing.flows) == 0 || now.Sub(l.swept) < time.Millisecond {
		return
	}
	l.repeat(now)
	l.swept = now
	for t, p := range l.pending {
		l.beat() // many flows take their time
		if now.Sub(p.since) > undecidedLimit {
			if p.decided {
				l.giveUp(t, p, errUnsettled)
				continue
			}
			if now.Sub(p.since) < unheardLimit && len(p.flight()) == 0 {
				continue // its first octets were lost, and come again
			}
			l.tally.undecided.Add(1)
			p.decided, p.since = true, now
		}
		if p.decided {
			l.take(t, p)
		}
	}
}

// abandon lets go of everything when the listener is closed.
func (l *late) abandon() {
	for t, p := range l.pending { // the programs see nobody any more
		l.drop(t, p)
		if !l.block {
			l.release(t, p)
		}
	}
	for conn := range l.out { // the loop has ended
		l.ready = append(l.ready, conn)
	}
	for _, conn := range l.ready {
		if k := l.handover.claim(conn); k != nil {
			k.origin.Close()
		}
		conn.Close()
	}
	l.ready = nil
}

// take makes two sockets of a flow. If octets of the origin are under way it
// leaves the flow as it is, to be tried again.
func (l *late) take(t kernelTuple, p *pending) {
	flow, err := l.program.lookup(t)
	if err != nil || flow.State != kernelStateSTATE_HELD {
		l.drop(t, p) // reset by an end, or let go by the kernel
		l.putBack(p.frames)
		return
	}
	if flow.Sides[toClient].Ended != 0 {
		l.giveUp(t, p, errEnded)
		return
	}
	if _, _, err := endpoints(t, flow, &p.frames[0].frame); err != nil {
		if !errors.Is(err, errUnsettled) {
			l.giveUp(t, p, err)
		}
		return
	}
	if ok, err := l.program.transition(t, kernelStateSTATE_HELD, kernelStateSTATE_TAKING); !ok {
		l.giveUp(t, p, err)
		return
	}
	client, origin, err := l.build(t, p)
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
		if !errors.Is(err, errUnsettled) {
			l.giveUp(t, p, err)
		}
		return
	}
	l.drop(t, p)
	l.tally.taken.Add(1)
	l.handover.put(client, &taken{origin: origin, link: flow.link(), greeting: l.greetings.take(t, flow)})
	l.ready = append(l.ready, client)
	l.putBack(p.frames)
}

// build makes the sockets of a flow in state TAKING, which holds all octets of
// both ends.
func (l *late) build(t kernelTuple, p *pending) (client, origin *net.TCPConn, err error) {
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
			closeSilently(fd)
		}
	}()
	for i := range ends {
		fd, err := restore(l.open, &ends[i])
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
		return nil, nil, errUnsettled
	}
	for _, fd := range fds {
		if err := release(fd); err != nil {
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
