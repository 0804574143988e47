package content

import (
	"crypto/sha256"
	"hash"
)

// Hole is a run of octets that are not there.
type Hole struct{ At, Size uint64 }

// Ended is what an object was.
type Ended struct {
	Hash   [32]byte
	Size   uint64 // holes among them
	Holes  []Hole
	More   uint64 // holes that are not listed
	Stored uint64 // octets on disk; 0: it is not kept
	Cut    bool   // it exceeded a bound, and its end is missing
	Err    error  // why it is not kept, though it was to be
}

const (
	maxHoles = 1000
	maxLost  = 1 << 30 // octets in holes of one object
)

// Object is one object under way.
type Object struct {
	store *Store
	keep  bool
	sum   hash.Hash // of all octets before behind
	ended Ended
	size  uint64  // octets up to now
	lost  uint64  // of them, in holes
	buf   *[]byte // octets that are not in the file yet; nil: none were
	spool spool
	apart *apart // set once octets came out of order
	brief bool   // it is not kept beyond its end
}

// New begins an object. If keep is false, it is hashed only.
func (s *Store) New(keep bool) *Object {
	o := &Object{store: s, keep: keep, sum: sha256.New()}
	if keep {
		if err := s.ready(); err != nil {
			o.fail(err)
		}
	}
	return o
}

// Forget has the object hashed only. It is called before the first octet.
func (o *Object) Forget() { o.keep = false }

// Brief has the object kept only until its end. One that is not kept at all is hashed as its
// octets come: they must come in order. Call it before the first octet.
func (o *Object) Brief() { o.brief = true }

// Size returns how many octets there are up to now.
func (o *Object) Size() uint64 { return o.size }

// Write takes the next octets, which it borrows.
func (o *Object) Write(p []byte) {
	if o.apart != nil {
		o.apart.write(o, o.size, p)
		return
	}
	if room := o.store.options.Size - o.size; uint64(len(p)) > room {
		p = p[:room]
		o.ended.Cut = true
	}
	o.sum.Write(p)
	o.append(p)
}

// append takes octets that are hashed.
func (o *Object) append(p []byte) {
	for len(p) > 0 {
		if !o.keep {
			o.size += uint64(len(p))
			return
		}
		if o.buf == nil {
			o.buf = o.store.buffers.Get().(*[]byte)
		}
		n := min(len(p), piece-len(*o.buf))
		*o.buf = append(*o.buf, p[:n]...)
		p = p[n:]
		o.size += uint64(n)
		if held := o.store.held.Add(int64(n)); len(*o.buf) == piece || held > o.store.options.Memory {
			o.flush()
		}
	}
}

// zeros is hashed and written in place of octets that are lost.
var zeros [32 << 10]byte

// Hole says that the next n octets are lost.
func (o *Object) Hole(n uint64) {
	if o.apart != nil {
		o.Extend(o.size + n)
		return
	}
	if n > o.store.options.Size-o.size || n > maxLost-o.lost {
		n = min(o.store.options.Size-o.size, maxLost-o.lost)
		o.ended.Cut = true
	}
	o.note(Hole{o.size, n})
	if o.keep {
		o.flush() // which tells whether the file is compressed
	}
	if o.keep && !o.spool.packed && !o.store.encrypts() {
		o.size += n
		o.zero(n, func([]byte) {})
		return
	}
	o.zero(n, o.append)
}

// zero hashes n zeros, and hands them out.
func (o *Object) zero(n uint64, take func([]byte)) {
	for n > 0 {
		p := zeros[:min(n, uint64(len(zeros)))]
		o.sum.Write(p)
		take(p)
		n -= uint64(len(p))
	}
}

// note notes a hole.
func (o *Object) note(h Hole) {
	if h.Size == 0 {
		return
	}
	o.lost += h.Size
	last := len(o.ended.Holes) - 1
	switch {
	case last >= 0 && o.ended.More == 0 && o.ended.Holes[last].At+o.ended.Holes[last].Size == h.At:
		o.ended.Holes[last].Size += h.Size
	case last+1 < maxHoles:
		o.ended.Holes = append(o.ended.Holes, h)
	default:
		o.ended.More++
	}
}

// Abort gives the object up.
func (o *Object) Abort() {
	o.release()
	o.drop()
}

// End ends the object. It is kept when End returns, but see [Store.Sync].
func (o *Object) End() Ended {
	if o.apart != nil {
		o.apart.end(o)
	}
	o.sum.Sum(o.ended.Hash[:0])
	o.ended.Size = o.size
	if o.keep && !o.brief {
		o.settle()
	}
	o.release()
	if o.brief {
		o.drop()
	}
	return o.ended
}

// release gives the memory back.
func (o *Object) release() {
	if o.buf != nil {
		o.store.held.Add(-int64(len(*o.buf)))
		*o.buf = (*o.buf)[:0]
		o.store.buffers.Put(o.buf)
		o.buf = nil
	}
}

// fail has the object hashed only from here on.
func (o *Object) fail(err error) {
	if o.keep {
		o.store.failed.Add(1)
		if o.store.refusal.Swap(&err) == nil && o.store.options.Log != nil {
			o.store.options.Log(err)
		}
	}
	o.keep, o.ended.Err = false, err
	o.release()
	o.drop()
}
