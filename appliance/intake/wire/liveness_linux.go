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

// pulse is the memory in which the programs see that somebody is there: one slot
// for each loop. Late, the loop of every shard has to be.
type pulse struct{ memory []byte }

func openPulse(m *ebpf.Map) (*pulse, error) {
	memory, err := unix.Mmap(m.FD(), 0, unix.Getpagesize(), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("map heartbeat: %w", err)
	}
	return &pulse{memory}, nil
}

// slot returns the word of a loop, to be used atomically until close.
func (p *pulse) slot(i int) *uint64 { return (*uint64)(unsafe.Pointer(&p.memory[8*i])) }

func (p *pulse) close() error { return unix.Munmap(p.memory) }

// process is the pulse of the process itself: it proves that goroutines run, not that
// a loop does. A timer writes it, which the scheduler of Go serves before all goroutines
// that wait for a processor. A loop may be behind thousands of them.
type process struct {
	slot  *uint64
	limit time.Duration // a pause longer than that is death

	mu     sync.Mutex
	timer  *time.Timer // nil: ended
	last   time.Time
	lapsed time.Time // when the last such pause was over
}

func startProcess(slot *uint64, limit time.Duration) *process {
	p := &process{slot: slot, limit: limit}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.timer = time.AfterFunc(0, p.beat)
	return p
}

func (p *process) beat() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.timer == nil {
		return
	}
	now := time.Now()
	if !p.last.IsZero() && now.Sub(p.last) > p.limit {
		p.lapsed = now
	}
	p.last = now
	atomic.StoreUint64(p.slot, monotonic())
	p.timer.Reset(p.limit / 5)
}

// lapsedSince reports whether there was, or is, a pause of the process since t.
func (p *process) lapsedSince(t time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.lapsed.After(t) || time.Since(p.last) > p.limit
}

func (p *process) stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.timer.Stop()
	p.timer = nil
	atomic.StoreUint64(p.slot, 0)
}

// beater writes the pulse of one loop. It belongs to the loop's goroutine: the
// pulse proves that the loop runs, and nothing less.
type beater struct {
	running sync.Mutex // held by Accept, so that stop knows when it has returned
	closed  bool
	ending  sync.Once // of Close

	slot    *uint64
	process *process
	limit   time.Duration // a pause longer than that was seen as death, if the process did not run
	busy    time.Duration // and one longer than that if it did
	recover time.Duration // to run after one before beating again, unless it was shorter
	last    time.Time
	from    time.Time // no beat before
	first   func()    // called once, at the first beat
}

// beat is to be called at least every interval.
func (b *beater) beat() {
	now := time.Now()
	if pause := now.Sub(b.last); !b.last.IsZero() && pause > b.limit && (pause > b.busy || b.process.lapsedSince(b.last)) {
		b.from = now.Add(min(pause, b.recover)) // connections pass meanwhile
	}
	b.last = now
	if now.Before(b.from) {
		return
	}
	atomic.StoreUint64(b.slot, monotonic())
	if b.first != nil {
		b.first()
		b.first = nil
	}
}

// interval is how long the loop may wait between two beats.
func (b *beater) interval() time.Duration { return b.limit / 5 }

// stop waits for Accept to return, and has the programs see nobody.
func (b *beater) stop() {
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

// beating is a listener whose Accept keeps the pulse.
type beating struct {
	*net.TCPListener
	beater
}

// Accept waits for a connection. It is called by one goroutine.
func (l *beating) Accept() (net.Conn, error) {
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

// Close ends Accept. When it has returned, the pulse is not used any more.
func (l *beating) Close() (err error) {
	l.ending.Do(func() {
		err = l.TCPListener.Close()
		l.stop()
	})
	return err
}
