package role

import (
	"errors"
	"net"
	"sync"
	"time"
)

// joined is several listeners as one. It is safe for concurrent use.
type joined struct {
	list    []net.Listener
	taken   chan accepted
	ended   chan struct{} // closed when no listener accepts any more
	closing sync.Once
	closed  chan struct{}
}

// accepted is what Accept returned.
type accepted struct {
	conn net.Conn
	err  error
}

// undelivered is how long a connection waits for Accept when the listener was closed.
const undelivered = time.Second

// join takes the listeners, at least one. Accept must be called until it returns
// [net.ErrClosed]: connections that were accepted before Close come before that.
func join(list []net.Listener) *joined {
	j := &joined{list: list, taken: make(chan accepted), ended: make(chan struct{}), closed: make(chan struct{})}
	var loops sync.WaitGroup
	for _, l := range list {
		loops.Go(func() { j.accept(l) })
	}
	go func() { loops.Wait(); close(j.ended) }()
	return j
}

func (j *joined) accept(l net.Listener) {
	for {
		conn, err := l.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		select {
		case j.taken <- accepted{conn, err}:
			continue
		case <-j.closed:
		}
		select {
		case j.taken <- accepted{conn, err}:
		case <-time.After(undelivered):
			if conn != nil {
				conn.Close()
			}
		}
	}
}

// Accept implements [net.Listener].
func (j *joined) Accept() (net.Conn, error) {
	select {
	case a := <-j.taken:
		return a.conn, a.err
	case <-j.ended:
		return nil, net.ErrClosed
	}
}

// Addr implements [net.Listener]: that of the first.
func (j *joined) Addr() net.Addr { return j.list[0].Addr() }

// Close implements [net.Listener].
func (j *joined) Close() (err error) {
	j.closing.Do(func() {
		close(j.closed)
		for _, l := range j.list {
			err = errors.Join(err, l.Close())
		}
	})
	return err
}
