package pcapip

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/clearspan/clearspan/mirror"
)

// Octets of the protocol between the sinks of two processes, over a Unix stream socket.
// The successor begins. Then come the readers, each octet with a descriptor (SCM_RIGHTS),
// and after them what a reader would get.
const (
	successor = 'H' // somebody takes what comes
	oneReader = 'R'
	stream    = 'S'
)

const (
	greetTimeout = 2 * time.Second // for a successor to say so
	passTimeout  = 5 * time.Second // for a reader to take what is queued
	feedRetry    = time.Second
)

// HandOver has the sink of another process serve the readers, old and new, from now on:
// it gets all readers between two frames, and each frame that is sent here. dial connects
// to its [Config.Feeders]. As long as nobody takes them, readers stay here. HandOver
// returns soon after the sink is closed, or ctx ends.
func (s *Sink) HandOver(ctx context.Context, dial func(context.Context) (*net.UnixConn, error)) {
	s.Yield()
	if s.cfg.Feeders != nil {
		s.cfg.Feeders.Close() // or it would take itself for a successor
	}
	for !s.closed.Load() && ctx.Err() == nil {
		conn, err := dial(ctx)
		if err == nil {
			err = s.feed(ctx, conn)
		}
		if err != nil {
			s.log.Debug("readers stay", "err", err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(feedRetry):
		}
	}
}

// feed gives the readers to a successor, and then what is sent, until either ends.
func (s *Sink) feed(ctx context.Context, conn *net.UnixConn) error {
	defer conn.Close()
	conn.SetReadDeadline(time.Now().Add(greetTimeout))
	var greeting [1]byte
	if _, err := conn.Read(greeting[:]); err != nil || greeting[0] != successor {
		return fmt.Errorf("no successor: %w", err)
	}
	conn.SetReadDeadline(time.Time{})
	feeder := newReader(conn, &s.cfg)
	feeder.log = s.log.With("reader", "successor")
	readers, err := s.swap(feeder)
	if err != nil {
		return err
	}
	defer s.group.Done()
	defer s.removeReader(feeder)
	defer context.AfterFunc(ctx, func() { feeder.disconnect() })()

	for _, r := range readers {
		if err := r.giveTo(conn); err != nil {
			r.log.Warn("reader not handed over, disconnected", "err", err)
		}
	}
	if _, err := conn.Write([]byte{stream}); err != nil {
		feeder.disconnect()
		return err
	}
	feeder.run()
	return nil
}

// swap puts feeder in the place of all readers, which it returns.
func (s *Sink) swap(feeder *reader) ([]*reader, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed.Load() {
		return nil, mirror.ErrClosed
	}
	s.handing.Lock()
	defer s.handing.Unlock()
	readers := *s.readers.Load()
	s.readers.Store(&[]*reader{feeder})
	for _, r := range readers {
		r.pass()
	}
	s.group.Add(1)
	return readers, nil
}

// pass has run end once the reader has what is queued, and leave the connection open.
func (r *reader) pass() {
	r.passing.Store(true)
	r.conn.SetWriteDeadline(time.Now().Add(passTimeout))
	r.queue.close(false)
}

// giveTo waits until run has ended, and gives the connection away.
func (r *reader) giveTo(conn *net.UnixConn) error {
	<-r.done
	defer r.conn.Close()
	if r.failed != nil {
		return r.failed
	}
	socket, ok := r.conn.(*net.TCPConn)
	if !ok {
		return errors.New("no TCP connection")
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return err
	}
	var sent error
	err = raw.Control(func(fd uintptr) {
		_, _, sent = conn.WriteMsgUnix([]byte{oneReader}, unix.UnixRights(int(fd)), nil)
	})
	return errors.Join(err, sent)
}

// acceptFeeders takes sinks that hand over until the listener is closed.
func (s *Sink) acceptFeeders(l *net.UnixListener) {
	for {
		conn, err := l.AcceptUnix()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			time.Sleep(acceptInterval)
			continue
		}
		s.mu.Lock()
		if s.closed.Load() {
			s.mu.Unlock()
			conn.Close()
			return
		}
		s.feeders[conn] = struct{}{}
		s.group.Go(func() {
			if err := s.takeOver(conn); err != nil && !s.closed.Load() {
				s.log.Warn("readers not taken over", "err", err)
			}
			conn.Close()
			s.mu.Lock()
			defer s.mu.Unlock()
			delete(s.feeders, conn)
		})
		s.mu.Unlock()
	}
}

// takeOver takes the readers of another sink, and its frames to their end.
func (s *Sink) takeOver(conn *net.UnixConn) error {
	if err := s.permitted(conn); err != nil {
		return err
	}
	if _, err := conn.Write([]byte{successor}); err != nil {
		return nil // it gave up waiting
	}
	var word [1]byte
	rights := make([]byte, unix.CmsgSpace(4))
	for {
		n, beside, _, _, err := conn.ReadMsgUnix(word[:], rights)
		if err != nil || n == 0 {
			return nil // it ended
		}
		files := filesOf(rights[:beside])
		switch {
		case word[0] == oneReader && len(files) == 1:
			s.adopt(files[0])
		case word[0] == stream && len(files) == 0:
			return s.relay(conn)
		default:
			for _, f := range files {
				f.Close()
			}
			return errors.New("the other process says something else")
		}
	}
}

// adopt serves a reader of another sink.
func (s *Sink) adopt(f *os.File) {
	conn, err := net.FileConn(f)
	f.Close()
	if err != nil {
		s.log.Warn("reader not taken over", "err", err)
		return
	}
	r := newReader(conn, &s.cfg)
	r.begun = true
	s.add(r, true)
}

// relay shows the frames of a stream to the readers.
func (s *Sink) relay(conn *net.UnixConn) error {
	in := newRecordReader(conn, s.cfg.MTU+14+4)
	for {
		octets, err := in.next()
		if err != nil {
			return in.end(err)
		}
		s.enqueue([]mirror.Frame{{Header: octets}}) // what a reader misses is counted there
	}
}

// permitted refuses processes of others than root, this process's user, and the users that
// are configured.
func (s *Sink) permitted(conn *net.UnixConn) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	var peer *unix.Ucred
	var asked error
	if err := raw.Control(func(fd uintptr) {
		peer, asked = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	}); err != nil {
		return err
	}
	if asked != nil {
		return asked
	}
	if uid := int(peer.Uid); uid != 0 && uid != os.Geteuid() && !slices.Contains(s.cfg.Users, uid) {
		return fmt.Errorf("a process of user %d would hand readers over", peer.Uid)
	}
	return nil
}

func filesOf(control []byte) (files []*os.File) {
	messages, err := unix.ParseSocketControlMessage(control)
	if err != nil {
		return nil
	}
	for i := range messages {
		fds, err := unix.ParseUnixRights(&messages[i])
		if err != nil {
			continue // no descriptors
		}
		for _, fd := range fds {
			unix.CloseOnExec(fd)
			files = append(files, os.NewFile(uintptr(fd), "reader"))
		}
	}
	return files
}
