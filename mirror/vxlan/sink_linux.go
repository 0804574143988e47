package vxlan

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

const (
	// A blocked Send looks again after minBackoff, then after twice that, up to
	// maxBackoff; patience bounds that wait.
	minBackoff = 50 * time.Microsecond
	maxBackoff = 2 * time.Millisecond
	patience   = 5 * time.Second
)

// Sink sends frames to one remote. Its methods are safe for concurrent use; the
// frames of concurrent calls may interleave.
type Sink struct {
	cfg     Config
	log     *slog.Logger
	sockets [sourcePorts]*socket
	batches sync.Pool // of *batch
	count   counters
	start   time.Time // times below count from here

	path        atomic.Pointer[path] // never nil
	restUntil   atomic.Int64         // nanoseconds; 0: none yet
	unreachable atomic.Bool          // why it rests: no way there, not nobody there
	refusing    atomic.Bool          // for the log

	mu      sync.RWMutex // held for reading by every Send, for writing while sockets are closed
	looking sync.Mutex   // one look at the path at a time
	closing atomic.Bool
	close   sync.Once
	stop    chan struct{} // closed by Close
	done    chan struct{} // closed by watch
}

var _ mirror.Sink = (*Sink)(nil)

// Open returns a sink for cfg.Remote. It fails if cfg is wrong or cfg.Source is no
// address of this machine, not because of the way to the remote. The caller must
// Close the sink.
func Open(cfg Config) (*Sink, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	s := &Sink{cfg: cfg, log: cfg.Logger, start: time.Now(), stop: make(chan struct{}), done: make(chan struct{})}
	s.batches.New = func() any { return newBatch(cfg.VNI) }
	for i := range s.sockets {
		if s.sockets[i], err = openSocket(&cfg); err != nil {
			s.closeSockets()
			return nil, fmt.Errorf("open socket to %v: %w", cfg.Remote, err)
		}
	}
	none := s.newPath(0)
	s.path.Store(&none)
	s.updatePath()
	go s.watch()
	return s, nil
}

// Send implements [mirror.Sink]. Errors: mirror.ErrNoLink (no route, or unreachable),
// mirror.ErrNoReader (nobody listens there), mirror.ErrTooLong (a frame longer than
// the MTU and 18 octets of Ethernet header with VLAN tag), mirror.ErrFull (with
// Block only after 5 s), mirror.ErrClosed, and what else the kernel says. It
// allocates nothing.
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
	s.count.Frames.Add(uint64(n))
	s.count.Octets.Add(uint64(octets))
	if err != nil {
		s.count.Lose(err, len(frames)-n)
	}
	return n, err
}

// sendBatch sends the first frames, those of one source port, as many as fit in b. It
// returns fewer than these only with an error.
func (s *Sink) sendBatch(b *batch, frames []mirror.Frame) (int, error) {
	p := s.path.Load()
	if err := s.usable(p); err != nil {
		return 0, err
	}
	filled, port, tooLong := b.fill(frames, p.mtu+frameOverhead)
	defer b.release(filled)

	var backoff, waited time.Duration
	for sent := 0; ; {
		if sent == filled {
			return sent, tooLong
		}
		n, errno := b.send(s.sockets[port].fd, sent, filled)
		if errno == 0 {
			sent += n
			backoff, waited = 0, 0
			continue
		}
		switch errno {
		case unix.EINTR:
		case unix.EAGAIN, unix.ENOBUFS, unix.ENOMEM:
			if s.cfg.Full == mirror.Drop || waited >= patience {
				return sent, mirror.ErrFull
			}
			backoff = min(max(2*backoff, minBackoff), maxBackoff)
			waited += backoff
			time.Sleep(backoff)
			if err := s.usable(s.path.Load()); err != nil {
				return sent, err
			}
		default:
			return sent, s.judge(errno)
		}
	}
}

// judge returns the loss that an error of a send means: one of this datagram, or an
// answer to an earlier one, in whose stead this one was not sent.
func (s *Sink) judge(errno unix.Errno) error {
	switch errno {
	case unix.ECONNREFUSED:
		s.refuse(errno)
		return mirror.ErrNoReader
	case unix.EHOSTUNREACH, unix.ENETUNREACH, unix.EHOSTDOWN:
		s.refuse(errno)
		return mirror.ErrNoLink
	case unix.ENETDOWN, unix.ENODEV, unix.ENXIO, unix.EADDRNOTAVAIL, unix.EDESTADDRREQ:
		return mirror.ErrNoLink
	case unix.EMSGSIZE: // the path takes less since a moment ago
		s.updatePath()
		return mirror.ErrTooLong
	}
	return os.NewSyscallError("sendmmsg", errno)
}

// MTU implements [mirror.Sink]: what the path takes as far as it is known, and at
// most what is configured.
func (s *Sink) MTU() int { return s.path.Load().mtu }

// Idle implements [mirror.Sink]. It is always false: whether somebody listens shows
// in the answers to what is sent.
func (s *Sink) Idle() bool { return false }

// Stats returns the totals so far. It may be called after Close.
func (s *Sink) Stats() Stats {
	st := s.count.snapshot()
	st.Up = s.usable(s.path.Load()) == nil
	return st
}

// Close makes later and waiting Sends fail with mirror.ErrClosed, waits for those
// in flight, and closes the sockets. It returns nil; calling it again does
// nothing.
func (s *Sink) Close() error {
	s.close.Do(func() {
		s.closing.Store(true)
		close(s.stop)
		<-s.done
		s.mu.Lock()
		defer s.mu.Unlock()
		s.closeSockets()
	})
	return nil
}

func (s *Sink) closeSockets() {
	var errs []error
	for i, socket := range s.sockets {
		if socket != nil {
			errs = append(errs, unix.Close(socket.fd))
			s.sockets[i] = nil
		}
	}
	if err := errors.Join(errs...); err != nil {
		s.log.Debug("vxlan sockets not closed", "err", err)
	}
}
