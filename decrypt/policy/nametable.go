package policy

import (
	"errors"
	"hash/maphash"
	"math"
)

// nameTable is a set of names in three allocations and without pointers: the
// collector has nothing to follow, whatever its size. A name costs its octets, one
// for its length, and 4 to 8 for its place in the table. Look-ups do not allocate
// and are safe for concurrent use; add is not.
type nameTable struct {
	blob  []byte   // names, each behind an octet with its length
	slots []uint32 // where in blob a name begins, plus 1; 0 is free. A power of two, at most 3/4 in use
	count int
	seed  maphash.Seed
}

var errTableFull = errors.New("too many names")

// newNameTable returns a table with room for n names before it grows.
func newNameTable(n int) nameTable {
	size := 16
	for size*3 < n*4 {
		size *= 2
	}
	return nameTable{slots: make([]uint32, size), seed: maphash.MakeSeed()}
}

// find returns the slot of b, or the one where it would stand. The table must
// have slots.
func (t *nameTable) find(b []byte) (slot int, ok bool) {
	mask := len(t.slots) - 1
	for slot = int(maphash.Bytes(t.seed, b)) & mask; ; slot = (slot + 1) & mask {
		at := t.slots[slot]
		if at == 0 {
			return slot, false
		}
		if n := int(t.blob[at-1]); n == len(b) && string(t.blob[at:int(at)+n]) == string(b) {
			return slot, true
		}
	}
}

// has reports whether b is in the table, which may be the zero value.
func (t *nameTable) has(b []byte) bool {
	if t.count == 0 {
		return false
	}
	_, ok := t.find(b)
	return ok
}

// add puts b, at most 255 octets, into the table and returns its slot, which
// holds until the table grows.
func (t *nameTable) add(b []byte) (slot int, err error) {
	slot, ok := t.find(b)
	if ok {
		return slot, nil
	}
	if len(t.blob)+len(b) >= math.MaxUint32 {
		return 0, errTableFull
	}
	if (t.count+1)*4 > len(t.slots)*3 {
		t.grow()
		slot, _ = t.find(b)
	}
	t.blob = append(t.blob, byte(len(b)))
	t.slots[slot] = uint32(len(t.blob))
	t.blob = append(t.blob, b...)
	t.count++
	return slot, nil
}

// grow doubles the slots.
func (t *nameTable) grow() {
	t.slots = make([]uint32, 2*len(t.slots))
	for at := 0; at < len(t.blob); {
		n := int(t.blob[at])
		slot, _ := t.find(t.blob[at+1 : at+1+n])
		t.slots[slot] = uint32(at + 1)
		at += 1 + n
	}
}

// clip gives back what the table has kept for names to come.
func (t *nameTable) clip() { t.blob = append(make([]byte, 0, len(t.blob)), t.blob...) }

// octets is the memory that the table takes.
func (t *nameTable) octets() int { return cap(t.blob) + 4*cap(t.slots) }
