package volume

import (
	"errors"
	"io"
)

// Want has the reader hand out the frames of sessions for which want returns true. It calls
// want for each session of a volume that has an index, and reads nothing but the pages with
// such sessions. Other frames come, too: those beside them, and all of a volume without an
// index.
func (r *Reader) Want(want func(*Indexed) bool) { r.want = want }

// Octets returns how many octets of volumes were read.
func (r *Reader) Octets() int64 {
	if r.file == nil {
		return r.octets
	}
	return r.octets + r.blocks.read
}

// pick chooses the pages of the volume that was opened.
func (r *Reader) pick() {
	r.picked = nil
	if r.want == nil || !r.whole {
		return
	}
	s, err := readSummary(r.dir, named{number: r.number, whole: true, encrypted: r.encrypted})
	if err != nil {
		return
	}
	if r.picked, err = pick(r.dir, &s, r.want); err == nil {
		r.links, r.blocks.offset = r.picked.links, 0
		r.picked.page = -1
	}
}

// unpick reads a volume on from where it is, and without its index: one of both is damaged.
func (r *Reader) unpick() {
	if r.last.Number() == r.number {
		r.from = max(r.from, r.last.Offset())
	}
	r.picked, r.links = nil, nil
	r.blocks.offset, r.blocks.ahead = 0, 0
}

// next returns the next block that is to be read.
func (r *Reader) next() (block, error) {
	k := r.picked
	if k == nil {
		return r.blocks.next()
	}
	jumped := r.blocks.offset>>pageBits != k.page
	if jumped {
		if len(k.starts) == 0 {
			return block{}, io.EOF
		}
		if at := k.starts[0]; at > r.blocks.offset {
			r.blocks.offset = at
		}
		k.page = k.starts[0] >> pageBits
		k.starts = k.starts[1:]
		r.blocks.ahead = k.run()
	}
	b, err := r.blocks.next()
	if jumped && errors.Is(err, io.EOF) {
		err = errTorn // a packet should be there
	}
	return b, err
}

// run returns how many octets are read at once: all pages that follow each other, and what
// the last packet has beyond.
func (k *picked) run() int {
	n := 0
	for n < len(k.starts) && k.starts[n]>>pageBits == k.page+1+int64(n) {
		n++
	}
	return min((n+2)<<pageBits, bufferSize)
}
