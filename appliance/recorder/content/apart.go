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
	if !o.spool.packed {
		return nil
	}
	o.spool.packed = false
	raw := o.store.spoolFile()
	from, err := os.Open(o.spool.path)
	if err != nil {
		return err
	}
	defer from.Close()
	to, err := os.OpenFile(raw, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	d, err := zstd.NewReader(from, zstd.WithDecoderConcurrency(1))
	if err != nil {
		return errors.Join(err, to.Close())
	}
	defer d.Close()
	_, err = io.Copy(to, d)
	o.spool.remove()
	o.spool.path = raw
	return errors.Join(err, to.Close())
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
	if err := writeAt(o.spool.path, p, int64(at)); err != nil {
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
