package inspect

// hashes is a set of hashes, each with a small number: a table of open addressing, whose size
// is a power of two. It takes 20 octets for a hash at most, and 10 at least.
type hashes struct {
	keys   []uint64 // 0: free
	values []uint16
	n      int
}

// put adds a hash. The first number that it came with stays.
func (h *hashes) put(key uint64, value uint16) {
	if 4*(h.n+1) > 3*len(h.keys) {
		old := *h
		*h = hashes{keys: make([]uint64, max(2*len(old.keys), 64)), values: make([]uint16, max(2*len(old.keys), 64))}
		for i, k := range old.keys {
			if k != 0 {
				h.put(k, old.values[i])
			}
		}
	}
	key = max(key, 1)
	i := key & uint64(len(h.keys)-1)
	for h.keys[i] != 0 && h.keys[i] != key {
		i = (i + 1) & uint64(len(h.keys)-1)
	}
	if h.keys[i] == 0 {
		h.keys[i], h.values[i] = key, value
		h.n++
	}
}

// get returns the number of a hash.
func (h *hashes) get(key uint64) (value uint16, found bool) {
	if h.n == 0 {
		return 0, false
	}
	key = max(key, 1)
	i := key & uint64(len(h.keys)-1)
	for h.keys[i] != 0 {
		if h.keys[i] == key {
			return h.values[i], true
		}
		i = (i + 1) & uint64(len(h.keys)-1)
	}
	return 0, false
}
