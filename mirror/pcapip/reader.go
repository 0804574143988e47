package pcapip

import (
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"sync/atomic"
	"time"

	"github.com/clearspan/clearspan/mirror"
)

// reader is one connected reader. It owns its connection.
type reader struct {
	conn    net.Conn
	queue   *queue
	timeout time.Duration
	log     *slog.Logger

	halfClosed     atomic.Bool   // it sends nothing any more; perhaps it is gone
	closing        atomic.Bool   // write deadline is the sink's, not timeout
	passing        atomic.Bool   // the connection is for another process
	begun          bool          // it has the head of the file
	done           chan struct{} // closed at the end of run
	failed         error         // why the reader left, to be read after done
	frames, missed atomic.Uint64
}

func newReader(conn net.Conn, cfg *Config) *reader {
	return &reader{
		conn:    conn,
		queue:   newQueue(cfg.Buffer),
		timeout: cfg.Timeout,
		done:    make(chan struct{}),
		log:     cfg.Logger.With("reader", conn.RemoteAddr().String()),
	}
}

// enqueue queues frames, from the first on, until one finds no room, and returns
// how many. Left is true, and n without meaning, if the reader is leaving. It
// never waits for the reader.
func (r *reader) enqueue(frames []mirror.Frame) (n int, left bool) {
	q := r.queue
	q.mu.Lock()
	defer q.mu.Unlock()
	at := time.Now() // with the lock held: in the stream, times do not run backwards
	if q.closed {
		return 0, true
	}
	for n < len(frames) {
		f := &frames[n]
		chunk := q.room(recordHead + f.Len())
		if chunk == nil {
			break
		}
		q.put(appendRecord(chunk, f, at))
		n++
	}
	q.signal()
	r.frames.Add(uint64(n))
	r.missed.Add(uint64(len(frames) - n))
	return n, false
}

// run serves the reader until it leaves or the queue is closed and empty. It
// closes the connection, unless that is for another process.
func (r *reader) run() {
	defer close(r.done)
	listened := make(chan struct{})
	go func() {
		defer close(listened)
		r.awaitClose()
	}()
	var err error
	if !r.begun {
		err = r.write(fileHead())
	}
	for err == nil {
		chunk := r.queue.next()
		if chunk == nil {
			break
		}
		err = r.write(chunk)
	}
	if r.failed = err; r.passing.Load() {
		r.conn.SetReadDeadline(time.Unix(1, 0)) // ends awaitClose
		<-listened
		r.log.Info("reader handed over", "frames", r.frames.Load(), "missed", r.missed.Load())
		return
	}
	r.disconnect()
	<-listened
	if errors.Is(err, net.ErrClosed) || r.closing.Load() {
		err = nil
	}
	attrs := []any{"frames", r.frames.Load(), "missed", r.missed.Load()}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		r.log.Warn("reader takes nothing, disconnected", attrs...)
		return
	}
	r.log.Info("reader left", attrs...)
}

func (r *reader) write(octets []byte) error {
	if !r.closing.Load() && !r.passing.Load() {
		if err := r.conn.SetWriteDeadline(time.Now().Add(r.timeout)); err != nil {
			return err
		}
		switch { // drain or pass came between
		case r.closing.Load():
			r.conn.SetWriteDeadline(time.Now().Add(closeTimeout))
		case r.passing.Load():
			r.conn.SetWriteDeadline(time.Now().Add(passTimeout))
		}
	}
	_, err := r.conn.Write(octets)
	return err
}

// awaitClose discards what the reader sends until it closes its sending side or
// the connection ends, of which it tells the writer.
func (r *reader) awaitClose() {
	if _, err := io.Copy(io.Discard, r.conn); err != nil {
		if !r.passing.Load() || !errors.Is(err, os.ErrDeadlineExceeded) {
			r.disconnect()
		}
		return
	}
	r.halfClosed.Store(true)
}

// disconnect ends the reader now; what is queued is lost to it. It reports whether
// the reader was still served.
func (r *reader) disconnect() bool {
	first := r.queue.close(true)
	r.conn.Close()
	return first
}

// drain ends the reader when it took what is queued, or after closeTimeout.
func (r *reader) drain() {
	r.closing.Store(true)
	r.conn.SetWriteDeadline(time.Now().Add(closeTimeout))
	r.queue.close(false)
}
