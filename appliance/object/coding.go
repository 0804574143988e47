package object

import (
	"bufio"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"io"
	"iter"
	"strings"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/zstd"
)

// Bounds of what a coding may make.
const (
	freeOctets = 1 << 20 // without regard to the ratio
	maxRatio   = 200
	maxDecoded = 4 << 30
	maxWindow  = 64 << 20 // of zstd
	maxCodings = 5
)

// decoders open a reader of what is decoded.
var decoders = map[string]func(io.Reader) (io.Reader, error){
	"gzip":    func(r io.Reader) (io.Reader, error) { return gzip.NewReader(r) },
	"deflate": inflate,
	"br":      func(r io.Reader) (io.Reader, error) { return brotli.NewReader(r), nil },
	"zstd": func(r io.Reader) (io.Reader, error) {
		return zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxWindow), zstd.WithDecoderMaxMemory(maxDecoded))
	},
}

// inflate reads "deflate", which is zlib (RFC 9110, Section 8.4.1.2), and without its
// header for some senders.
func inflate(r io.Reader) (io.Reader, error) {
	b := bufio.NewReader(r)
	head, err := b.Peek(2)
	if err != nil {
		return nil, err
	}
	if head[0]&15 == 8 && (uint(head[0])<<8|uint(head[1]))%31 == 0 {
		return zlib.NewReader(b)
	}
	return flate.NewReader(b), nil
}

// decoded returns the stage that takes off content codings, the last one first. next makes
// the stage behind it. What has a coding that nobody knows stays as it is.
func (r *reading) decoded(codings string, next func() stage) stage {
	var open []func(io.Reader) (io.Reader, error)
	chunked := false
	for one := range strings.SplitSeq(strings.ToLower(codings), ",") {
		one = strings.TrimPrefix(strings.TrimSpace(one), "x-")
		switch d := decoders[one]; {
		case one == "" || one == "identity":
		case one == "aws-chunked":
			chunked = true // the outermost, wherever it stands
		case d == nil:
			return next()
		default:
			open = append(open, d)
		}
	}
	if len(open) > maxCodings {
		return next()
	}
	last := next()
	for _, d := range open { // the first that was applied is the innermost
		last = newDecoder(d, last)
	}
	if chunked {
		last = &chunks{next: last}
	}
	return last
}

// decoder takes off one coding. The library's reader runs as a coroutine: it goes on when
// there are octets, within the call that brings them.
type decoder struct {
	next    stage
	fed     []byte // what the reader has not taken yet
	over    bool   // no more comes
	least   Ending // of what came in
	resume  func() (struct{}, bool)
	stop    func()
	ended   bool
	in, out uint64
	raw     []byte // what came in, until something comes out
	plain   bool   // nothing of the coding was there: octets pass as they are
}

// maxRaw bounds the octets that a decoder takes before it makes something of them.
const maxRaw = 64 << 10

func newDecoder(open func(io.Reader) (io.Reader, error), next stage) *decoder {
	d := &decoder{next: next}
	d.resume, d.stop = iter.Pull(func(yield func(struct{}) bool) { d.run(open, yield) })
	return d
}

// errStopped ends a reader whose octets nobody wants any more.
var errStopped = errors.New("stopped")

// feeder is what the library reads from.
type feeder struct {
	d     *decoder
	yield func(struct{}) bool
}

func (f feeder) Read(p []byte) (int, error) {
	for len(f.d.fed) == 0 {
		if f.d.over {
			return 0, io.EOF
		}
		if !f.yield(struct{}{}) {
			return 0, errStopped
		}
	}
	n := copy(p, f.d.fed)
	f.d.fed = f.d.fed[n:]
	f.d.in += uint64(n)
	return n, nil
}

// run decodes to the end, as the body of the coroutine.
func (d *decoder) run(open func(io.Reader) (io.Reader, error), yield func(struct{}) bool) {
	r, err := open(feeder{d, yield})
	buffer := make([]byte, 32<<10)
	for err == nil {
		var n int
		n, err = r.Read(buffer)
		d.out += uint64(n)
		if d.out > maxDecoded || d.out > freeOctets && d.out/maxRatio > d.in {
			d.end(Broken)
			break
		}
		if n > 0 && !d.ended {
			d.next.write(buffer[:n])
		}
	}
	if c, ok := r.(*zstd.Decoder); ok {
		c.Close()
	}
	switch {
	case d.out == 0 && !d.over && len(d.raw) > 0 && len(d.raw) <= maxRaw && err != io.EOF && !errors.Is(err, errStopped) && !d.ended:
		d.plain = true // the sender states a coding that is not there
		d.next.write(d.raw)
	case err == io.EOF, err != nil && err.Error() == trailing:
		d.end(Complete)
	case errors.Is(err, io.ErrUnexpectedEOF) && d.over:
		d.end(Cut)
	default:
		d.end(Broken)
	}
}

// trailing is what the brotli library says of octets behind the end, at whatever place the
// octets of a piece end. All that was coded has come by then.
const trailing = "brotli: excessive input"

// end ends what is behind, once.
func (d *decoder) end(e Ending) {
	if !d.ended {
		d.ended = true
		d.next.close(max(e, d.least))
	}
}

func (d *decoder) write(p []byte) {
	if d.ended {
		return
	}
	if d.plain {
		d.next.write(p)
		return
	}
	if d.out == 0 && len(d.raw) <= maxRaw {
		d.raw = append(d.raw, p[:min(len(p), maxRaw+1)]...)
		if len(d.raw) > maxRaw || len(p) > maxRaw {
			d.raw = d.raw[:0:0] // so much is no beginning
		}
	}
	d.fed = p
	d.resume()
	if d.fed = nil; d.out > 0 {
		d.raw = nil
	}
}

// hole ends it: what is behind a hole cannot be decoded.
func (d *decoder) hole(n uint64) {
	if d.plain {
		d.next.hole(n)
		return
	}
	d.end(Cut)
	d.stop()
}

// close has the reader see the end. If the octets were cut, so is what it made of them.
func (d *decoder) close(e Ending) {
	d.over, d.least = true, e
	if !d.ended && !d.plain {
		d.resume()
	}
	d.end(e)
	d.stop()
}
