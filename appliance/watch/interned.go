package watch

// interned keeps each value once, as long as rows have it. A value has an index.
type interned[T comparable] struct {
	index  map[T]uint32
	values []*kept[T]
	free   []uint32 // indexes without a value
}

// kept is a value, which does not change, and how many rows have it.
type kept[T comparable] struct {
	value T
	rows  int
}

// take returns the index of a value for one more row.
func (n *interned[T]) take(value T) uint32 {
	if i, ok := n.index[value]; ok {
		n.values[i].rows++
		return i
	}
	if n.index == nil {
		n.index = make(map[T]uint32)
	}
	var i uint32
	if last := len(n.free) - 1; last >= 0 {
		i, n.free = n.free[last], n.free[:last]
	} else {
		i, n.values = uint32(len(n.values)), append(n.values, nil)
	}
	n.values[i], n.index[value] = &kept[T]{value, 1}, i
	return i
}

// release says that a row has the value no more.
func (n *interned[T]) release(i uint32) {
	k := n.values[i]
	if k.rows--; k.rows == 0 {
		delete(n.index, k.value)
		n.values[i], n.free = nil, append(n.free, i)
	}
}

// of returns a value, which stays what it is.
func (n *interned[T]) of(i uint32) *T { return &n.values[i].value }
