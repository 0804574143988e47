package afpacket

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/clearspan/clearspan/mirror"
	"github.com/clearspan/clearspan/mirror/internal/framecount"
	"github.com/clearspan/clearspan/mirror/internal/link"
)

// Config describes a sink. Only Interface is required.
type Config struct {
	Interface string // name of the interface, 1 to 15 octets; it need not exist
	// Full is what Send does while the interface's transmit queue is full; default
	// mirror.Drop. mirror.Block waits for room, at most Patience a frame, and for the
	// link; it ends early when the sink is closed.
	Full mirror.Overflow
	// Patience bounds how long a Send waits with Block: for room in the queue, for
	// each frame, and for the interface, all Sends together from when it went. 0
	// means 5 s.
	Patience time.Duration
	MTU      int // longest IP packet, in octets, if less than the interface's; 0: that
	// GSO has the kernel, or the adapter, cut super-segments of up to 64 KiB:
	// the sink is a mirror.Segmenter. A software device is kept from leaving
	// checksums unfinished (transmit checksum offload is switched off until
	// Close), which needs CAP_NET_ADMIN.
	GSO bool
	// SendBuffer is the socket's send buffer in octets of kernel memory: how
	// much may wait in the interface's transmit queue (a full-size frame costs
	// about 2.3 KiB). Zero means 8 MiB with Drop or GSO, else the system's default. Without CAP_NET_ADMIN the system caps it at net.core.wmem_max.
	SendBuffer int
	Logger     *slog.Logger // nil discards
}

const (
	defaultSendBuffer = 8 << 20 // octets, with Drop or GSO
	maxSendBuffer     = 1 << 30 // octets
	maxSuper          = 65535   // octets, longest IP packet that is cut
	frameOverhead     = 14 + 4  // octets of Ethernet header and one VLAN tag, which an MTU does not count

	// A blocked Send looks again after minBackoff, then after twice that, up to
	// maxBackoff. 2 ms is about what 8 MiB take to leave at 25 Gbit/s.
	minBackoff = 50 * time.Microsecond
	maxBackoff = 2 * time.Millisecond
	// DefaultPatience is what Config.Patience is by default: a device may refuse a
	// frame for ever (the far end of a veth pair has a smaller MTU).
	DefaultPatience = 5 * time.Second
	// linkChangeTimeout is how long a Send waits with Block for the watcher to see an MTU
	// that the kernel has lowered.
	linkChangeTimeout = 300 * time.Millisecond
)

// Sink sends frames out of one interface. Its methods are safe for concurrent
// use; the frames of concurrent calls may interleave.
type Sink struct {
	full     mirror.Overflow
	mtu      int           // the longest packet wanted; 0: the interface's MTU
	patience time.Duration // how long a blocked Send waits for one frame, or the link
	outage   link.Outage
	fd       int
	watch    *link.Watcher
	batches  sync.Pool // of *batch
	counters framecount.Counters
	base     link.Counters // of the device when the sink was opened

	log      *slog.Logger
	sums     *checksums   // nil without GSO; the watcher's, until Close
	seen     link.Link    // the watcher's: what silent belongs to
	silent   uint64       // the watcher's: segments that the device dropped without a word
	barred   atomic.Bool  // the kernel knows no super-segments
	limit    atomic.Int32 // of super-segments, octets; 0: none are taken
	queued   atomic.Bool  // the kernel has a queue in front of the device
	refusals refusals     // with GSO

	mu      sync.RWMutex // held for reading by every call of the kernel, for writing while none may be
	closing atomic.Bool
	close   sync.Once
}

var _ mirror.Segmenter = (*Sink)(nil)

// Open returns a sink for cfg.Interface. It fails if cfg is wrong or sockets
// are refused (CAP_NET_RAW is needed), not because of the interface's state;
// with GSO also if the interface exists and its checksums cannot be had
// complete. The caller must Close the sink.
func Open(cfg Config) (*Sink, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	log := cfg.Logger
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	s := &Sink{full: cmp.Or(cfg.Full, mirror.Drop), mtu: cfg.MTU, patience: cmp.Or(cfg.Patience, DefaultPatience), log: log}
	s.batches.New = func() any { return newBatch(cfg.GSO) }
	var err error
	if s.fd, err = openSocket(cfg); err != nil {
		return nil, err
	}
	if cfg.GSO {
		if s.sums, err = openChecksums(cfg.Interface, log); err != nil {
			unix.Close(s.fd)
			return nil, err
		}
	}
	if s.watch, err = link.Watch(cfg.Interface, log, s.prepare); err != nil {
		unix.Close(s.fd)
		if s.sums != nil {
			s.sums.close()
		}
		return nil, fmt.Errorf("watch interface %s: %w", cfg.Interface, err)
	}
	s.base = s.watch.Counters()
	return s, nil
}

func openSocket(cfg Config) (int, error) {
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("open packet socket for %s: %w", cfg.Interface, err)
	}
	if err := setSendBuffer(fd, cfg); err != nil {
		unix.Close(fd)
		return -1, fmt.Errorf("set send buffer for %s: %w", cfg.Interface, err)
	}
	if cfg.GSO {
		if err := unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_VNET_HDR, 1); err != nil {
			unix.Close(fd)
			return -1, fmt.Errorf("switch segmentation on for %s: %w", cfg.Interface, err)
		}
	}
	return fd, nil
}

// prepare readies the sink for what the watcher is about to publish, and at
// each poll.
func (s *Sink) prepare(w *link.Watcher, l link.Link) {
	if s.sums == nil {
		return
	}
	if l != s.seen {
		s.seen, s.silent = l, 0
	}
	queued := w.Queued()
	s.queued.Store(queued)
	s.mu.Lock()
	dropped := s.refusals.rebaseline(w)
	s.mu.Unlock()
	if dropped > 0 && !queued {
		if s.silent == 0 {
			s.log.Warn("mirror interface drops parts of super-segments silently, the sink sends single segments", "iface", s.sums.name, "frames", dropped)
		}
		s.silent += dropped
	}
	limit := int32(0)
	if s.sums.check(l) == nil && s.silent == 0 && !s.barred.Load() {
		limit = maxSuper
	}
	s.limit.Store(limit)
}

func (cfg *Config) check() error {
	switch {
	case cfg.Interface == "" || len(cfg.Interface) >= unix.IFNAMSIZ:
		return fmt.Errorf("interface name %q has not 1 to %d octets", cfg.Interface, unix.IFNAMSIZ-1)
	case !cfg.Full.Valid():
		return fmt.Errorf("unknown full policy %q", cfg.Full)
	case cfg.Patience < 0:
		return fmt.Errorf("patience of %v is negative", cfg.Patience)
	case cfg.SendBuffer < 0 || cfg.SendBuffer > maxSendBuffer:
		return fmt.Errorf("send buffer of %d octets is not in 0 to %d", cfg.SendBuffer, maxSendBuffer)
	}
	return nil
}

func setSendBuffer(fd int, cfg Config) error {
	size := cfg.SendBuffer
	if size == 0 {
		if cfg.Full == mirror.Block && !cfg.GSO {
			return nil
		}
		size = defaultSendBuffer
	}
	half := size / 2 // the kernel doubles what it is told
	err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUFFORCE, half)
	if errors.Is(err, unix.EPERM) {
		err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF, half)
	}
	return err
}

// Send implements [mirror.Sink]. Errors: mirror.ErrNoLink, mirror.ErrTooLong
// (a frame longer than the MTU and 18 octets of Ethernet header with VLAN tag),
// mirror.ErrFull (these three with Block only after Patience), mirror.ErrClosed, and what the kernel says
// to a frame that is none (shorter than 14 octets). It allocates nothing.
func (s *Sink) Send(frames []mirror.Frame) (int, error) {
	if len(frames) == 0 {
		return 0, nil
	}
	s.mu.RLock()
	b := s.batches.Get().(*batch)
	n, err := 0, error(nil)
	for n < len(frames) && err == nil {
		var sent int
		sent, err = s.sendBatch(b, frames[n:])
		n += sent
		if sent > 0 {
			s.outage.Over()
		}
		if err == mirror.ErrNoLink && s.full == mirror.Block {
			s.mu.RUnlock()
			if s.outage.Wait(s.patience) {
				err = nil
			}
			s.mu.RLock()
		}
	}
	s.batches.Put(b)
	s.mu.RUnlock()

	var segments, octets int
	for i := range frames[:n] {
		segments += frames[i].Segments()
		octets += frames[i].WireLen()
	}
	s.counters.Frames.Add(uint64(segments))
	s.counters.Octets.Add(uint64(octets))
	if err != nil {
		lost := 0
		for i := range frames[n:] {
			lost += frames[n+i].Segments()
		}
		s.counters.Lose(err, lost)
	}
	return n, err
}

// sendBatch sends the first frames, as many as fit in b. It returns fewer than
// these only with an error. s.mu is held for reading, except while it waits.
func (s *Sink) sendBatch(b *batch, frames []mirror.Frame) (int, error) {
	l := s.watch.Link()
	if err := s.usable(l); err != nil {
		return 0, err
	}
	filled, tooLong := b.fill(frames, l.MTU+frameOverhead, s.limit.Load() > 0)
	defer b.release(filled)

	var backoff, waited time.Duration
	for sent := 0; ; {
		if sent == filled {
			return sent, tooLong
		}
		asked := filled - sent
		n, errno := b.send(s.fd, l.Index, sent, filled)
		if n > 0 {
			s.claim(frames[sent : sent+n])
			sent += n
			backoff, waited = 0, 0
		}
		if n < asked && errno != unix.EAGAIN && s.refused(b, sent, &frames[sent]) {
			backoff, waited = 0, 0
		}
		switch errno {
		case 0, unix.EINTR:
		case unix.EAGAIN, unix.ENOBUFS, unix.ENOMEM: // send buffer, transmit queue, memory
			if s.full == mirror.Drop || waited >= s.patience {
				return sent, mirror.ErrFull
			}
			backoff = min(max(2*backoff, minBackoff), maxBackoff)
			waited += backoff
			s.mu.RUnlock()
			time.Sleep(backoff)
			s.mu.RLock()
			l = s.watch.Link()
			if err := s.usable(l); err != nil {
				return sent, err
			}
		case unix.ENETDOWN, unix.ENXIO, unix.ENODEV: // before the watcher saw it
			return sent, mirror.ErrNoLink
		case unix.EMSGSIZE: // MTU lowered a moment ago, or over it by 1 to 4 octets without a tag
			if s.full == mirror.Block {
				s.mu.RUnlock()
				s.awaitLinkChange(l)
				s.mu.RLock()
			}
			return sent, mirror.ErrTooLong
		default:
			if errno == unix.EINVAL && frames[sent].Segment > 0 { // not with this kernel or driver
				s.limit.Store(0)
				s.barred.Store(true)
			}
			return sent, os.NewSyscallError("sendmmsg", errno)
		}
	}
}

// awaitLinkChange waits for a moment for another interface state than l.
func (s *Sink) awaitLinkChange(l *link.Link) {
	for deadline := time.Now().Add(linkChangeTimeout); s.watch.Link() == l && time.Now().Before(deadline); {
		time.Sleep(minBackoff)
	}
}

// claim counts frames that the kernel took.
func (s *Sink) claim(frames []mirror.Frame) {
	if s.sums == nil {
		return
	}
	n := 0
	for i := range frames {
		n += frames[i].Segments()
	}
	s.refusals.claimed.Add(uint64(n))
}

// refused books that the kernel did not take f, message i of b. What went out of
// a super-segment all the same it takes away from it; it reports whether
// anything did. s.mu is held for reading, and released meanwhile.
func (s *Sink) refused(b *batch, i int, f *mirror.Frame) bool {
	segments := f.Segments()
	if s.sums == nil || segments == 1 || s.queued.Load() {
		s.refusals.refused.Add(uint64(segments))
		return false
	}
	s.refusals.add(&b.refusal, segments)
	s.mu.RUnlock()
	s.mu.Lock()
	if !b.refusal.resolved {
		s.refusals.resolve(s.watch)
	}
	s.mu.Unlock()
	s.mu.RLock()
	taken := b.refusal.taken
	if taken == 0 {
		return false
	}
	octets := len(f.Payload)
	f.Advance(taken)
	octets -= len(f.Payload)
	b.point(i, f)
	s.counters.Frames.Add(uint64(taken))
	s.counters.Octets.Add(uint64(taken*len(f.Header) + octets))
	return true
}

// usable returns why frames cannot be sent, or nil.
func (s *Sink) usable(l *link.Link) error {
	if s.closing.Load() {
		return mirror.ErrClosed
	}
	if l.State != link.Up {
		return mirror.ErrNoLink
	}
	return nil
}

// MTU implements [mirror.Sink]: the interface's MTU as last seen, 1500 before
// that, at most the one configured.
func (s *Sink) MTU() int {
	if mtu := s.watch.Link().MTU; s.mtu == 0 || mtu < s.mtu {
		return mtu
	}
	return s.mtu
}

// SegmentLimit implements [mirror.Segmenter]: 65535 with GSO while checksums are
// complete, else 0.
func (s *Sink) SegmentLimit() int { return int(s.limit.Load()) }

// Idle implements [mirror.Sink]. It is always false: who listens at the far end
// of a cable is not known.
func (s *Sink) Idle() bool { return false }

// Stats returns the totals so far. It may be called after Close.
func (s *Sink) Stats() Stats {
	c, l := s.watch.Counters(), s.watch.Link()
	return Stats{
		Frames:        s.counters.Frames.Load(),
		Octets:        s.counters.Octets.Load(),
		Lost:          s.counters.Lost(),
		DevicePackets: c.Packets - s.base.Packets,
		DeviceDropped: c.Dropped - s.base.Dropped,
		Up:            s.usable(l) == nil,
		Link:          string(l.State),
		Queued:        s.queuedOctets(),
	}
}

// queuedOctets asks the kernel what waits to be sent; 0 after Close.
func (s *Sink) queuedOctets() uint64 {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.fd < 0 {
		return 0
	}
	n, err := unix.IoctlGetInt(s.fd, unix.SIOCOUTQ)
	if err != nil {
		return 0
	}
	return uint64(max(n, 0))
}

// Close makes later and waiting Sends fail with mirror.ErrClosed, waits for
// those in flight, puts the checksum offload back to what it was, and releases
// the sockets. It returns nil; calling it again does nothing.
func (s *Sink) Close() error {
	s.close.Do(func() {
		s.closing.Store(true)
		s.mu.Lock()
		unix.Close(s.fd)
		s.fd = -1
		s.mu.Unlock()
		s.watch.Reconcile(s.counters.Frames.Load(), s.base)
		s.watch.Close()
		if s.sums != nil {
			s.sums.close()
		}
	})
	return nil
}
