package h1

import (
	"io"
	"sync"

	"github.com/clearspan/clearspan/appliance/service/web/adapt"
	"github.com/clearspan/clearspan/appliance/service/web/buffered"
)

// framing is how the end of a body is found.
type framing uint8

const (
	noBody framing = iota
	byLength
	byChunks
	byEnd // of the connection
)

// straightRead is how much content is worth a read past the buffer, in octets.
const straightRead = 8 << 10

// body is that of one HTTP/1.1 message under way.
type body struct {
	in   *buffered.End
	how  framing
	kind adapt.Kind

	reading sync.Mutex // held by who reads

	mu    sync.Mutex // guards the rest, but for the wait for octets: a service reads while the engine writes
	ahead int        // octets buffered
	left  int64      // byLength
	chunk chunker
	done  bool
	err   error        // sticky: *Refusal, errTruncated, an error of the leg
	waits func() error // called once, before the first wait for octets

	pos   int64 // octets read
	marks marks
}

func newBody(in *buffered.End, kind adapt.Kind, how framing, length int64) *body {
	b := &body{in: in, how: how, kind: kind, left: length, ahead: len(in.Unread())}
	b.chunk.lenient = kind == adapt.Response
	b.done = how == noBody || how == byLength && length == 0
	return b
}

// length is what is known of the body before it is read, else -1.
func (b *body) length() int64 {
	switch b.how {
	case noBody, byLength:
		return b.left
	}
	return -1
}

// ready tells that reading to the end waits for nobody.
func (b *body) ready() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.done || b.how == byLength && b.left <= int64(b.ahead)
}

// finished tells that the body was read to its end.
func (b *body) finished() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.done
}

// read returns how much content was read.
func (b *body) read() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.pos
}

// begun tells that octets of the body have come.
func (b *body) begun() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.waits == nil || b.ahead > 0
}

// Read gives content, free of chunking, whose framing it notes. It returns a
// *brokenBody if the body cannot be read to its end.
func (b *body) Read(p []byte) (int, error) {
	b.reading.Lock()
	defer b.reading.Unlock()
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(p) == 0 {
		return 0, nil
	}
	for {
		switch {
		case b.err != nil:
			return 0, &adapt.BodyError{Err: b.err}
		case b.done:
			return 0, io.EOF
		}
		if len(b.in.Unread()) == 0 {
			room := b.straight(p)
			n, err := b.more(room)
			if err != nil {
				b.err = err
			}
			if n > 0 {
				b.account(room[:n])
				return n, nil
			}
			continue
		}
		n := b.take(p)
		b.ahead = len(b.in.Unread())
		if n > 0 {
			return n, nil
		}
	}
}

// take copies buffered content to p, or consumes framing.
func (b *body) take(p []byte) (n int) {
	unread := b.in.Unread()
	switch b.how {
	case byLength:
		n = copy(p, unread[:min(int64(len(unread)), b.left)])
		b.left -= int64(n)
		b.done = b.left == 0
	case byEnd:
		n = copy(p, unread)
	case byChunks:
		if b.chunk.state == inData {
			unread = unread[:min(len(unread), len(p))]
		}
		m, data, word := b.chunk.next(unread)
		if data {
			n = copy(p, unread[:m])
		} else {
			b.marks.add(b.pos, unread[:m])
			b.in.Consume(m)
		}
		b.check(word)
	}
	b.in.Consume(n)
	b.pos += int64(n)
	return n
}

// check notes the end, or the refusal, of the chunked coding.
func (b *body) check(word string) {
	if word != "" {
		b.err = adapt.Refuse(b.kind, word)
	}
	b.done = b.chunk.done()
}

// straight returns the part of p that content can be read to without a copy: what
// is sure to be content, where it is long and comes fast. Else nil.
func (b *body) straight(p []byte) []byte {
	run := int64(len(p))
	switch b.how {
	case byLength:
		run = min(run, b.left)
	case byChunks:
		if b.chunk.state != inData {
			return nil
		}
		run = int64(min(uint64(run), b.chunk.left))
	}
	if !b.in.Full() || run < straightRead {
		return nil
	}
	return p[:run]
}

// account takes note of content that was read past the buffer.
func (b *body) account(p []byte) {
	switch b.how {
	case byLength:
		b.left -= int64(len(p))
		b.done = b.left == 0
	case byChunks:
		b.chunk.next(p)
	}
	b.pos += int64(len(p))
}

// more waits for octets, and reads them to p, or, if that is nil, to the buffer.
func (b *body) more(p []byte) (n int, _ error) {
	waits := b.waits
	b.waits = nil
	b.mu.Unlock()
	var err error
	if waits != nil {
		err = waits()
	}
	switch {
	case err != nil:
	case p != nil:
		n, err = b.in.Straight(p)
	default:
		err = b.in.Fill()
	}
	b.mu.Lock()
	b.ahead = len(b.in.Unread())
	switch {
	case err == io.EOF && b.how == byEnd:
		b.done = true
		return n, nil
	case err == io.EOF:
		return n, adapt.ErrTruncated
	default:
		return n, err
	}
}

// relay writes the body as it came to w. What was buffered directly before it
// and is already consumed, lead octets, goes first in the same write.
func (b *body) relay(w io.Writer, lead int) error {
	b.reading.Lock()
	defer b.reading.Unlock()
	b.mu.Lock()
	defer b.mu.Unlock()
	for {
		start := b.in.Position() - lead
		lead = 0
		b.skim()
		if p := b.in.Since(start); len(p) > 0 {
			if _, err := w.Write(p); err != nil {
				return err
			}
		}
		if b.done || b.err != nil {
			return b.err
		}
		if len(b.in.Unread()) == 0 {
			if _, err := b.more(nil); err != nil {
				b.err = err
				return err
			}
		}
	}
}

// skim consumes what is buffered of the body.
func (b *body) skim() {
	for p := b.in.Unread(); len(p) > 0 && !b.done && b.err == nil; p = b.in.Unread() {
		n := len(p)
		switch b.how {
		case byLength:
			n = int(min(int64(n), b.left))
			b.left -= int64(n)
			b.done = b.left == 0
		case byChunks:
			var word string
			n, _, word = b.chunk.next(p)
			b.check(word)
		}
		b.in.Consume(n)
	}
}

// rest returns the body that r reads from now on as it is; nil while other octets
// come first, or if r is changed or unknown.
func rest(r io.Reader) *body {
	for {
		switch v := r.(type) {
		case *body:
			return v
		case interface{ Rest() io.Reader }:
			r = v.Rest()
		default:
			return nil
		}
	}
}

// discard reads on to the end.
func (b *body) discard() error {
	b.reading.Lock()
	defer b.reading.Unlock()
	b.mu.Lock()
	defer b.mu.Unlock()
	for {
		b.skim()
		if b.done || b.err != nil {
			return b.err
		}
		if _, err := b.more(nil); err != nil {
			b.err = err
			return err
		}
	}
}
