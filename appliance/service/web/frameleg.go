package web

import (
	"bytes"
	"sync"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

const (
	defaultWindow = 65535     // RFC 9113, Section 6.9.2
	maxWindow     = 1<<31 - 1 // RFC 9113, Section 6.9.1
	maxFrame      = 16384     // RFC 9113, Section 6.5.2

	// maxQueue is what waits to be written to a leg before who passes on more
	// waits too. One header block and answers of our own, maxAnswers, go beyond it.
	maxQueue   = 64 << 10
	maxAnswers = 64 << 10

	maxFields = 256 << 10 // of one message, by the measure of RFC 9113, Section 6.5.2
)

// frameLeg is one HTTP/2 connection of a session. All but reading is guarded by
// the session's lock.
type frameLeg struct {
	kind   Kind // of what comes from it
	reader *http2.Framer
	writer *http2.Framer // into out
	coder  *hpack.Encoder
	block  bytes.Buffer

	f     *frames
	in    *input
	to    *output
	out   queue     // to be written
	open  bool      // its first SETTINGS may be, or are, written
	ended bool      // nothing more is to be written; close then
	wake  sync.Cond // for who writes out
	cond  sync.Cond // for who waits for room, or for the end of messages

	send    int64 // window of the connection for what we write
	initial int64 // window of a new stream for what we write
	recv    int64 // window of the connection for what we read
	debt    int64 // of window that this leg opens: so much is not passed to the other
	credit  int64 // of window for what we read, not yet announced

	// Windows that were opened while the leg was behind.
	lateAll int64                // of the connection
	late    map[*stream]struct{} // streams that have any
}

func newFrameLeg(f *frames, kind Kind, in *input, to *output) *frameLeg {
	l := &frameLeg{f: f, kind: kind, in: in, to: to, send: defaultWindow, initial: defaultWindow, recv: defaultWindow, late: make(map[*stream]struct{})}
	l.wake.L, l.cond.L = &f.mu, &f.mu
	l.reader = http2.NewFramer(nil, frameReader{in})
	l.reader.SetMaxReadFrameSize(maxFrame)
	l.reader.SetReuseFrames()
	l.reader.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	l.reader.MaxHeaderListSize = maxFields
	l.writer = http2.NewFramer(&l.out, nil)
	l.coder = hpack.NewEncoder(&l.block)
	return l
}

// frameReader reads an input that holds no buffer while it is idle.
type frameReader struct{ in *input }

// Read implements io.Reader.
func (r frameReader) Read(p []byte) (int, error) {
	if len(r.in.unread()) == 0 {
		if err := r.in.idle(); err != nil {
			return 0, err
		}
		if err := r.in.fill(); err != nil {
			return 0, err
		}
	}
	n := copy(p, r.in.unread())
	r.in.consume(n)
	return n, nil
}

// headers writes a header block. The caller holds the lock.
func (l *frameLeg) headers(id uint32, list []hpack.HeaderField, end bool) {
	l.block.Reset()
	for _, f := range list {
		l.coder.WriteField(f)
	}
	p := l.block.Bytes()
	n := min(len(p), maxFrame)
	l.writer.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: p[:n], EndStream: end, EndHeaders: n == len(p)})
	for p = p[n:]; len(p) > 0; p = p[n:] {
		n = min(len(p), maxFrame)
		l.writer.WriteContinuation(id, n == len(p), p[:n])
	}
	l.kick()
}

// kick has what is queued written, unless its reader is about to add more.
func (l *frameLeg) kick() {
	if !l.f.lazy || l.out.Len() > maxQueue/2 {
		l.wake.Signal()
	}
}

// ahead tells that reading the next frame, with those of the same header block,
// waits for nobody.
func (l *frameLeg) ahead() bool {
	p := l.in.unread()
	if len(p) < 9 || len(p)-9 < int(p[0])<<16|int(p[1])<<8|int(p[2]) {
		return false
	}
	return http2.FrameType(p[3]) != http2.FrameHeaders || http2.Flags(p[4]).Has(http2.FlagHeadersEndHeaders)
}

// refund gives back n octets of the connection's window for what was read and
// did not reach the other leg. The caller holds the lock.
func (l *frameLeg) refund(n int) {
	l.credit += int64(n)
	if l.credit >= maxFrame/2 || l.recv < maxFrame {
		l.grant(l.credit)
		l.credit = 0
	}
}

// behind tells that so much waits to be written that no more is to be added.
func (l *frameLeg) behind() bool { return l.out.Len() > maxQueue }

// write writes what is queued until the leg ends. It returns nil when it was
// closed in order.
func (f *frames) write(l *frameLeg) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	for {
		for f.err == nil && (!l.open || l.out.Len() == 0) {
			if l.ended && l.out.Len() == 0 {
				f.mu.Unlock()
				err := l.to.closeWrite()
				f.mu.Lock()
				return err
			}
			l.wake.Wait()
		}
		if f.err != nil {
			return nil
		}
		p := l.out.p
		l.out.p = nil
		if len(p) > maxQueue {
			l.announce()
			l.cond.Broadcast()
			f.hurry(1 - l.kind)
			f.resume(1 - l.kind)
		}
		f.mu.Unlock()
		_, err := l.to.Write(p)
		f.mu.Lock()
		if cap(p) == queueBuffer {
			queueBuffers.Put((*[queueBuffer]byte)(p[:queueBuffer]))
		}
		if err != nil {
			return err
		}
	}
}

// room waits until more may be passed on to l. The caller holds the lock.
func (f *frames) room(l *frameLeg) {
	for f.err == nil && l.behind() {
		f.lazy = false
		l.kick()
		l.cond.Wait()
	}
}

// queueBuffer is the memory of a queue; one that grows beyond is not kept.
const queueBuffer = maxQueue + 2*maxFrame

var queueBuffers = sync.Pool{New: func() any { return new([queueBuffer]byte) }}

// queue collects frames. It has no memory while it is empty.
type queue struct{ p []byte }

// Write implements io.Writer.
func (q *queue) Write(p []byte) (int, error) {
	if q.p == nil {
		q.p = queueBuffers.Get().(*[queueBuffer]byte)[:0]
	}
	q.p = append(q.p, p...)
	return len(p), nil
}

// Len returns how many octets wait.
func (q *queue) Len() int { return len(q.p) }
