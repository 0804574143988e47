package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/clearspan/clearspan/mirror"
)

// Config is what a sender needs to know.
type Config struct {
	Socket string          // of the receiver
	Full   mirror.Overflow // default block
	Buffer uint64          // octets that wait; default 32 MiB
	Logger *slog.Logger    // nil discards
}

const (
	defaultBuffer = 32 << 20
	minBuffer     = 1 << 20
	patience      = 5 * time.Second // of a session that waits for room
	retryEvery    = 200 * time.Millisecond
	closeFor      = 5 * time.Second      // for what waits when the sender is closed
	tellEvery     = 2 * time.Millisecond // how long records wait to be told together
	reserve       = 64 << 10             // of the buffer, for records without octets
)

// Sender sends records. It is safe for concurrent use.
type Sender struct {
	cfg    Config
	id     uint64
	wake   chan struct{}
	done   chan struct{} // closed when the goroutine has ended
	cancel context.CancelFunc

	mu      sync.Mutex
	ring    *ring
	written uint64 // octets that were ever put into the ring
	stored  uint64 // of those: what the receiver has
	room    chan struct{}
	stuck   bool // a session has waited in vain: others do not, until something is stored
	closed  bool
	up      bool
	records uint64
	why     error
}

// Stats say how a sender does.
type Stats struct {
	Up      bool
	Why     error  // it is not up; nil: it did not try yet
	Records uint64 // that were taken
	Queued  uint64 // octets that wait
}

// NewSender returns a sender, which connects by itself, again and again.
func NewSender(c Config) (*Sender, error) {
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Buffer == 0 {
		c.Buffer = defaultBuffer
	}
	r, err := newRing(c.Buffer)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	s := &Sender{
		cfg: c, id: rand.Uint64(), wake: make(chan struct{}, 1), done: make(chan struct{}), cancel: cancel,
		ring: r, room: make(chan struct{}),
	}
	go s.run(ctx)
	return s, nil
}

// Stats returns how the sender does.
func (s *Sender) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	return Stats{Up: s.up, Why: s.why, Records: s.records, Queued: s.written - s.stored}
}

// frameHead is what stands in front of a record: the octets that follow, its time, and how many
// of these are its comment.
const frameHead = 4 + 8 + 2

// maxComment bounds a comment, in octets.
const maxComment = 4 << 10

// put puts a record into the buffer. The error is one of package mirror.
func (s *Sender) put(r *Record, at time.Time, comment string) error {
	if len(comment) > maxComment {
		comment = ""
	}
	head := make([]byte, 0, frameHead+len(comment)+headSize+8+2*endSize)
	octets := r.Octets
	r.Octets = nil
	head = append(head, 0, 0, 0, 0)
	head = le.AppendUint64(head, uint64(at.UnixNano()))
	head = le.AppendUint16(head, uint16(len(comment)))
	head = append(head, comment...)
	head = r.Append(head)
	size := len(head) + len(octets)
	le.PutUint32(head, uint32(size-4))

	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.await(uint64(size), len(octets) == 0); err != nil {
		return err
	}
	s.ring.put(s.written, head)
	s.ring.put(s.written+uint64(len(head)), octets)
	s.written += uint64(size)
	s.records++
	select {
	case s.wake <- struct{}{}:
	default:
	}
	return nil
}

// await waits for room. The lock is held.
func (s *Sender) await(size uint64, small bool) error {
	limit := uint64(len(s.ring.octets))
	if !small {
		limit -= reserve
	}
	var timer *time.Timer
	for {
		if s.closed {
			return mirror.ErrClosed
		}
		if s.written-s.stored+size <= limit {
			return nil
		}
		if s.cfg.Full == mirror.Drop || s.stuck {
			return mirror.ErrFull
		}
		if timer == nil {
			timer = time.NewTimer(patience)
			defer timer.Stop()
		}
		room := s.room
		s.mu.Unlock()
		select {
		case <-room:
			s.mu.Lock()
		case <-timer.C:
			s.mu.Lock()
			s.stuck = true
		}
	}
}

// run connects, and sends.
func (s *Sender) run(ctx context.Context) {
	defer close(s.done)
	said := ""
	for ctx.Err() == nil {
		err := s.serve(ctx)
		s.mu.Lock()
		s.up, s.why = false, err
		s.mu.Unlock()
		if ctx.Err() != nil || err == nil {
			return
		}
		if text := err.Error(); text != said {
			said = text
			s.cfg.Logger.Warn("recorder does not answer", "err", err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(retryEvery):
		}
	}
}

// serve tells one receiver what there is, from what is not stored on. It returns nil when the
// sender is closed and everything is stored.
func (s *Sender) serve(ctx context.Context) error {
	c, err := (&net.Dialer{}).DialContext(ctx, "unix", s.cfg.Socket)
	if err != nil {
		return err
	}
	conn := c.(*net.UnixConn)
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	s.mu.Lock()
	base := s.stored
	s.mu.Unlock()
	hello := le.AppendUint64(le.AppendUint64([]byte(magic), s.id), base)
	if _, _, err := conn.WriteMsgUnix(hello, unix.UnixRights(int(s.ring.file.Fd())), nil); err != nil {
		return err
	}
	s.cfg.Logger.Info("recorder connected")
	failed := make(chan error, 1)
	go func() {
		err := s.receipts(conn)
		conn.Close() // which ends a write
		failed <- err
	}()
	for told := base; ; {
		s.mu.Lock()
		written, over := s.written, s.closed && s.stored == s.written
		s.mu.Unlock()
		if over {
			return nil
		}
		if written > told {
			if _, err := conn.Write(le.AppendUint64(nil, written)); err != nil {
				return errors.Join(err, <-failed)
			}
			told = written
			time.Sleep(tellEvery)
			continue
		}
		select {
		case <-s.wake:
		case err := <-failed:
			return err
		}
	}
}

// receipts reads what the receiver has stored.
func (s *Sender) receipts(conn io.Reader) error {
	var p [8]byte
	for {
		if _, err := io.ReadFull(conn, p[:]); err != nil {
			return err
		}
		n := le.Uint64(p[:])
		s.mu.Lock()
		if n < s.stored || n > s.written {
			s.mu.Unlock()
			return fmt.Errorf("the recorder says that it has %d octets of %d", n, s.written)
		}
		s.stored, s.stuck, s.up, s.why = n, false, true, nil
		close(s.room)
		s.room = make(chan struct{})
		s.mu.Unlock()
		select {
		case s.wake <- struct{}{}:
		default:
		}
	}
}

// Close sends what waits, for at most 5 seconds. No conversation may be open.
func (s *Sender) Close() error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
	select {
	case <-s.done:
	case <-time.After(closeFor):
	}
	s.cancel()
	<-s.done
	err := s.ring.close()
	if left := s.Stats().Queued; left > 0 {
		err = errors.Join(err, fmt.Errorf("%d octets for the recorder were not taken", left))
	}
	return err
}
