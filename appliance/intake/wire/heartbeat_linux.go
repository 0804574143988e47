package wire

import (
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

// heartbeatMap is the memory in which the programs see heartbeats: one slot for each loop.
// With take-over [Late], the loop of every shard must have one.
type heartbeatMap struct{ memory []byte }

func openHeartbeats(m *ebpf.Map) (*heartbeatMap, error) {
	memory, err := unix.Mmap(m.FD(), 0, unix.Getpagesize(), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("map heartbeat: %w", err)
	}
	return &heartbeatMap{memory}, nil
}

// slot returns the word of a loop, to be used atomically until close.
func (p *heartbeatMap) slot(i int) *uint64 { return (*uint64)(unsafe.Pointer(&p.memory[8*i])) }

func (p *heartbeatMap) close() error { return unix.Munmap(p.memory) }

// processHeartbeat is the heartbeat of the process itself: it proves that goroutines run,
// not that a loop does. A timer writes it, which the scheduler of Go serves before all
// goroutines that wait for a processor. A loop may be behind thousands of them.
type processHeartbeat struct {
	slot  *uint64
	limit time.Duration // a pause longer than that is death

	mu       sync.Mutex
	timer    *time.Timer // nil: ended
	lastBeat time.Time
	resumed  time.Time // when the last such pause ended
}

func startProcessHeartbeat(slot *uint64, limit time.Duration) *processHeartbeat {
	p := &processHeartbeat{slot: slot, limit: limit}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.timer = time.AfterFunc(0, p.beat)
	return p
}

func (p *processHeartbeat) beat() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.timer == nil {
		return
	}
	now := time.Now()
	if !p.lastBeat.IsZero() && now.Sub(p.lastBeat) > p.limit {
		p.resumed = now
	}
	p.lastBeat = now
	atomic.StoreUint64(p.slot, monotonic())
	p.timer.Reset(p.limit / 5)
}

// pausedSince reports whether there was, or is, a pause of the process since t.
func (p *processHeartbeat) pausedSince(t time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.resumed.After(t) || time.Since(p.lastBeat) > p.limit
}

func (p *processHeartbeat) stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.timer.Stop()
	p.timer = nil
	atomic.StoreUint64(p.slot, 0)
}

// loopHeartbeat writes the heartbeat of one loop. It belongs to the loop's goroutine:
// the heartbeat proves that this loop runs.
type loopHeartbeat struct {
	running sync.Mutex // held by Accept, so that stop knows when it has returned
	closed  bool
	ending  sync.Once // of Close

	slot      *uint64
	process   *processHeartbeat
	limit     time.Duration // a pause longer than that was seen as death, if the process did not run
	busy      time.Duration // and one longer than that if it did
	recover   time.Duration // to run after one before beating again, unless it was shorter
	lastBeat  time.Time
	notBefore time.Time // no beat before
	first     func()    // called once, at the first beat
}

// beat is to be called at least every interval.
func (b *loopHeartbeat) beat() {
	now := time.Now()
	if pause := now.Sub(b.lastBeat); !b.lastBeat.IsZero() && pause > b.limit && (pause > b.busy || b.process.pausedSince(b.lastBeat)) {
		b.notBefore = now.Add(min(pause, b.recover)) // connections pass meanwhile
	}
	b.lastBeat = now
	if now.Before(b.notBefore) {
		return
	}
	atomic.StoreUint64(b.slot, monotonic())
	if b.first != nil {
		b.first()
		b.first = nil
	}
}

// interval is how long the loop may wait between two beats.
func (b *loopHeartbeat) interval() time.Duration { return b.limit / 5 }

// stop waits for Accept to return, and has the programs see nobody.
func (b *loopHeartbeat) stop() {
	b.running.Lock()
	defer b.running.Unlock()
	b.closed = true
	atomic.StoreUint64(b.slot, 0)
}

// monotonic returns CLOCK_MONOTONIC in nanoseconds, the time of the programs.
func monotonic() uint64 {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &t); err != nil {
		return 0
	}
	return uint64(t.Nano())
}

// wallClock turns a time of the programs into one of the calendar.
func wallClock(t uint64) time.Time {
	if t == 0 {
		return time.Time{}
	}
	return time.Now().Add(-time.Duration(monotonic() - t))
}

// heartbeatListener is a listener whose Accept writes a heartbeat.
type heartbeatListener struct {
	*net.TCPListener
	loopHeartbeat
}

// Accept waits for a connection. It is called by one goroutine.
func (l *heartbeatListener) Accept() (net.Conn, error) {
	l.running.Lock()
	defer l.running.Unlock()
	for !l.closed {
		l.beat()
		if err := l.SetDeadline(time.Now().Add(l.interval())); err != nil {
			return nil, err
		}
		conn, err := l.TCPListener.Accept()
		if e, ok := err.(net.Error); ok && e.Timeout() {
			continue
		}
		return conn, err
	}
	return nil, net.ErrClosed
}

// Close ends Accept. When it has returned, the heartbeat map is not used any more.
func (l *heartbeatListener) Close() (err error) {
	l.ending.Do(func() {
		err = l.TCPListener.Close()
		l.stop()
	})
	return err
}
