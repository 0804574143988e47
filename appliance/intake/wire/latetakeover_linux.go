package wire

import (
	"errors"
	"log/slog"
	"net"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cilium/ebpf/ringbuf"
	"golang.org/x/sys/unix"

	"github.com/clearspan/clearspan/decrypt"
)

// lateListener is a listener whose connections have begun without us, those of one shard.
// One goroutine, on a thread of its own, runs everything here: frames that are held come
// in through the ring, decisions are made, sockets built, frames put back. Shards share
// nothing but what says so.
type lateListener struct {
	loopHeartbeat
	limits      shardLimits
	name        string
	namespace   *namespace
	socket      socketFunc // of the loop's thread
	program     *program
	ring        *ringbuf.Reader
	injector    *injector
	decide      func(in *decrypt.Incoming, flight []byte) Decision
	holdOnClose bool        // after Close: flows stay where they are
	replaced    func() bool // another process takes them then
	holdFailed  bool        // so do flows that cannot be taken
	log         *slog.Logger
	counters    *flowCounters // shared
	addr        net.Addr
	record      ringbuf.Record
	held        map[kernelTuple]*heldFlow
	heldOctets  int // of all held frames
	swept       time.Time

	banners   banners
	passing   passingFlows
	starting  sync.Once
	accepting chan struct{}     // closed by the first Accept
	done      chan struct{}     // closed by Close
	out       chan *net.TCPConn // closed by the loop
	failure   error             // of the loop, to be read when out is closed
	ready     []*net.TCPConn
	legs      *originLegs // shared
}

// flowCounters counts what user space decides.
type flowCounters struct{ taken, passed, undecided, failed atomic.Uint64 }

// raisePriority has the calling thread, and none that it makes, run before others
// where processors are short: connections pass while the loop stands still. A round
// is a few milliseconds of work at most.
func raisePriority() error {
	return unix.SchedSetAttr(0, &unix.SchedAttr{
		Size: unix.SizeofSchedAttr, Policy: unix.SCHED_RR, Flags: unix.SCHED_FLAG_RESET_ON_FORK, Priority: 1,
	}, 0)
}

// startLoop makes the thread of the loop, which runs from the first Accept on. It takes
// its priority while the process may still do that.
func (l *lateListener) startLoop() {
	l.accepting, l.done, l.out = make(chan struct{}), make(chan struct{}), make(chan *net.TCPConn, l.limits.queued)
	set := make(chan struct{})
	go func() {
		defer close(l.out)
		runtime.LockOSThread() // for good: the thread ends with the loop
		if l.socket = socketHere; !joinNamespace(l.namespace) {
			l.socket = l.namespace.Socket
		}
		if err := raisePriority(); err != nil {
			l.log.Debug("priority of the wire's loop not raised", "err", err)
		}
		close(set)
		select {
		case <-l.accepting:
			l.failure = l.run()
		case <-l.done:
		}
	}()
	<-set
}

// joinNamespace has the calling thread, which is locked, be in the namespace, so that no
// other one is needed to make sockets. It returns false if it cannot.
func joinNamespace(n *namespace) bool {
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
func (l *lateListener) run() error {
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
			l.handleFrame(l.record.RawSample)
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
func (l *lateListener) Accept() (net.Conn, error) {
	l.starting.Do(func() { close(l.accepting) })
	if conn, ok := <-l.out; ok {
		return conn, nil
	}
	if l.failure != nil {
		return nil, l.failure
	}
	return nil, net.ErrClosed
}

// retryInterval is how long the loop waits for a frame while flows are held. The ring
// waits for whole milliseconds, rounded down: for less than one it does not wait at all,
// and the loop would take a processor while a client sends half a hello.
const retryInterval = 1500 * time.Microsecond

// wait is how long to wait for the next frame.
func (l *lateListener) wait() time.Duration {
	if len(l.held) > 0 {
		return min(retryInterval, l.interval())
	}
	return l.interval()
}

// Close ends Accept and lets go of what is held. What Accept returned goes on.
// When it has returned, neither heartbeat map nor programs are used any more.
func (l *lateListener) Close() (err error) {
	l.ending.Do(func() {
		close(l.done)
		err = l.ring.Close()
		l.stop()
		l.abandon()
		err = errors.Join(err, l.injector.close())
	})
	return err
}

// Addr is that of the socket that stands for us in the kernel.
func (l *lateListener) Addr() net.Addr { return l.addr }

// sweep, once a millisecond, takes flows that wait for octets in flight or
// for a client that says no more.
func (l *lateListener) sweep() {
	now := time.Now()
	if len(l.held)+len(l.passing.byTuple) == 0 || now.Sub(l.swept) < time.Millisecond {
		return
	}
	l.retransmit(now)
	l.swept = now
	for t, p := range l.held {
		l.beat() // many flows take their time
		if now.Sub(p.since) > undecidedLimit {
			if p.take {
				l.giveUp(t, p, errInFlight)
				continue
			}
			if now.Sub(p.since) < silentLimit && len(p.flight()) == 0 {
				continue // its first octets were lost, and come again
			}
			l.counters.undecided.Add(1)
			p.take, p.since = true, now
		}
		if p.take {
			l.take(t, p)
		}
	}
}

// abandon lets go of everything when the listener is closed.
func (l *lateListener) abandon() {
	for t, p := range l.held { // the programs see nobody any more
		l.forget(t, p)
		if !l.holdOnClose && !l.replaced() {
			l.release(t, p)
		}
	}
	for conn := range l.out { // the loop has ended
		l.ready = append(l.ready, conn)
	}
	for _, conn := range l.ready {
		if k := l.legs.take(conn); k != nil {
			k.conn.Close()
		}
		conn.Close()
	}
	l.ready = nil
}
