package h1

import (
	"io"
	"sync"

	"github.com/clearspan/clearspan/appliance/service/web/adapt"
	"github.com/clearspan/clearspan/appliance/service/web/buffered"
	"github.com/clearspan/clearspan/decrypt/proto/http1"
)

// straightRead is how much content is worth a read past the buffer, in octets.
const straightRead = 8 << 10

// body is that of one message under way.
type body struct {
	in      *buffered.End
	framing http1.Framing
	kind    adapt.Kind

	reading sync.Mutex // held by who reads

	mu      sync.Mutex // guards the rest, but for the wait for octets: a service reads while the engine writes
	ahead   int        // octets buffered
	content http1.Content
	done    bool
	err     error        // sticky: *adapt.Refusal, adapt.ErrTruncated, an error of the end
	waits   func() error // called once, before the first wait for octets

	pos   int64 // octets read
	marks marks
}

func newBody(in *buffered.End, kind adapt.Kind, f http1.Framing) *body {
	b := &body{in: in, framing: f, kind: kind, ahead: len(in.Unread())}
	b.content = http1.NewContent(f, http1.Strict, kind == adapt.Response)
	b.done = b.content.Done()
	return b
}

// length is what is known of the body before it is read, else -1.
func (b *body) length() int64 {
	switch b.framing.Extent {
	case http1.NoContent, http1.ByLength:
		return b.framing.Length
	}
	return -1
}

// ready tells that reading to the end waits for nobody.
func (b *body) ready() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.done || b.framing.Extent == http1.ByLength && b.content.Run() <= int64(b.ahead)
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

// Read gives content, free of chunking, whose framing it notes. It returns an
// [*adapt.BodyError] if the body cannot be read to its end.
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
				b.pass(room[:n])
				b.pos += int64(n)
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

// take copies buffered content to p, or notes and consumes framing.
func (b *body) take(p []byte) (n int) {
	unread := b.in.Unread()
	if run := b.content.Run(); run > 0 {
		n = copy(p, unread[:min(int64(len(unread)), run)])
		b.in.Consume(b.pass(unread[:n]))
		b.pos += int64(n)
		return n
	}
	m := b.pass(unread)
	b.marks.add(b.pos, unread[:m])
	b.in.Consume(m)
	return 0
}

// pass passes over octets of the body, until content and framing change. It notes
// the end, or a refusal.
func (b *body) pass(p []byte) (n int) {
	n, _, fault := b.content.Next(p)
	if fault != http1.Sound {
		b.err = adapt.Refuse(b.kind, fault.String())
	}
	b.done = b.content.Done()
	return n
}

// straight returns the part of p that content can be read to without a copy: what
// is sure to be content, where it is long and comes fast. Else nil.
func (b *body) straight(p []byte) []byte {
	run := min(int64(len(p)), b.content.Run())
	if !b.in.Full() || run < straightRead {
		return nil
	}
	return p[:run]
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
	case err == io.EOF && b.framing.Extent == http1.ToClose:
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
		b.in.Consume(b.pass(p))
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
