package icap

import (
	"io"
	"sync"
	"time"
)

// sending says what the sender of a message does.
type sending uint8

const (
	fetching sending = iota // waits for the body
	writing                 // waits for the server
	sent                    // all that was to be sent is with the server
)

// watch closes a connection whose server does not go on in time. The server is
// due while somebody waits for its answer, and the sender is not waiting for the
// body: a body that comes slowly, and an answer that is read slowly, are none of
// its faults.
type watch struct {
	timeout time.Duration
	conn    io.Closer

	mu      sync.Mutex
	timer   *time.Timer
	sender  sending
	reading bool
	last    time.Time // of progress, or of becoming due
	headBy  time.Time // when the header must be complete; zero: no matter
	headed  bool      // it is
	expired bool
	stopped bool
}

// newWatch returns a watch over conn, which is due from now on.
func newWatch(conn io.Closer, timeout time.Duration) *watch {
	w := &watch{timeout: timeout, conn: conn, sender: writing, reading: true, last: time.Now()}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.timer = time.AfterFunc(timeout, w.look)
	return w
}

func (w *watch) look() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.stopped {
		return
	}
	wait := w.timeout
	if w.reading && w.sender != fetching {
		now := time.Now()
		by := w.last.Add(w.timeout)
		if !w.headBy.IsZero() && w.headBy.Before(by) {
			by = w.headBy
		}
		if wait = by.Sub(now); wait <= 0 {
			w.expired, w.stopped = true, true
			w.conn.Close()
			return
		}
	}
	w.timer.Reset(wait)
}

// send tells what the sender does from now on. When all is sent the header is due.
func (w *watch) send(s sending) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sender, w.last, w.headBy = s, time.Now(), time.Time{}
	if s == sent && !w.headed {
		w.headBy = w.last.Add(w.timeout)
	}
}

// read tells whether somebody waits for the server from now on.
func (w *watch) read(waits bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.reading, w.last = waits, time.Now()
}

// body ends the bound on the header.
func (w *watch) body() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.headBy, w.headed, w.reading = time.Time{}, true, false
}

// stop ends the watch. It reports whether the server was late.
func (w *watch) stop() (late bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stopped = true
	w.timer.Stop()
	return w.expired
}

// late reports whether the server was late.
func (w *watch) late() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.expired
}
