// Package deflate inflates octets that come in pieces of any size (RFC 1951). It is for
// readers that only watch: they cannot ask for more, and have to go on with what they got.
package deflate

import (
	"compress/flate"
	"io"
	"iter"
)

const (
	piece = 16 << 10 // octets that are handed out at a time

	// MaxRatio is how many octets one may become, in the long run; of text they become less
	// than ten. Free is how many octets are handed out before that counts.
	MaxRatio = 256
	Free     = 4 << 20
)

// Inflater inflates one stream. compress/flate reads when it wants to: it runs in a
// coroutine, which yields where its input ends, and for each piece of output. Close ends
// it. An Inflater is not safe for concurrent use.
type Inflater struct {
	next func() ([]byte, bool)
	stop func()

	yield       func([]byte) bool
	in          []byte // that was not read
	taken, made uint64
	restarts    bool // behind a final block
	fresh       bool // the window is to be emptied
	broken      bool // nothing is inflated any more
	ended       bool // no more input comes
}

// New returns an Inflater at the beginning of a stream. If it restarts, another stream may
// follow the final block of one. Else nothing does.
func New(restarts bool) *Inflater {
	d := &Inflater{restarts: restarts}
	d.next, d.stop = iter.Pull(d.run)
	return d
}

// run is the coroutine.
func (d *Inflater) run(yield func([]byte) bool) {
	d.yield = yield
	r := flate.NewReader(d)
	for p := make([]byte, piece); ; {
		n, err := r.Read(p)
		if n > 0 && !yield(p[:n]) {
			return
		}
		switch {
		case err == nil:
		case d.fresh && !d.ended, err == io.EOF && d.restarts && !d.ended:
			d.fresh = false
			if r.(flate.Resetter).Reset(d, nil) != nil {
				return
			}
		default:
			return
		}
	}
}

// ReadByte implements [io.ByteReader]: with it compress/flate reads no more than it needs.
func (d *Inflater) ReadByte() (byte, error) {
	if !d.await() {
		return 0, io.EOF
	}
	c := d.in[0]
	d.in = d.in[1:]
	return c, nil
}

// Read implements [io.Reader].
func (d *Inflater) Read(p []byte) (int, error) {
	if !d.await() {
		return 0, io.EOF
	}
	n := copy(p, d.in)
	d.in = d.in[n:]
	return n, nil
}

// await yields until there is input. It returns false if none will come.
func (d *Inflater) await() bool {
	for len(d.in) == 0 {
		if d.ended || !d.yield(nil) || d.fresh {
			return false
		}
	}
	return true
}

// Write inflates p, and calls to with what it makes; both borrow. It returns how many
// octets of p cannot be inflated: they are broken, stand behind the end of the stream, or
// would become too many. Behind such octets no others are inflated.
func (d *Inflater) Write(p []byte, to func(p []byte)) (left int) {
	if d.broken {
		return len(p)
	}
	d.in = p
	d.taken += uint64(len(p))
	d.drain(to)
	if d.broken {
		left = len(d.in)
	}
	d.in = nil
	return left
}

// drain hands out what the input at hand makes.
func (d *Inflater) drain(to func(p []byte)) {
	for {
		p, ok := d.next()
		switch {
		case !ok:
			d.broken = true // or at its end, behind which nothing is deflated
			return
		case p == nil:
			return
		}
		if d.made += uint64(len(p)); d.made > Free+MaxRatio*d.taken {
			d.broken = true
			d.stop()
			return
		}
		to(p)
	}
}

// Broken reports whether no more octets are inflated.
func (d *Inflater) Broken() bool { return d.broken }

// Reset has what comes next be a stream of its own. It does not mend what is broken.
func (d *Inflater) Reset() {
	if !d.broken {
		d.fresh = true
		d.drain(func([]byte) {})
	}
}

// End hands out what the sender has not flushed, and closes.
func (d *Inflater) End(to func(p []byte)) {
	if d.ended = true; !d.broken {
		d.drain(to)
	}
	d.Close()
}

// Close ends the coroutine. It may be called again.
func (d *Inflater) Close() {
	d.broken = true
	d.stop()
}
