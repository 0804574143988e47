package pcapng

import (
	"cmp"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/clearspan/clearspan/mirror"
)

const (
	flushInterval = 500 * time.Millisecond // how often a partly filled buffer is written
	retryInterval = 3 * time.Second        // after the storage failed
)

// buffer holds complete blocks of packets and secrets for one write, and the
// names that belong before them.
type buffer struct {
	blocks []byte
	names  []nameRecord
	named  int // octets that names take at most
	frames uint64
	octets uint64 // of the frames
}

// Sink writes frames to rotating pcapng files. Its methods are safe for
// concurrent use. The frames of one Send have the same timestamp, unless it
// waited.
type Sink struct {
	full       mirror.Overflow
	mtu        int
	bufferSize int // octets, what a buffer may hold without filler
	most       int // buffers
	log        *slog.Logger
	retry      time.Duration

	mu      sync.Mutex
	room    sync.Cond // a buffer became free, or closed or failed was set
	current *buffer   // takes frames; nil if none was free
	pending []*buffer // for the writer, oldest first
	free    []*buffer
	unmade  int      // buffers that were never needed yet
	unmap   []func() // give back the memory of those that were
	failed  bool     // storage; set and reset by the writer
	closed  bool
	stats   Stats
	lost    *atomic.Uint64 // frames, for the files to say

	store storage       // the writer's
	pace  pace          // the writer's
	wake  chan struct{} // capacity 1: there is something in pending, or closed
	done  chan struct{} // closed by the writer
}

var _ mirror.Sink = (*Sink)(nil)

// storage is where the writer puts blocks; see store. One goroutine uses it.
type storage interface {
	write(b *buffer, now time.Time, cached bool) error
	expire(now time.Time)
	close()
}

// Open starts a sink. It creates the directory, deals with what a crashed run
// left there, and fails if that cannot be done or cfg is wrong. The caller
// must Close the sink.
func Open(cfg Config) (*Sink, error) { return open(cfg, flushInterval, retryInterval) }

func open(cfg Config, flush, retry time.Duration) (*Sink, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	st, err := newStore(&cfg)
	if err != nil {
		return nil, err
	}
	return start(cfg, st, flush, retry), nil
}

// start starts a sink that writes to st; cfg has its defaults.
func start(cfg Config, st storage, flush, retry time.Duration) *Sink {
	s := &Sink{
		full:       cmp.Or(cfg.Full, mirror.Block),
		mtu:        cfg.MTU,
		bufferSize: bufferSize - namesFixed, // the least filler
		most:       cfg.Buffer / bufferSize,
		log:        cfg.Logger.With("directory", cfg.Directory),
		retry:      retry,
		unmade:     cfg.Buffer / bufferSize,
		stats:      Stats{Lost: make(map[string]uint64)},
		lost:       cfg.lost,
		store:      st,
		wake:       make(chan struct{}, 1),
		done:       make(chan struct{}),
	}
	if cfg.RotateSize > 0 { // one buffer and the head always fit in a file
		s.bufferSize = int(min(int64(s.bufferSize), cfg.RotateSize-maxHead))
	}
	s.room.L = &s.mu
	go s.run(flush)
	return s
}

// Send implements [mirror.Sink]. A frame is delivered when it is in a buffer;
// its note becomes the packet's comment, cut at 65,535 octets. Errors:
// mirror.ErrTooLong (a frame longer than the MTU and 18 octets), mirror.ErrFull
// (only with Drop), mirror.ErrStorage, mirror.ErrClosed. It allocates nothing
// once the buffers exist.
func (s *Sink) Send(frames []mirror.Frame) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now().UnixNano()
	for i := range frames {
		f := &frames[i]
		note := comment(f.Note)
		waited, err := s.reserve(f.Len(), packetSize(f.Len(), len(note)))
		if err != nil {
			s.stats.Lost[mirror.LossReason(err)] += uint64(len(frames) - i)
			s.lost.Add(uint64(len(frames) - i))
			return i, err
		}
		if waited {
			now = time.Now().UnixNano()
		}
		s.current.blocks = appendPacket(s.current.blocks, f, stamp(f, now), note)
		s.current.frames++
		s.current.octets += uint64(f.Len())
		s.stats.Frames++
		s.stats.Octets += uint64(f.Len())
	}
	return len(frames), nil
}

// reserve makes sure that current has room for a block of size octets with a
// frame of length octets. It reports whether it had to wait, with s.mu
// released.
func (s *Sink) reserve(length, size int) (waited bool, err error) {
	if length > s.mtu+14+4 { // Ethernet header, VLAN tag
		return false, mirror.ErrTooLong
	}
	for {
		switch {
		case s.closed:
			return waited, mirror.ErrClosed
		case s.failed:
			return waited, mirror.ErrStorage
		case s.current != nil && len(s.current.blocks)+s.current.named+size <= s.bufferSize:
			return waited, nil
		}
		s.handOver()
		if s.takeEmpty() {
			continue
		}
		if s.full == mirror.Drop {
			return waited, mirror.ErrFull
		}
		s.room.Wait()
		waited = true
	}
}

// handOver gives current to the writer if it holds anything. s.mu is held.
func (s *Sink) handOver() {
	if s.current == nil || len(s.current.blocks) == 0 {
		return
	}
	s.pending = append(s.pending, s.current)
	s.current = nil
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// takeEmpty makes current an empty buffer if there is one. s.mu is held.
func (s *Sink) takeEmpty() bool {
	switch {
	case s.current != nil:
	case len(s.free) > 0:
		last := len(s.free) - 1
		s.current = s.free[last]
		s.free = s.free[:last]
	case s.unmade > 0:
		s.unmade--
		octets, free := allocate(s.bufferSize + namesFixed)
		if free != nil {
			s.unmap = append(s.unmap, free)
		}
		s.current = &buffer{blocks: octets[:0]}
	}
	return s.current != nil
}

// MTU implements [mirror.Sink]: the one configured.
func (s *Sink) MTU() int { return s.mtu }

// Idle implements [mirror.Sink]. It is always false.
func (s *Sink) Idle() bool { return false }

// Close makes later and waiting Sends fail with mirror.ErrClosed, writes the
// buffers, completes the file and ends the writer. Frames that the storage
// does not take now are counted as lost. It returns nil; calling it again
// does nothing but wait for the first call.
func (s *Sink) Close() error {
	s.mu.Lock()
	if !s.closed {
		s.handOver()
		s.closed = true
		s.room.Broadcast()
		select {
		case s.wake <- struct{}{}:
		default:
		}
	}
	s.mu.Unlock()
	<-s.done
	return nil
}

// stamp returns a frame's own time, or else now, in nanoseconds since 1970.
func stamp(f *mirror.Frame, now int64) int64 {
	if f.Time.IsZero() {
		return now
	}
	return f.Time.UnixNano()
}
