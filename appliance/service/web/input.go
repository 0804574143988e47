package web

import (
	"bytes"
	"io"
	"sync"

	"github.com/clearspan/clearspan/decrypt"
)

const (
	smallBuffer = 4 << 10
	largeBuffer = 64 << 10

	// maxHead bounds a header block.
	maxHead = largeBuffer
)

var (
	smallBuffers = sync.Pool{New: func() any { return new([smallBuffer]byte) }}
	largeBuffers = sync.Pool{New: func() any { return new([largeBuffer]byte) }}
)

func release(b []byte) {
	switch cap(b) {
	case smallBuffer:
		smallBuffers.Put((*[smallBuffer]byte)(b[:smallBuffer]))
	case largeBuffer:
		largeBuffers.Put((*[largeBuffer]byte)(b[:largeBuffer]))
	}
}

// input reads one end. It is for one goroutine at a time.
type input struct {
	end  decrypt.End
	buf  []byte // nil while empty and idle; buf[r:w] is unread
	r, w int
	big  bool  // the last read left no room: take a large buffer
	err  error // sticky

	scanned int // octets behind r in which head found no end
	line    int // start of the line at scanned, behind r
}

// unread returns what is buffered, valid until the next fill.
func (in *input) unread() []byte { return in.buf[in.r:in.w] }

// consume drops n octets of unread. The memory stays as it is until the next
// fill.
func (in *input) consume(n int) { in.r += n }

// idle waits, without a buffer if the end allows that, for octets or the end.
// It is for the gap between messages.
func (in *input) idle() error {
	if in.r < in.w || in.err != nil {
		return nil
	}
	if a, ok := in.end.(interface{ Await() error }); ok {
		in.drop()
		if err := a.Await(); err != nil {
			in.err = err
			return err
		}
	}
	return nil
}

// drop gives the buffer back.
func (in *input) drop() {
	release(in.buf)
	in.buf, in.r, in.w, in.big = nil, 0, 0, false
}

// fill reads more, at most until maxHead octets are unread: then it returns
// io.ErrShortBuffer. io.EOF is the orderly end.
func (in *input) fill() error {
	if in.err != nil {
		return in.err
	}
	if err := in.room(); err != nil {
		return err
	}
	n, err := in.end.Read(in.buf[in.w:])
	in.w += n
	in.big = in.w == len(in.buf)
	if n > 0 {
		in.err = err
		return nil
	}
	if err == nil {
		err = io.ErrNoProgress
	}
	in.err = err
	return err
}

// straight reads to p, past the buffer, which is empty. The result is that of fill,
// with how much was read.
func (in *input) straight(p []byte) (int, error) {
	if in.err != nil {
		return 0, in.err
	}
	n, err := in.end.Read(p)
	if n > 0 {
		in.err = err
		return n, nil
	}
	if err == nil {
		err = io.ErrNoProgress
	}
	in.err = err
	return 0, err
}

// room makes space behind w.
func (in *input) room() error {
	n := in.w - in.r
	switch {
	case n == 0 && in.big && len(in.buf) == smallBuffer:
		release(in.buf)
		in.buf = largeBuffers.Get().(*[largeBuffer]byte)[:]
		in.r, in.w = 0, 0
	case n == 0:
		if in.buf == nil {
			in.buf = smallBuffers.Get().(*[smallBuffer]byte)[:]
		}
		in.r, in.w = 0, 0
	case in.w < len(in.buf):
	case n >= maxHead:
		return io.ErrShortBuffer
	case in.r > 0:
		copy(in.buf, in.unread())
		in.r, in.w = 0, n
	default:
		b := largeBuffers.Get().(*[largeBuffer]byte)[:]
		copy(b, in.unread())
		release(in.buf)
		in.buf, in.r, in.w = b, 0, n
	}
	return nil
}

// head waits for a whole header block and returns it, unconsumed: start line to
// the empty line, each line ended by CRLF. word says why it is refused. One empty
// line before a request is dropped (RFC 9112, Section 2.2).
func (in *input) head(kind Kind) (raw []byte, word string, err error) {
	spare := kind == Request
	for {
		p := in.unread()
		for {
			i := bytes.IndexByte(p[in.scanned:], '\n')
			if i < 0 {
				in.scanned = len(p)
				break
			}
			i += in.scanned
			if i == 0 || p[i-1] != '\r' {
				return nil, bareLF, nil
			}
			empty := i-1 == in.line
			in.scanned, in.line = i+1, i+1
			if !empty {
				continue
			}
			in.scanned, in.line = 0, 0
			if i > 1 {
				return p[:i+1], "", nil
			}
			if !spare {
				return nil, badStart, nil
			}
			spare = false
			in.consume(2)
			p = in.unread()
		}
		switch err := in.fill(); err {
		case nil:
		case io.ErrShortBuffer:
			return nil, headSize, nil
		default:
			return nil, "", err
		}
	}
}

// output writes one end, for any number of goroutines.
type output struct {
	mu  sync.Mutex
	end decrypt.End
}

// Write implements io.Writer.
func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.end.Write(p)
}

// closeWrite carries an orderly end on.
func (o *output) closeWrite() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.end.CloseWrite()
}
