package xdp

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/clearspan/clearspan/mirror"
	"github.com/clearspan/clearspan/mirror/afpacket"
	"github.com/clearspan/clearspan/mirror/internal/framecount"
	"github.com/clearspan/clearspan/mirror/internal/link"
)

// Config describes a sink. Only Interface is required.
type Config struct {
	Interface string          // name of the interface, 1 to 15 octets; it need not exist
	Full      mirror.Overflow // this and Patience as in afpacket.Config
	Patience  time.Duration
	MTU       int          // longest IP packet, in octets, if less than the interface's; 0: that
	Logger    *slog.Logger // nil discards

	// Await has Open succeed while another socket has the queue of the interface. The sink
	// looks for it every second; until [Sink.Bound], Sends fail with mirror.ErrNoLink.
	Await bool
}

const (
	frameOverhead = 14 + 4 // octets of Ethernet header and one VLAN tag, which an MTU does not count
	smallChunk    = 2048   // octets
	largeChunk    = 4096   // octets, a page: the longest there is
	// MaxMTU is the longest IP packet, in octets, that fits with its Ethernet
	// header and a VLAN tag.
	MaxMTU = largeChunk - frameOverhead

	// A blocked Send looks again after minBackoff, then after twice that, up to
	// maxBackoff, for Config.Patience at most; see package afpacket.
	minBackoff = 50 * time.Microsecond
	maxBackoff = 2 * time.Millisecond
	// stalls bounds how often a call of the kernel is repeated that did
	// nothing and gave no reason.
	stalls = 8
	// retryBusy is how often a queue is tried that another socket has.
	retryBusy = time.Second
)

// Sink sends frames out of one interface. Its methods are safe for concurrent
// use; Sends take turns.
type Sink struct {
	full      mirror.Overflow
	mtu       int           // the longest packet wanted
	patience  time.Duration // how long a blocked Send waits for one frame, or the link
	outage    link.Outage
	log       *slog.Logger
	name      string
	await     bool
	bound     atomic.Bool
	namespace *namespace
	watch     *link.Watcher
	base      link.Counters // of the device when the sink was opened
	counters  framecount.Counters
	closing   atomic.Bool
	close     sync.Once

	mu      sync.Mutex
	socket  *socket // nil while none is bound
	tried   time.Time
	refused error // why none could be bound, or nil
}

var _ mirror.Sink = (*Sink)(nil)

// Open returns a sink for cfg.Interface. It fails if cfg is wrong, if sockets
// are refused, or if the interface exists, is up and takes none. The caller must
// Close the sink.
func Open(cfg Config) (*Sink, error) {
	switch {
	case cfg.Interface == "" || len(cfg.Interface) >= unix.IFNAMSIZ:
		return nil, fmt.Errorf("interface name %q has not 1 to %d octets", cfg.Interface, unix.IFNAMSIZ-1)
	case cfg.Patience < 0:
		return nil, fmt.Errorf("patience of %v is negative", cfg.Patience)
	case !cfg.Full.Valid():
		return nil, fmt.Errorf("unknown full policy %q", cfg.Full)
	}
	s := &Sink{full: cmp.Or(cfg.Full, mirror.Drop), mtu: MaxMTU, patience: cmp.Or(cfg.Patience, afpacket.DefaultPatience), log: cfg.Logger, name: cfg.Interface}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if cfg.MTU > 0 {
		s.mtu = min(s.mtu, cfg.MTU)
	}
	s.await = cfg.Await
	var err error
	if s.namespace, err = currentNamespace(); err != nil {
		return nil, err
	}
	if s.watch, err = link.Watch(cfg.Interface, s.log, s.prepare); err != nil {
		s.namespace.close()
		return nil, fmt.Errorf("watch interface %s: %w", cfg.Interface, err)
	}
	s.base = s.watch.Counters()
	s.mu.Lock()
	err = s.refused
	s.mu.Unlock()
	if s.await && errors.Is(err, unix.EBUSY) {
		err = nil
	}
	if err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// prepare binds a socket to the interface when it can be used and is not the
// one that the present socket is bound to.
func (s *Sink) prepare(_ *link.Watcher, l link.Link) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fits := s.socket != nil && s.socket.index == l.Index && l.MTU+frameOverhead <= s.socket.memory.chunk
	if l.State != link.Up || fits || s.closing.Load() {
		return
	}
	waiting := s.await && errors.Is(s.refused, unix.EBUSY)
	if waiting && time.Since(s.tried) < retryBusy {
		return
	}
	s.tried = time.Now()
	s.unbind()
	chunk := smallChunk
	if l.MTU+frameOverhead > chunk {
		chunk = largeChunk
	}
	before := s.refused
	s.refused = s.namespace.do(func() (err error) {
		s.socket, err = openSocket(l.Index, chunk, waiting)
		return err
	})
	s.bound.Store(s.refused == nil)
	if s.await && errors.Is(s.refused, unix.EBUSY) {
		return
	}
	if s.refused != nil {
		s.refused = fmt.Errorf("send on %s by XDP: %w", s.name, s.refused)
		if before == nil {
			s.log.Warn("mirror interface takes no frames by XDP", "iface", s.name, "err", s.refused)
		}
	}
}

// Bound reports whether the sink has the queue, or had it last.
func (s *Sink) Bound() bool { return s.bound.Load() }

// unbind gives the socket up. s.mu is held.
func (s *Sink) unbind() {
	if s.socket != nil {
		s.socket.close()
		s.socket = nil
	}
}

// Send implements [mirror.Sink]. Errors: mirror.ErrNoLink, mirror.ErrTooLong
// (a frame longer than the MTU and 18 octets, or than MaxMTU allows),
// mirror.ErrFull (these with Block only after Patience), mirror.ErrClosed. It allocates
// nothing.
func (s *Sink) Send(frames []mirror.Frame) (int, error) {
	s.mu.Lock()
	n, err := 0, error(nil)
	for n < len(frames) && err == nil {
		var sent int
		sent, err = s.sendSome(frames[n:])
		n += sent
		if sent > 0 {
			s.outage.Over()
		}
		if err == mirror.ErrNoLink && s.full == mirror.Block {
			s.mu.Unlock()
			if s.outage.Wait(s.patience) {
				err = nil
			}
			s.mu.Lock()
		}
	}
	s.mu.Unlock()
	octets := 0
	for i := range frames[:n] {
		octets += frames[i].Len()
	}
	s.counters.Frames.Add(uint64(n))
	s.counters.Octets.Add(uint64(octets))
	if err != nil {
		s.counters.Lose(err, len(frames)-n)
	}
	return n, err
}

// sendSome sends the first frames, as many as there is room for. It returns
// fewer than these only with an error. s.mu is held.
func (s *Sink) sendSome(frames []mirror.Frame) (int, error) {
	l := s.watch.Link()
	if err := s.usable(l); err != nil {
		return 0, err
	}
	limit := min(l.MTU+frameOverhead, s.socket.memory.chunk)
	var waited, backoff time.Duration
	for sent := 0; ; {
		n, tooLong := s.write(frames[sent:], limit)
		taken, err := s.push(n)
		sent += taken
		if taken > 0 {
			waited, backoff = 0, 0
		}
		switch {
		case err == nil && tooLong:
			return sent, mirror.ErrTooLong
		case err == nil && n > 0:
			return sent, nil
		case err != nil && err != mirror.ErrFull:
			return sent, err
		case s.full == mirror.Drop || waited >= s.patience:
			return sent, mirror.ErrFull
		}
		backoff = min(max(2*backoff, minBackoff), maxBackoff)
		waited += backoff
		time.Sleep(backoff)
		if err := s.usable(s.watch.Link()); err != nil {
			return sent, err
		}
	}
}

// write puts the first frames into the ring, as many as fit, and reports
// whether it stopped in front of one that is longer than limit.
func (s *Sink) write(frames []mirror.Frame, limit int) (n int, tooLong bool) {
	room := min(s.socket.room(), budget, len(frames))
	for i := range frames[:room] {
		f := &frames[i]
		if f.Len() > limit || f.Segment > 0 {
			tooLong = true
			break
		}
		s.socket.write(f.Header, f.Payload)
		n++
	}
	s.socket.publish()
	return n, tooLong
}

// push has the kernel take the n frames that were written, and returns how many
// the device has, from the first on. The others it takes back.
func (s *Sink) push(n int) (delivered int, err error) {
	stalled := 0
	for delivered < n && err == nil {
		taken, dropped, errno := s.socket.kick()
		delivered += taken
		if dropped {
			delivered--
			err = mirror.ErrFull
		}
		switch errno {
		case 0, unix.EINTR:
			if stalled++; taken > 0 {
				stalled = 0
			} else if stalled == stalls && err == nil {
				err = mirror.ErrFull
			}
		case unix.EAGAIN, unix.ENOBUFS, unix.ENOMEM: // budget; send space, transmit queue, memory
			if taken == 0 {
				err = mirror.ErrFull
			}
		case unix.ENETDOWN, unix.ENXIO, unix.ENODEV:
			err = mirror.ErrNoLink
		default:
			err = fmt.Errorf("send by XDP: %w", errno)
		}
	}
	if !s.socket.cancel() {
		s.unbind() // the watcher binds another
		if err == mirror.ErrFull {
			err = mirror.ErrNoLink
		}
	}
	return delivered, err
}

// usable returns why frames cannot be sent, or nil. s.mu is held.
func (s *Sink) usable(l *link.Link) error {
	if s.closing.Load() {
		return mirror.ErrClosed
	}
	if l.State != link.Up || s.socket == nil || s.socket.index != l.Index {
		return mirror.ErrNoLink
	}
	return nil
}

// MTU implements [mirror.Sink]: the interface's MTU as last seen, 1500 before
// that, at most MaxMTU and the one configured.
func (s *Sink) MTU() int { return min(s.watch.Link().MTU, s.mtu) }

// Idle implements [mirror.Sink]. It is always false.
func (s *Sink) Idle() bool { return false }

// Stats returns the totals so far. It may be called after Close.
func (s *Sink) Stats() afpacket.Stats {
	c, l := s.watch.Counters(), s.watch.Link()
	s.mu.Lock()
	up, queued := s.usable(l) == nil, 0
	if s.socket != nil {
		queued = s.socket.waiting() * s.socket.memory.chunk
	}
	s.mu.Unlock()
	return afpacket.Stats{
		Frames:        s.counters.Frames.Load(),
		Octets:        s.counters.Octets.Load(),
		Lost:          s.counters.Lost(),
		DevicePackets: c.Packets - s.base.Packets,
		DeviceDropped: c.Dropped - s.base.Dropped,
		Up:            up,
		Link:          string(l.State),
		Queued:        uint64(queued),
	}
}

// Close makes later and waiting Sends fail with mirror.ErrClosed, waits for the
// one in flight, and releases the socket. It returns nil; calling it again does
// nothing.
func (s *Sink) Close() error {
	s.close.Do(func() {
		s.closing.Store(true)
		s.mu.Lock()
		s.unbind() // for good: prepare sees that the sink is closing
		s.mu.Unlock()
		s.watch.Reconcile(s.counters.Frames.Load(), s.base)
		s.watch.Close()
		s.namespace.close()
	})
	return nil
}
