package content

import (
	"crypto/sha256"
	"errors"
	"io"
	"os"
	"slices"

	"github.com/klauspost/compress/zstd"
)

// apart is an object whose octets come out of order. They go to the spool file at their
// offsets, and the hash is made at the end.
type apart struct {
	there []Hole // the runs that are there: in order, and never two that touch
}

// maxRuns bounds the runs of octets that are there.
const maxRuns = 10_000

// errApart says that an object is only hashed, so that its octets must come in order.
var errApart = errors.New("octets of an object that is not kept came out of order")

// WriteAt takes octets at an offset, which it borrows. Where octets were there before, the
// later ones count. The object must be one that is kept.
func (o *Object) WriteAt(at uint64, p []byte) {
	if o.apart == nil {
		if at == o.size {
			o.Write(p)
			return
		}
		o.scatter()
	}
	o.apart.write(o, at, p)
}

// Extend says that the object has at least n octets. Those that do not come are a hole.
func (o *Object) Extend(n uint64) {
	if n <= o.size {
		return
	}
	if o.apart == nil {
		o.Hole(n - o.size)
		return
	}
	o.size = min(n, o.store.options.Size)
}

// scatter begins to take octets out of order.
func (o *Object) scatter() {
	if !o.keep {
		o.ended.Cut = true
		if o.ended.Err == nil {
			o.ended.Err = errApart
		}
	}
	o.flush()
	if err := o.unpack(); err != nil {
		o.fail(err)
	}
	o.apart = &apart{}
	at := uint64(0)
	for _, h := range o.ended.Holes {
		o.apart.add(Hole{at, h.At - at})
		at = h.At + h.Size
	}
	o.apart.add(Hole{at, o.size - at})
	o.ended.Holes, o.lost = nil, 0
}

// unpack makes a compressed spool file one that is not.
func (o *Object) unpack() error {
	if !o.spool.packed && o.spool.sealing == nil {
		return nil
	}
	raw := o.store.spoolFile()
	from, err := os.Open(o.spool.path)
	if err != nil {
		return err
	}
	defer from.Close()
	in := io.Reader(from)
	if o.spool.sealing != nil {
		if in, err = o.cleartext(from); err != nil {
			return err
		}
	}
	if o.spool.packed {
		d, err := zstd.NewReader(in, zstd.WithDecoderConcurrency(1))
		if err != nil {
			return err
		}
		defer d.Close()
		in = d
	}
	to := &spool{path: raw}
	buf := make([]byte, piece)
	for at := int64(0); ; {
		n, err := io.ReadFull(in, buf)
		if err2 := o.store.place(to, buf[:n], at); err2 != nil {
			err = err2
		}
		if at += int64(n); err == nil {
			continue
		}
		o.drop()
		o.spool = *to
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			err = nil
		}
		return err
	}
}

// place writes octets at a place of a file whose octets come out of order.
func (s *Store) place(x *spool, p []byte, at int64) (err error) {
	if !s.encrypts() {
		return writeAt(x.path, p, at)
	}
	if x.scratch == nil {
		if x.scratch, err = newScratch(); err != nil {
			return err
		}
	}
	return x.scratch.writeAt(x.path, p, at)
}

// write writes octets at an offset.
func (a *apart) write(o *Object, at uint64, p []byte) {
	if limit := o.store.options.Size; at > limit || uint64(len(p)) > limit-at {
		p = p[:limit-min(at, limit)]
		o.ended.Cut = true
	}
	if len(p) == 0 {
		return
	}
	if !a.add(Hole{at, uint64(len(p))}) {
		o.ended.Cut = true
		return
	}
	o.size = max(o.size, at+uint64(len(p)))
	if !o.keep {
		return
	}
	if o.spool.path == "" {
		o.spool.path = o.store.spoolFile()
	}
	if err := o.store.place(&o.spool, p, int64(at)); err != nil {
		o.fail(err)
	}
}

// add notes a run that is there. It returns false if there are too many.
func (a *apart) add(r Hole) bool {
	if r.Size == 0 {
		return true
	}
	// Those before from end in front of r, those from to on begin behind it.
	from, _ := slices.BinarySearchFunc(a.there, r.At, func(h Hole, at uint64) int {
		if h.At+h.Size < at {
			return -1
		}
		return 1
	})
	to := from
	end := r.At + r.Size
	for to < len(a.there) && a.there[to].At <= end {
		end = max(end, a.there[to].At+a.there[to].Size)
		r.At = min(r.At, a.there[to].At)
		to++
	}
	if to == from && len(a.there) >= maxRuns {
		return false
	}
	a.there = slices.Replace(a.there, from, to, Hole{r.At, end - r.At})
	return true
}

// end notes the holes, and makes the hash.
func (a *apart) end(o *Object) {
	at := uint64(0)
	for _, r := range a.there {
		o.note(Hole{at, r.At - at})
		at = r.At + r.Size
	}
	o.note(Hole{at, o.size - at})
	if o.lost > maxLost && o.size > maxLost {
		o.size, o.ended.Cut = max(at, maxLost), true
	}
	o.sum = sha256.New()
	if !o.keep {
		return
	}
	if err := o.rehash(); err != nil {
		o.fail(err)
	}
}

// rehash hashes the spool file. What is not in it reads as zeros.
func (o *Object) rehash() error {
	if o.store.encrypts() {
		return o.reseal()
	}
	if o.spool.path == "" {
		o.zero(o.size, func([]byte) {})
		return nil
	}
	if err := os.Truncate(o.spool.path, int64(o.size)); err != nil {
		return err
	}
	f, err := os.Open(o.spool.path)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.Copy(o.sum, f)
	return err
}
