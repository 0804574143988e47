package afpacket

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/clearspan/clearspan/mirror"
)

// Full says what Send does while the interface's transmit queue is full.
type Full uint8

const (
	Drop  Full = iota // lose the rest of the frames with mirror.ErrFull
	Block             // wait for room, at most 5 s a frame; ends early when the link goes or the sink is closed
)

// Config describes a sink. Only Interface is required.
type Config struct {
	Interface string // name of the interface, 1 to 15 octets; it need not exist
	Full      Full
	// SendBuffer is the socket's send buffer in octets of kernel memory: how
	// much may wait in the interface's transmit queue (a full-size frame costs
	// about 2.3 KiB). Zero means 8 MiB with Drop and the system's default with
	// Block. Without CAP_NET_ADMIN the system caps it at net.core.wmem_max.
	SendBuffer int
	Logger     *slog.Logger // nil discards
}

const (
	defaultMTU        = 1500    // octets, until the interface was seen
	defaultSendBuffer = 8 << 20 // octets, with Drop
	maxSendBuffer     = 1 << 30 // octets
	frameOverhead     = 14 + 4  // octets of Ethernet header and one VLAN tag, which an MTU does not count

	// A blocked Send looks again after minBackoff, then after twice that, up to
	// maxBackoff. 2 ms is about what 8 MiB take to leave at 25 Gbit/s.
	minBackoff = 50 * time.Microsecond
	maxBackoff = 2 * time.Millisecond
	// patience bounds that wait, because a device may refuse a frame for ever
	// (the far end of a veth pair has a smaller MTU).
	patience = 5 * time.Second
)

// Sink sends frames out of one interface. Its methods are safe for concurrent
// use; the frames of concurrent calls may interleave.
type Sink struct {
	full     Full
	patience time.Duration // how long a blocked Send waits for one frame
	fd       int
	watch    *watcher
	batches  sync.Pool // of *batch
	count    counters

	mu      sync.RWMutex // held for reading by every Send, for writing while fd is closed
	closing atomic.Bool
	close   sync.Once
}

var _ mirror.Sink = (*Sink)(nil)

// Open returns a sink for cfg.Interface. It fails if cfg is wrong or sockets
// are refused (CAP_NET_RAW is needed), not because of the interface's state.
// The caller must Close the sink.
func Open(cfg Config) (*Sink, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	log := cfg.Logger
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open packet socket for %s: %w", cfg.Interface, err)
	}
	if err := setSendBuffer(fd, cfg); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("set send buffer for %s: %w", cfg.Interface, err)
	}
	s := &Sink{full: cfg.Full, patience: patience, fd: fd}
	s.batches.New = func() any { return newBatch() }
	s.watch, err = watch(cfg.Interface, log, &s.count.deviceDropped)
	if err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("watch interface %s: %w", cfg.Interface, err)
	}
	return s, nil
}

func (cfg *Config) check() error {
	switch {
	case cfg.Interface == "" || len(cfg.Interface) >= unix.IFNAMSIZ:
		return fmt.Errorf("interface name %q has not 1 to %d octets", cfg.Interface, unix.IFNAMSIZ-1)
	case cfg.Full > Block:
		return fmt.Errorf("unknown full policy %d", cfg.Full)
	case cfg.SendBuffer < 0 || cfg.SendBuffer > maxSendBuffer:
		return fmt.Errorf("send buffer of %d octets is not in 0 to %d", cfg.SendBuffer, maxSendBuffer)
	}
	return nil
}

func setSendBuffer(fd int, cfg Config) error {
	size := cfg.SendBuffer
	if size == 0 {
		if cfg.Full == Block {
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
// mirror.ErrFull (with Block only after 5 s), mirror.ErrClosed, and what the kernel says
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
	}
	s.batches.Put(b)
	s.mu.RUnlock()

	var octets int
	for i := range frames[:n] {
		octets += frames[i].Len()
	}
	s.count.frames.Add(uint64(n))
	s.count.octets.Add(uint64(octets))
	if err != nil {
		s.count.lose(err, len(frames)-n)
	}
	return n, err
}

// sendBatch sends the first frames, as many as fit in b. It returns fewer than
// these only with an error.
func (s *Sink) sendBatch(b *batch, frames []mirror.Frame) (int, error) {
	l := s.watch.link.Load()
	if err := s.usable(l); err != nil {
		return 0, err
	}
	filled, tooLong := b.fill(frames, l.mtu+frameOverhead)
	defer b.release(filled)

	var backoff, waited time.Duration
	for sent := 0; ; {
		if sent == filled {
			return sent, tooLong
		}
		n, errno := b.send(s.fd, l.index, sent, filled)
		if errno == 0 {
			sent += n
			backoff, waited = 0, 0
			continue
		}
		switch errno {
		case unix.EINTR:
		case unix.EAGAIN, unix.ENOBUFS, unix.ENOMEM: // send buffer, transmit queue, memory
			if s.full == Drop || waited >= s.patience {
				return sent, mirror.ErrFull
			}
			backoff = min(max(2*backoff, minBackoff), maxBackoff)
			waited += backoff
			time.Sleep(backoff)
			l = s.watch.link.Load()
			if err := s.usable(l); err != nil {
				return sent, err
			}
		case unix.ENETDOWN, unix.ENXIO, unix.ENODEV: // before the watcher saw it
			return sent, mirror.ErrNoLink
		case unix.EMSGSIZE: // MTU lowered a moment ago, or over it by 1 to 4 octets without a tag
			return sent, mirror.ErrTooLong
		default:
			return sent, os.NewSyscallError("sendmmsg", errno)
		}
	}
}

// usable returns why frames cannot be sent, or nil.
func (s *Sink) usable(l *link) error {
	if s.closing.Load() {
		return mirror.ErrClosed
	}
	if l.state != up {
		return mirror.ErrNoLink
	}
	return nil
}

// MTU implements [mirror.Sink]: the interface's MTU as last seen, 1500 before
// that.
func (s *Sink) MTU() int { return s.watch.link.Load().mtu }

// Idle implements [mirror.Sink]. It is always false: who listens at the far end
// of a cable is not known.
func (s *Sink) Idle() bool { return false }

// Stats returns the totals so far. It may be called after Close.
func (s *Sink) Stats() Stats {
	st := s.count.snapshot()
	st.Up = s.usable(s.watch.link.Load()) == nil
	return st
}

// Close makes later and waiting Sends fail with mirror.ErrClosed, waits for
// those in flight, and releases the sockets. It returns nil; calling it again
// does nothing.
func (s *Sink) Close() error {
	s.close.Do(func() {
		s.closing.Store(true)
		s.mu.Lock()
		unix.Close(s.fd)
		s.fd = -1
		s.mu.Unlock()
		s.watch.close()
	})
	return nil
}
