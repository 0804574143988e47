package pcapip

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/clearspan/clearspan/mirror"
)

const (
	closeTimeout   = time.Second            // for readers to take what is queued at Close
	acceptInterval = 100 * time.Millisecond // after accept failed (no file descriptors)
)

// Sink serves frames to readers. Its methods are safe for concurrent use; the
// frames of one Send stay together in every reader's stream.
type Sink struct {
	cfg       Config
	log       *slog.Logger
	listeners []net.Listener
	count     counters

	readers atomic.Pointer[[]*reader]  // never nil; the slice is not changed once published
	handing sync.RWMutex               // held to write while readers are given away: between two Sends
	mu      sync.Mutex                 // held while readers is replaced
	closed  atomic.Bool                // set with mu held
	feeders map[*net.UnixConn]struct{} // guarded by mu: sinks that hand over
	group   sync.WaitGroup             // the accepting goroutines and one for every reader
}

var _ mirror.Sink = (*Sink)(nil)

// Listen starts to serve readers on cfg.Addr. The caller must Close the sink.
func Listen(cfg Config) (*Sink, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	if len(cfg.Listeners) == 0 {
		l, err := net.Listen("tcp", cfg.Addr)
		if err != nil {
			return nil, fmt.Errorf("listen for pcap readers: %w", err)
		}
		cfg.Listeners = []net.Listener{l}
	}
	s := &Sink{cfg: cfg, log: cfg.Logger, listeners: cfg.Listeners}
	s.readers.Store(new([]*reader))
	for _, l := range s.listeners {
		s.group.Go(func() { s.accept(l) })
	}
	if cfg.Feeders != nil {
		s.feeders = make(map[*net.UnixConn]struct{})
		s.group.Go(func() { s.acceptFeeders(cfg.Feeders) })
	}
	return s, nil
}

// Addr is the (first) address that readers connect to.
func (s *Sink) Addr() net.Addr { return s.listeners[0].Addr() }

// Send implements [mirror.Sink]: n is how many frames are queued for every
// reader connected now. It never waits for a reader. Errors: mirror.ErrTooLong
// (a frame longer than the MTU and 18 octets), mirror.ErrFull (some reader
// missed frames), mirror.ErrNoReader, mirror.ErrClosed.
func (s *Sink) Send(frames []mirror.Frame) (int, error) {
	if len(frames) == 0 {
		return 0, nil
	}
	n, err := s.fit(frames)
	if queued, qerr := s.enqueue(frames[:n]); qerr != nil {
		n, err = queued, qerr
	}
	var octets int
	for i := range frames[:n] {
		octets += frames[i].Len()
	}
	s.count.Frames.Add(uint64(n))
	s.count.Octets.Add(uint64(octets))
	if err != nil {
		s.count.Lose(err, len(frames)-n)
	}
	return n, err
}

// fit returns how many frames come before the first that is too long.
func (s *Sink) fit(frames []mirror.Frame) (int, error) {
	for i := range frames {
		if frames[i].Len() > s.cfg.MTU+14+4 { // Ethernet header, VLAN tag
			return i, mirror.ErrTooLong
		}
	}
	return len(frames), nil
}

// enqueue queues frames for all readers and returns how many the best of them took.
// What another one missed is its own gap: told again, the frames would come twice
// to those that have them.
func (s *Sink) enqueue(frames []mirror.Frame) (int, error) {
	if s.closed.Load() {
		return 0, mirror.ErrClosed
	}
	s.handing.RLock()
	defer s.handing.RUnlock()
	best, served := 0, false
	for _, r := range *s.readers.Load() {
		n, left := r.enqueue(frames)
		switch {
		case left:
		case n == len(frames):
			best, served = n, true
		case s.cfg.Slow == Disconnect:
			if r.disconnect() {
				r.log.Warn("reader too slow, disconnected")
			}
		default:
			best, served = max(best, n), true
			s.count.missed.Add(uint64(len(frames) - n))
		}
	}
	switch {
	case !served && s.closed.Load():
		return 0, mirror.ErrClosed
	case !served:
		return 0, mirror.ErrNoReader
	case best < len(frames):
		return best, mirror.ErrFull
	}
	return best, nil
}

// MTU implements [mirror.Sink]: the one configured.
func (s *Sink) MTU() int { return s.cfg.MTU }

// Idle implements [mirror.Sink]: no reader is connected.
func (s *Sink) Idle() bool { return len(*s.readers.Load()) == 0 }

// Close makes later Sends fail with mirror.ErrClosed, stops listening, gives
// readers up to a second to take what is queued and disconnects them. It
// returns nil; calling it again only waits for the first call.
func (s *Sink) Close() error {
	s.mu.Lock()
	if s.closed.CompareAndSwap(false, true) {
		s.Yield()
		if s.cfg.Feeders != nil {
			s.cfg.Feeders.Close()
		}
		for conn := range s.feeders {
			conn.Close()
		}
		for _, r := range *s.readers.Load() {
			r.drain()
		}
	}
	s.mu.Unlock()
	s.group.Wait()
	return nil
}

// Yield takes no more readers. Those that there are go on.
func (s *Sink) Yield() {
	for _, l := range s.listeners {
		l.Close()
	}
}

// accept takes readers until the listener is closed.
func (s *Sink) accept(l net.Listener) {
	failing := false
	for {
		conn, err := l.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			if !failing {
				s.log.Error("readers not accepted", "err", err)
			}
			failing = true
			time.Sleep(acceptInterval)
			continue
		}
		failing = false
		if err := s.permit(conn); err != nil {
			s.log.Warn("reader refused", "reader", conn.RemoteAddr().String(), "err", err)
			conn.Close()
			continue
		}
		s.addReader(conn)
	}
}

func (s *Sink) permit(conn net.Conn) error {
	if s.cfg.Permit == nil {
		return nil
	}
	return s.cfg.Permit(conn)
}

// addReader serves conn, or closes it if there are too many readers.
func (s *Sink) addReader(conn net.Conn) { s.add(newReader(conn, &s.cfg), false) }

// add serves r. welcome is for one that there is room for whatever the limit.
func (s *Sink) add(r *reader, welcome bool) {
	conn := r.conn
	s.mu.Lock()
	defer s.mu.Unlock()
	readers := slices.Clone(*s.readers.Load())
	if len(readers) >= s.cfg.MaxReaders && !welcome {
		// One that closed its sending side is perhaps gone altogether; only
		// writing to it would tell.
		i := slices.IndexFunc(readers, func(r *reader) bool { return r.halfClosed.Load() })
		if i < 0 {
			r.log.Warn("reader refused, too many")
			conn.Close()
			return
		}
		readers[i].disconnect()
		readers = slices.Delete(readers, i, i+1)
	}
	if s.closed.Load() {
		conn.Close()
		return
	}
	readers = append(readers, r)
	s.readers.Store(&readers)
	r.log.Info("reader joined")
	s.group.Go(func() {
		r.run()
		s.removeReader(r)
	})
}

func (s *Sink) removeReader(r *reader) {
	s.mu.Lock()
	defer s.mu.Unlock()
	readers := slices.DeleteFunc(slices.Clone(*s.readers.Load()), func(other *reader) bool { return other == r })
	s.readers.Store(&readers)
}
